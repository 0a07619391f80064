//! The records and those who look over what is in them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

use crate::alert::Alerts;
use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::record::counters::Counters;
use crate::record::{Backlog, Reader, Recorder, Records, StoreError};
use crate::routing::budget::Budget;
use crate::turn::{MicroUsd, TurnId};
use crate::upstream::{Corrections, Target};

use super::watch;

/// How old a call without a bill may be at a start to be asked about again: upstream's books are asked
/// for a quarter of an hour.
const UNBILLED_MS: i64 = 20 * 60_000;
/// Before a store that does not answer is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// Before it is looked again whether the store has what it had not taken from the process before.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

/// Who wants to know what is settled.
pub(super) struct Books<'a> {
    pub(super) records: &'a Records,
    pub(super) counters: Counters,
    pub(super) budget: Budget,
    pub(super) alerts: Alerts,
}

/// Starts the records, those who count what is settled, and whoever corrects what calls without a bill
/// have cost: those that are settled from now on, and those that the store has from before.
pub(super) fn keep(
    books: Books<'_>,
    upstream: (Target, Client),
    lifecycle: &Lifecycle,
) -> Result<Recorder, StoreError> {
    let Books {
        records,
        counters,
        budget,
        alerts,
    } = books;
    let corrections: Arc<OnceLock<Corrections>> = Arc::default();
    let considering = Arc::clone(&corrections);
    let spending = budget.clone();
    let is_refused = AtomicBool::new(false);
    let recorder = records.start(move |turn| {
        counters.note(turn);
        watch::witness(&alerts, &is_refused, turn);
        watch::witness_cap(&alerts, &spending, turn);
        if let Some(corrections) = considering.get() {
            corrections.consider(turn);
        }
    })?;
    let books = recorder.clone();
    let (target, client) = upstream;
    let started = Corrections::start(target, client, lifecycle, move |correction, estimate| {
        if let Some(estimate) = estimate {
            let more = MicroUsd(correction.cost_microusd.0.saturating_sub(estimate.0));
            let began_ms = TurnId::time_of(&correction.turn_id).unwrap_or_default();
            budget.correct(more, began_ms, Clock::System.now_ms());
        }
        books.correct(correction);
    });
    let (reader, from_before) = (records.reader(), started.clone());
    let backlog = records.backlog();
    let (soft, watching) = (lifecycle.soft().clone(), lifecycle.clone());
    lifecycle.spawn(async move {
        let looking = reconsider(reader, backlog, from_before, watching);
        soft.run_until_cancelled(looking).await;
    });
    // Set once, here.
    let _ = corrections.set(started);
    Ok(recorder)
}

/// Gives calls that were left without a bill by the process before to be asked about again: those that
/// the store has, as soon as it answers, and those that were still on their way to it, once they are
/// there.
async fn reconsider(
    reader: Reader,
    backlog: Backlog,
    corrections: Corrections,
    lifecycle: Lifecycle,
) {
    let since = Clock::System.now_ms() - UNBILLED_MS;
    take_up(&reader, since, &corrections).await;
    if backlog.is_empty() {
        return;
    }
    loop {
        let backlog = backlog.clone();
        let look = lifecycle.spawn_blocking(move || backlog.is_delivered());
        if look.await.unwrap_or(true) {
            break;
        }
        sleep(BACKLOG_PAUSE).await;
    }
    // What was found before is known by now, and is not asked about twice.
    take_up(&reader, since, &corrections).await;
}

/// The calls that the store has.
async fn take_up(reader: &Reader, since: i64, corrections: &Corrections) {
    let calls = loop {
        match reader.uncorrected(since).await {
            Ok(calls) => break calls,
            Err(_) => sleep(STORE_PAUSE).await,
        }
    };
    for call in calls {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float-to-integer cast saturates, and a turn is a minute long"
        )]
        let ended_at = call.created_at.saturating_add(call.ended_ms as i64);
        let (turn, generation) = (&call.turn_id, &call.generation_id);
        corrections.consider_attempt(turn, call.position, generation, ended_at);
    }
}
