//! A phrase of the coach's while the model is slow, so that a pause does not become silence.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::turn::{Conversation, Role};

use super::guard::Guard;
use super::stream::coach;
use super::{Mouth, SharedMouth};

/// How long nothing may be said before the phrase is: a pause people take for thinking.
const LEAD_IN_AFTER: Duration = Duration::from_millis(1200);

/// When this turn's phrase is due; `None` where none may be said. A first reply is greeted by
/// silence or by words, never by a filler.
pub(super) fn due(guard: &Guard, conversation: &Conversation) -> Option<Instant> {
    let is_reply = |role| conversation.history.iter().any(|m| m.role == role);
    (guard.switches.lead_ins && is_reply(Role::Assistant)).then(|| guard.began + LEAD_IN_AFTER)
}

/// Says it, unless the session heard one a moment ago. Never the same twice in a row: a session
/// remembers its last; where there is none to remember it, the length of the talk picks the next.
pub(super) fn say<M: Mouth>(
    guard: &mut Guard,
    conversation: &Conversation,
    mouth: &SharedMouth<M>,
) {
    let roster = Arc::clone(&guard.rooms.roster);
    let phrases = coach(guard, &roster).lead_ins();
    let chosen = if guard.ticket.is_some() {
        let turns = &guard.rooms.turns;
        turns.lead_in(&guard.place, phrases.len(), Instant::now())
    } else {
        let replies = conversation.history.iter();
        let replies = replies.filter(|m| m.role == Role::Assistant).count();
        replies.checked_rem(phrases.len())
    };
    if let Some(phrase) = chosen.and_then(|at| phrases.get(at)) {
        guard.lead_in(phrase, mouth);
    }
}
