//! A circuit breaker: a pure machine that is told the time and the chance.
//!
//! Closed, it lets everything through; failures close together open it. Open, it lets nothing through
//! until its time is over, and is then half-open: one attempt at a time goes ahead, the probe, and how
//! that one ends decides. What arrives late, from attempts begun before it opened, changes nothing.
//!
//! Memory's breaker is another machine: it counts failures in a row and is always open for the same
//! time.

use std::time::Duration;

use tokio::time::Instant;

use super::TargetState;

/// So many failures within [`WINDOW`] open it, if they are no small part of what was asked: a model
/// asked a hundred times a second fails three times in ten seconds on its best day.
const FAILURES: usize = 3;
/// One failure weighs as much as so many successes.
const SUCCESSES_A_FAILURE: usize = 3;
/// The window in seconds, each with its own count.
const SECONDS: usize = 10;
/// The longest time from the first to the last of the failures that open it.
const WINDOW: Duration = Duration::from_secs(10);
/// The longest it stays open the first time; every probe that fails doubles it.
const OPEN: Duration = Duration::from_secs(5);
/// The longest it stays open at all.
const MAX_OPEN: Duration = Duration::from_secs(60);
/// How often an open one is asked for want of any other.
const ANYWAY: Duration = Duration::from_secs(1);
/// How long a probe may take to report before it counts as lost.
const PROBE: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum State {
    /// When the last failures and successes were.
    Closed {
        failures: Vec<Instant>,
        successes: Recent,
    },
    Open {
        until: Instant,
    },
    /// When the probe under way counts as lost, if there is one.
    HalfOpen {
        lost: Option<Instant>,
    },
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failures: Vec::new(),
            successes: Recent::default(),
        }
    }
}

/// How often something happened in the last seconds: a count for each, however many there were.
#[derive(Debug, Default)]
struct Recent {
    since: Option<Instant>,
    /// The second of the newest count, from `since`.
    second: u64,
    counts: [usize; SECONDS],
}

impl Recent {
    fn add(&mut self, now: Instant) {
        self.move_to(now);
        if let Some(count) = self.counts.first_mut() {
            *count += 1;
        }
    }

    fn count(&mut self, now: Instant) -> usize {
        self.move_to(now);
        self.counts.iter().sum()
    }

    fn move_to(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let second = now.saturating_duration_since(since).as_secs();
        let passed = second.saturating_sub(self.second);
        let passed = usize::try_from(passed).unwrap_or(SECONDS).min(SECONDS);
        self.counts.rotate_right(passed);
        self.counts
            .iter_mut()
            .take(passed)
            .for_each(|count| *count = 0);
        self.second = self.second.max(second);
    }
}

/// Counts the eras of all breakers, so that no two are alike, even of a target that was forgotten and
/// met again. An era lasts until its breaker opens, closes or sends a probe.
#[derive(Debug, Default)]
pub(super) struct Eras(u64);

impl Eras {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// What an admitted attempt shows with its verdict: only those of the present era are heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    era: u64,
    pub(super) is_probe: bool,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    era: u64,
    /// Probes that failed since it last closed.
    failed_probes: u32,
    /// When it was last asked before its time.
    asked_anyway: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(eras: &mut Eras) -> Self {
        Self {
            state: State::closed(),
            era: eras.next(),
            failed_probes: 0,
            asked_anyway: None,
        }
    }

    pub(super) fn state(&self, now: Instant) -> TargetState {
        match self.state {
            State::Closed { .. } => TargetState::Closed,
            State::Open { until } if now < until => TargetState::Open,
            State::Open { .. } | State::HalfOpen { .. } => TargetState::HalfOpen,
        }
    }

    /// Leave to make an attempt now, if there is any.
    pub(super) fn admit(&mut self, now: Instant, eras: &mut Eras) -> Option<Leave> {
        let is_probe = match self.state {
            State::Closed { .. } => false,
            State::Open { until } | State::HalfOpen { lost: Some(until) } if now < until => {
                return None;
            }
            // Also in place of a probe that never reported.
            State::Open { .. } | State::HalfOpen { .. } => {
                let lost = Some(now + PROBE);
                self.enter(State::HalfOpen { lost }, eras);
                true
            }
        };
        let era = self.era;
        Some(Leave { era, is_probe })
    }

    /// The same where nobody else is left to ask: an open one is probed before its time, but no more
    /// than once in [`ANYWAY`].
    pub(super) fn admit_anyway(&mut self, now: Instant, eras: &mut Eras) -> Option<Leave> {
        if let State::Open { .. } = self.state {
            let is_due = |last: Instant| now.saturating_duration_since(last) >= ANYWAY;
            if !self.asked_anyway.is_none_or(is_due) {
                return None;
            }
            self.asked_anyway = Some(now);
            self.state = State::Open { until: now };
        }
        self.admit(now, eras)
    }

    /// An attempt went well, which closes it when that was the probe. While closed the failures stay
    /// counted, and weigh against the successes: a target that fails every other time is not well.
    pub(super) fn succeeded(&mut self, leave: Leave, now: Instant, eras: &mut Eras) {
        if leave.era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed { successes, .. } => successes.add(now),
            State::HalfOpen { .. } => {
                self.failed_probes = 0;
                self.enter(State::closed(), eras);
            }
            State::Open { .. } => {}
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, leave: Leave, now: Instant, chance: u16, eras: &mut Eras) {
        if leave.era != self.era {
            return;
        }
        if matches!(self.state, State::HalfOpen { .. }) {
            self.failed_probes = self.failed_probes.saturating_add(1);
            self.open(now, chance, eras);
        } else {
            self.broke(now, chance, eras);
        }
    }

    /// What had gone well at first failed later. Counts while closed only: whatever got so far was
    /// begun before it opened.
    pub(super) fn broke(&mut self, now: Instant, chance: u16, eras: &mut Eras) {
        if let State::Closed {
            failures,
            successes,
        } = &mut self.state
        {
            let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= WINDOW;
            failures.retain(is_recent);
            failures.push(now);
            let weighs = failures.len() * SUCCESSES_A_FAILURE >= successes.count(now);
            if failures.len() >= FAILURES && weighs {
                self.open(now, chance, eras);
            }
        }
    }

    /// An attempt ended without a verdict: a probe gives its place back.
    pub(super) fn release(&mut self, leave: Leave) {
        if let State::HalfOpen { lost } = &mut self.state
            && leave.era == self.era
        {
            *lost = None;
        }
    }

    fn open(&mut self, now: Instant, chance: u16, eras: &mut Eras) {
        let until = now + open_time(self.failed_probes, chance);
        self.enter(State::Open { until }, eras);
    }

    fn enter(&mut self, state: State, eras: &mut Eras) {
        self.era = eras.next();
        self.state = state;
    }
}

/// How long to stay open after so many failed probes: 5 s × 2ⁿ, 60 s at most, less up to half of it.
///
/// Half is fixed and half is chance ("equal jitter"): a target has at least that long to recover, and
/// processes that lost it together do not come back together. `chance` runs over all of its type, from
/// the shortest time to the longest.
fn open_time(failed_probes: u32, chance: u16) -> Duration {
    let doublings = 2_u32.saturating_pow(failed_probes);
    let half = OPEN.saturating_mul(doublings).min(MAX_OPEN) / 2;
    half + half * u32::from(chance) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests;
