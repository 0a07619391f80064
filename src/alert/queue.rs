//! Letters that wait for the receiver, oldest first, and when each is tried again.
//!
//! When it is tried follows from its age alone, so that a process that starts goes on where the last
//! one ended: it tries what it finds at once, and then at the times that are left. A letter that
//! fails does not hold up those behind it; when one arrives, those that could not because nobody
//! answered are tried again at once, in their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::webhook::{Answer, Letter};
use crate::spool::Seq;

/// Letters that wait at most.
pub(super) const MOST: usize = 256;

/// The pauses before each further try, three days in all.
pub(super) const PAUSES: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(3 * 3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(12 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(24 * 3600),
];

/// A letter as it comes into the queue.
pub(super) struct Arrival {
    pub(super) letter: Letter,
    /// Its place on the disk; none when it is in memory alone.
    pub(super) seq: Option<Seq>,
    /// How old it is already.
    pub(super) age: Duration,
    /// Stretches its pauses: from 1 to a little more, so that many that failed together are not
    /// tried together.
    pub(super) stretch: f64,
}

struct Waiting {
    letter: Arc<Letter>,
    seq: Option<Seq>,
    age: Duration,
    since: Instant,
    stretch: f64,
    due: Instant,
    /// Nobody answered it so far, or with trouble of their own.
    is_undecided: bool,
}

/// See the module's words.
pub(super) struct Queue {
    pauses: &'static [Duration],
    waiting: VecDeque<Waiting>,
}

impl Queue {
    pub(super) fn new(pauses: &'static [Duration]) -> Self {
        Self {
            pauses,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST
    }

    /// Takes a letter in, to be tried at once. Who asks has seen that there is room.
    pub(super) fn push(&mut self, arrival: Arrival, now: Instant) {
        self.waiting.push_back(Waiting {
            letter: Arc::new(arrival.letter),
            seq: arrival.seq,
            age: arrival.age,
            since: now,
            stretch: arrival.stretch,
            due: now,
            is_undecided: true,
        });
    }

    /// The oldest letter whose time has come.
    pub(super) fn due(&self, now: Instant) -> Option<Arc<Letter>> {
        let found = self.waiting.iter().find(|w| w.due <= now);
        found.map(|w| Arc::clone(&w.letter))
    }

    /// When the next letter's time comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|w| w.due).min()
    }

    /// Takes a letter out; its place on the disk, if it has one.
    pub(super) fn remove(&mut self, id: &str) -> Option<Seq> {
        let at = self.waiting.iter().position(|w| w.letter.id == id)?;
        self.waiting.remove(at)?.seq
    }

    /// A letter did not arrive: it waits for its next time. False when there is none: its days are
    /// over.
    pub(super) fn put_off(&mut self, id: &str, answer: &Answer, now: Instant) -> bool {
        let pauses = self.pauses;
        let Some(letter) = self.waiting.iter_mut().find(|w| w.letter.id == id) else {
            return false;
        };
        let age = letter.age + (now - letter.since);
        let Some(wait) = until_next(pauses, letter.stretch, age) else {
            return false;
        };
        letter.due = now + wait;
        letter.is_undecided = match answer {
            Answer::Refused(status) => *status >= 500 || *status == 429,
            _ => true,
        };
        true
    }

    /// The receiver works: what it has not decided on is tried again at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        for letter in self.waiting.iter_mut().filter(|w| w.is_undecided) {
            letter.due = letter.due.min(now);
        }
    }

    /// Letters that no disk holds.
    pub(super) fn unkept(&self) -> Vec<Arc<Letter>> {
        let unkept = self.waiting.iter().filter(|w| w.seq.is_none());
        unkept.map(|w| Arc::clone(&w.letter)).collect()
    }

    /// A letter has its place on the disk now.
    pub(super) fn kept(&mut self, id: &str, seq: Seq) {
        if let Some(letter) = self.waiting.iter_mut().find(|w| w.letter.id == id) {
            letter.seq = Some(seq);
        }
    }
}

/// How long it is from this age to the next time.
fn until_next(pauses: &[Duration], stretch: f64, age: Duration) -> Option<Duration> {
    let mut time = Duration::ZERO;
    pauses.iter().find_map(|pause| {
        time += pause.mul_f64(stretch);
        time.checked_sub(age).filter(|wait| !wait.is_zero())
    })
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
