//! Builds the rooms, binds, serves, and takes them down in order.

mod books;
mod closing;
mod house;
mod listen;
mod machines;
mod purse;
mod revoked;
mod switches;
mod warm;
mod watch;

use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;

use crate::alert::{Alerts, Setup};
use crate::clock::Clock;
use crate::coach::{Roster, RosterError};
use crate::config::Settings;
use crate::descriptors;
use crate::http::{Door, Keys, TurnLimits, Webhooks};
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
use crate::upstream::{SetupError, Target, models};
use crate::vault::{DataKey, DataKeyError, Vault};

use self::books::Books;
use self::purse::Purse;
use self::watch::Watch;

pub use self::listen::turns;

/// A bound service, not yet serving.
pub struct Application {
    addr: SocketAddr,
    server: Server,
    /// Where operators ask without a key.
    ops: Option<(Server, SocketAddr)>,
    places: usize,
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
        let files = descriptors::limit();
        let places = listen::places(settings, files);
        let turns = turns(settings, files);
        if turns < settings.limits.max_turns {
            tracing::warn!(
                target: "clm::app",
                places,
                turns,
                "fewer places than MAX_TURNS wants: turns are shed beyond what there are"
            );
        }
        let admission = Admission::new(turns);
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
        metrics::set_started(places, clock.now_s());
        let ops = listen::operators(settings, door.clone())?;
        let (server, addr) = listen::callers(settings, places, target.clone(), door)?;
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
            ops,
            places,
            lifecycle,
            rooms,
            grace,
        })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The second address, where `OPS_PORT` asks for one.
    #[must_use]
    pub fn ops_addr(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(|(_, addr)| *addr)
    }

    /// How many connections callers may have.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
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
            ops,
            lifecycle,
            rooms,
            grace,
            ..
        } = self;
        let ops = ops.map(|(ops, _)| ops);
        let handles = iter::once(&server)
            .chain(&ops)
            .map(Server::handle)
            .collect();
        let memory = rooms.memory.clone();
        let stopping = closing::stop(handles, Arc::clone(&rooms), grace);
        let ops = async {
            match ops {
                Some(ops) => until_it_ends(ops, &lifecycle).await,
                None => Ok(()),
            }
        };
        let callers = until_it_ends(server, &lifecycle);
        let (callers, ops, (turns, lost)) = tokio::join!(callers, ops, stopping);
        let flushed = closing::flush(rooms, &lifecycle).await;
        callers.and(ops).map_err(AppError::Server)?;
        // What could not be written waits on the disk, unless the disk did not take it.
        let kept = memory.lost() == lost;
        let clean = turns == Ended::Clean && flushed == Ended::Clean && kept;
        Ok(if clean { Ended::Clean } else { Ended::Cut })
    }
}

/// Serves. Where a server ends by itself the service ends too, in order: with one of two it would be half there, and look well.
async fn until_it_ends(server: Server, lifecycle: &Lifecycle) -> io::Result<()> {
    let ended = server.await;
    lifecycle.soft().cancel();
    ended
}
