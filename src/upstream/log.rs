//! What was tried: one row per upstream call, complete at every moment, so that a turn dropped in
//! mid-attempt still tells the truth.
//!
//! Two calls may run at once. Each holds its [`Row`]; one that is dropped while open was cancelled
//! by us.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::routing::catalog::{self, Catalog};
use crate::routing::provider::{self, OnCancel};
use crate::turn::{AttemptRecord, Cause, CostSource, MicroUsd, Usage};

use super::answer::Meta;
use super::error::AttemptError;

/// What a whole answer comes to, in tokens, where a provider goes on after the stream was closed and
/// nobody will ever tell: two or three spoken sentences.
const USUAL_ANSWER_TOKENS: u64 = 120;

/// The attempts of one turn. Lives on one thread, as the turn does.
#[derive(Debug)]
pub struct AttemptLog {
    turn: Instant,
    catalog: Catalog,
    rows: RefCell<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    record: AttemptRecord,
    is_open: bool,
    /// Bytes of text sent and received: what an estimate goes by.
    prompt_bytes: usize,
    said_bytes: usize,
}

/// One call's row, held by whoever holds the call.
#[derive(Debug)]
pub struct Row {
    log: Rc<AttemptLog>,
    at: usize,
}

impl AttemptLog {
    /// `turn` is the instant that all times count from, `catalog` what estimates go by.
    #[must_use]
    pub fn new(turn: Instant, catalog: Catalog) -> Rc<Self> {
        Rc::new(Self {
            turn,
            catalog,
            rows: RefCell::default(),
        })
    }

    pub(super) fn begin(self: &Rc<Self>, model: &str, cause: Cause) -> Row {
        let started_ms = self.now();
        let mut rows = self.rows.borrow_mut();
        // Nearly every turn makes one call: no room for four.
        rows.reserve_exact(1);
        rows.push(Entry {
            record: AttemptRecord {
                cause,
                coach: None,
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
                cached_tokens: None,
                completion_tokens: None,
                cost_microusd: None,
                cost_source: CostSource::Unknown,
                cancelled: false,
            },
            is_open: true,
            prompt_bytes: 0,
            said_bytes: 0,
        });
        Row {
            log: Rc::clone(self),
            at: rows.len() - 1,
        }
    }

    /// Whether any call was made for this reason.
    #[must_use]
    pub fn has(&self, cause: Cause) -> bool {
        self.rows.borrow().iter().any(|e| e.record.cause == cause)
    }

    /// Whether there is no money for the key: its credits are used up, or its own limit is reached.
    #[must_use]
    pub fn is_out_of_money(&self) -> bool {
        self.has_failed(&["status_402", "key_limit"])
    }

    /// Whether the key was refused, and nobody has answered with it: whatever else is asked would be refused as
    /// well. A refusal beside answers is of one model, or of one request.
    #[must_use]
    pub fn is_key_refused(&self) -> bool {
        let is_answered = |e: &Entry| e.record.status == Some(200);
        self.has_failed(&["status_401", "status_402", "status_403", "key_limit"])
            && !self.rows.borrow().iter().any(is_answered)
    }

    fn has_failed(&self, kinds: &[&str]) -> bool {
        let rows = self.rows.borrow();
        let mut failed = rows.iter().filter_map(|e| e.record.error_kind.as_deref());
        failed.any(|kind| kinds.contains(&kind))
    }

    /// All rows so far, each with what it cost, as far as anybody knows; one that is still open is
    /// cancelled here.
    #[must_use]
    pub fn take(&self) -> Vec<AttemptRecord> {
        let now = self.now();
        let mut rows = self.rows.take();
        for entry in &mut rows {
            entry.close(now, Cancelled);
            entry.estimate(&self.catalog);
        }
        rows.into_iter().map(|entry| entry.record).collect()
    }

    /// The same without an end to it: every row as it stands; of one coach of a council, or of all.
    #[must_use]
    pub fn so_far(&self, coach: Option<&str>) -> Vec<AttemptRecord> {
        let rows = self.rows.borrow();
        let of = |entry: &&Entry| coach.is_none() || entry.record.coach.as_deref() == coach;
        let rows = rows.iter().filter(of).cloned().map(|mut entry| {
            entry.estimate(&self.catalog);
            entry.record
        });
        rows.collect()
    }

    fn now(&self) -> f64 {
        millis(self.turn.elapsed())
    }
}

/// An end that was not the stream's own.
struct Cancelled;

impl Entry {
    fn close(&mut self, now: f64, how: impl Into<Option<Cancelled>>) {
        if std::mem::take(&mut self.is_open) {
            self.record.ended_ms = now;
            self.record.cancelled |= how.into().is_some();
        }
    }

    /// A stream that was begun and brought no bill: the prompt, and what was said so far. Where a
    /// provider goes on without us, at least an answer of the usual length. A call that we hung up on
    /// before its head came is taken for begun: who has the prompt may charge for it, and without an
    /// id nobody can be asked.
    fn estimate(&mut self, prices: &Catalog) {
        let record = &mut self.record;
        let is_begun = match record.status {
            Some(status) => status == 200,
            None => record.cancelled && self.prompt_bytes > 0,
        };
        if record.cost_microusd.is_some() || !is_begun {
            return;
        }
        // OpenRouter charges neither for an empty answer nor for one that began with an error.
        let failed = record.error_kind.as_deref();
        let is_free = matches!(failed, Some("empty" | "wrong_body" | "in_band_error"));
        if is_free && self.said_bytes == 0 {
            record.cost_microusd = Some(MicroUsd::default());
            record.cost_source = CostSource::Estimated;
            return;
        }
        let said = catalog::tokens_of(self.said_bytes);
        let goes_on = record.cancelled
            && record
                .provider
                .as_deref()
                .is_some_and(|p| provider::on_cancel(p) == OnCancel::GoesOn);
        let completion = match goes_on {
            true => said.max(USUAL_ANSWER_TOKENS),
            false => said,
        };
        let prompt = record
            .prompt_tokens
            .unwrap_or_else(|| catalog::tokens_of(self.prompt_bytes));
        let completion = record.completion_tokens.unwrap_or(completion);
        record.prompt_tokens = Some(prompt);
        record.completion_tokens = Some(completion);
        if let Some(cost) = prices.estimate(&record.model, prompt, completion) {
            record.cost_microusd = Some(cost);
            record.cost_source = CostSource::Estimated;
        }
    }
}

impl Row {
    pub(super) fn status(&self, status: u16) {
        let now = self.log.now();
        self.change(|entry| {
            entry.record.status = Some(status);
            entry.record.headers_ms = Some(now);
        });
    }

    /// Notes for which specialist of a council the call is made.
    pub(super) fn of_coach(&self, coach: &str) {
        self.change(|entry| entry.record.coach = Some(coach.to_owned()));
    }

    /// The request goes out: so many bytes of it.
    pub(super) fn sent(&self, bytes: usize) {
        self.change(|entry| entry.prompt_bytes = bytes);
    }

    /// The call failed, before its first words or after.
    pub fn failed(self, error: &AttemptError) {
        use AttemptError::{FirstToken, Idle, TooLarge};
        // These are ends that we made.
        let cancelled = matches!(error, FirstToken(_) | Idle(_) | TooLarge(_));
        let now = self.log.now();
        self.change(|entry| {
            entry.record.error_kind = Some(error.kind().to_owned());
            entry.close(now, cancelled.then_some(Cancelled));
        });
    }

    /// Notes the call's id.
    pub(super) fn generation(&self, id: &str) {
        self.change(|entry| entry.record.generation_id = Some(id.to_owned()));
    }

    /// Notes what the stream has said of itself so far.
    pub fn describe(&self, meta: &Meta) {
        let first = meta
            .first_event
            .map(|at| millis(at.saturating_duration_since(self.log.turn)));
        self.change(|entry| {
            entry.record.provider.clone_from(&meta.provider);
            // The stream's own word goes before the head's, where it said one.
            if meta.generation_id.is_some() {
                entry.record.generation_id.clone_from(&meta.generation_id);
            }
            entry.record.first_token_ms = first;
        });
    }

    /// Notes words that came.
    pub fn words(&self, bytes: usize) {
        self.change(|entry| entry.said_bytes += bytes);
    }

    /// Notes the bill.
    pub fn usage(&self, usage: &Usage) {
        self.change(|entry| {
            let record = &mut entry.record;
            record.prompt_tokens = Some(usage.prompt_tokens);
            record.cached_tokens = Some(usage.cached_tokens);
            record.completion_tokens = Some(usage.completion_tokens);
            record.cost_microusd = usage.cost;
            record.cost_source = usage
                .cost
                .map_or(CostSource::Unknown, |_| CostSource::Reported);
        });
    }

    /// The call has ended by itself.
    pub fn close(self) {
        let now = self.log.now();
        self.change(|entry| entry.close(now, None));
    }

    /// When the response head came, from the turn's beginning.
    #[must_use]
    pub fn headers(&self) -> Option<Duration> {
        let rows = self.log.rows.borrow();
        let at = rows.get(self.at)?.record.headers_ms?;
        Duration::try_from_secs_f64(at / 1e3).ok()
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.log.rows.borrow_mut().get_mut(self.at) {
            change(entry);
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let now = self.log.now();
        self.change(|entry| entry.close(now, Cancelled));
    }
}

/// Milliseconds with microsecond grain, as records keep them.
#[must_use]
pub fn millis(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests;
