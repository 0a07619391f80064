//! Makes the summaries, in the background: of hours that are over, newest first; of days once all their
//! hours have one.
//!
//! **How one is true.** First a mark, committed. Then a wait longer than any batch of rows takes to be
//! written. Then the sums, and in one transaction with them the mark becomes ready, if it is still
//! there: whatever writes a row takes the mark of its hour away (a trigger). So a row that was on its
//! way when the mark was made is in the sums, and one that came later has made them void.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Clock;
use crate::record::sql::{Arg, Args, Question};
use crate::record::store::{Store, StoreError};

use super::cells::{Cell, Cells, Key};
use super::source::{self, DAY_MS, Grain, HOUR_MS, Mark};

/// An hour is summarised when it has been over for so long: most late rows are there by then.
const OVER: i64 = 2 * 60_000;
/// Longer than a batch may take to be written.
const WRITTEN: Duration = Duration::from_secs(10);
/// Summaries made in one round, so that a long history does not keep the latest waiting.
const ROUND: usize = 400;
/// Days that are summarised at most, newest first. What is older is added up from its turns.
const LONGEST: i64 = 400;
/// A mark without a summary is somebody's who died.
const ABANDONED: i64 = 15 * 60_000;

/// What makes summaries.
#[derive(Clone, Debug)]
pub struct Summariser {
    store: Store,
    clock: Clock,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    grain: Grain,
    start_ms: i64,
}

impl Summariser {
    pub(in crate::record) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            wait: WRITTEN,
        }
    }

    /// The same with another wait, where nobody else writes.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// One round: how many summaries were made, and whether more are due.
    ///
    /// # Errors
    /// When the store cannot be asked.
    ///
    /// # Cancellation
    /// Safe: what was begun is abandoned, and begun anew later.
    pub async fn round(&self) -> Result<(usize, bool), StoreError> {
        let now = self.clock.now_ms();
        let before = vec![("before", Arg::At(now - ABANDONED))];
        let unmark = include_str!("../../../sql/report/unmark_abandoned.sql");
        self.store
            .change(vec![Question::new(unmark, before)])
            .await?;
        let due = self.due(now).await?;
        let is_more = due.len() > ROUND;
        let mut marked = Vec::new();
        for span in due.into_iter().take(ROUND) {
            let mut args = span.args();
            args.push(("now", Arg::At(now)));
            let mark = Question::new(include_str!("../../../sql/report/mark.sql"), args);
            if self.store.change(vec![mark]).await? == [1] {
                marked.push(span);
            }
        }
        if marked.is_empty() {
            return Ok((0, is_more));
        }
        sleep(self.wait).await;
        // Asked for after the marks: a turn from before it that comes later takes its mark away.
        let first = source::first_turn(&self.store).await?;
        let mut made = 0;
        for span in marked {
            made += usize::from(self.summarise(span, first, now).await?);
        }
        Ok((made, is_more))
    }

    /// What has no summary and should: days first, for they are read most, then hours, newest first.
    async fn due(&self, now_ms: i64) -> Result<Vec<Span>, StoreError> {
        let Some(first) = source::first_turn(&self.store).await? else {
            return Ok(Vec::new());
        };
        // One row of a clock that was wrong does not make decades of empty hours.
        let first = first.max(now_ms - LONGEST * DAY_MS);
        let since = first - first.rem_euclid(DAY_MS);
        let until = now_ms - OVER;
        let marks = source::marks(&self.store, since, now_ms).await?;
        Ok(due(&marks, since, until))
    }

    /// `first`: when the oldest turn began. Of the time before there is nothing to add up.
    async fn summarise(
        &self,
        span: Span,
        first: Option<i64>,
        marked_at: i64,
    ) -> Result<bool, StoreError> {
        let until_ms = span.start_ms + span.grain.ms();
        let mut cells = Cells::default();
        match span.grain {
            Grain::Hour if first.is_none_or(|first| until_ms <= first) => {}
            Grain::Hour => {
                source::from_turns(&self.store, span.start_ms, until_ms, &mut cells).await?;
            }
            Grain::Day => {
                let marks = source::marks(&self.store, span.start_ms, until_ms).await?;
                if ready_hours(&marks).count() < 24 {
                    // A row came to one of its hours; both marks are gone, and both are made anew.
                    return Ok(false);
                }
                cells = source::cells(&self.store, span.start_ms, until_ms, false).await?;
            }
        }
        // First, and required: whoever has no mark any more writes nothing, and two never write at once.
        let mut args = span.args();
        args.push(("now", Arg::At(marked_at)));
        let ready = include_str!("../../../sql/report/ready.sql");
        let mut writes = vec![
            Question::new(ready, args).required(),
            Question::new(include_str!("../../../sql/report/forget.sql"), span.args()),
            Question::new(
                include_str!("../../../sql/report/forget_calls.sql"),
                span.args(),
            ),
        ];
        // Of hours whose starts differ one day is made.
        let mut kinds: BTreeMap<Key, Cell> = BTreeMap::new();
        for (mut key, cell) in cells.turns {
            key.start_ms = span.start_ms;
            kinds.entry(key).or_default().add(&cell);
        }
        writes.extend(kinds.iter().map(|(key, cell)| span.write(key, cell)));
        for (model, calls) in &cells.calls {
            let mut args = span.args();
            args.extend([
                ("model", Arg::Text(model.clone())),
                ("calls", int(calls.calls)),
                ("errors", int(calls.errors)),
                ("cancelled_calls", int(calls.cancelled_calls)),
                ("cost_microusd", Arg::Int(calls.cost_microusd.0)),
                ("unknown_costs", int(calls.unknown_costs)),
            ]);
            let text = include_str!("../../../sql/report/write_calls.sql");
            writes.push(Question::new(text, args));
        }
        match self.store.change(writes).await {
            Ok(_) => Ok(true),
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Span {
    fn args(self) -> Args {
        vec![
            ("start", Arg::At(self.start_ms)),
            ("grain", Arg::Small(self.grain.hours())),
        ]
    }

    fn write(self, key: &Key, cell: &Cell) -> Question {
        let text = |text: &str| Arg::Text(text.to_owned());
        let s = &cell.sums;
        let mut args = self.args();
        args.extend([
            ("coach", text(&key.coach)),
            ("model", text(&key.model)),
            ("tier", text(&key.tier)),
            ("experiment", text(&key.experiment)),
            ("variant", text(&key.variant)),
            ("turns", int(s.turns)),
            ("failed", int(s.failed)),
            ("interrupted", int(s.interrupted)),
            ("prompt_tokens", int(s.prompt_tokens)),
            ("completion_tokens", int(s.completion_tokens)),
            ("cost_microusd", Arg::Int(s.cost_microusd.0)),
            ("cost_squares", Arg::Real(s.cost_squares)),
            ("estimated_microusd", Arg::Int(s.estimated_microusd.0)),
            ("unknown_costs", int(s.unknown_costs)),
            ("satisfaction_sum", int(s.satisfaction_sum)),
            ("satisfaction_squares", int(s.satisfaction_squares)),
            ("satisfied", int(s.satisfied)),
            ("response_sum_ms", Arg::Real(s.response_sum_ms)),
            ("first_token_sum_ms", Arg::Real(s.first_token_sum_ms)),
            ("responses", Arg::Text(cell.responses.to_json())),
            ("first_tokens", Arg::Text(cell.first_tokens.to_json())),
        ]);
        Question::new(include_str!("../../../sql/report/write.sql"), args)
    }
}

fn int(n: u64) -> Arg {
    Arg::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn ready_hours(marks: &[Mark]) -> impl Iterator<Item = i64> {
    let hours = marks
        .iter()
        .filter(|m| m.is_ready && m.grain == Grain::Hour.hours());
    hours.map(|mark| mark.start_at)
}

/// Days whose hours are all ready, then hours, newest first; none that is marked.
fn due(marks: &[Mark], since_ms: i64, until_ms: i64) -> Vec<Span> {
    let marked: BTreeSet<(i16, i64)> = marks.iter().map(|m| (m.grain, m.start_at)).collect();
    let is_marked = |grain: Grain, start: i64| marked.contains(&(grain.hours(), start));
    let ready: BTreeSet<i64> = ready_hours(marks).collect();
    let starts = |grain: Grain| {
        let first = since_ms - since_ms.rem_euclid(grain.ms());
        let count = (until_ms - first).div_euclid(grain.ms()).max(0);
        (0..count).rev().map(move |n| first + n * grain.ms())
    };
    let days = starts(Grain::Day).filter(|start| {
        let mut hours = (0..24).map(|h| start + h * HOUR_MS);
        hours.all(|hour| ready.contains(&hour)) && !is_marked(Grain::Day, *start)
    });
    let hours = starts(Grain::Hour).filter(|start| !is_marked(Grain::Hour, *start));
    let days: Vec<Span> = days
        .map(|start_ms| Span {
            grain: Grain::Day,
            start_ms,
        })
        .collect();
    let hours = hours.map(|start_ms| Span {
        grain: Grain::Hour,
        start_ms,
    });
    days.into_iter().chain(hours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_due_when_their_hours_are_ready_and_hours_newest_first() {
        let mark = |start_at, grain: Grain, is_ready| Mark {
            start_at,
            grain: grain.hours(),
            is_ready,
        };
        let mut marks: Vec<_> = (0..24)
            .map(|h| mark(h * HOUR_MS, Grain::Hour, true))
            .collect();
        marks.push(mark(24 * HOUR_MS, Grain::Hour, false));
        let told = |marks: &[Mark]| -> Vec<_> {
            let due = due(marks, 0, 27 * HOUR_MS + 1);
            due.iter()
                .map(|s| (s.grain, s.start_ms / HOUR_MS))
                .collect()
        };
        assert_eq!(
            told(&marks),
            [(Grain::Day, 0), (Grain::Hour, 26), (Grain::Hour, 25)]
        );
        marks.push(mark(0, Grain::Day, true));
        assert_eq!(told(&marks), [(Grain::Hour, 26), (Grain::Hour, 25)]);
        marks.remove(3);
        assert_eq!(
            told(&marks),
            [(Grain::Hour, 26), (Grain::Hour, 25), (Grain::Hour, 3)]
        );
    }
}
