//! This machine's own numbers: a ring of the last sixty seconds, and the day. A pure machine that is
//! told the time: the minute by the monotonic clock, which no correction moves, the day by the wall's.

use tokio::time::Instant;

use serde::{Deserialize, Serialize};

use crate::turn::TurnRecord;

use super::Today;
use super::tally::Tally;

/// The minute, in seconds; the one that runs is among them.
const SECONDS: u64 = 60;
/// What is told to other machines is told in slices of so many seconds.
const SLICE: u64 = 5;
const DAY: i64 = 86_400;
/// How far the wall clock may be set back over midnight without the day's numbers being lost.
const SET_BACK: i64 = 3600;

#[derive(Clone, Debug, Default)]
struct Second {
    /// Which second since the start this is.
    number: u64,
    tally: Tally,
}

/// A few seconds of the last minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    /// How long ago its newest second was.
    pub(super) age_s: u64,
    pub(super) tally: Tally,
}

#[derive(Debug)]
pub(super) struct Local {
    began: Instant,
    ring: Vec<Second>,
    /// Days since 1970-01-01, UTC.
    day: i64,
    today: Today,
}

impl Local {
    pub(super) fn new(now: Instant, epoch_s: i64) -> Self {
        Self {
            began: now,
            ring: (0..SECONDS).map(|_| Second::default()).collect(),
            day: epoch_s.div_euclid(DAY),
            today: Today::default(),
        }
    }

    pub(super) fn count(&mut self, turn: &TurnRecord, now: Instant, epoch_s: i64) {
        let number = self.second(now);
        let place = usize::try_from(number % SECONDS).unwrap_or_default();
        if let Some(second) = self.ring.get_mut(place) {
            if second.number != number {
                *second = Second {
                    number,
                    tally: Tally::default(),
                };
            }
            second.tally.count(turn);
        }
        self.turn_page(epoch_s);
        self.today.count(turn);
    }

    /// The last minute as one.
    pub(super) fn minute(&self, now: Instant) -> Tally {
        let mut all = Tally::default();
        for (_, tally) in self.seconds(now) {
            all.add(tally);
        }
        all
    }

    /// The last minute in slices, those without a turn left out.
    pub(super) fn slices(&self, now: Instant) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        for (age, tally) in self.seconds(now) {
            let age_s = age / SLICE * SLICE;
            match slices.iter_mut().find(|slice| slice.age_s == age_s) {
                Some(slice) => slice.tally.add(tally),
                None => slices.push(Slice {
                    age_s,
                    tally: tally.clone(),
                }),
            }
        }
        slices
    }

    /// The day, as days since 1970-01-01, and its numbers so far.
    pub(super) fn today(&mut self, epoch_s: i64) -> (i64, Today) {
        self.turn_page(epoch_s);
        (self.day, self.today.clone())
    }

    /// The seconds of the last minute with a turn in them, and how long ago each was.
    fn seconds(&self, now: Instant) -> impl Iterator<Item = (u64, &Tally)> {
        let running = self.second(now);
        self.ring.iter().filter_map(move |second| {
            let age = running.checked_sub(second.number)?;
            (age < SECONDS && !second.tally.is_empty()).then_some((age, &second.tally))
        })
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }

    /// A clock that is set back by a moment at midnight does not bring yesterday back, or that day's
    /// total would be told anew from nothing.
    fn turn_page(&mut self, epoch_s: i64) {
        let is_later = epoch_s.div_euclid(DAY) > self.day;
        if is_later || epoch_s < self.day.saturating_mul(DAY).saturating_sub(SET_BACK) {
            self.day = epoch_s.div_euclid(DAY);
            self.today = Today::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::turn;
    use super::*;

    const NOON: i64 = 20_000 * DAY + DAY / 2;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_turn_counts_for_a_minute() {
        let start = Instant::now();
        let mut local = Local::new(start, NOON);
        assert_eq!(local.minute(start), Tally::default());
        local.count(&turn("complete"), start, NOON);
        local.count(&turn("failed"), after(start, 30_500), NOON);
        for (ms, turns, failed) in [
            (30_500, 2, 1),
            (59_900, 2, 1),
            (60_000, 1, 1),
            (89_900, 1, 1),
            (90_000, 0, 0),
            (1_000_000, 0, 0),
        ] {
            let minute = local.minute(after(start, ms)).minute();
            assert_eq!(
                (minute.turns, minute.outcomes["failed"]),
                (turns, failed),
                "{ms}"
            );
        }
    }

    #[test]
    fn the_ring_goes_round_and_keeps_a_minute() {
        let start = Instant::now();
        let mut local = Local::new(start, NOON);
        for second in 0..1000 {
            let now = after(start, second * 1000 + 500);
            local.count(&turn("complete"), now, NOON);
            let minute = local.minute(now).minute();
            assert_eq!(minute.turns, (second + 1).min(SECONDS));
        }
        // Much later one old second must not hide behind its place.
        local.count(&turn("complete"), after(start, 9_000_000), NOON);
        assert_eq!(local.minute(after(start, 9_000_000)).minute().turns, 1);
    }

    #[test]
    fn slices_hold_the_minute_and_know_their_age() {
        let start = Instant::now();
        let mut local = Local::new(start, NOON);
        for second in [0, 1, 7, 58, 59] {
            local.count(&turn("complete"), after(start, second * 1000), NOON);
        }
        let now = after(start, 59_000);
        let mut slices = local.slices(now);
        slices.sort_by_key(|s| s.age_s);
        let told: Vec<_> = slices
            .iter()
            .map(|s| (s.age_s, s.tally.minute().turns))
            .collect();
        assert_eq!(told, [(0, 2), (50, 1), (55, 2)]);
        let mut all = Tally::default();
        slices.iter().for_each(|s| all.add(&s.tally));
        assert_eq!(all, local.minute(now));
    }

    #[test]
    fn the_day_begins_at_midnight_in_utc() {
        let start = Instant::now();
        let midnight = 20_001 * DAY;
        let mut local = Local::new(start, NOON);
        local.count(&turn("complete"), start, NOON);
        local.count(&turn("complete"), start, midnight - 1);
        assert_eq!(local.today(midnight - 1).1.turns, 2);
        assert_eq!(
            local.today(midnight),
            (20_001, Today::default()),
            "no turn needed"
        );
        local.count(&turn("complete"), start, midnight + 1);
        // The clock is set back by two seconds, over midnight.
        local.count(&turn("complete"), start, midnight - 1);
        assert_eq!(
            (local.today(midnight).0, local.today(midnight).1.turns),
            (20_001, 2)
        );
        assert_eq!(
            local.today(NOON),
            (20_000, Today::default()),
            "it had been wrong"
        );
    }
}
