//! The guard: settles a turn exactly once, whichever way it ends, also by being dropped.

mod row;

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::Span;

use crate::config::Switches;
use crate::memory::{Person, Recalled};
use crate::routing::budget::Over;
use crate::routing::experiment::Arm;
use crate::session::{Generation, Replay, Speaker, Spoken, Ticket};
use crate::speech::Language;
use crate::telemetry::events::SkippedEvents;
use crate::telemetry::genai::Pace;
use crate::telemetry::spans;
use crate::turn::{
    CallerProfile, Fault, FinishReason, Head, Mark, Outcome, Timings, ToolCall, Usage,
};
use crate::upstream::{Answer, AttemptError, AttemptLog, Row};

use super::admission::{Permit, Presence};
use super::arm::Owner;
use super::capture::{Question, Words};
use super::money::Reserved;
use super::runway::Runway;
use super::{Mouth, Rooms, SharedMouth};

/// What is known of a turn, kept true at every moment.
pub(super) struct Guard {
    pub(super) rooms: Arc<Rooms>,
    pub(super) head: Arc<Head>,
    pub(super) speaker: Speaker,
    pub(super) profile: CallerProfile,
    /// Whether the caller wants a failure told in its stream rather than spoken.
    pub(super) signals: bool,
    /// Whose memory this turn may write; absent where nobody is known or memory is off.
    pub(super) person: Option<Person>,
    /// What the session gets in an experiment.
    pub(super) arm: Option<Arc<Arm>>,
    /// The session, and in it the user.
    pub(super) place: String,
    /// This turn's place in its session; absent where no session can be believed.
    pub(super) ticket: Option<Ticket>,
    /// As they are for this session.
    pub(super) switches: Switches,
    /// The language that is spoken; absent where words are said as they are written.
    pub(super) spoken_in: Option<Language>,
    /// How demanding the turn is, 0 to 1.
    pub(super) complexity: f64,
    /// What is said, for repeats of this request to hear too.
    pub(super) generation: Arc<Generation>,
    /// The user's words, for memory alone.
    pub(super) words: String,
    /// What the model was asked, where words are kept.
    pub(super) asked: Option<Box<Question>>,
    pub(super) began: Instant,
    pub(super) created_at: i64,
    pub(super) timings: Timings,
    pub(super) recalled: Recalled,
    pub(super) attempts: Rc<AttemptLog>,
    pub(super) span: Span,
    /// The span of the request that the turn answers.
    pub(super) request: Span,
    pub(super) permit: Option<Permit>,
    /// What is set aside for it; absent where no model is asked.
    pub(super) reserved: Option<Reserved>,
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
    /// Bytes of the model's words.
    bytes: usize,
    has_words: bool,
    has_tool: bool,
    lead_in: bool,
    /// A phrase went before, with its own space at its end.
    is_led: bool,
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
    /// Bytes of words that its row was not told of yet.
    untold: usize,
    pace: Pace,
    span: Span,
}

impl Guard {
    pub(super) fn mark(&mut self, mark: Mark) {
        self.timings.mark(mark, self.began.elapsed());
    }

    /// Words of the model's on their way to the caller.
    pub(super) fn say<M: Mouth>(&mut self, words: &str, mouth: &SharedMouth<M>) {
        let words = match self.said.is_led && !self.said.has_words {
            true => words.trim_start(),
            false => words,
        };
        if words.is_empty() {
            return;
        }
        if !self.has_spoken() {
            self.mark(Mark::FirstSpeakable);
        }
        self.said.has_words = true;
        self.said.bytes += words.len();
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
        self.said.is_led = true;
        self.phrase(&format!("{phrase} "), mouth);
    }

    /// The sentence that opens a council; the answer follows after it.
    pub(super) fn open<M: Mouth>(&mut self, sentence: &str, mouth: &SharedMouth<M>) {
        self.mark(Mark::FirstSpeakable);
        self.said.is_led = true;
        let sentence = format!("{sentence} ");
        self.runway.send(&sentence, Instant::now());
        self.generation.phrase(&sentence);
        mouth.borrow_mut().opening(&sentence);
    }

    pub(super) fn tool<M: Mouth>(&mut self, call: &ToolCall, mouth: &SharedMouth<M>) {
        if !self.has_spoken() {
            self.mark(Mark::FirstSpeakable);
        }
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
            untold: 0,
            pace: Pace::of(&model),
            span,
            model,
        });
    }

    /// So many bytes of words came from the model that speaks. Its row lies elsewhere in memory, two ways off:
    /// it is not told of each token, but once they have come to an end.
    pub(super) fn heard(&mut self, bytes: usize) {
        if let Some(call) = &mut self.said.call {
            call.pace.step();
            call.untold += bytes;
        }
    }

    /// The rows are complete from here on: nobody speaks any more, or somebody else.
    pub(super) fn tell(&mut self) {
        if let Some(call) = &mut self.said.call {
            call.row.words(std::mem::take(&mut call.untold));
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
        let is_odd = self.said.has_words && answer.has_odd_call();
        self.said.has_tool |= answer.is_calling() || is_odd;
        self.tell();
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

    /// How much of the model's words was said, in bytes.
    pub(super) fn said_bytes(&self) -> usize {
        self.said.bytes
    }

    /// Whether the model has said anything.
    pub(super) fn has_spoken(&self) -> bool {
        self.said.has_words || self.said.has_tool
    }

    /// Whether an answer that breaks off now may be continued by another model: once, and never
    /// after a tool was called, be it half.
    pub(super) fn may_resume(&self) -> bool {
        let may = self.rooms.fallback && self.switches.resume;
        may && self.said.has_words && !self.said.has_tool
    }

    /// There is no money for this turn, and records say which limit it met.
    pub(super) fn unpaid(&mut self, over: Over) {
        Arc::make_mut(&mut self.head).model_reason = format!("budget:{}", over.as_str());
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
        self.tell();
        if let Some(call) = self.said.call.take() {
            let model = call.reported_model.as_deref();
            spans::spoken(&call.span, model, call.finish, call.usage.as_ref());
        }
        let record = self.record(outcome);
        let conversation = self.rooms.pseudonyms.session(self.speaker.session.as_str());
        spans::settled(&self.span, &self.request, outcome, &conversation);
        self.rooms.recorder.keep(record);
    }

    pub(super) fn user_hash(&self) -> Option<String> {
        let user = self.speaker.user.as_deref();
        user.map(|user| self.rooms.pseudonyms.user(user))
    }

    fn capture(&mut self) {
        if self.switches.capture {
            let words = Words {
                user: self.words.clone(),
                reply: self.generation.text().to_string(),
                asked: self.asked.take(),
            };
            let turn = self.head.turn_id.to_string();
            let captor = &self.rooms.captor;
            captor.keep(turn, self.user_hash(), &words, self.created_at);
        }
    }

    fn remember(&mut self, outcome: Outcome) {
        let person = self.person.take();
        if let Some(person) = &person {
            let memory = &self.rooms.memory;
            self.span.in_scope(|| match self.speaker.is_new {
                true => memory.meet(person),
                false => memory.prefetch(person),
            });
        }
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let whole = matches!(outcome, Outcome::Complete | Outcome::PartialRecovered);
        let spoke = whole || matches!(outcome, Outcome::Interrupted | Outcome::Superseded);
        // Held for those who want to know: without any there is nobody to tell.
        let owner = Owner {
            person: person.filter(|_| spoke),
            trial: self.trial(outcome),
        };
        let owner = Some(owner).filter(Owner::is_anybody);
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
