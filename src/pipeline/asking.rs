//! What a turn asks of a model, and within which bounds.

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use crate::config::Deadlines;
use crate::prompt::{self, PromptMessage};
use crate::turn::{Cause, Conversation, Tools};
use crate::upstream::{Allowance, AttemptLog, Call, Health, OpenRouter, Search};

use super::arm;
use super::guard::Guard;
use super::stream::coach;

/// The prompt of a turn and the rules it is asked by. Made again where an answer has to be
/// continued: a stream that runs well need not hold it.
pub(super) struct Asking<'t> {
    messages: Vec<PromptMessage>,
    tools: Option<&'t Tools>,
    max_tokens: u32,
    temperature: f64,
    user: Option<String>,
    session: String,
    deadlines: Deadlines,
    fallback: bool,
    health: Arc<Health>,
    /// Absent where hedging is switched off.
    allowance: Option<Arc<Allowance>>,
    log: Rc<AttemptLog>,
}

impl<'t> Asking<'t> {
    pub(super) fn new(guard: &Guard, conversation: &'t Conversation) -> Self {
        let rooms = &guard.rooms;
        let coach = arm::changed(coach(guard, &rooms.roster), guard.arm.as_deref());
        let user = guard.speaker.user.as_deref();
        let memory = guard.recalled.context.as_deref();
        Self {
            messages: prompt::compose(&coach, conversation, memory),
            tools: conversation.tools.as_ref(),
            max_tokens: coach.max_tokens,
            temperature: coach.temperature,
            user: user.map(|u| rooms.pseudonyms.user(u)),
            session: rooms.pseudonyms.session(guard.speaker.session.as_str()),
            deadlines: rooms.deadlines,
            fallback: rooms.fallback,
            health: Arc::clone(&rooms.health),
            allowance: guard.switches.hedging.then(|| Arc::clone(&rooms.allowance)),
            log: Rc::clone(&guard.attempts),
        }
    }

    /// The search for the first words.
    pub(super) fn begin<'a>(
        &'a self,
        upstream: &'a OpenRouter,
        candidates: &'a [String],
        due: Instant,
    ) -> Search<'a> {
        if let Some(allowance) = &self.allowance {
            allowance.turn();
        }
        self.search(upstream, candidates, due)
    }

    fn search<'a>(
        &'a self,
        upstream: &'a OpenRouter,
        candidates: &'a [String],
        due: Instant,
    ) -> Search<'a> {
        Search {
            upstream,
            health: &self.health,
            allowance: self.allowance.as_deref(),
            call: Call {
                messages: &self.messages,
                tools: self.tools,
                max_tokens: self.max_tokens,
                temperature: self.temperature,
                user: self.user.as_deref(),
                session: &self.session,
            },
            said: None,
            candidates,
            fallback: self.fallback,
            deadlines: &self.deadlines,
            due,
            log: &self.log,
        }
    }

    /// The search for somebody to go on after `said`.
    pub(super) fn go_on<'a>(
        &'a self,
        upstream: &'a OpenRouter,
        candidates: &'a [String],
        due: Instant,
        said: &'a str,
    ) -> Search<'a> {
        let search = self.search(upstream, candidates, due);
        Search {
            said: Some(said),
            // One hedge a turn.
            allowance: search.allowance.filter(|_| !self.log.has(Cause::Hedge)),
            ..search
        }
    }
}
