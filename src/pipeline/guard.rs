//! The guard: settles a turn exactly once, whichever way it ends, also by being dropped.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use crate::memory::{Person, Recalled};
use crate::session::{Generation, Replay, Speaker, Spoken, Ticket};
use crate::telemetry::events::SkippedEvents;
use crate::telemetry::genai::Pace;
use crate::telemetry::spans;
use crate::turn::{
    AttemptRecord, CallerProfile, Cause, Fault, FinishReason, Head, Mark, Outcome, Timings,
    ToolCall, TurnRecord, Usage,
};
use crate::upstream::{Answer, AttemptError, AttemptLog, Row, millis};

use super::admission::{Permit, Presence};
use super::capture::Words;
use super::cost::Cost;
use super::runway::Runway;
use super::{Mouth, Rooms, SharedMouth};

/// What is known of a turn, kept true at every moment.
pub(super) struct Guard {
    pub(super) rooms: Rooms,
    pub(super) head: Head,
    pub(super) speaker: Speaker,
    pub(super) profile: CallerProfile,
    /// Whether the caller wants a failure told in its stream rather than spoken.
    pub(super) signals: bool,
    /// Whose memory this turn may write; absent where nobody is known or memory is off.
    pub(super) person: Option<Person>,
    /// The session, and in it the user.
    pub(super) place: String,
    /// This turn's place in its session; absent where no session can be believed.
    pub(super) ticket: Option<Ticket>,
    /// What is said, for repeats of this request to hear too.
    pub(super) generation: Arc<Generation>,
    /// The user's words, for memory alone.
    pub(super) words: String,
    pub(super) began: Instant,
    pub(super) created_at: i64,
    pub(super) timings: Timings,
    pub(super) recalled: Recalled,
    pub(super) attempts: Rc<AttemptLog>,
    pub(super) span: Span,
    /// The span of the request that the turn answers.
    pub(super) request: Span,
    pub(super) permit: Option<Permit>,
    pub(super) _presence: Presence,
    pub(super) runway: Runway,
    pub(super) said: Said,
}

/// What was said and how it ended.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Who speaks now.
    call: Option<Call>,
    served_model: Option<String>,
    provider: Option<String>,
    generation_id: Option<String>,
    /// Of all calls that spoke.
    usage: Option<Usage>,
    outcome: Option<Outcome>,
    has_words: bool,
    has_tool: bool,
    lead_in: bool,
}

/// The call that speaks.
#[derive(Debug)]
struct Call {
    model: String,
    /// The model's name as upstream reports it: often a dated one.
    reported_model: Option<String>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    row: Row,
    pace: Pace,
    span: Span,
}

impl Guard {
    pub(super) fn mark(&mut self, mark: Mark) {
        self.timings.mark(mark, self.began.elapsed());
    }

    /// Words of the model's on their way to the caller.
    pub(super) fn say<M: Mouth>(&mut self, words: &str, mouth: &SharedMouth<M>) {
        // A lead-in ends with its own space.
        let words = match self.said.lead_in && !self.said.has_words {
            true => words.trim_start(),
            false => words,
        };
        if words.is_empty() {
            return;
        }
        self.said.has_words = true;
        self.runway.send(words, Instant::now());
        self.generation.say(words);
        mouth.borrow_mut().words(words);
    }

    /// Words of our own: heard, and neither remembered nor taken for the model's.
    pub(super) fn phrase<M: Mouth>(&mut self, words: &str, mouth: &SharedMouth<M>) {
        self.runway.send(words, Instant::now());
        self.generation.phrase(words);
        mouth.borrow_mut().words(words);
    }

    /// A phrase while the model is slow; the answer follows after it.
    pub(super) fn lead_in<M: Mouth>(&mut self, phrase: &str, mouth: &SharedMouth<M>) {
        self.said.lead_in = true;
        self.phrase(&format!("{phrase} "), mouth);
    }

    pub(super) fn tool<M: Mouth>(&mut self, call: &ToolCall, mouth: &SharedMouth<M>) {
        self.said.has_tool = true;
        self.generation.tool(call);
        mouth.borrow_mut().tool(call);
    }

    /// Notes who answers from now on.
    pub(super) fn served_by(&mut self, model: String, answer: &Answer, row: Row, span: Span) {
        let meta = answer.meta();
        self.said.served_model = Some(model.clone());
        self.said.provider.clone_from(&meta.provider);
        self.said.generation_id.clone_from(&meta.generation_id);
        let first = meta
            .first_event
            .map(|at| at.saturating_duration_since(self.began));
        if let Some(first) = first {
            self.timings.mark(Mark::FirstToken, first);
        }
        if let Some(headers) = row.headers() {
            self.timings.mark(Mark::UpstreamHeaders, headers);
        }
        self.said.call = Some(Call {
            reported_model: meta.model.clone(),
            finish: None,
            usage: None,
            row,
            pace: Pace::of(&model),
            span,
            model,
        });
    }

    /// So many bytes of words came from the model that speaks.
    pub(super) fn heard(&mut self, bytes: usize) {
        if let Some(call) = &mut self.said.call {
            call.pace.step();
            call.row.words(bytes);
        }
    }

    pub(super) fn usage(&mut self, usage: Usage) {
        let Some(call) = &mut self.said.call else {
            return;
        };
        call.row.usage(&usage);
        call.usage = Some(usage);
        let all = self.said.usage.get_or_insert_default();
        all.prompt_tokens += usage.prompt_tokens;
        all.completion_tokens += usage.completion_tokens;
        all.cached_tokens += usage.cached_tokens;
        all.reasoning_tokens += usage.reasoning_tokens;
        all.cost = usage.cost;
    }

    /// Notes why the model stopped.
    pub(super) fn finished(&mut self, reason: FinishReason) {
        if let Some(call) = &mut self.said.call {
            call.finish = Some(reason);
        }
    }

    pub(super) fn bill(&self) -> Option<&Usage> {
        self.said.usage.as_ref()
    }

    /// The model that spoke broke off. Gives its name.
    pub(super) fn broke_off(&mut self, answer: &Answer, error: &AttemptError) -> String {
        self.said.has_tool |= answer.is_calling();
        let Some(call) = self.said.call.take() else {
            return String::new();
        };
        skipped(&call.model, answer);
        self.rooms.health.broke(&call.model, Instant::now());
        spans::failed(&call.span, error.kind());
        call.row.describe(answer.meta());
        call.row.failed(error);
        call.model
    }

    /// The call has ended by itself, bill and all.
    pub(super) fn close_call(&mut self, answer: &Answer) {
        if let Some(call) = self.said.call.take() {
            skipped(&call.model, answer);
            let model = call.reported_model.as_deref();
            spans::spoken(&call.span, model, call.finish, call.usage.as_ref());
            call.row.close();
        }
    }

    /// Whether the model has said anything.
    pub(super) fn has_spoken(&self) -> bool {
        self.said.has_words || self.said.has_tool
    }

    /// Whether an answer that breaks off now may be continued by another model: once, and never
    /// after a tool was called, be it half.
    pub(super) fn may_resume(&self) -> bool {
        let rooms = &self.rooms;
        rooms.fallback && rooms.switches.resume && self.said.has_words && !self.said.has_tool
    }

    /// The caller has its end. What follows (the bill) changes neither outcome nor duration, and
    /// the session's next request may already judge what was said.
    pub(super) fn end(&mut self, outcome: Outcome, reason: FinishReason) {
        let replay = match outcome {
            Outcome::Complete | Outcome::PartialRecovered => Replay::Keep,
            Outcome::Interrupted | Outcome::Superseded => Replay::CutOff,
            _ => Replay::Forget,
        };
        let usage = self.said.usage;
        self.over(outcome, |generation| generation.end(reason, usage, replay));
    }

    /// The same for a turn that could not be answered, or not to its end.
    pub(super) fn fail(&mut self, outcome: Outcome, fault: Fault) {
        self.over(outcome, |generation| generation.fail(fault));
    }

    fn over(&mut self, outcome: Outcome, tell: impl FnOnce(&Generation)) {
        if self.said.outcome.is_some() {
            return;
        }
        self.said.outcome = Some(outcome);
        self.timings.total = Some(self.began.elapsed());
        tell(&self.generation);
        self.capture();
        self.remember(outcome);
        self.permit = None;
    }

    fn settle(&mut self) {
        // Dropped before its end: the caller hung up, or the turn's own code gave way.
        match (std::thread::panicking(), self.has_spoken()) {
            (false, _) => self.end(Outcome::Interrupted, FinishReason::Stop),
            (true, false) => self.fail(Outcome::Failed, Fault::Unanswered),
            (true, true) => self.fail(Outcome::PartialFailed, Fault::BrokenOff),
        }
        let outcome = self.said.outcome.unwrap_or(Outcome::Interrupted);
        if let Some(call) = self.said.call.take() {
            let model = call.reported_model.as_deref();
            spans::spoken(&call.span, model, call.finish, call.usage.as_ref());
        }
        let record = self.record(outcome);
        let conversation = self.rooms.pseudonyms.session(self.speaker.session.as_str());
        spans::settled(&self.span, &self.request, outcome, &conversation);
        self.rooms.recorder.keep(record);
    }

    fn user_hash(&self) -> Option<String> {
        let user = self.speaker.user.as_deref();
        user.map(|user| self.rooms.pseudonyms.user(user))
    }

    fn capture(&self) {
        if let Some(captor) = &self.rooms.captor {
            let words = Words {
                user: self.words.clone(),
                reply: self.generation.text(),
            };
            let turn = self.head.turn_id.to_string();
            captor.keep(turn, self.user_hash(), &words, self.created_at);
        }
    }

    fn remember(&mut self, outcome: Outcome) {
        let person = self.person.take();
        if let Some(person) = &person {
            self.span.in_scope(|| self.rooms.memory.prefetch(person));
        }
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let whole = matches!(outcome, Outcome::Complete | Outcome::PartialRecovered);
        let spoke = whole || matches!(outcome, Outcome::Interrupted | Outcome::Superseded);
        // Held for memory's sake: without a person there is none to write to.
        let owner = person.filter(|_| spoke);
        let spoken = owner.and_then(|owner| {
            let reply = self.generation.reply();
            (!reply.is_empty()).then(|| Spoken {
                words: std::mem::take(&mut self.words),
                reply,
                whole,
                at_ms: self.created_at,
                owner,
            })
        });
        let committed = self.rooms.turns.end(&self.place, ticket, spoken);
        self.rooms.remember(committed);
    }

    fn record(&mut self, outcome: Outcome) -> TurnRecord {
        let attempts = self.attempts.take();
        let cost = Cost::of(&attempts);
        let t = &self.timings;
        let ms = |d: Option<Duration>| d.map(millis);
        let usage = self.said.usage;
        let sum = |tokens: fn(&AttemptRecord) -> Option<u64>| {
            let known = attempts.iter().filter_map(tokens);
            known.reduce(|a, b| a.saturating_add(b))
        };
        let has = |cause| attempts.iter().any(|a| a.cause == cause);
        TurnRecord {
            turn_id: self.head.turn_id.to_string(),
            session_id: self.rooms.session_key(self.speaker.session.as_str()),
            user_hash: self.user_hash(),
            profile: self.profile,
            identity: self.speaker.identity,
            coach: self.head.coach.clone(),
            coach_reason: self.head.coach_reason.clone(),
            tier: self.speaker.tier,
            complexity: None,
            experiment: None,
            variant: None,
            planned_model: self.head.model.clone(),
            served_model: self.said.served_model.take(),
            provider: self.said.provider.take(),
            generation_id: self.said.generation_id.take(),
            outcome,
            auth_ms: ms(t.auth),
            memory_ms: ms(t.memory),
            plan_ms: ms(t.plan),
            upstream_headers_ms: ms(t.upstream_headers),
            first_token_ms: ms(t.first_token),
            first_speakable_ms: ms(t.first_speakable),
            total_ms: millis(t.total.unwrap_or_default()),
            overhead_ms: ms(t.overhead()),
            memory_outcome: self.recalled.outcome,
            prompt_tokens: sum(|a| a.prompt_tokens),
            completion_tokens: sum(|a| a.completion_tokens),
            cached_tokens: usage.map(|u| u.cached_tokens),
            reasoning_tokens: usage.map(|u| u.reasoning_tokens),
            cost_microusd: cost.sum,
            cost_source: cost.source,
            hedged: has(Cause::Hedge),
            continued: has(Cause::Resume),
            lead_in: self.said.lead_in,
            satisfaction: None,
            trace_id: self.head.trace.trace_id(),
            created_at: self.created_at,
            attempts,
        }
    }
}

/// Counts what could not be read, by the model as it was asked for: what upstream calls it is
/// upstream's to choose, and no label.
fn skipped(model: &str, answer: &Answer) {
    SkippedEvents {
        model,
        count: u64::from(answer.meta().malformed),
    }
    .emit();
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.settle();
    }
}
