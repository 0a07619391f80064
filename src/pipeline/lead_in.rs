//! A phrase of the coach's while the model is slow, so that a pause does not become silence.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::turn::{Conversation, Role};

use super::guard::Guard;
use super::stream::{Turn, coach};
use super::{Mouth, SharedMouth};

/// How long nothing may be said before the phrase is: a pause people take for thinking.
const LEAD_IN_AFTER: Duration = Duration::from_millis(1200);

/// When this turn's phrase is due; `None` where none may be said. A first reply is greeted by
/// silence or by words, never by a filler. A council has spoken already: silence begins when its
/// opening has been heard.
pub(super) fn due(guard: &Guard, turn: &Turn) -> Option<Instant> {
    let is_reply = |role| turn.conversation.history.iter().any(|m| m.role == role);
    let silent_from = match turn.council {
        Some(_) => guard.runway.sounds_until(),
        None => is_reply(Role::Assistant).then_some(guard.began),
    };
    let silent_from = silent_from.filter(|_| guard.switches.lead_ins);
    silent_from.map(|at| at + LEAD_IN_AFTER)
}

/// Waits for `work`; when the phrase is due before it is done, says it, once.
///
/// # Cancellation
/// Dropping the future drops the work.
pub(super) async fn meanwhile<M: Mouth, T>(
    guard: &mut Guard,
    conversation: &Conversation,
    mouth: &SharedMouth<M>,
    due: &mut Option<Instant>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        let at = *due;
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep_until(at.unwrap_or(guard.began)), if at.is_some() => {
                *due = None;
                say(guard, conversation, mouth);
            }
        }
    }
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
