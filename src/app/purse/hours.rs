//! What the records say a day cost, kept hour by hour: the sum of a whole day takes the longer the more was said in it, and
//! every machine wants it each minute.

use crate::turn::MicroUsd;

const HOUR_MS: i64 = 3_600_000;
/// What an hour cost may still change for so long after it: turns end, bills are corrected.
const SETTLING_MS: i64 = 1_800_000;
const HOURS: usize = 24;

/// The hours of one UTC day.
#[derive(Debug, Default)]
pub(super) struct Hours {
    day_ms: i64,
    hours: [Hour; HOURS],
    /// Which of those that have settled is asked about next.
    again: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    spent: MicroUsd,
    /// It was asked about once nothing more was to be expected of it.
    is_settled: bool,
}

impl Hours {
    /// What is to be asked now, as times from and to: hours that have not settled and, of the others, one in turn, since rows
    /// may have waited for long. The hour to come is among them: other clocks may be there already, and there is little in it.
    pub(super) fn due(&mut self, day_ms: i64, now_ms: i64) -> Vec<(i64, i64)> {
        if self.day_ms != day_ms {
            *self = Self {
                day_ms,
                ..Self::default()
            };
        }
        let begun = self.starts().zip(self.hours);
        let begun = begun.filter(|(start, _)| *start <= now_ms + HOUR_MS);
        let (old, open): (Vec<_>, Vec<_>) = begun.partition(|(_, hour)| hour.is_settled);
        let mut due: Vec<i64> = open.into_iter().map(|(start, _)| start).collect();
        if !old.is_empty() {
            due.extend(old.get(self.again % old.len()).map(|(start, _)| *start));
            self.again += 1;
        }
        due.into_iter()
            .map(|start| (start, start + HOUR_MS))
            .collect()
    }

    /// Takes in what was spent in the hour that begins then, as it was asked about at that moment.
    pub(super) fn know(&mut self, start_ms: i64, spent: MicroUsd, asked_ms: i64) {
        let at = self.starts().position(|start| start == start_ms);
        if let Some(hour) = at.and_then(|at| self.hours.get_mut(at)) {
            let is_settled = start_ms + HOUR_MS + SETTLING_MS <= asked_ms;
            *hour = Hour { spent, is_settled };
        }
    }

    /// The day so far, as far as its hours are known: never more than it cost.
    pub(super) fn total(&self) -> MicroUsd {
        let add = |all: i64, hour: &Hour| all.saturating_add(hour.spent.0);
        MicroUsd(self.hours.iter().fold(0, add))
    }

    fn starts(&self) -> impl Iterator<Item = i64> + use<> {
        let day_ms = self.day_ms;
        (0..).take(HOURS).map(move |hour| day_ms + hour * HOUR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn at(hour: i64, minute: i64) -> i64 {
        DAY + hour * HOUR_MS + minute * 60_000
    }

    /// Asks once, and takes in what each hour's number says. Gives which hours were asked about.
    fn asked(hours: &mut Hours, now: i64, spent: impl Fn(i64) -> Option<i64>) -> Vec<i64> {
        let day = now - now.rem_euclid(DAY);
        let due = hours.due(day, now);
        due.into_iter()
            .map(|(from, to)| {
                assert_eq!(to - from, HOUR_MS);
                let hour = (from - day) / HOUR_MS;
                if let Some(spent) = spent(hour) {
                    hours.know(from, MicroUsd(spent), now);
                }
                hour
            })
            .collect()
    }

    #[test]
    fn each_hour_is_asked_about_until_it_has_settled_and_then_in_turn() {
        let mut hours = Hours::default();
        let all = |hour: i64| Some(if hour <= 3 { 1 << hour } else { 0 });
        assert_eq!(asked(&mut hours, at(3, 10), all), [0, 1, 2, 3, 4]);
        assert_eq!(hours.total(), MicroUsd(0b1111));
        // The one before still changes.
        assert_eq!(asked(&mut hours, at(3, 29), all), [2, 3, 4, 0]);
        assert_eq!(asked(&mut hours, at(3, 30), all), [2, 3, 4, 1]);
        assert_eq!(asked(&mut hours, at(3, 31), all), [3, 4, 2]);
        // What comes late is found within as many minutes as there are hours.
        let late = |hour: i64| Some(if hour == 0 { 100 } else { 1 << hour });
        assert_eq!(asked(&mut hours, at(3, 32), late), [3, 4, 0]);
        assert_eq!(hours.total(), MicroUsd(100 + 0b11110));
    }

    #[test]
    fn an_hour_is_not_settled_by_a_sum_of_before() {
        let mut hours = Hours::default();
        assert_eq!(asked(&mut hours, at(1, 5), |_| Some(1)), [0, 1, 2]);
        // The store does not answer until long after.
        for minute in [6, 59] {
            assert_eq!(asked(&mut hours, at(1, minute), |_| None), [0, 1, 2]);
        }
        assert_eq!(hours.total(), MicroUsd(3));
        assert_eq!(asked(&mut hours, at(3, 10), |_| Some(50)), [0, 1, 2, 3, 4]);
        assert_eq!(hours.total(), MicroUsd(250));
    }

    #[test]
    fn what_is_known_counts_while_some_is_not() {
        let mut hours = Hours::default();
        let some = |hour: i64| (hour != 1).then_some(10);
        assert_eq!(asked(&mut hours, at(4, 40), some), [0, 1, 2, 3, 4, 5]);
        assert_eq!(hours.total(), MicroUsd(50));
        assert_eq!(asked(&mut hours, at(4, 41), some), [1, 4, 5, 0]);
        assert_eq!(asked(&mut hours, at(4, 42), |_| Some(10)), [1, 4, 5, 2]);
        assert_eq!(hours.total(), MicroUsd(60));
    }

    #[test]
    fn another_day_begins_anew() {
        let mut hours = Hours::default();
        assert_eq!(asked(&mut hours, at(23, 59), |_| Some(1)).len(), 24);
        assert_eq!(hours.total(), MicroUsd(24));
        assert_eq!(asked(&mut hours, at(24, 1), |_| Some(5)), [0, 1]);
        assert_eq!(hours.total(), MicroUsd(10));
        // What is told of the day before is not this one's.
        hours.know(DAY, MicroUsd(7), at(24, 2));
        assert_eq!(hours.total(), MicroUsd(10));
    }
}
