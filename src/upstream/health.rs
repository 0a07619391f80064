//! What is known of every upstream target: whether it may be asked now, and how soon it usually
//! speaks.
//!
//! A target is a model at the provider it is pinned to; its key is the slug as it was asked for. All
//! workers share one [`Health`]. Its lock is taken where an attempt starts and ends, for a look-up and
//! a little arithmetic, and never held over an await. No clock is read: time is a parameter.
//!
//! Three things keep a target from being asked, and none knows of the others. The `breaker` counts
//! failures. The *cooldown* is what the target asked for; it counts no failures and is never shortened. And one that
//! is not there is left alone: it counts no failures either, but where nobody else is left to ask it is looked for again, as
//! whoever said so may have been a proxy that did not know the way for a moment.

mod breaker;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use self::breaker::{Breaker, Eras, Leave};

/// Targets known at once; the one longest untouched makes room.
const TARGETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// What a hint to wait is held to, whatever it says.
const MIN_COOLDOWN: Duration = Duration::from_secs(1);
const MAX_COOLDOWN: Duration = Duration::from_secs(60);
/// How long a target that is not there is left alone.
const GONE: Duration = Duration::from_secs(5 * 60);
/// How often it is looked for meanwhile, for want of any other.
const LOOK: Duration = Duration::from_secs(1);
/// First-token times kept of a target; the oldest makes room.
const SAMPLES: usize = 128;
/// Below so many samples nothing is called usual.
const MIN_SAMPLES: usize = 5;
/// Older than this, a sample does not count.
const SAMPLE_AGE: Duration = Duration::from_secs(5 * 60);

/// What is known of all targets. See the module's words.
#[derive(Debug, Default)]
pub struct Health {
    targets: Mutex<Targets>,
}

/// How a target stands, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Asked as usual.
    Closed,
    /// Failed too often: not asked.
    Open,
    /// Its open time is over: one probe at a time, until one succeeds.
    HalfOpen,
    /// Not asked for a while by its own wish, or because it is not there; whatever its breaker says.
    Cooling,
}

impl TargetState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Cooling => "cooling",
        }
    }
}

/// Leave to make one attempt, and the place for its verdict.
///
/// Dropped without one (the caller hung up, a hedge was lost) it gives a probe's place back and
/// counts for nothing.
#[derive(Debug)]
#[must_use = "a pass dropped at once is an attempt that never counts"]
pub struct Pass {
    health: Arc<Health>,
    target: String,
    leave: Leave,
    began: Instant,
}

impl Health {
    /// Leave to ask `target`. `None` while it cools down, while its breaker is open, and while a
    /// probe is under way.
    pub fn admit(self: &Arc<Self>, target: &str, now: Instant) -> Option<Pass> {
        self.pass(target, now, Known::admit)
    }

    /// The same where nobody else is left to ask: a breaker that is open is probed early, and one that was not there is
    /// looked for, once a second at most. A cooldown holds.
    pub fn admit_anyway(self: &Arc<Self>, target: &str, now: Instant) -> Option<Pass> {
        self.pass(target, now, Known::admit_anyway)
    }

    fn pass(
        self: &Arc<Self>,
        target: &str,
        now: Instant,
        admit: fn(&mut Known, Instant, &mut Eras) -> Option<Leave>,
    ) -> Option<Pass> {
        let mut targets = self.lock();
        let Targets { known, eras } = &mut *targets;
        let known = known.get_or_insert_mut_ref(target, || Known::new(eras));
        let leave = admit(known, now, eras)?;
        Some(Pass {
            health: Arc::clone(self),
            target: target.to_owned(),
            leave,
            began: now,
        })
    }

    /// Whether `target` is fit to be hedged with: closed and not cooling, as one never heard of is.
    /// One that waits for a probe is not.
    #[must_use]
    pub fn is_well(&self, target: &str, now: Instant) -> bool {
        let targets = self.lock();
        let known = targets.known.peek(target);
        known.is_none_or(|known| known.state(now) == TargetState::Closed)
    }

    /// The first-token time that nine of ten attempts of the last five minutes kept to, of the newest
    /// 128 at most. `None` below five samples.
    #[must_use]
    pub fn usual_first_token(&self, target: &str, now: Instant) -> Option<Duration> {
        // Copied out, so that choosing happens outside the lock.
        let fresh = self.lock().known.peek(target)?.fresh(now);
        p90(fresh)
    }

    /// A stream of `target` died after its first words: a failure, though the attempt had its verdict.
    ///
    /// Counts while the breaker is closed only, since a stream that spoke was begun before it opened.
    pub fn broke(&self, target: &str, now: Instant) {
        let chance = rand::random();
        self.change(target, |known, eras| known.breaker.broke(now, chance, eras));
    }

    /// How every known target stands, by slug.
    #[must_use]
    pub fn states(&self, now: Instant) -> Vec<(String, TargetState)> {
        let targets = self.lock();
        let all = targets.known.iter();
        let mut states: Vec<_> = all.map(|(k, v)| (k.clone(), v.state(now))).collect();
        drop(targets);
        states.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        states
    }

    /// Changes what is known of `target`. A verdict on one that had to make room is lost with it.
    fn change(&self, target: &str, change: impl FnOnce(&mut Known, &mut Eras)) {
        let mut targets = self.lock();
        let Targets { known, eras } = &mut *targets;
        if let Some(known) = known.get_mut(target) {
            change(known, eras);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The attempt spoke, `first_token` after it began.
    pub fn spoke(self, first_token: Duration, now: Instant) {
        self.health.change(&self.target, |known, eras| {
            known.sample(first_token, now);
            // One that was under way when it went says nothing of whether it is back.
            if known
                .gone
                .as_ref()
                .is_some_and(|gone| gone.since < self.began)
            {
                known.gone = None;
            }
            known.breaker.succeeded(self.leave, now, eras);
        });
    }

    /// The attempt failed, in a way that speaks against the target.
    pub fn failed(self, now: Instant) {
        self.fail(None, now);
    }

    /// The attempt had not spoken `after` this long and was given up: a failure, and a first-token
    /// time of at least that much.
    pub fn timed_out(self, after: Duration, now: Instant) {
        self.fail(Some(after), now);
    }

    /// The target asked to be left alone, for `hint` as held to 1 to 60 seconds. No failure: a probe
    /// gives its place back.
    pub fn cool_down(self, hint: Duration, now: Instant) {
        // Also from an attempt begun before the breaker opened: the wish is no less the target's.
        let until = now + hint.clamp(MIN_COOLDOWN, MAX_COOLDOWN);
        self.health.change(&self.target, |known, _| {
            known.cooling = known.cooling.max(Some(until));
        });
    }

    /// There is no such target: it is left alone for five minutes, unless there is nobody else to ask.
    pub fn gone(self, now: Instant) {
        self.health.change(&self.target, |known, _| {
            known.gone = Some(Gone {
                since: now,
                looked: now,
            });
        });
    }

    /// The refusal says nothing of the target's health: it was about our request. As if dropped.
    pub fn neutral(self) {}

    fn fail(&self, sample: Option<Duration>, now: Instant) {
        let chance = rand::random();
        self.health.change(&self.target, |known, eras| {
            if let Some(sample) = sample {
                known.sample(sample, now);
            }
            known.breaker.failed(self.leave, now, chance, eras);
        });
    }
}

impl Drop for Pass {
    /// Gives a probe's place back. A verdict that decided has begun a new era, and then this changes
    /// nothing.
    fn drop(&mut self) {
        if self.leave.is_probe {
            let release = |known: &mut Known, _: &mut Eras| known.breaker.release(self.leave);
            self.health.change(&self.target, release);
        }
    }
}

#[derive(Debug)]
struct Targets {
    known: LruCache<String, Known>,
    eras: Eras,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            known: LruCache::sparse(TARGETS),
            eras: Eras::default(),
        }
    }
}

/// What is known of one target.
#[derive(Debug)]
struct Known {
    breaker: Breaker,
    /// Nothing is admitted before this.
    cooling: Option<Instant>,
    gone: Option<Gone>,
    /// When each was taken, and how long the first token took. Oldest first, [`SAMPLES`] at most.
    samples: VecDeque<(Instant, Duration)>,
}

/// It was not there.
#[derive(Debug)]
struct Gone {
    since: Instant,
    /// When it was last asked or looked for.
    looked: Instant,
}

impl Gone {
    fn is_left_alone(&self, now: Instant) -> bool {
        now < self.since + GONE
    }
}

impl Known {
    fn new(eras: &mut Eras) -> Self {
        Self {
            breaker: Breaker::new(eras),
            cooling: None,
            gone: None,
            samples: VecDeque::new(),
        }
    }

    fn admit(&mut self, now: Instant, eras: &mut Eras) -> Option<Leave> {
        if self.is_cooling(now) || self.is_gone(now) {
            return None;
        }
        self.breaker.admit(now, eras)
    }

    fn admit_anyway(&mut self, now: Instant, eras: &mut Eras) -> Option<Leave> {
        if self.is_cooling(now) {
            return None;
        }
        if let Some(gone) = self.gone.as_mut().filter(|gone| gone.is_left_alone(now)) {
            if now.saturating_duration_since(gone.looked) < LOOK {
                return None;
            }
            gone.looked = now;
        }
        self.breaker.admit_anyway(now, eras)
    }

    fn state(&self, now: Instant) -> TargetState {
        if self.is_cooling(now) || self.is_gone(now) {
            TargetState::Cooling
        } else {
            self.breaker.state(now)
        }
    }

    fn is_cooling(&self, now: Instant) -> bool {
        self.cooling.is_some_and(|until| now < until)
    }

    fn is_gone(&self, now: Instant) -> bool {
        let gone = self.gone.as_ref();
        gone.is_some_and(|gone| gone.is_left_alone(now))
    }

    fn sample(&mut self, first_token: Duration, now: Instant) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, first_token));
    }

    fn fresh(&self, now: Instant) -> Vec<Duration> {
        let fresh = |at: Instant| now.saturating_duration_since(at) <= SAMPLE_AGE;
        let samples = self.samples.iter();
        samples.filter(|s| fresh(s.0)).map(|s| s.1).collect()
    }
}

/// The 90th percentile by nearest rank.
fn p90(mut all: Vec<Duration>) -> Option<Duration> {
    if all.len() < MIN_SAMPLES {
        return None;
    }
    let rank = (all.len() * 9).div_ceil(10) - 1;
    Some(*all.select_nth_unstable(rank).1)
}

#[cfg(test)]
mod tests;
