//! The guard: settles a turn exactly once, whichever way it ends, also by being dropped.

use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use crate::memory::{Person, Recalled};
use crate::session::{MAX_REMEMBERED_BYTES, Speaker, Spoken, Ticket, beginning};
use crate::telemetry::spans;
use crate::turn::{
    CallerProfile, CostSource, FinishReason, Head, Mark, MicroUsd, Outcome, Timings, TurnRecord,
    Usage,
};
use crate::upstream::{AttemptLog, Meta, millis};

use super::Rooms;
use super::admission::{Permit, Presence};

/// What is known of a turn, kept true at every moment.
pub(super) struct Guard {
    pub(super) rooms: Rooms,
    pub(super) head: Head,
    pub(super) speaker: Speaker,
    pub(super) profile: CallerProfile,
    /// Whose memory this turn may write; absent where nobody is known or memory is off.
    pub(super) person: Option<Person>,
    /// This turn's place in its session, where what is said in it may be remembered.
    pub(super) ticket: Option<Ticket>,
    /// The user's words, for memory alone.
    pub(super) words: String,
    pub(super) began: Instant,
    pub(super) created_at: i64,
    pub(super) timings: Timings,
    pub(super) recalled: Recalled,
    pub(super) attempts: AttemptLog,
    pub(super) span: Span,
    pub(super) permit: Option<Permit>,
    pub(super) _presence: Presence,
    pub(super) said: Said,
}

/// What was said and how it ended.
#[derive(Debug, Default)]
pub(super) struct Said {
    reply: String,
    served_model: Option<String>,
    /// The model's name as upstream reports it: often a dated one.
    reported_model: Option<String>,
    provider: Option<String>,
    generation_id: Option<String>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    outcome: Option<Outcome>,
    /// The span of the call that speaks.
    call: Option<Span>,
}

impl Guard {
    pub(super) fn mark(&mut self, mark: Mark) {
        self.timings.mark(mark, self.began.elapsed());
    }

    /// Notes words on their way to the caller.
    pub(super) fn say(&mut self, words: &str) {
        let room = MAX_REMEMBERED_BYTES.saturating_sub(self.said.reply.len());
        if self.person.is_some() && room > 0 {
            // The beginning only: with a hole in it, no history would match it.
            self.said.reply.push_str(beginning(words, room));
        }
    }

    /// Notes who answers.
    pub(super) fn served_by(&mut self, model: &str, meta: &Meta, call: Span) {
        self.said.call = Some(call);
        self.said.served_model = Some(model.to_owned());
        self.said.reported_model.clone_from(&meta.model);
        self.said.provider.clone_from(&meta.provider);
        self.said.generation_id.clone_from(&meta.generation_id);
        let first = meta
            .first_event
            .map(|at| at.saturating_duration_since(self.began));
        if let Some(first) = first {
            self.timings.mark(Mark::FirstToken, first);
        }
        let headers = self.attempts.rows().last().and_then(|row| row.headers_ms);
        if let Some(at) = headers.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()) {
            self.timings.mark(Mark::UpstreamHeaders, at);
        }
    }

    pub(super) fn usage(&mut self, usage: Usage) {
        self.attempts.usage(&usage);
        self.said.usage = Some(usage);
    }

    /// Notes why the model stopped.
    pub(super) fn finished(&mut self, reason: FinishReason) {
        self.said.finish = Some(reason);
    }

    pub(super) fn bill(&self) -> Option<&Usage> {
        self.said.usage.as_ref()
    }

    /// The caller has its end. What follows (the bill) changes neither outcome nor duration, and
    /// the session's next request may already judge what was said.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if self.said.outcome.is_some() {
            return;
        }
        self.said.outcome = Some(outcome);
        self.timings.total = Some(self.began.elapsed());
        self.remember(outcome);
        self.permit = None;
    }

    fn settle(&mut self) {
        // Dropped before its end: the caller hung up.
        self.end(Outcome::Interrupted);
        let outcome = self.said.outcome.unwrap_or(Outcome::Interrupted);
        if let Some(call) = self.said.call.take() {
            let model = self.said.reported_model.as_deref();
            spans::spoken(&call, model, self.said.finish, self.said.usage.as_ref());
        }
        let record = self.record(outcome);
        let conversation = self.rooms.pseudonyms.session(self.speaker.session.as_str());
        spans::settled(&self.span, outcome.as_str(), &conversation);
        self.rooms.recorder.keep(record);
    }

    fn remember(&mut self, outcome: Outcome) {
        let person = self.person.take();
        if let Some(person) = &person {
            self.rooms.memory.prefetch(person);
        }
        let spoke = matches!(
            outcome,
            Outcome::Complete | Outcome::Interrupted | Outcome::PartialRecovered
        );
        let said = person.filter(|_| spoke && !self.said.reply.is_empty());
        let spoken = said.map(|owner| Spoken {
            words: std::mem::take(&mut self.words),
            reply: std::mem::take(&mut self.said.reply),
            whole: outcome != Outcome::Interrupted,
            at_ms: self.created_at,
            owner,
        });
        let session = self.speaker.session.as_str();
        let ended = self.ticket.take();
        let committed = ended.and_then(|ticket| self.rooms.turns.end(session, ticket, spoken));
        self.rooms.remember(committed);
    }

    fn record(&mut self, outcome: Outcome) -> TurnRecord {
        let attempts = self.attempts.take();
        let costs: Vec<Option<MicroUsd>> = attempts.iter().map(|a| a.cost_microusd).collect();
        // An attempt that never reached a model costs nothing; one that did and gave no bill is
        // unknown, and so then is the sum.
        let unpaid = |status: Option<u16>| status != Some(200);
        let known = attempts
            .iter()
            .all(|a| a.cost_microusd.is_some() || unpaid(a.status));
        let cost = known.then(|| costs.into_iter().flatten().sum::<MicroUsd>());
        let t = &self.timings;
        let ms = |d: Option<Duration>| d.map(millis);
        let usage = self.said.usage;
        TurnRecord {
            turn_id: self.head.turn_id.to_string(),
            session_id: self.rooms.session_key(self.speaker.session.as_str()),
            user_hash: self
                .speaker
                .user
                .as_deref()
                .map(|u| self.rooms.pseudonyms.user(u)),
            profile: self.profile,
            identity: self.speaker.identity,
            coach: self.head.coach.clone(),
            coach_reason: self.head.coach_reason.clone(),
            tier: self.speaker.tier,
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
            prompt_tokens: usage.map(|u| u.prompt_tokens),
            completion_tokens: usage.map(|u| u.completion_tokens),
            cached_tokens: usage.map(|u| u.cached_tokens),
            reasoning_tokens: usage.map(|u| u.reasoning_tokens),
            cost_microusd: cost,
            cost_source: if known {
                CostSource::Reported
            } else {
                CostSource::Unknown
            },
            hedged: false,
            continued: false,
            lead_in: false,
            trace_id: self.head.trace.trace_id(),
            created_at: self.created_at,
            attempts,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.settle();
    }
}
