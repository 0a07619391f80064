//! A circuit breaker: a pure machine that is told the time.
//!
//! Closed, it lets everything through. Open, nothing, until its time is over; then one call goes
//! ahead, and how that one ends decides. What arrives late from calls made before it opened changes
//! nothing.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open it.
const FAILURES: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing { until: Instant },
}

/// See the module's words.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// When a failure was last counted of calls that are made side by side.
    failed_at: Option<Instant>,
    /// How long it stays open after failures, and how long a probe may take to report.
    rest: Duration,
}

impl Breaker {
    /// Closed. Once open, it stays so for `rest`.
    #[must_use]
    pub const fn new(rest: Duration) -> Self {
        Self {
            state: State::Closed { failures: 0 },
            failed_at: None,
            rest,
        }
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until } | State::Probing { until } if now < until => Err(until - now),
            // A probe that never reported counts as lost.
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Probing {
                    until: now + self.rest,
                };
                Ok(())
            }
        }
    }

    /// A call went well. True when that closed it.
    pub fn succeeded(&mut self) -> bool {
        match self.state {
            State::Open { .. } => false,
            State::Closed { .. } | State::Probing { .. } => {
                let probed = matches!(self.state, State::Probing { .. });
                self.state = State::Closed { failures: 0 };
                probed
            }
        }
    }

    /// A call failed. True when that opened it, not when it merely stays open.
    pub fn failed(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                false
            }
            State::Open { .. } => false,
            State::Closed { .. } | State::Probing { .. } => self.pause(now, self.rest),
        }
    }

    /// The same of a call that was made at `began`, where many are made side by side: those that were under way
    /// when the last one failed met one failure, not one each.
    pub fn failed_beside_others(&mut self, began: Instant, now: Instant) -> bool {
        if self.failed_at.is_some_and(|at| began < at) {
            return false;
        }
        self.failed_at = Some(now);
        self.failed(now)
    }

    /// Opens it for at least this long, whatever the count. True when it was closed before.
    pub fn pause(&mut self, now: Instant, length: Duration) -> bool {
        let until = match self.state {
            State::Open { until } => until.max(now + length),
            State::Closed { .. } | State::Probing { .. } => now + length,
        };
        let was_closed = matches!(self.state, State::Closed { .. });
        self.state = State::Open { until };
        was_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(30);

    fn broken(at: Instant) -> Breaker {
        let mut breaker = Breaker::new(OPEN);
        let opened: Vec<bool> = (0..5).map(|_| breaker.failed(at)).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_four_do_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new(OPEN);
        for _ in 0..3 {
            (0..4).for_each(|_| assert!(!breaker.failed(now)));
            assert!(!breaker.succeeded());
        }
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(broken(now).admit(now), Err(OPEN));
    }

    #[test]
    fn calls_side_by_side_fail_once() {
        let (start, each) = (Instant::now(), Duration::from_millis(10));
        let mut breaker = Breaker::new(OPEN);
        // A hundred calls, one a millisecond, each of which is given up after ten.
        let mut opened = (0..100).filter(|ms| {
            let began = start + Duration::from_millis(*ms);
            breaker.failed_beside_others(began, began + each)
        });
        assert_eq!(
            opened.next(),
            Some(40),
            "the fifth that began behind the failure before it"
        );
        assert_eq!(opened.next(), None);
    }

    #[test]
    fn one_probe_in_thirty_seconds() {
        let start = Instant::now();
        let mut breaker = broken(start);
        let mut admitted = 0;
        for second in 0..=120 {
            let now = start + Duration::from_secs(second);
            if breaker.admit(now).is_ok() {
                admitted += 1;
                assert!(breaker.admit(now).is_err(), "one at a time");
                assert!(!breaker.failed(now), "staying open is no news");
            }
        }
        assert_eq!(admitted, 4);
    }

    #[test]
    fn a_good_probe_closes_it() {
        let start = Instant::now();
        let mut breaker = broken(start);
        assert!(!breaker.succeeded(), "a late success of an earlier call");
        let later = start + OPEN;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(!breaker.failed(later), "counting starts anew");
    }

    #[test]
    fn a_pause_is_never_shortened() {
        let start = Instant::now();
        let mut breaker = Breaker::new(OPEN);
        assert!(breaker.pause(start, Duration::from_secs(300)));
        assert!(!breaker.pause(start, Duration::from_secs(1)));
        assert!(!breaker.failed(start));
        assert_eq!(breaker.admit(start), Err(Duration::from_secs(300)));
    }

    #[test]
    fn a_probe_that_never_reports_is_replaced() {
        let start = Instant::now();
        let mut breaker = broken(start);
        assert_eq!(breaker.admit(start + OPEN), Ok(()));
        assert!(breaker.admit(start + OPEN).is_err());
        assert_eq!(breaker.admit(start + OPEN * 2), Ok(()));
    }
}
