//! The addresses that the service listens on.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server, Service as _};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use futures::TryFutureExt as _;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;

use crate::config::Settings;
use crate::http::{self, Door};
use crate::lifecycle::leave_real_time;
use crate::outbound;
use crate::telemetry::metrics::Connected;
use crate::upstream::{OpenRouter, Target};

use super::{AppError, closing, warm};

/// How long a request's head may take.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long an idle connection of a caller stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections waiting to be accepted.
const BACKLOG: u32 = 4096;
/// Connections of operators.
const OPS_CONNECTIONS: usize = 64;
/// Connections of callers that a worker holds, however many files there are: what actix documents as its own bound.
const MOST_CONNECTIONS: usize = 25_000;
/// Files for all but callers and models: of the service itself (73 to 79 with one worker and ten thousand held streams), and of operators.
const OWN_FILES: usize = 96 + OPS_CONNECTIONS;
/// Files of a worker itself: four of its runtime, and a connection to models that is kept open.
const WORKER_FILES: usize = 5;
/// Calls that share a connection to models where HTTP/2 is spoken, at the least.
const SHARED: usize = 16;

/// Where callers come.
///
/// # Errors
/// When the address is taken, or a client cannot be set up.
pub(super) fn callers(
    settings: &Settings,
    places: usize,
    target: Target,
    door: Door,
) -> Result<(Server, SocketAddr), AppError> {
    let wanted = settings.listen.addr();
    let spare = outbound::client()?;
    let grace = settings
        .shutdown_grace
        .as_secs()
        .saturating_add(closing::POLITE.as_secs());
    let stall = settings.limits.caller_stall;
    let practises = settings.listen.practice;
    let each = places / settings.listen.workers.max(1);
    let server = HttpServer::new(move || {
        // Connections belong to the thread that opened them: each worker has its own client.
        let client = outbound::client().unwrap_or_else(|_| spare.clone());
        let upstream = Rc::new(OpenRouter::new(target.clone(), client));
        warm::keep_connected(&door.rooms.lifecycle, Rc::clone(&upstream));
        if practises {
            warm::keep_in_practice(door.clone(), Rc::clone(&upstream));
        }
        App::new()
            .wrap_fn(|request, service| service.call(request).map_ok(http::part_when_leaving))
            .wrap(from_fn(http::root_span))
            .app_data(Data::new(door.clone()))
            .app_data(Data::new(upstream))
            .configure(http::routes)
    })
    .workers(settings.listen.workers)
    .backlog(BACKLOG)
    .max_connections(each)
    .keep_alive(KEEP_ALIVE)
    .on_connect(move |connection, extensions: &mut Extensions| {
        extensions.insert(Connected::one());
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
    .map_err(unbound(wanted))?;
    let addr = server.addrs().first().copied().unwrap_or(wanted);
    Ok((server.run(), addr))
}

/// Where operators ask, if that is wanted: accepted and answered by threads that carry no turns, so that neither busy
/// workers nor a crowd of callers keep it from saying how we are.
///
/// # Errors
/// When the address is taken.
pub(super) fn operators(
    settings: &Settings,
    door: Door,
) -> Result<Option<(Server, SocketAddr)>, AppError> {
    let Some(wanted) = settings.listen.ops else {
        return Ok(None);
    };
    let stall = settings.limits.caller_stall;
    let server = HttpServer::new(move || {
        App::new()
            .wrap_fn(|request, service| {
                leave_real_time();
                service.call(request)
            })
            .app_data(Data::new(door.clone()))
            .configure(http::ops_routes)
    })
    .workers(1)
    .max_connections(OPS_CONNECTIONS)
    .on_connect(move |connection, _| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            bound_stall(stream, stall);
        }
    })
    .client_request_timeout(HEAD_WAIT)
    .disable_signals()
    .bind(wanted)
    .map_err(unbound(wanted))?;
    let addr = server.addrs().first().copied().unwrap_or(wanted);
    Ok(Some((server.run(), addr)))
}

fn unbound(addr: SocketAddr) -> impl FnOnce(io::Error) -> AppError {
    move |source| AppError::Bind { addr, source }
}

/// How many connections callers may have, of so many files in all: who comes beyond it waits in the system's queue until
/// somebody leaves, and does not take the files that turns which were let in need for their models.
#[must_use]
pub(super) fn places(settings: &Settings, files: Option<u64>) -> usize {
    let workers = settings.listen.workers.max(1);
    let most = MOST_CONNECTIONS.saturating_mul(workers);
    let Some(files) = files.and_then(|files| usize::try_from(files).ok()) else {
        return most;
    };
    let others = files.saturating_sub(OWN_FILES + WORKER_FILES * workers);
    let turns = settings.limits.max_turns.min(others / 2);
    let models = if settings.upstream.base_url.starts_with("https:") {
        turns / SHARED
    } else {
        turns
    };
    let all = others.saturating_sub(models).max(files / 4).clamp(1, most);
    // Each worker has as many as the others.
    (all / workers).max(1) * workers
}

/// How many turns may be open with so many files: some places are left for whoever is to hear that there is none.
#[must_use]
pub fn turns(settings: &Settings, files: Option<u64>) -> usize {
    let places = places(settings, files);
    settings.limits.max_turns.min((places - places / 16).max(1))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    fn held(files: Option<u64>, pairs: &[(&str, &str)]) -> (usize, usize) {
        let sources = Sources::from_pairs(pairs.iter().copied());
        let settings = config::load(&sources).unwrap();
        (places(&settings, files), turns(&settings, files))
    }

    #[test]
    fn of_files_callers_have_what_their_models_leave() {
        let (one, four) = (("WORKERS", "1"), ("WORKERS", "4"));
        let here = ("OPENROUTER_BASE_URL", "http://127.0.0.1:9100/api/v1");
        assert_eq!(held(None, &[one]), (25_000, 4_000));
        assert_eq!(held(Some(1 << 30), &[four]), (100_000, 4_000));
        // 4,000 turns want 250 connections to models, or 4,000 where each has its own.
        assert_eq!(held(Some(20_000), &[one]).0, 20_000 - 165 - 250);
        assert_eq!(held(Some(20_000), &[one, here]).0, 20_000 - 165 - 4_000);
        assert_eq!(held(Some(20_000), &[four, here]).0, 20_000 - 180 - 4_000);
        // Half of few files is for models, and a quarter always for callers; some of theirs to hear that all are taken.
        assert_eq!(held(Some(1_024), &[one, here]), (430, 404));
        assert_eq!(held(Some(96), &[one, here]), (24, 23));
        assert_eq!(held(Some(0), &[four]), (4, 4));
        // No more than the workers take between them.
        assert_eq!(held(Some(20_003), &[four, here]).0, 20_000 - 180 - 4_000);
    }
}
