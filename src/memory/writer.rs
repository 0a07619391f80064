//! Writes what was said: one task, eight threads at once, one call at a time in each.
//!
//! Repeated is only what certainly did not arrive: a connection that never stood, a rate limit, a
//! refused key, a thread that had to be created first. Anything else may have been applied and is
//! given up, because a doubled memory is worse than a missing one.
//!
//! It ends when the queue is closed and empty, or, once the process must end, as soon as the queue
//! is empty, and soon after in any case.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::MemoryError;
use super::gate::{Gate, Way};
use super::queue::{Batch, Queue};
use super::store::{Limits, Line, Reception, Speaker, Store};
use super::text;
use super::{Exchange, Person};

/// Threads written at once.
const THREADS: usize = 8;
/// Calls that certainly did not arrive, for one page: over an hour of them at the longest pause.
const UNSENT: u32 = 150;
/// Times a thread may turn out not to be there, for one page.
const STRANGER: u32 = 2;
/// The first pause, doubled each time up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A closed gate is looked at again after this: another thread's call may have opened it.
const GATE: Duration = Duration::from_secs(1);
/// What is left to the writer once the process must end.
const LAST: Duration = Duration::from_secs(2);

/// What the writer works with.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) store: Arc<Store>,
    pub(super) gate: Arc<Gate>,
    /// Cancelled when the process must end: nothing is waited for any more.
    pub(super) hard: CancellationToken,
    /// Cancelled when no more comes: a pause is cut short once, for a last try before it matters.
    pub(super) closing: CancellationToken,
}

impl Writer {
    /// Writes until the end; see the module's words.
    pub(super) async fn run(self) {
        let cut = async {
            self.hard.cancelled().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = self.work() => {}
            () = cut => {}
        }
        let left = self.queue.abandon();
        if left > 0 {
            tracing::warn!(
                exchanges = left,
                "memory could not be written before the end"
            );
        }
    }

    async fn work(&self) {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < THREADS
                && let Some(batch) = self.queue.next()
            {
                running.push(self.deliver(batch));
            }
            let ending = self.hard.is_cancelled() || self.queue.is_closed();
            if running.is_empty() && ending {
                return;
            }
            tokio::select! {
                Some(()) = running.next() => {}
                () = self.queue.changed() => {}
                () = self.hard.cancelled(), if !ending => {}
            }
        }
    }

    async fn deliver(&self, batch: Batch) {
        let Limits { bytes, lines } = self.store.limits();
        let all = spread(&batch.exchanges, bytes);
        let mut lost = 0;
        for page in all.chunks(lines) {
            if !self.page(&batch.who, page).await {
                // What follows would be an answer without its question.
                if !self.queue.is_forgotten(&batch.who.thread) {
                    lost = batch.exchanges.len();
                }
                break;
            }
        }
        self.queue.finished(&batch.who.thread, lost);
    }

    /// Writes one page; false when it was given up.
    async fn page(&self, who: &Person, lines: &[Line]) -> bool {
        let mut tries = Tries::default();
        loop {
            if self.queue.is_forgotten(&who.thread) {
                return false;
            }
            if let Err(rest) = self.gate.admit(Way::Write, Instant::now()) {
                if !self.wait(rest.min(GATE)).await {
                    return false;
                }
                continue;
            }
            let outcome = self.call(who, lines).await;
            let report = outcome.as_ref().map(|_| ());
            self.gate.report(Way::Write, report, Instant::now());
            match tries.after(&outcome, jitter()) {
                Next::Written => return true,
                Next::GiveUp => return false,
                Next::Again(pause) if self.wait(pause).await => {}
                Next::Again(_) => return false,
            }
        }
    }

    async fn call(&self, who: &Person, lines: &[Line]) -> Result<Reception, MemoryError> {
        match self.store.introduce(who).await? {
            Reception::Accepted => self.store.write(who, lines).await,
            Reception::Stranger => Ok(Reception::Stranger),
        }
    }

    /// Waits; false when there is no time left to wait.
    async fn wait(&self, pause: Duration) -> bool {
        if self.hard.is_cancelled() {
            return false;
        }
        let closing = self.closing.is_cancelled();
        tokio::select! {
            () = sleep(pause) => true,
            () = self.hard.cancelled() => false,
            () = self.closing.cancelled(), if !closing => true,
        }
    }
}

/// The lines of some exchanges, none longer than `bytes`, none empty.
fn spread(exchanges: &[Exchange], bytes: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for exchange in exchanges {
        let sides = [
            (Speaker::User, &exchange.user),
            (Speaker::Assistant, &exchange.assistant),
        ];
        for (speaker, words) in sides {
            let words = words.as_deref().unwrap_or_default();
            let pieces = text::split(words, bytes).into_iter();
            lines.extend(pieces.filter(|p| !p.trim().is_empty()).map(|piece| Line {
                speaker,
                text: piece.to_owned(),
                at_ms: exchange.at_ms,
            }));
        }
    }
    lines
}

/// What has been tried for one page.
#[derive(Default)]
struct Tries {
    unsent: u32,
    stranger: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Written,
    Again(Duration),
    GiveUp,
}

impl Tries {
    /// What to do after a call that ended so. `jitter` is 0..1000, a share of the pause.
    fn after(&mut self, outcome: &Result<Reception, MemoryError>, jitter: u32) -> Next {
        let (count, most, pause) = match outcome {
            Ok(Reception::Accepted) => return Next::Written,
            Ok(Reception::Stranger) => (&mut self.stranger, STRANGER, true),
            Err(MemoryError::Connect(_)) => (&mut self.unsent, UNSENT, true),
            // The gate is shut for the time that was asked for: no pause on top.
            Err(MemoryError::RateLimited { .. } | MemoryError::Unauthorized) => {
                (&mut self.unsent, UNSENT, false)
            }
            Err(_) => return Next::GiveUp,
        };
        *count += 1;
        if *count > most {
            return Next::GiveUp;
        }
        Next::Again(if pause {
            backoff(*count, jitter)
        } else {
            Duration::ZERO
        })
    }
}

/// Between nine tenths and the whole of the pause before try `count` + 1.
fn backoff(count: u32, jitter: u32) -> Duration {
    let whole = PAUSE
        .saturating_mul(1_u32 << (count - 1).min(16))
        .min(LONGEST_PAUSE);
    whole - whole / 10 * jitter.min(1000) / 1000
}

/// 0..1000, from the random part of a fresh id: the house has one source of chance.
fn jitter() -> u32 {
    u32::try_from(Uuid::now_v7().as_u64_pair().1 % 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_did_not_arrive_is_tried_again() {
        let after = Duration::from_secs(60);
        for (outcome, calls) in [
            (Ok(Reception::Accepted), 1),
            (Ok(Reception::Stranger), 3),
            (Err(MemoryError::RateLimited { after }), 151),
            (Err(MemoryError::Unauthorized), 151),
            (Err(MemoryError::Timeout), 1),
            (Err(MemoryError::Status(500)), 1),
            (Err(MemoryError::Status(400)), 1),
            (Err(MemoryError::Quota), 1),
            (Err(MemoryError::TooLarge { limit: 1 }), 1),
        ] {
            let mut tries = Tries::default();
            let again = |_: &u32| matches!(tries.after(&outcome, 0), Next::Again(_));
            let made = (1..).take_while(again).count() + 1;
            assert_eq!(made, calls, "{outcome:?}");
        }
    }

    #[test]
    fn pauses_grow_to_their_bound_and_outlast_an_hour() {
        assert_eq!(backoff(1, 0), PAUSE);
        assert_eq!(backoff(3, 0), PAUSE * 4);
        assert_eq!(backoff(3, 1000), PAUSE * 4 * 9 / 10);
        assert_eq!(backoff(150, 0), LONGEST_PAUSE);
        let shortest: Duration = (1..=UNSENT).map(|n| backoff(n, 1000)).sum();
        assert!(shortest > Duration::from_secs(3600));
        assert!((0..100).all(|_| jitter() < 1000));
    }

    #[test]
    fn exchanges_spread_into_lines_without_empty_ones() {
        let exchange = |user: &str, assistant: Option<&str>| Exchange {
            user: Some(user.to_owned()),
            assistant: assistant.map(str::to_owned),
            at_ms: 7,
        };
        let exchanges = [
            exchange("aaaa bbbb", Some("c")),
            exchange("  ", None),
            exchange("", Some("d")),
        ];
        let lines = spread(&exchanges, 6);
        let told: Vec<_> = lines.iter().map(|l| (l.speaker, l.text.as_str())).collect();
        use Speaker::{Assistant, User};
        assert_eq!(
            told,
            [
                (User, "aaaa "),
                (User, "bbbb"),
                (Assistant, "c"),
                (Assistant, "d")
            ]
        );
    }
}
