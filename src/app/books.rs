//! The records and those who look over what is in them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::record::counters::Counters;
use crate::record::{Reader, Recorder, Records, StoreError};
use crate::upstream::{Corrections, Target};

/// How old a call without a bill may be at a start to be asked about again: upstream's books are asked
/// for a quarter of an hour.
const UNBILLED_MS: i64 = 20 * 60_000;
/// Before a store that does not answer is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Starts the records, those who count what is settled, and whoever corrects what calls without a bill have cost: those that are settled
/// from now on, and those that the store has from before.
pub(super) fn keep(
    records: &Records,
    counters: &Counters,
    upstream: (Target, Client),
    lifecycle: &Lifecycle,
) -> Result<Recorder, StoreError> {
    let corrections: Arc<OnceLock<Corrections>> = Arc::default();
    let considering = Arc::clone(&corrections);
    let counters = counters.clone();
    let recorder = records.start(move |turn| {
        counters.note(turn);
        if let Some(corrections) = considering.get() {
            corrections.consider(turn);
        }
    })?;
    let books = recorder.clone();
    let (target, client) = upstream;
    let started = Corrections::start(target, client, lifecycle, move |c| books.correct(c));
    let (reader, from_before) = (records.reader(), started.clone());
    let soft = lifecycle.soft().clone();
    lifecycle.spawn(async move {
        soft.run_until_cancelled(reconsider(reader, from_before))
            .await;
    });
    // Set once, here.
    let _ = corrections.set(started);
    Ok(recorder)
}

/// Gives calls that were left without a bill by the process before to be asked about again, as soon as
/// the store answers.
async fn reconsider(reader: Reader, corrections: Corrections) {
    let since = Clock::System.now_ms() - UNBILLED_MS;
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
