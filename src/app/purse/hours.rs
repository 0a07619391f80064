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
    sums: [Option<MicroUsd>; HOURS],
    /// Which of those that have settled is asked about next.
    again: usize,
}

impl Hours {
    /// What is to be asked now, as times from and to: hours that nobody has asked about yet, those that still change, and of
    /// the others one, in turn, since rows may have waited for long.
    pub(super) fn due(&mut self, day_ms: i64, now_ms: i64) -> Vec<(i64, i64)> {
        if self.day_ms != day_ms {
            *self = Self {
                day_ms,
                ..Self::default()
            };
        }
        let begun = self.starts().filter(|start| *start <= now_ms);
        let settled = |start: &i64| start + HOUR_MS + SETTLING_MS <= now_ms;
        let (old, mut due): (Vec<_>, Vec<_>) =
            begun.partition(|start| settled(start) && self.sum(*start).is_some());
        if !old.is_empty() {
            due.extend(old.get(self.again % old.len()));
            self.again += 1;
        }
        due.into_iter()
            .map(|start| (start, start + HOUR_MS))
            .collect()
    }

    /// Takes in what was spent in the hour that begins then.
    pub(super) fn know(&mut self, start_ms: i64, spent: MicroUsd) {
        let at = self.starts().position(|start| start == start_ms);
        if let Some(sum) = at.and_then(|at| self.sums.get_mut(at)) {
            *sum = Some(spent);
        }
    }

    /// The day so far; `None` while an hour of it is not known.
    pub(super) fn total(&self, now_ms: i64) -> Option<MicroUsd> {
        let begun = self.starts().zip(self.sums);
        let begun = begun.filter(|(start, _)| *start <= now_ms);
        let sums: Option<Vec<i64>> = begun.map(|(_, sum)| sum.map(|sum| sum.0)).collect();
        sums.map(|sums| MicroUsd(sums.iter().fold(0, |all, sum| all.saturating_add(*sum))))
    }

    fn sum(&self, start_ms: i64) -> Option<MicroUsd> {
        let at = self.starts().position(|start| start == start_ms)?;
        self.sums.get(at).copied().flatten()
    }

    fn starts(&self) -> impl Iterator<Item = i64> + use<> {
        let day_ms = self.day_ms;
        (0..24).map(move |hour| day_ms + hour * HOUR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const MINUTE: i64 = 60_000;

    /// Asks as often as once a minute, and takes in what an hour's number says. Gives which hours were asked about.
    fn asked(
        hours: &mut Hours,
        day: i64,
        now: i64,
        spent: impl Fn(i64) -> Option<i64>,
    ) -> Vec<i64> {
        let due = hours.due(day, now);
        due.into_iter()
            .map(|(from, to)| {
                assert_eq!(to - from, HOUR_MS);
                let hour = (from - day) / HOUR_MS;
                if let Some(spent) = spent(hour) {
                    hours.know(from, MicroUsd(spent));
                }
                hour
            })
            .collect()
    }

    #[test]
    fn each_hour_is_asked_about_until_it_has_settled_and_then_in_turn() {
        let mut hours = Hours::default();
        let now = |hour: i64, minute: i64| DAY + hour * HOUR_MS + minute * MINUTE;
        let all = |hour: i64| Some(1 << hour);
        assert_eq!(asked(&mut hours, DAY, now(3, 10), all), [0, 1, 2, 3]);
        assert_eq!(hours.total(now(3, 10)), Some(MicroUsd(0b1111)));
        // The one before still changes.
        assert_eq!(asked(&mut hours, DAY, now(3, 29), all), [2, 3, 0]);
        assert_eq!(asked(&mut hours, DAY, now(3, 30), all), [3, 1]);
        // What comes late is found within as many minutes as there are hours.
        let late = |hour: i64| Some(if hour == 2 { 100 } else { 1 << hour });
        assert_eq!(asked(&mut hours, DAY, now(3, 31), late), [3, 2]);
        assert_eq!(hours.total(now(3, 31)), Some(MicroUsd(111)));
        // An hour that has begun and is not known: nobody can say.
        assert_eq!(hours.total(now(4, 0)), None);
    }

    #[test]
    fn a_store_that_does_not_answer_is_asked_again() {
        let mut hours = Hours::default();
        let now = DAY + 5 * HOUR_MS + 40 * MINUTE;
        let some = |hour: i64| (hour != 1).then_some(1);
        assert_eq!(asked(&mut hours, DAY, now, some), [0, 1, 2, 3, 4, 5]);
        assert_eq!(hours.total(now), None);
        assert_eq!(asked(&mut hours, DAY, now, |_| Some(1)), [1, 5, 0]);
        assert_eq!(hours.total(now), Some(MicroUsd(6)));
    }

    #[test]
    fn another_day_begins_anew() {
        let mut hours = Hours::default();
        let late = DAY + 23 * HOUR_MS + 59 * MINUTE;
        assert_eq!(asked(&mut hours, DAY, late, |_| Some(1)).len(), 24);
        assert_eq!(hours.total(late), Some(MicroUsd(24)));
        let next = late + 2 * MINUTE;
        assert_eq!(asked(&mut hours, 2 * DAY, next, |_| Some(5)), [0]);
        assert_eq!(hours.total(next), Some(MicroUsd(5)));
        // What is told of the day before is not this one's.
        hours.know(DAY, MicroUsd(7));
        assert_eq!(hours.total(next), Some(MicroUsd(5)));
    }
}
