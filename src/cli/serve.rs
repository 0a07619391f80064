//! `clm serve`: the production command.

use std::io::{self, Write};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::app::{Application, Ended};
use crate::config::{self, Settings, Sources};
use crate::export::Export;
use crate::lifecycle::Lifecycle;
use crate::telemetry::logs;

use super::{Exit, told};

pub(super) const EXAMPLES: &str = "\
Examples:
  OPEN_ROUTER_API_KEY=… clm serve
  clm --config /etc/clm.toml serve
  HOST=0.0.0.0 CLM_API_KEYS=… OPEN_ROUTER_API_KEY=… clm serve

`clm check` says beforehand whether everything is in place. Without an account: `clm demo`.";

/// Serves until it is told to stop.
///
/// # Errors
/// When `err` takes no more.
pub(super) async fn run(sources: &Sources, err: &mut impl Write) -> io::Result<Exit> {
    let Some(settings) = told(config::load_to_serve(sources), err)? else {
        return Ok(Exit::Usage);
    };
    serve(&settings, err).await
}

async fn serve(settings: &Settings, err: &mut impl Write) -> io::Result<Exit> {
    let export = match Export::start(settings) {
        Ok(export) => export,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Problem);
        }
    };
    let logs = match logs::init(&settings.log, export.tracer()) {
        Ok(logs) => logs,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    let application = match Application::build(settings, Some(logs.dropped())) {
        Ok(application) => application,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    let memory = if settings.memory.api_key.is_some() {
        "on"
    } else {
        "off (no ZEP_API_KEY)"
    };
    tracing::info!(
        target: "clm::app",
        addr = %application.addr(),
        memory,
        keys = settings.keys.callers.len(),
        anonymous = settings.keys.callers.is_empty(),
        connections = application.places(),
        "listening"
    );
    if let Some(addr) = application.ops_addr() {
        tracing::info!(target: "clm::app", %addr, "listening for operators");
    }
    if settings.keys.callers.is_empty() && settings.listen.host.is_loopback() {
        tracing::warn!(
            target: "clm::app",
            "no CLM_API_KEYS: listening on loopback only, where whoever is on this machine may call"
        );
    }
    watch_signals(application.lifecycle(), settings.shutdown_delay);
    let ended = application.run().await;
    export.stop().await;
    match ended {
        Ok(Ended::Clean) => Ok(Exit::Fine),
        Ok(Ended::Cut) => Ok(Exit::Problem),
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            Ok(Exit::Problem)
        }
    }
}

/// The first SIGINT or SIGTERM asks to finish, the second insists. Both mean the same: platforms
/// differ in which they send. What comes within `delay` of the first is still taken.
pub(super) fn watch_signals(lifecycle: &Lifecycle, delay: Duration) {
    let leaving = lifecycle.clone();
    let (soft, hard) = (lifecycle.soft().clone(), lifecycle.hard().clone());
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        tracing::warn!(target: "clm::app", "signals cannot be watched: stopping will not be graceful");
        return;
    };
    lifecycle.spawn(async move {
        let next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let mut next = next;
        tokio::select! {
            () = next() => leaving.leave(),
            () = hard.cancelled() => return,
        }
        if !delay.is_zero() {
            let delay_s = delay.as_secs();
            tracing::info!(target: "clm::app", delay_s, "leaving: turns that still come are taken");
            tokio::select! {
                () = sleep(delay) => {}
                () = soft.cancelled() => {}
                () = next() => hard.cancel(),
            }
        }
        soft.cancel();
        tokio::select! {
            () = next() => hard.cancel(),
            () = hard.cancelled() => {}
        }
    });
}
