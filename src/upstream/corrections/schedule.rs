//! Which call is asked about when. Does no IO and is told the time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::turn::MicroUsd;

use super::super::generation::{Bill, Look};

/// Calls that wait at most.
const MOST: usize = 10_000;
/// Before each look, in seconds; the last for all that follow.
const PAUSES_S: [u64; 6] = [1, 2, 5, 15, 60, 300];
/// After this a call that is in no book never will be.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Between two questions, while no more than a few calls wait.
const PACE: Duration = Duration::from_millis(250);
const FEW: u32 = 100;
/// The same, where ten times as many wait or more.
pub(super) const SHORTEST: Duration = Duration::from_millis(25);
/// After the rest that a refusal wants, no faster than [`PACE`] for so long: the books have a limit, and it was met.
const CALM: Duration = Duration::from_secs(60);

/// A call that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) turn_id: String,
    pub(super) position: u32,
    pub(super) generation_id: String,
    /// What it was held to cost.
    pub(super) estimate: Option<MicroUsd>,
}

/// What an answer means for its call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Found(Job, Bill),
    GaveUp(Job),
    Again,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// By age: the number in which they came.
    waiting: BTreeMap<u64, Waiting>,
    /// Those that are not being asked about now.
    due: BTreeSet<(Instant, u64)>,
    known: HashMap<(String, u32), u64>,
    serial: u64,
    /// Nobody is asked before.
    rest_until: Option<Instant>,
    /// The pace is not raised before.
    calm_until: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    job: Job,
    due: Instant,
    looks: usize,
    /// It was said to have cost nothing.
    was_free: bool,
    /// Until when not being in the books means not yet.
    missing_until: Instant,
    /// Until when anything else is waited for.
    until: Instant,
}

impl Schedule {
    /// Adds a call that ended so long ago; one that is known already stays as it is. Gives the call
    /// that had to make room.
    pub(super) fn add(&mut self, job: Job, age: Duration, now: Instant) -> Option<Job> {
        let key = (job.turn_id.clone(), job.position);
        if self.known.contains_key(&key) {
            return None;
        }
        let oldest = || self.waiting.keys().next().copied();
        let oldest = if self.waiting.len() < MOST {
            None
        } else {
            oldest()
        };
        let displaced = oldest.and_then(|serial| self.remove(serial));
        let waiting = Waiting {
            job,
            due: now + pause(0).saturating_sub(age),
            looks: 0,
            was_free: false,
            missing_until: now + PATIENCE.saturating_sub(age),
            until: now + PATIENCE,
        };
        self.serial += 1;
        self.known.insert(key, self.serial);
        self.due.insert((waiting.due, self.serial));
        self.waiting.insert(self.serial, waiting);
        displaced
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When there will be something to ask.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        Some((*due).max(self.rest_until.unwrap_or(*due)))
    }

    /// The next to ask about, and the id to ask with.
    pub(super) fn take(&mut self, now: Instant) -> Option<(u64, String)> {
        if self.next_at()? > now {
            return None;
        }
        let (_, serial) = self.due.pop_first()?;
        self.rest(now + self.pace(now));
        let waiting = self.waiting.get(&serial)?;
        Some((serial, waiting.job.generation_id.clone()))
    }

    /// What comes of an answer. One to a call that had to make room meanwhile means nothing.
    pub(super) fn judge(&mut self, serial: u64, look: Look, now: Instant) -> Verdict {
        let Some(waiting) = self.waiting.get_mut(&serial) else {
            return Verdict::Again;
        };
        let mut until = waiting.until;
        let mut next = now + pause(waiting.looks + 1);
        match look {
            // A provider that still writes, or books that are not closed, show nothing first. So a
            // zero counts when it is said twice.
            Look::Found(bill) if bill.cost != MicroUsd(0) || waiting.was_free => {
                let found = self.remove(serial).map(|job| Verdict::Found(job, bill));
                return found.unwrap_or(Verdict::Again);
            }
            Look::Found(_) => {
                waiting.was_free = true;
                waiting.looks += 1;
            }
            Look::NotYet => {
                until = waiting.missing_until;
                waiting.looks += 1;
            }
            Look::Trouble(rest) => {
                waiting.looks += 1;
                self.rest(now + rest);
            }
            Look::Refused(rest) => {
                next = now + rest;
                self.rest(next);
                self.calm_until = self.calm_until.max(Some(next + CALM));
            }
        }
        if now >= until {
            let gone = self.remove(serial).map(Verdict::GaveUp);
            return gone.unwrap_or(Verdict::Again);
        }
        if let Some(waiting) = self.waiting.get_mut(&serial) {
            waiting.due = next.min(until);
            self.due.insert((waiting.due, serial));
        }
        Verdict::Again
    }

    /// The more wait, the sooner the next is asked about: who hangs up comes with turns, and those who came faster than
    /// they were asked about would crowd each other out.
    fn pace(&self, now: Instant) -> Duration {
        if self.calm_until.is_some_and(|until| now < until) {
            return PACE;
        }
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        (PACE * FEW / waiting.max(FEW)).max(SHORTEST)
    }

    fn rest(&mut self, until: Instant) {
        self.rest_until = Some(self.rest_until.map_or(until, |rest| rest.max(until)));
    }

    fn remove(&mut self, serial: u64) -> Option<Job> {
        let waiting = self.waiting.remove(&serial)?;
        self.due.remove(&(waiting.due, serial));
        let key = (waiting.job.turn_id.clone(), waiting.job.position);
        self.known.remove(&key);
        Some(waiting.job)
    }
}

/// A tenth longer or shorter, so that what ended together is not asked about together.
fn pause(looks: usize) -> Duration {
    let longest = PAUSES_S.last().copied().unwrap_or_default();
    let seconds = PAUSES_S.get(looks).copied().unwrap_or(longest);
    Duration::from_millis(seconds * rand::random_range(900..1100))
}
