//! What a turn asks of a model, and within which bounds.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use crate::coach::Coach;
use crate::config::Deadlines;
use crate::council;
use crate::prompt::{self, PromptMessage};
use crate::speech::Language;
use crate::turn::{Cause, Conversation, Tools};
use crate::upstream::{Allowance, AttemptLog, Call, Health, OpenRouter, Search};

use super::arm;
use super::capture::Question;
use super::council::Ground;
use super::guard::Guard;
use super::stream::{Turn, coach};

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

/// What is asked in a council.
pub(super) struct Asked {
    pub(super) messages: Vec<PromptMessage>,
    pub(super) max_tokens: u32,
}

impl<'t> Asking<'t> {
    /// `composed` is the turn's prompt without memory, where it is at hand.
    pub(super) fn new(guard: &Guard, turn: &'t Turn, composed: Option<Vec<PromptMessage>>) -> Self {
        let rooms = &guard.rooms;
        let coach = arm::changed(coach(guard, &rooms.roster), guard.arm.as_deref());
        let user = guard.speaker.user.as_deref();
        let memory = guard.recalled.context.as_deref();
        let mut messages = composed
            .filter(|_| memory.is_none())
            .unwrap_or_else(|| prompt::compose(&coach, &turn.conversation, memory));
        if let Some(held) = &turn.council {
            messages = council::weave(messages, held.opening(), held.heard());
        }
        Self {
            messages,
            tools: turn.conversation.tools.as_ref(),
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

    /// What is asked, to be kept: without how the user sounds, which is stored nowhere.
    pub(super) fn question(
        &self,
        talk: &Conversation,
        spoken_in: Option<Language>,
    ) -> Option<Question> {
        let messages: Vec<_> = prompt::without_sound(&self.messages, talk).collect();
        let tools = self.tools;
        let choice = tools.and_then(|t| t.tool_choice.as_ref());
        Some(Question {
            messages: serde_json::to_value(messages).ok()?,
            tools: tools.map(|t| json!(t.tools)),
            tool_choice: choice.map(|choice| json!(choice)),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            spoken_in,
        })
    }

    /// One question of a council: a few words of this coach's, nothing to call, and no hedge.
    pub(super) fn of_council(ground: &Ground, coach: &Coach, asked: Asked) -> Asking<'static> {
        let rooms = &ground.rooms;
        Asking {
            messages: asked.messages,
            tools: None,
            max_tokens: asked.max_tokens.min(coach.max_tokens),
            temperature: coach.temperature,
            user: ground.user.clone(),
            session: ground.session.clone(),
            deadlines: rooms.deadlines,
            fallback: rooms.fallback,
            health: Arc::clone(&rooms.health),
            allowance: None,
            log: Rc::clone(&ground.log),
        }
    }

    /// The search for a planner, or for the words of this specialist.
    pub(super) fn consult<'a>(
        &'a self,
        upstream: &'a OpenRouter,
        candidates: &'a [String],
        due: Instant,
        coach: Option<&'a str>,
    ) -> Search<'a> {
        Search {
            coach,
            cause: match coach {
                None => Cause::Plan,
                Some(_) => Cause::Specialist,
            },
            ..self.search(upstream, candidates, due)
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
            cause: Cause::First,
            coach: None,
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
            cause: Cause::Resume,
            said: Some(said),
            // One hedge a turn.
            allowance: search.allowance.filter(|_| !self.log.has(Cause::Hedge)),
            ..search
        }
    }
}
