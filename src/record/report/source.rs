//! Where a report's sums come from: summaries of whole hours and days where they are true, the turns
//! themselves for the rest. A day of turns is added up in one row a kind; ten million turns are read as
//! a few thousand rows.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::record::sql::{Arg, Args, Question, typed};
use crate::record::store::{Store, StoreError};

use super::cells::{Calls, Cell, Cells, Key, Sums};
use super::sketch::Sketch;

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// What a summary covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grain {
    Hour,
    Day,
}

impl Grain {
    pub(super) fn hours(self) -> i16 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
        }
    }

    pub(super) fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }
}

/// A stretch of time and what is read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// `None`: the turns themselves.
    pub(super) grain: Option<Grain>,
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
}

/// One row of table `summarised`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Mark {
    pub(super) start_at: i64,
    pub(super) grain: i16,
    pub(super) is_ready: bool,
}

impl Mark {
    fn covers(&self, grain: Grain) -> bool {
        self.is_ready && self.grain == grain.hours()
    }
}

/// Which summaries there are of a time.
pub(super) async fn marks(
    store: &Store,
    since_ms: i64,
    until_ms: i64,
) -> Result<Vec<Mark>, StoreError> {
    let text = include_str!("../../../sql/report/marks.sql");
    let question = Question::new(text, span(since_ms, until_ms));
    typed(store.ask(question).await?)
}

/// Covers a time: days where they are summarised, else hours, else turns; neighbours of a kind in one,
/// but turns of one day at most, so that what is told by the day can be. Without `days`, because
/// somebody wants to see hours, hours.
pub(super) fn cover(marks: &[Mark], since_ms: i64, until_ms: i64, days: bool) -> Vec<Part> {
    let starts = |grain| -> BTreeSet<i64> {
        let of_grain = marks.iter().filter(|mark| mark.covers(grain));
        of_grain.map(|mark| mark.start_at).collect()
    };
    let (day_starts, hour_starts) = (starts(Grain::Day), starts(Grain::Hour));
    let mut parts: Vec<Part> = Vec::new();
    let mut at = since_ms;
    while at < until_ms {
        let fits = |grain: Grain, starts: &BTreeSet<i64>| {
            starts.contains(&at) && at + grain.ms() <= until_ms
        };
        let (grain, end) = if days && fits(Grain::Day, &day_starts) {
            (Some(Grain::Day), at + DAY_MS)
        } else if fits(Grain::Hour, &hour_starts) {
            (Some(Grain::Hour), at + HOUR_MS)
        } else {
            // To the next full hour, where a summary may begin.
            (None, (at - at.rem_euclid(HOUR_MS) + HOUR_MS).min(until_ms))
        };
        let step = if days { DAY_MS } else { HOUR_MS };
        let is_new_step = grain.is_none() && at.rem_euclid(step) == 0;
        match parts.last_mut() {
            Some(last) if last.grain == grain && !is_new_step => last.until_ms = end,
            _ => parts.push(Part {
                grain,
                since_ms: at,
                until_ms: end,
            }),
        }
        at = end;
    }
    parts
}

/// When the oldest turn that is kept began.
pub(super) async fn first_turn(store: &Store) -> Result<Option<i64>, StoreError> {
    #[derive(Deserialize)]
    struct First {
        created_at: i64,
    }
    let text = include_str!("../../../sql/report/first_turn.sql");
    let mut rows = typed::<First>(store.ask(Question::new(text, Args::new())).await?)?;
    Ok(rows.pop().map(|first| first.created_at))
}

/// Everything of a time. `days`: whether days will do where somebody might want hours.
pub(super) async fn cells(
    store: &Store,
    since_ms: i64,
    until_ms: i64,
    days: bool,
) -> Result<Cells, StoreError> {
    let mut cells = Cells::default();
    let Some(first) = first_turn(store).await? else {
        return Ok(cells);
    };
    // Of the time before there is nothing to ask.
    let since_ms = since_ms.max(first - first.rem_euclid(DAY_MS));
    let marks = marks(store, since_ms, until_ms).await?;
    for part in cover(&marks, since_ms, until_ms, days) {
        match part.grain {
            None => from_turns(store, part.since_ms, part.until_ms, &mut cells).await?,
            Some(grain) => from_summaries(store, grain, part, &mut cells).await?,
        }
    }
    Ok(cells)
}

/// Adds the turns of a time up. Their cells bear the start of that time.
pub(super) async fn from_turns(
    store: &Store,
    since_ms: i64,
    until_ms: i64,
    cells: &mut Cells,
) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Turns {
        #[serde(flatten)]
        key: Key,
        #[serde(flatten)]
        sums: Sums,
    }
    #[derive(Deserialize)]
    struct Count {
        #[serde(flatten)]
        key: Key,
        bucket: i32,
        turns: u64,
    }
    let ask = |text| store.ask(Question::new(text, span(since_ms, until_ms)));
    let at = |mut key: Key| {
        key.start_ms = since_ms - since_ms.rem_euclid(HOUR_MS);
        key
    };
    let turns = ask(include_str!("../../../sql/report/turns.sql"));
    for row in typed::<Turns>(turns.await?)? {
        let cell = cells.turns.entry(at(row.key)).or_default();
        cell.sums.add(&row.sums);
    }
    let responses = ask(include_str!("../../../sql/report/responses.sql"));
    for row in typed::<Count>(responses.await?)? {
        let cell = cells.turns.entry(at(row.key)).or_default();
        cell.responses.add(row.bucket, row.turns);
    }
    let first_tokens = ask(include_str!("../../../sql/report/first_tokens.sql"));
    for row in typed::<Count>(first_tokens.await?)? {
        let cell = cells.turns.entry(at(row.key)).or_default();
        cell.first_tokens.add(row.bucket, row.turns);
    }
    let calls = ask(include_str!("../../../sql/report/calls.sql"));
    add_calls(calls.await?, cells)
}

async fn from_summaries(
    store: &Store,
    grain: Grain,
    part: Part,
    cells: &mut Cells,
) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Summary {
        start_at: i64,
        #[serde(flatten)]
        key: Key,
        #[serde(flatten)]
        sums: Sums,
        responses: String,
        first_tokens: String,
    }
    let ask = |text| {
        let mut args = span(part.since_ms, part.until_ms);
        args.push(("grain", Arg::Small(grain.hours())));
        store.ask(Question::new(text, args))
    };
    let rows = ask(include_str!("../../../sql/report/summaries.sql")).await?;
    for row in typed::<Summary>(rows)? {
        let mut key = row.key;
        key.start_ms = row.start_at;
        let cell = Cell {
            sums: row.sums,
            responses: Sketch::from_json(&row.responses),
            first_tokens: Sketch::from_json(&row.first_tokens),
        };
        cells.add_turns(key, &cell);
    }
    let rows = ask(include_str!("../../../sql/report/call_summaries.sql")).await?;
    add_calls(rows, cells)
}

fn add_calls(rows: Vec<crate::record::sql::Row>, cells: &mut Cells) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Row {
        model: String,
        #[serde(flatten)]
        calls: Calls,
    }
    for row in typed::<Row>(rows)? {
        cells.add_calls(row.model, &row.calls);
    }
    Ok(())
}

fn span(since_ms: i64, until_ms: i64) -> Args {
    vec![("since", Arg::At(since_ms)), ("until", Arg::At(until_ms))]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(start_at: i64, grain: Grain, is_ready: bool) -> Mark {
        Mark {
            start_at,
            grain: grain.hours(),
            is_ready,
        }
    }

    #[test]
    fn days_go_before_hours_and_hours_before_turns() {
        let mut marks: Vec<_> = (0..48)
            .map(|h| mark(h * HOUR_MS, Grain::Hour, true))
            .collect();
        marks.push(mark(DAY_MS, Grain::Day, true));
        marks.push(mark(2 * DAY_MS, Grain::Day, false));
        let half = HOUR_MS / 2;
        let parts = cover(&marks, 20 * HOUR_MS + half, 2 * DAY_MS + half, true);
        let told: Vec<_> = parts
            .iter()
            .map(|p| (p.grain, p.since_ms, p.until_ms))
            .collect();
        assert_eq!(
            told,
            [
                (None, 20 * HOUR_MS + half, 21 * HOUR_MS),
                (Some(Grain::Hour), 21 * HOUR_MS, DAY_MS),
                (Some(Grain::Day), DAY_MS, 2 * DAY_MS),
                (None, 2 * DAY_MS, 2 * DAY_MS + half),
            ]
        );
        let parts = cover(&marks, DAY_MS, 2 * DAY_MS, false);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].grain, Some(Grain::Hour));
    }

    proptest! {
        #[test]
        fn a_cover_has_no_gap_and_no_overlap(
            hours in prop::collection::btree_set(0_i64..72, 0..72),
            days in prop::collection::btree_set(0_i64..3, 0..3),
            since in 0_i64..3 * DAY_MS,
            length in 1_i64..3 * DAY_MS,
            wants_days: bool,
        ) {
            let hours = hours.iter().map(|h| mark(h * HOUR_MS, Grain::Hour, true));
            let days = days.iter().map(|d| mark(d * DAY_MS, Grain::Day, true));
            let marks: Vec<_> = hours.chain(days).collect();
            let parts = cover(&marks, since, since + length, wants_days);
            prop_assert_eq!(parts.first().unwrap().since_ms, since);
            prop_assert_eq!(parts.last().unwrap().until_ms, since + length);
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].until_ms, pair[1].since_ms);
                prop_assert!(pair[0].grain != pair[1].grain || pair[0].grain.is_none());
            }
            for part in parts {
                let step = if wants_days { DAY_MS } else { HOUR_MS };
                match part.grain {
                    Some(grain) => {
                        prop_assert_eq!(part.since_ms % grain.ms(), 0);
                        prop_assert_eq!(part.until_ms % grain.ms(), 0);
                    }
                    None => prop_assert_eq!(part.since_ms / step, (part.until_ms - 1) / step),
                }
            }
        }
    }
}
