//! Builds the rooms, binds, serves, and takes them down in order.

mod books;
mod closing;
mod house;
mod machines;
mod purse;
mod revoked;
mod switches;
mod warm;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;

use crate::alert::{Alerts, Setup};
use crate::clock::Clock;
use crate::coach::{Roster, RosterError};
use crate::config::Settings;
use crate::http::{self, Door, Keys, TurnLimits, Webhooks};
use crate::lifecycle::Lifecycle;
use crate::memory::{Memory, MemoryError, Shelf};
use crate::outbound;
use crate::pipeline::{Admission, Captor, Rooms};
use crate::record::counters::LinkError;
use crate::record::{Records, StoreError};
use crate::routing::catalog::Catalog;
use crate::routing::experiment::{Enrolments, ExperimentError, Experiments};
use crate::routing::flags::Flags;
use crate::session::{Pseudonyms, Revoked, Sessions};
use crate::telemetry::live::Live;
use crate::telemetry::logs::DroppedLines;
use crate::telemetry::metrics;
use crate::upstream::{OpenRouter, SetupError, Target, models};
use crate::vault::{DataKey, DataKeyError, Vault};

use self::books::Books;
use self::purse::Purse;
use self::watch::Watch;

/// How long a request's head may take.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long an idle connection of a caller stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections waiting to be accepted.
const BACKLOG: u32 = 4096;

/// A bound service, not yet serving.
pub struct Application {
    addr: SocketAddr,
    server: Server,
    lifecycle: Lifecycle,
    rooms: Arc<Rooms>,
    grace: Duration,
}

/// How a served application came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every turn finished by itself and everything was flushed.
    Clean,
    /// Turns were still open when the grace was over, or not all of the rest was written or kept.
    Cut,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{addr} cannot be listened on: {source}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error(transparent)]
    Roster(#[from] RosterError),
    #[error(transparent)]
    Experiments(#[from] ExperimentError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Counters(#[from] LinkError),
    #[error(transparent)]
    DataKey(#[from] DataKeyError),
    #[error("memory cannot be set up: {0}")]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Upstream(#[from] SetupError),
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
    #[error("the server failed: {0}")]
    Server(#[source] io::Error),
}

impl Application {
    /// Builds every room and binds the address; port 0 binds any free one.
    ///
    /// # Errors
    /// The first room that cannot be built, in its own words.
    pub fn build(settings: &Settings, dropped: Option<DroppedLines>) -> Result<Self, AppError> {
        metrics::install();
        let lifecycle = Lifecycle::new();
        let clock = Clock::System;
        let roster = Roster::load(&settings.coaches)?;
        let experiments = Experiments::load(settings.experiments.as_deref(), &roster)?;
        for warning in experiments.warnings() {
            tracing::warn!(target: "clm::app", "{warning}");
        }
        let mut slugs = roster.slugs();
        slugs.extend(experiments.slugs());
        let live = Live::default();
        let admission = Admission::new(settings.limits.max_turns);
        let counters = machines::count(settings, &admission, &lifecycle)?;
        let key = DataKey::load(&settings.store)?;
        let vault = Arc::new(Vault::new(&key));
        let records = Records::open(&settings.store, &lifecycle, clock, live.clone())?;
        let catalog = Catalog::default();
        let target = Target::new(&settings.upstream, catalog.clone())?;
        let client = outbound::client()?;
        let leases = records.leases();
        let budget = purse::budget(&settings.budget, leases.is_some());
        let flags = Flags::new(settings.switches);
        let alerts = Alerts::start(
            Setup {
                webhook: settings.alerts.clone(),
                dir: settings.store.data_dir.join("spool/alerts"),
                once: watch::once(records.switchboard()),
                clock,
            },
            &lifecycle,
        )?;
        let recorder = books::keep(
            Books {
                records: &records,
                counters: counters.clone(),
                budget: budget.clone(),
                alerts: alerts.clone(),
            },
            (target.clone(), client.clone()),
            &lifecycle,
        )?;
        let shelf = Shelf {
            dir: settings.store.data_dir.join("spool/memory"),
            vault: Vault::new(&key),
        };
        let (turns, repeats) = machines::turns(settings, &key, &lifecycle)?;
        let rooms = Arc::new(Rooms {
            clock,
            deadlines: settings.deadlines,
            fallback: settings.upstream.fallback,
            flags: flags.clone(),
            budget: budget.clone(),
            speech_wpm: settings.speech_wpm,
            silence: settings.silence,
            health: Arc::default(),
            allowance: Arc::default(),
            roster: Arc::new(roster),
            catalog,
            memory: Memory::start(&settings.memory, shelf, &lifecycle, clock)?,
            turns,
            repeats,
            experiments: Arc::new(Enrolments::new(experiments)),
            pseudonyms: Pseudonyms::new(&key),
            captor: Captor::new(
                Arc::clone(&vault),
                settings.store.capture_ttl,
                recorder.clone(),
            ),
            recorder,
            admission,
            lifecycle: lifecycle.clone(),
        });
        let revoked = Arc::new(Revoked::new(rooms.pseudonyms.clone()));
        revoked::follow(Arc::clone(&revoked), records.revocations(), &rooms);
        let door = Door {
            rooms: Arc::clone(&rooms),
            sessions: Arc::new(Sessions::new(settings, clock).heeding(Arc::clone(&revoked))),
            revocations: records.revocations(),
            revoked,
            webhooks: Arc::new(Webhooks::new(&settings.webhooks)),
            readings: Arc::default(),
            keys: Keys::new(settings),
            limits: settings.limits,
            turn_limits: Arc::new(TurnLimits::new(&settings.limits)),
            simulated: settings.simulated,
            store: records.reader(),
            switchboard: records.switchboard(),
            reporter: records.reporter(settings.baseline.clone()),
            records: records.health(),
            vault,
            live: live.clone(),
            counters,
            dropped_lines: dropped,
        };
        let (server, addr) = bind(settings, target.clone(), door)?;
        let watch = Watch::new(alerts.clone(), Arc::clone(&rooms), records.health(), &slugs);
        house::keep(&rooms, watch);
        watch::watch_balance(alerts, target.clone(), client.clone(), &lifecycle);
        switches::follow(flags, records.switchboard(), live, &lifecycle);
        Purse {
            budget,
            reader: records.reader(),
            clock,
            recorded: Arc::default(),
        }
        .start(records.backlog(), leases, &lifecycle);
        models::keep_fresh(rooms.catalog.clone(), target, client, &lifecycle, slugs);
        let grace = settings.shutdown_grace;
        Ok(Self {
            addr,
            server,
            lifecycle,
            rooms,
            grace,
        })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Serves until the lifecycle's soft token is cancelled, then stops in order: no new turns,
    /// running ones finish within the grace, what still speaks is ended politely, memory and
    /// records are flushed.
    ///
    /// # Errors
    /// When the server itself fails.
    ///
    /// # Cancellation
    /// Not safe: a dropped future leaves the server running.
    pub async fn run(self) -> Result<Ended, AppError> {
        let Self {
            server,
            lifecycle,
            rooms,
            grace,
            ..
        } = self;
        let handle = server.handle();
        let memory = rooms.memory.clone();
        let stopping = closing::stop(handle, Arc::clone(&rooms), grace);
        let (served, (turns, lost)) = tokio::join!(server, stopping);
        served.map_err(AppError::Server)?;
        let flushed = closing::flush(rooms, &lifecycle).await;
        // What could not be written waits on the disk, unless the disk did not take it.
        let kept = memory.lost() == lost;
        let clean = turns == Ended::Clean && flushed == Ended::Clean && kept;
        Ok(if clean { Ended::Clean } else { Ended::Cut })
    }
}

fn bind(settings: &Settings, target: Target, door: Door) -> Result<(Server, SocketAddr), AppError> {
    let wanted = settings.listen.addr();
    let unbound = |source| AppError::Bind {
        addr: wanted,
        source,
    };
    let spare = outbound::client()?;
    let grace = settings
        .shutdown_grace
        .as_secs()
        .saturating_add(closing::POLITE.as_secs());
    let stall = settings.limits.caller_stall;
    let practises = settings.listen.practice;
    let server = HttpServer::new(move || {
        // Connections belong to the thread that opened them: each worker has its own client.
        let client = outbound::client().unwrap_or_else(|_| spare.clone());
        let upstream = Rc::new(OpenRouter::new(target.clone(), client));
        warm::keep_connected(&door.rooms.lifecycle, Rc::clone(&upstream));
        if practises {
            warm::keep_in_practice(door.clone(), Rc::clone(&upstream));
        }
        App::new()
            .wrap(from_fn(http::root_span))
            .app_data(Data::new(door.clone()))
            .app_data(Data::new(upstream))
            .configure(http::routes)
    })
    .workers(settings.listen.workers)
    .backlog(BACKLOG)
    .keep_alive(KEEP_ALIVE)
    .on_connect(move |connection, _| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            bound_stall(stream, stall);
        }
    })
    .client_request_timeout(HEAD_WAIT)
    // Without these two a hang-up is noticed only with the next write, and the first token waits
    // for a delayed acknowledgement.
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .disable_signals()
    .shutdown_timeout(grace)
    .bind(wanted)
    .map_err(unbound)?;
    let addr = server.addrs().first().copied().unwrap_or(wanted);
    Ok((server.run(), addr))
}

/// A caller that takes nothing for so long is disconnected by the kernel, which alone knows: a body
/// that cannot be written is not asked for more, so nothing of ours would ever wake up.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bound_stall(stream: &TcpStream, stall: Duration) {
    if let Err(e) = SockRef::from(stream).set_tcp_user_timeout(Some(stall)) {
        tracing::warn!(target: "clm::app", error = %e, "slow callers cannot be bounded");
    }
}

/// Other systems have no such option: there a caller that takes nothing keeps its turn until it goes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bound_stall(_: &TcpStream, _: Duration) {}
