//! A turn as its record keeps it.

use std::time::Duration;

use crate::pipeline::money::Cost;
use crate::turn::{AttemptRecord, Cause, Outcome, TurnRecord};
use crate::upstream::millis;

use super::Guard;

impl Guard {
    /// The record; what was set aside for the turn is settled by what it cost.
    pub(super) fn record(&mut self, outcome: Outcome) -> TurnRecord {
        let attempts = self.attempts.take();
        let cost = Cost::of(&attempts, &self.rooms.catalog);
        if let Some(reserved) = self.reserved.take() {
            reserved.settle(cost.charge);
        }
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
            complexity: Some(self.complexity),
            experiment: self.arm.as_ref().map(|arm| arm.experiment.clone()),
            variant: self.arm.as_ref().map(|arm| arm.variant.clone()),
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
            overhead_ms: ms(t.overhead),
            memory_outcome: self.recalled.outcome,
            prompt_tokens: sum(|a| a.prompt_tokens),
            completion_tokens: sum(|a| a.completion_tokens),
            cached_tokens: sum(|a| a.cached_tokens),
            reasoning_tokens: usage.map(|u| u.reasoning_tokens),
            cost_microusd: cost.sum,
            cost_source: cost.source,
            hedged: has(Cause::Hedge),
            continued: has(Cause::Resume),
            lead_in: self.said.lead_in,
            model_reason: Some(self.head.model_reason.clone()),
            ceiling_microusd: cost.sum.is_none().then_some(cost.charge),
            satisfaction: None,
            trace_id: self.head.trace.trace_id(),
            created_at: self.created_at,
            attempts,
        }
    }
}
