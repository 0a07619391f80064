//! What was told already: once per key, and for states once per episode.
//!
//! A state that flaps is one episode as long as it is never over for [`REARM`] at a stretch. One that
//! nobody says is over ends when nobody has raised it for [`FORGOTTEN`].

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use super::kinds::{Alert, Rhythm};

/// So long a state must have been over before it is told again.
pub(super) const REARM: Duration = Duration::from_secs(15 * 60);
/// A state that was raised last so long ago is over, whatever was said of it. Longer than the list of
/// models, which raises some of them, may take to be refreshed.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(48 * 3600);
/// Keys that are remembered; of more the one that was raised longest ago may be told twice.
const KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

struct Told {
    raised: Instant,
    over: Option<Instant>,
}

/// See the module's words.
pub(super) struct Ledger(LruCache<String, Told>);

impl Ledger {
    pub(super) fn new() -> Self {
        Self(LruCache::sparse(KEYS))
    }

    /// Whether an alert is to be told. It counts as told then.
    pub(super) fn is_news(&mut self, alert: &Alert, now: Instant) -> bool {
        let rhythm = alert.rhythm();
        if rhythm == Rhythm::Always {
            return true;
        }
        let told = Told {
            raised: now,
            over: None,
        };
        let before = self.0.put(alert.key(), told);
        let is_news = before.is_none_or(|before| {
            let was_over = before.over.is_some_and(|at| now - at >= REARM);
            let is_forgotten = now - before.raised >= FORGOTTEN;
            rhythm == Rhythm::State && (was_over || is_forgotten)
        });
        if is_news {
            for key in alert.covers() {
                self.0.get_or_insert(key, || Told {
                    raised: now,
                    over: None,
                });
            }
        }
        is_news
    }

    /// A state is over. Again and again: it has been since the first time.
    pub(super) fn over(&mut self, key: &str, now: Instant) {
        if let Some(told) = self.0.peek_mut(key) {
            told.over.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::kinds::{Day, Threshold};
    use crate::turn::MicroUsd;

    const DAY_MS: i64 = 86_400_000;

    fn budget(percent: Threshold, at_ms: i64) -> Alert {
        Alert::BudgetThreshold {
            percent,
            spent: MicroUsd(1),
            budget: MicroUsd(1),
            day: Day::of(at_ms),
        }
    }

    fn breaker(target: &str) -> Alert {
        let target = target.to_owned();
        Alert::BreakerOpen { target }
    }

    /// What happens, after how many minutes from the start.
    enum Step {
        Raise(Alert),
        Over(Alert),
    }

    #[test]
    fn states_are_told_when_they_begin_and_flapping_is_one_state() {
        use Step::{Over, Raise};
        let (a, b) = (|| breaker("a"), || breaker("b"));
        let start = Instant::now();
        let mut ledger = Ledger::new();
        for (minute, step, is_told) in [
            (0, Raise(a()), true),
            (1, Raise(a()), false),
            (1, Raise(b()), true),
            // Flapping: never over for long enough.
            (2, Over(a()), false),
            (16, Raise(a()), false),
            (20, Over(a()), false),
            (25, Over(a()), false),
            (34, Raise(a()), false),
            // Over since minute 40, however often that was said.
            (40, Over(a()), false),
            (54, Over(a()), false),
            (55, Raise(a()), true),
            (56, Raise(a()), false),
            // Never said to be over, and raised every day.
            (60 * 30, Raise(b()), false),
            (60 * 77, Raise(b()), false),
            (60 * 125, Raise(b()), true),
        ] {
            let now = start + Duration::from_secs(minute * 60);
            let told = match step {
                Raise(alert) => ledger.is_news(&alert, now),
                Over(alert) => {
                    ledger.over(&alert.key(), now);
                    false
                }
            };
            assert_eq!(told, is_told, "minute {minute}");
        }
    }

    #[test]
    fn a_threshold_is_told_once_a_day_and_never_after_a_higher_one() {
        use Threshold::{All, Half, Most};
        let now = Instant::now();
        let mut ledger = Ledger::new();
        for (percent, day, is_told) in [
            (Half, 0, true),
            (Half, 0, false),
            (All, 0, true),
            (Most, 0, false),
            (Half, 0, false),
            (Most, 1, true),
            (Half, 1, false),
            (All, 1, true),
        ] {
            let told = ledger.is_news(&budget(percent, day * DAY_MS), now);
            assert_eq!(told, is_told, "{percent:?} of day {day}");
        }
        ledger.over(&budget(Half, 0).key(), now);
        let later = now + FORGOTTEN + REARM;
        assert!(
            !ledger.is_news(&budget(Half, 0), later),
            "a window is told once"
        );
        assert!(ledger.is_news(&Alert::Test, now) && ledger.is_news(&Alert::Test, now));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut ledger = Ledger::new();
        for n in 0..5_000 {
            assert!(ledger.is_news(&breaker(&n.to_string()), now));
        }
        assert_eq!(ledger.0.len(), KEYS.get());
        assert!(!ledger.is_news(&breaker("4999"), now));
    }
}
