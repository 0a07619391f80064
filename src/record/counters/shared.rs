//! What machines tell each other, and what it adds up to. Pure; `link` does the calling.
//!
//! Redis holds numbers under two keys and nothing of a person: no session, no user, no words.

use serde::{Deserialize, Serialize};

use crate::turn::MicroUsd;

use super::Today;
use super::local::Slice;
use super::tally::Tally;

/// One step for telling and reading.
pub(super) const SCRIPT: &str = include_str!("share.lua");
/// A hash of machines, each with when it told and what. The braces keep both keys in one slot of a
/// cluster; the number is that of the layout, so that two versions count apart and not wrongly.
pub(super) const MACHINES: &str = "clm:{1}:machines";
/// A machine that has told nothing for longer is not counted as one; the turns that it told of
/// count until they are a minute old.
const PRESENT_MS: u64 = 3000;
const MINUTE_MS: u64 = 60_000;

/// Where one machine stands.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) open: u64,
    pub(super) slices: Vec<Slice>,
}

/// As many machines read whenever they tell. Where there are more each reads the more seldom: what a reading takes of
/// Redis grows with the machines, and so do the readings.
const READERS: u64 = 30;

/// What the script answers who reads: each machine's words with their age in milliseconds; the day's turns,
/// cost and unknown costs.
pub(super) type Answer = (Vec<(u64, Vec<u8>)>, (u64, i64, u64));

/// How often a machine among so many tells without reading, after it has read.
pub(super) fn unread(machines: u64) -> u64 {
    machines.saturating_sub(1) / READERS
}

/// Where all machines stand together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) machines: u64,
    pub(super) open: u64,
    pub(super) minute: Tally,
    pub(super) today: Today,
}

impl Sum {
    /// What cannot be read is left out: somebody else's numbers are no reason to have none.
    pub(super) fn of((machines, (turns, cost, cost_unknown)): Answer) -> Self {
        let mut sum = Self {
            today: Today {
                turns,
                cost_usd: MicroUsd(cost),
                cost_unknown,
            },
            ..Self::default()
        };
        for (age_ms, told) in machines {
            if let Ok(told) = serde_json::from_slice::<Told>(&told) {
                sum.add(&told, age_ms);
            }
        }
        sum
    }

    fn add(&mut self, told: &Told, age_ms: u64) {
        if age_ms < PRESENT_MS {
            self.machines += 1;
            self.open = self.open.saturating_add(told.open);
        }
        for slice in &told.slices {
            let slice_ms = slice.age_s.saturating_mul(1000);
            if slice_ms.saturating_add(age_ms) < MINUTE_MS {
                self.minute.add(&slice.tally);
            }
        }
    }
}

/// The key of one UTC day.
pub(super) fn day_key(day: i64) -> String {
    format!("clm:{{1}}:day:{day}")
}

/// One machine's day in the script's terms. A machine without turns has nothing to tell, so that
/// restarts leave no rows behind.
pub(super) fn day_words(today: &Today) -> String {
    if today.turns == 0 {
        return String::new();
    }
    let cost = today.cost_usd.0.max(0);
    format!("{} {cost} {}", today.turns, today.cost_unknown)
}

#[cfg(test)]
mod tests {
    use super::super::tests::turn;
    use super::*;

    fn told(open: u64, ages: &[u64]) -> Vec<u8> {
        let mut tally = Tally::default();
        tally.count(&turn("complete"));
        let slice = |age_s: &u64| Slice {
            age_s: *age_s,
            tally: tally.clone(),
        };
        let slices = ages.iter().map(slice).collect();
        serde_json::to_vec(&Told { open, slices }).unwrap()
    }

    #[test]
    fn machines_add_up_and_the_absent_fade_away() {
        let day = (7, 90, 1);
        let all = |age| vec![(12, told(2, &[0, 55])), (age, told(3, &[0, 30]))];
        for (age, machines, open, turns) in [
            (900, 2, 5, 4),
            (2999, 2, 5, 4),
            (3000, 1, 2, 4),
            (29_999, 1, 2, 4),
            (30_000, 1, 2, 3),
            (60_000, 1, 2, 2),
        ] {
            let sum = Sum::of((all(age), day));
            let got = (sum.machines, sum.open, sum.minute.minute().turns);
            assert_eq!(got, (machines, open, turns), "{age}");
            assert_eq!((sum.today.turns, sum.today.cost_usd), (7, MicroUsd(90)));
        }
    }

    #[test]
    fn the_more_machines_the_more_seldom_each_reads() {
        let expected = [
            (0, 0),
            (1, 0),
            (30, 0),
            (31, 1),
            (60, 1),
            (61, 2),
            (900, 29),
        ];
        for (machines, times) in expected {
            assert_eq!(unread(machines), times, "{machines}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let odd: &[&[u8]] = &[b"", b"\xff", b"{}", br#"{"open":-1,"slices":[]}"#];
        let mut machines: Vec<_> = odd.iter().map(|o| (5, o.to_vec())).collect();
        machines.push((5, told(1, &[0])));
        let sum = Sum::of((machines, (0, 0, 0)));
        assert_eq!((sum.machines, sum.minute.minute().turns), (1, 1));
    }

    #[test]
    fn nothing_but_numbers_is_told() {
        let text = String::from_utf8(told(1, &[0])).unwrap();
        let mut record = turn("complete");
        for secret in ["session_id", "user_hash", "coach", "trace_id", "turn_id"] {
            assert!(!text.contains(secret), "{text}");
        }
        for word in [
            record.session_id,
            record.user_hash.take().unwrap(),
            record.trace_id,
        ] {
            assert!(!text.contains(&word), "{text}");
        }
    }

    #[test]
    fn a_day_without_turns_is_not_told() {
        assert_eq!(day_words(&Today::default()), "");
        let today = Today {
            turns: 2,
            cost_usd: MicroUsd(150),
            cost_unknown: 1,
        };
        assert_eq!(day_words(&today), "2 150 1");
    }
}
