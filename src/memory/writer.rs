//! Writes what was said: one task, eight threads at once, one call at a time in each.
//!
//! Repeated, for as long as it takes, is what certainly was not written: a connection that never
//! stood, a rate limit, a refused key, and whatever failed before the words were sent. A thread that
//! has to be created first is tried three times. Anything else may have been applied and is given up,
//! because a doubled memory is worse than a missing one.
//!
//! What an earlier process left may have been written by it. The store is asked for the thread's
//! newest lines first, and what is there already is not written again. It is also asked when the last
//! write failed in doubt: an outage then costs the writes that it met, and none that come after.
//!
//! It ends when the queue is closed and empty, or, once the process must end, as soon as the queue
//! is empty, and soon after in any case.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Person;
use super::desk::{Desk, End};
use super::erase::Turnstile;
use super::error::MemoryError;
use super::gate::{Gate, Way};
use super::queue::{Batch, Item, Queue};
use super::store::{Limits, Line, Reception, Speaker, Store, Told};
use super::text;

/// Threads written at once.
const THREADS: usize = 8;
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
    pub(super) desk: Arc<Desk>,
    pub(super) store: Arc<Store>,
    pub(super) gate: Arc<Gate>,
    pub(super) turnstile: Arc<Turnstile>,
    /// Cancelled when the process must end: nothing is waited for any more.
    pub(super) hard: CancellationToken,
    /// Cancelled when no more comes: a pause is cut short once, for a last try before it matters.
    pub(super) closing: CancellationToken,
}

/// Lines of one call.
struct Page {
    lines: Vec<Line>,
    /// Some of them may be in the store already.
    is_old: bool,
}

/// Where a call failed.
#[derive(Debug)]
enum Trouble {
    /// None of the words were sent.
    Before(MemoryError),
    /// They may have been.
    Write(MemoryError),
}

impl Trouble {
    fn error(&self) -> &MemoryError {
        match self {
            Self::Before(error) | Self::Write(error) => error,
        }
    }
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

    async fn deliver(&self, Batch { who, items }: Batch) {
        let Limits { bytes, lines } = self.store.limits();
        let is_old = items.iter().any(|item| item.is_old);
        let mut all = spread(&items, bytes).into_iter().peekable();
        let mut end = End::Written;
        // After a page that was not written comes none: it would be an answer without its question.
        while end == End::Written && all.peek().is_some() {
            let lines = all.by_ref().take(lines).collect();
            end = self.page(&who, Page { lines, is_old }).await;
        }
        if end != End::Written && self.queue.is_forgotten(&who.thread) {
            end = End::Dropped;
        }
        match end {
            End::Left => self.queue.leave(&who.thread),
            End::Written | End::GivenUp | End::Dropped => self.queue.finished(&who.thread),
        }
        self.desk.finish(&items, end);
    }

    async fn page(&self, who: &Person, mut page: Page) -> End {
        let mut tries = Tries::default();
        loop {
            // Whoever erases this person waits until the call is over, and it until they are erased.
            let inside = self.turnstile.enter(&who.user).await;
            if self.queue.is_forgotten(&who.thread) {
                return End::Dropped;
            }
            if let Err(rest) = self.gate.admit(Way::Write, Instant::now()) {
                drop(inside);
                if !self.wait(rest.min(GATE)).await {
                    return End::Left;
                }
                continue;
            }
            let outcome = self.call(who, &mut page).await;
            drop(inside);
            let report = outcome.as_ref().map(|_| ()).map_err(Trouble::error);
            self.gate.report(Way::Write, report, Instant::now());
            match tries.after(&outcome, jitter()) {
                Next::Written => return End::Written,
                Next::GiveUp => return End::GivenUp,
                Next::Again(pause) if self.wait(pause).await => {}
                Next::Again(_) => return End::Left,
            }
        }
    }

    async fn call(&self, who: &Person, page: &mut Page) -> Result<Reception, Trouble> {
        if page.is_old || self.gate.is_in_doubt() {
            match self.store.told(who).await {
                Ok(told) if page.is_old => leave_out(&mut page.lines, told),
                Ok(_) => {}
                Err(error) if is_passing(&error) => return Err(Trouble::Before(error)),
                // It will never be known, and what waited was more often not written than written.
                Err(_) => {}
            }
            page.is_old = false;
            if page.lines.is_empty() {
                return Ok(Reception::Accepted);
            }
        }
        match self.store.introduce(who).await.map_err(Trouble::Before)? {
            Reception::Accepted => {
                let written = self.store.write(who, &page.lines).await;
                written.map_err(Trouble::Write)
            }
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

/// Takes out of `lines` what the store has told of, each telling for one line.
fn leave_out(lines: &mut Vec<Line>, mut told: Vec<Told>) {
    lines.retain(|line| {
        let at = told.iter().position(|told| told.is(line));
        if let Some(at) = at {
            told.remove(at);
        }
        at.is_none()
    });
}

/// The lines of some exchanges, none longer than `bytes`, none empty.
fn spread(items: &[Item], bytes: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for Item { exchange, .. } in items {
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

/// Whether it may be different in a while, as far as no words were sent.
fn is_passing(error: &MemoryError) -> bool {
    match error {
        MemoryError::Connect(_)
        | MemoryError::Timeout
        | MemoryError::Http(_)
        | MemoryError::RateLimited { .. }
        | MemoryError::Unauthorized
        | MemoryError::Status(500..) => true,
        MemoryError::Status(_)
        | MemoryError::Quota
        | MemoryError::TooLarge { .. }
        | MemoryError::Malformed
        | MemoryError::Key(_)
        | MemoryError::Address(_)
        | MemoryError::Body(_)
        | MemoryError::Tls(_)
        | MemoryError::Thread(_) => false,
    }
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
    fn after(&mut self, outcome: &Result<Reception, Trouble>, jitter: u32) -> Next {
        let error = match outcome {
            Ok(Reception::Accepted) => return Next::Written,
            Ok(Reception::Stranger) => {
                self.stranger += 1;
                return match self.stranger {
                    ..=STRANGER => Next::Again(backoff(self.stranger, jitter)),
                    _ => Next::GiveUp,
                };
            }
            Err(Trouble::Before(error) | Trouble::Write(error)) => error,
        };
        match outcome {
            // The gate is shut for the time that was asked for: no pause on top.
            _ if matches!(
                error,
                MemoryError::RateLimited { .. } | MemoryError::Unauthorized
            ) =>
            {
                return Next::Again(Duration::ZERO);
            }
            _ if matches!(error, MemoryError::Connect(_)) => {}
            Err(Trouble::Before(error)) if is_passing(error) => {}
            _ => return Next::GiveUp,
        }
        self.unsent = self.unsent.saturating_add(1);
        Next::Again(backoff(self.unsent, jitter))
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
mod tests;
