//! May the store be called now? A breaker for reads, one for searches, one for writes, and what each
//! kind of failure means for all. The only place that logs about the store's health: once per change.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::breaker::Breaker;

use super::MemoryHealth;
use super::error::MemoryError;

/// How long the store is left alone after failures.
const REST: Duration = Duration::from_secs(30);
/// A refused key is tried again after this: it may have been rotated back.
const UNAUTHORIZED: Duration = Duration::from_secs(60);
/// A used-up quota refills by billing, not by the minute.
const QUOTA: Duration = Duration::from_secs(300);

/// The ways the store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Read,
    /// A question of a coach's own: what goes wrong with those is no reason to forget what is known.
    Search,
    Write,
}

/// One way's breaker and its last trouble.
struct Door {
    breaker: Breaker,
    trouble: Option<&'static str>,
}

impl Door {
    const fn new() -> Self {
        Self {
            breaker: Breaker::new(REST),
            trouble: None,
        }
    }

    fn pause(&mut self, now: Instant, length: Duration, kind: &'static str) -> bool {
        self.trouble = Some(kind);
        self.breaker.pause(now, length)
    }
}

struct Doors {
    reads: Door,
    searches: Door,
    writes: Door,
}

/// What a report changed, and is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Opened,
    Closed,
}

/// See the module's words. Shared by all readers and the writer.
pub(super) struct Gate {
    doors: Mutex<Doors>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            doors: Mutex::new(Doors {
                reads: Door::new(),
                searches: Door::new(),
                writes: Door::new(),
            }),
        }
    }

    /// Whether a call may be made now. Who is let in must [`Gate::report`].
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub(super) fn admit(&self, way: Way, now: Instant) -> Result<(), Duration> {
        self.lock().door(way).breaker.admit(now)
    }

    /// Takes in how a call ended.
    pub(super) fn report(&self, way: Way, outcome: Result<(), &MemoryError>, now: Instant) {
        let change = self.lock().take_in(way, outcome, now);
        let kind = outcome.err().map_or("", MemoryError::kind);
        match (change, outcome) {
            (None, _) => {}
            (Some(_), Err(MemoryError::Unauthorized)) => tracing::error!(
                error.kind = kind,
                "the memory store refuses the key: neither read nor written for now"
            ),
            (Some(Change::Opened), _) => {
                tracing::warn!(error.kind = kind, way = ?way, "memory is given a rest");
            }
            (Some(Change::Closed), _) => tracing::warn!(way = ?way, "memory works again"),
        }
    }

    /// What the last calls say.
    pub(super) fn health(&self) -> MemoryHealth {
        let doors = self.lock();
        let troubles = [&doors.reads, &doors.writes, &doors.searches].map(|door| door.trouble);
        match troubles.into_iter().flatten().next() {
            Some(kind) => MemoryHealth::Down(kind),
            None => MemoryHealth::Up,
        }
    }

    /// Whether the last write failed so that it may have been applied: the store may be taking words
    /// and losing them.
    pub(super) fn is_in_doubt(&self) -> bool {
        let trouble = self.lock().writes.trouble;
        matches!(trouble, Some("timeout" | "http" | "status_5xx"))
    }

    fn lock(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doors {
    fn door(&mut self, way: Way) -> &mut Door {
        match way {
            Way::Read => &mut self.reads,
            Way::Search => &mut self.searches,
            Way::Write => &mut self.writes,
        }
    }

    fn take_in(
        &mut self,
        way: Way,
        outcome: Result<(), &MemoryError>,
        now: Instant,
    ) -> Option<Change> {
        let error = match outcome {
            Ok(()) => return self.went_well(way),
            // Such a refusal is about one message; the store itself is fine.
            Err(MemoryError::Status(400..500)) if way == Way::Write => return self.went_well(way),
            Err(error) => error,
        };
        let kind = error.kind();
        let opened = match error {
            // Key and rate limit belong to the account: all ways are meant.
            MemoryError::Unauthorized => self.pause_all(now, UNAUTHORIZED, kind),
            MemoryError::RateLimited { after } => self.pause_all(now, *after, kind),
            MemoryError::Quota => {
                if way != Way::Write {
                    let door = self.door(way);
                    door.trouble = Some(kind);
                    door.breaker.failed(now);
                }
                self.writes.pause(now, QUOTA, kind)
            }
            _ => {
                let door = self.door(way);
                door.trouble = Some(kind);
                door.breaker.failed(now)
            }
        };
        opened.then_some(Change::Opened)
    }

    fn went_well(&mut self, way: Way) -> Option<Change> {
        let door = self.door(way);
        let closed = door.breaker.succeeded();
        door.trouble = None;
        closed.then_some(Change::Closed)
    }

    fn pause_all(&mut self, now: Instant, length: Duration, kind: &'static str) -> bool {
        let reads = self.reads.pause(now, length, kind);
        let searches = self.searches.pause(now, length, kind);
        let writes = self.writes.pause(now, length, kind);
        reads || searches || writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(gate: &Gate, now: Instant) -> (u64, u64) {
        let wait = |way| gate.admit(way, now).err().map_or(0, |w| w.as_secs());
        (wait(Way::Read), wait(Way::Write))
    }

    #[test]
    fn each_failure_rests_what_it_is_about() {
        let after = Duration::from_secs(60);
        for (way, error, rest) in [
            (Way::Read, MemoryError::Unauthorized, (60, 60)),
            (Way::Write, MemoryError::RateLimited { after }, (60, 60)),
            (Way::Write, MemoryError::Quota, (0, 300)),
            (Way::Read, MemoryError::Quota, (0, 300)),
            (Way::Read, MemoryError::Timeout, (0, 0)),
            (Way::Write, MemoryError::Status(400), (0, 0)),
        ] {
            let (gate, now) = (Gate::new(), Instant::now());
            gate.report(way, Err(&error), now);
            assert_eq!(waits(&gate, now), rest, "{error}");
        }
    }

    #[test]
    fn five_failed_reads_rest_reads_alone() {
        let (gate, now) = (Gate::new(), Instant::now());
        (0..5).for_each(|_| gate.report(Way::Read, Err(&MemoryError::Status(500)), now));
        assert_eq!(waits(&gate, now), (30, 0));
        assert_eq!(gate.health(), MemoryHealth::Down("status_5xx"));
        gate.report(Way::Write, Ok(()), now);
        assert_eq!(gate.health(), MemoryHealth::Down("status_5xx"));
    }

    #[test]
    fn searches_that_fail_leave_what_is_known_alone() {
        let (gate, now) = (Gate::new(), Instant::now());
        (0..5).for_each(|_| gate.report(Way::Search, Err(&MemoryError::Timeout), now));
        assert!(gate.admit(Way::Search, now).is_err());
        assert_eq!(waits(&gate, now), (0, 0));
        assert_eq!(gate.health(), MemoryHealth::Down("timeout"));
        let after = Duration::from_secs(60);
        let limit = MemoryError::RateLimited { after };
        gate.report(Way::Search, Err(&limit), now);
        assert_eq!(waits(&gate, now), (60, 60), "an account has one limit");
    }

    #[test]
    fn health_follows_the_last_calls() {
        let (gate, now) = (Gate::new(), Instant::now());
        assert_eq!(gate.health(), MemoryHealth::Up);
        gate.report(Way::Read, Err(&MemoryError::Timeout), now);
        assert_eq!(gate.health(), MemoryHealth::Down("timeout"));
        gate.report(Way::Read, Ok(()), now);
        assert_eq!(gate.health(), MemoryHealth::Up);
        gate.report(Way::Write, Err(&MemoryError::Status(422)), now);
        assert_eq!(gate.health(), MemoryHealth::Up);
    }
}
