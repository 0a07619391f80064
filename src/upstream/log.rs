//! What was tried: one row per upstream call, complete at every moment, so that a turn dropped in
//! mid-attempt still tells the truth.

use std::time::Duration;

use tokio::time::Instant;

use crate::turn::{AttemptRecord, Cause, CostSource, Usage};

use super::answer::Meta;
use super::error::AttemptError;

/// The attempts of one turn.
#[derive(Debug)]
pub struct AttemptLog {
    turn: Instant,
    rows: Vec<AttemptRecord>,
    open: bool,
}

impl AttemptLog {
    /// `turn` is the instant that all times count from.
    #[must_use]
    pub fn new(turn: Instant) -> Self {
        Self {
            turn,
            rows: Vec::new(),
            open: false,
        }
    }

    pub(super) fn begin(&mut self, model: &str) {
        let started_ms = self.now();
        self.rows.push(AttemptRecord {
            cause: Cause::First,
            model: model.to_owned(),
            provider: None,
            generation_id: None,
            status: None,
            error_kind: None,
            started_ms,
            headers_ms: None,
            first_token_ms: None,
            ended_ms: started_ms,
            prompt_tokens: None,
            completion_tokens: None,
            cost_microusd: None,
            cost_source: CostSource::Unknown,
            cancelled: false,
        });
        self.open = true;
    }

    pub(super) fn status(&mut self, status: u16) {
        let now = self.now();
        self.last(|row| {
            row.status = Some(status);
            row.headers_ms = Some(now);
        });
    }

    /// The last attempt failed, before its first words or after.
    pub fn failed(&mut self, error: &AttemptError) {
        use AttemptError::{FirstToken, Idle, TooLarge};
        // These are ends that we made.
        let cancelled = matches!(error, FirstToken(_) | Idle(_) | TooLarge(_));
        self.last(|row| {
            row.error_kind = Some(error.kind().to_owned());
            row.cancelled = cancelled;
        });
        self.close();
    }

    /// Notes what the stream has said of itself so far.
    pub fn describe(&mut self, meta: &Meta) {
        let first = meta
            .first_event
            .map(|at| millis(at.saturating_duration_since(self.turn)));
        self.last(|row| {
            row.provider.clone_from(&meta.provider);
            row.generation_id.clone_from(&meta.generation_id);
            row.first_token_ms = first;
        });
    }

    /// Notes the bill of the last attempt.
    pub fn usage(&mut self, usage: &Usage) {
        self.last(|row| {
            row.prompt_tokens = Some(usage.prompt_tokens);
            row.completion_tokens = Some(usage.completion_tokens);
            row.cost_microusd = usage.cost;
            row.cost_source = usage
                .cost
                .map_or(CostSource::Unknown, |_| CostSource::Reported);
        });
    }

    /// The last attempt has ended by itself.
    pub fn close(&mut self) {
        if self.open {
            let now = self.now();
            self.last(|row| row.ended_ms = now);
            self.open = false;
        }
    }

    #[must_use]
    pub fn rows(&self) -> &[AttemptRecord] {
        &self.rows
    }

    /// All rows; one that is still open was cancelled by us.
    #[must_use]
    pub fn take(&mut self) -> Vec<AttemptRecord> {
        if self.open {
            self.last(|row| row.cancelled = true);
            self.close();
        }
        std::mem::take(&mut self.rows)
    }

    fn now(&self) -> f64 {
        millis(self.turn.elapsed())
    }

    fn last(&mut self, change: impl FnOnce(&mut AttemptRecord)) {
        if let Some(row) = self.rows.last_mut() {
            change(row);
        }
    }
}

/// Milliseconds with microsecond grain, as records keep them.
#[must_use]
pub fn millis(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e3
}
