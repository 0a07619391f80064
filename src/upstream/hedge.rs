//! Hedges: how long a second model waits before it is asked too, and how often that may be.
//!
//! A hedge costs a whole prompt. It is worth that where the first model is slower than it usually is,
//! and worth nothing where everything is slow: then hedging would double the load that made it so.
//! Hence an allowance, earned by turns: one hedge for ten of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Tenths of a hedge that one hedge costs; a turn earns one tenth.
const HEDGE: u32 = 10;
/// Tenths that are saved up at most: a burst of ten hedges.
const MAX_SAVED: u32 = 10 * HEDGE;
/// Sooner than this, a first model that is well would be hedged too.
const MIN_DELAY: Duration = Duration::from_millis(350);
/// Later than this, the second model's words would come too late; also where nothing is known.
const MAX_DELAY: Duration = Duration::from_millis(900);

/// How many hedges may be made: a token bucket that starts with one, earns a tenth a turn and saves
/// up ten. Shared by all workers, without a lock.
#[derive(Debug)]
pub struct Allowance {
    /// Tenths of a hedge, [`MAX_SAVED`] at most. Relaxed throughout: it guards nothing but itself.
    tenths: AtomicU32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            tenths: AtomicU32::new(HEDGE),
        }
    }
}

impl Allowance {
    /// A turn began: earns a tenth of a hedge, up to ten hedges.
    pub fn turn(&self) {
        self.change(|tenths| (tenths < MAX_SAVED).then_some(tenths + 1));
    }

    /// Takes one hedge. False, and nothing taken, if there is not a whole one.
    #[must_use = "a hedge that was taken is paid for"]
    pub fn take(&self) -> bool {
        self.change(|tenths| tenths.checked_sub(HEDGE))
    }

    /// True if it was changed.
    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        let order = Ordering::Relaxed;
        self.tenths.fetch_update(order, order, change).is_ok()
    }
}

/// How long after the first model a second one is asked: what is usual for the first, within 350 to
/// 900 ms; 900 ms where nothing is known.
#[must_use]
pub(super) fn delay(usual: Option<Duration>) -> Duration {
    usual.map_or(MAX_DELAY, |usual| usual.clamp(MIN_DELAY, MAX_DELAY))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn takes(allowance: &Allowance) -> usize {
        std::iter::repeat_with(|| allowance.take())
            .take_while(|granted| *granted)
            .count()
    }

    #[test]
    fn it_starts_with_one_and_earns_one_in_ten_turns() {
        let allowance = Allowance::default();
        assert_eq!(takes(&allowance), 1);
        (0..9).for_each(|_| allowance.turn());
        assert_eq!(takes(&allowance), 0);
        allowance.turn();
        assert_eq!(takes(&allowance), 1);
    }

    #[test]
    fn it_saves_up_ten() {
        let allowance = Allowance::default();
        (0..1_000).for_each(|_| allowance.turn());
        assert_eq!(takes(&allowance), 10);
        (0..9).for_each(|_| allowance.turn());
        assert_eq!(takes(&allowance), 0, "ten, and not a tenth more");
    }

    #[test]
    fn the_delay_is_what_is_usual_within_bounds() {
        let table: &[(Option<u64>, u64)] = &[
            (None, 900),
            (Some(0), 350),
            (Some(349), 350),
            (Some(351), 351),
            (Some(620), 620),
            (Some(899), 899),
            (Some(901), 900),
            (Some(u64::MAX), 900),
        ];
        for (usual, expected) in table {
            let usual = usual.map(Duration::from_millis);
            assert_eq!(delay(usual), Duration::from_millis(*expected), "{usual:?}");
        }
    }

    #[test]
    fn threads_take_no_more_than_was_earned_and_lose_nothing() {
        const TURNS: usize = 4_000;
        for _ in 0..20 {
            let allowance = Allowance::default();
            let worker = || {
                let turn = |_| {
                    allowance.turn();
                    usize::from(allowance.take())
                };
                (0..TURNS).map(turn).sum::<usize>()
            };
            let taken: usize = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
                workers.into_iter().map(|w| w.join().unwrap()).sum()
            });
            // Taken as soon as earned, so that nothing was lost to a full bucket.
            assert_eq!(taken + takes(&allowance), 1 + 4 * TURNS / 10);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_more_is_granted_than_was_earned_nor_more_than_ten_at_once(
            bursts in vec((0_usize..200, 0_usize..15), 0..40),
        ) {
            let allowance = Allowance::default();
            let (mut turns, mut granted) = (0, 0);
            for (earned, asked) in bursts {
                (0..earned).for_each(|_| allowance.turn());
                turns += earned;
                let got = (0..asked).filter(|_| allowance.take()).count();
                granted += got;
                prop_assert!(got <= 10);
                prop_assert!(granted <= 1 + turns / 10);
            }
        }

        #[test]
        fn a_delay_is_always_within_bounds(usual in any::<Option<Duration>>()) {
            prop_assert!((MIN_DELAY..=MAX_DELAY).contains(&delay(usual)));
        }
    }
}
