//! What happens now: turns, speed and money of the last minute and of the day, and how many turns
//! are open. Live numbers for people who watch, not books: those are the records.
//!
//! `local` counts what this machine settles, and always does. With Redis, `link` tells it to the
//! other machines once a second and reads everybody's back (`shared`), more seldom where they are many. It does so
//! in a task of its own: nobody who notes a turn or asks for a snapshot ever waits for Redis, and while Redis does
//! not answer a snapshot holds the local numbers and says so.
//!
//! To add a number: a field in `tally` and in [`Minute`]; the layout's number in the keys goes up.

mod tally;
mod local;
mod shared;
mod link;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::clock::{Clock, rfc3339};
use crate::lifecycle::Lifecycle;
use crate::turn::{MicroUsd, TurnRecord};

use local::Local;
use shared::{Sum, Told};

pub use link::LinkError;

/// Shared numbers are not shown once Redis has not answered for so long: it, or the way to it, is gone.
const FRESH: Duration = Duration::from_secs(3);
/// How long Redis is left alone once it has failed so often that the breaker opens.
const REST: Duration = Duration::from_secs(60);

/// What is noted and what is known. Cheap to clone.
#[derive(Clone)]
pub struct Counters(Arc<Inner>);

struct Inner {
    clock: Clock,
    /// How many turns are open on this machine.
    open: Box<dyn Fn() -> usize + Send + Sync>,
    /// Held for microseconds.
    local: Mutex<Local>,
    /// Absent: Redis is not configured.
    shared: Option<Shared>,
}

struct Shared {
    latest: Mutex<Latest>,
}

struct Latest {
    /// When Redis answered last, which need not have been a reading. At first: when it began.
    answered: Instant,
    reading: Option<Reading>,
}

/// What all machines had told at some moment.
struct Reading {
    epoch_ms: i64,
    sum: Sum,
}

impl Latest {
    fn is_fresh(&self) -> bool {
        self.answered.elapsed() < FRESH
    }
}

/// Where numbers are shared.
#[derive(Clone, Debug)]
pub struct Sharing {
    pub url: SecretString,
    /// How long an open breaker stays open.
    pub rest: Duration,
}

impl Sharing {
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self { url, rest: REST }
    }
}

/// The numbers as they are now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Now {
    pub scope: Scope,
    /// Why the numbers are this machine's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Machines that had told theirs within three seconds.
    pub machines: u64,
    pub open_turns: u64,
    pub last_minute: Minute,
    /// Since midnight, UTC.
    pub today: Today,
    pub as_of: String,
}

/// Whose numbers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All machines'.
    Shared,
    /// This machine's, since it started.
    Local,
}

/// Turns that settled within the last sixty seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Minute {
    pub turns: u64,
    /// How many of them ended how; every outcome is there.
    #[serde(flatten)]
    pub outcomes: BTreeMap<&'static str, u64>,
    /// What models said.
    pub tokens: u64,
    #[serde(serialize_with = "dollars")]
    pub cost_usd: MicroUsd,
    /// Turns whose cost nobody knows; not in the sum.
    pub cost_unknown: u64,
    /// Within 8 %; absent without a turn that spoke.
    pub first_speakable_p50_ms: Option<f64>,
    pub first_speakable_p95_ms: Option<f64>,
}

/// Turns that settled on one UTC day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Today {
    pub turns: u64,
    #[serde(serialize_with = "dollars")]
    pub cost_usd: MicroUsd,
    /// Turns whose cost nobody knows; not in the sum.
    pub cost_unknown: u64,
}

/// How Redis does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisHealth {
    /// Not configured.
    Off,
    Up,
    Down,
}

impl Counters {
    /// Counts from now on, and shares what it counts if it is told where. `open` says how many turns
    /// are open and must not wait; it must not hold what keeps the recorder alive.
    ///
    /// # Errors
    /// When Redis cannot be reached at any such address. One that merely does not answer is none.
    pub fn start(
        sharing: Option<Sharing>,
        open: impl Fn() -> usize + Send + Sync + 'static,
        clock: Clock,
        lifecycle: &Lifecycle,
    ) -> Result<Self, LinkError> {
        let now = Instant::now();
        let shared = sharing.is_some().then(|| Shared {
            latest: Mutex::new(Latest {
                answered: now,
                reading: None,
            }),
        });
        let counters = Self(Arc::new(Inner {
            clock,
            open: Box::new(open),
            local: Mutex::new(Local::new(now, clock.now_s())),
            shared,
        }));
        if let Some(sharing) = &sharing {
            link::start(sharing, counters.clone(), lifecycle)?;
        }
        Ok(counters)
    }

    /// Counts a settled turn. Never waits for more than another count.
    pub fn note(&self, turn: &TurnRecord) {
        let epoch_s = self.0.clock.now_s();
        let mut local = self.local();
        local.count(turn, Instant::now(), epoch_s);
    }

    /// Everybody's numbers if they are at hand and fresh, else this machine's, which say why.
    #[must_use]
    pub fn snapshot(&self) -> Now {
        let Some(shared) = &self.0.shared else {
            return self.alone("redis is not configured");
        };
        let latest = lock(&shared.latest);
        match &latest.reading {
            Some(reading) if latest.is_fresh() => Now {
                scope: Scope::Shared,
                reason: None,
                machines: reading.sum.machines,
                open_turns: reading.sum.open,
                last_minute: reading.sum.minute.minute(),
                today: reading.sum.today.clone(),
                as_of: rfc3339(reading.epoch_ms),
            },
            reading => {
                let why = match reading {
                    None if latest.is_fresh() => "redis was not read yet",
                    _ => "redis does not answer",
                };
                drop(latest);
                self.alone(why)
            }
        }
    }

    /// Whether Redis answered lately. One that was not asked for long enough yet is given time.
    #[must_use]
    pub fn redis(&self) -> RedisHealth {
        let Some(shared) = &self.0.shared else {
            return RedisHealth::Off;
        };
        if lock(&shared.latest).is_fresh() {
            RedisHealth::Up
        } else {
            RedisHealth::Down
        }
    }

    fn alone(&self, reason: &'static str) -> Now {
        let epoch_ms = self.0.clock.now_ms();
        let (minute, today) = {
            let mut local = self.local();
            let (_, today) = local.today(epoch_ms.div_euclid(1000));
            (local.minute(Instant::now()), today)
        };
        Now {
            scope: Scope::Local,
            reason: Some(reason),
            machines: 1,
            open_turns: self.open(),
            last_minute: minute.minute(),
            today,
            as_of: rfc3339(epoch_ms),
        }
    }

    /// Where this machine stands, and on which day.
    fn told(&self) -> (Told, i64, Today) {
        let mut local = self.local();
        let (day, today) = local.today(self.0.clock.now_s());
        let slices = local.slices(Instant::now());
        drop(local);
        let open = self.open();
        (Told { open, slices }, day, today)
    }

    /// Takes in where all machines stand, or that Redis answered, where that was not asked.
    fn heard(&self, sum: Option<Sum>) {
        let Some(shared) = &self.0.shared else {
            return;
        };
        let mut latest = lock(&shared.latest);
        if let Some(sum) = sum {
            let epoch_ms = self.0.clock.now_ms();
            latest.reading = Some(Reading { epoch_ms, sum });
        } else if !latest.is_fresh() {
            // What was read before Redis was gone is not everybody's any more.
            latest.reading = None;
        }
        latest.answered = Instant::now();
    }

    fn open(&self) -> u64 {
        u64::try_from((self.0.open)()).unwrap_or(u64::MAX)
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        lock(&self.0.local)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dollars<S: Serializer>(cost: &MicroUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cost)
}

#[cfg(test)]
mod tests;
