//! A turn's way into the house and into its session: a place in both, or the turn that it repeats.

use std::sync::Arc;

use crate::session::{Begun, Generation, Listener, Repeat, Speaker, Ticket};
use crate::telemetry::events::ReplyHeard;
use crate::turn::{Head, Identity, LastReply};

use super::Rooms;
use super::admission::Permit;
use super::council::Council;
use super::prepare::TurnRequest;

/// A turn's place in the house and in its session.
pub(super) struct Entered {
    pub(super) place: String,
    /// Absent: there is no room.
    pub(super) permit: Option<Permit>,
    pub(super) ticket: Option<Ticket>,
    pub(super) generation: Arc<Generation>,
}

/// The turn that a request repeats, and how it is heard.
pub(super) struct Again {
    pub(super) listener: Listener,
    pub(super) how: &'static str,
}

impl Again {
    fn here(listener: Listener) -> Self {
        let how = match listener.is_replay() {
            true => "replayed",
            false => "joined",
        };
        Self { listener, how }
    }
}

/// Takes both places; or listens, where the request came before.
pub(super) async fn enter(
    rooms: &Rooms,
    request: &mut TurnRequest,
    head: &Arc<Head>,
    council: Option<&Council>,
) -> Result<Entered, Again> {
    let turns = &rooms.turns;
    let place = place(&request.speaker);
    // The same words to a council are another request.
    let voice = council.map(Council::voice);
    let voice = voice.as_deref().unwrap_or(&head.coach);
    let key = turns.key(&place, voice, &request.conversation);
    // Who is nobody in particular shares a name with strangers at most: they must not meet.
    let is_known = request.speaker.identity != Identity::None;
    // A repeat needs no place of its own, so that a full house does not tell a caller to repeat what
    // it is repeating.
    let repeated = match is_known {
        true => turns.repeat(&place, key),
        false => Repeat::Unknown,
    };
    let mut is_crowded = match repeated {
        Repeat::Heard(listener) => return Err(Again::here(listener)),
        Repeat::Full => true,
        Repeat::Unknown => false,
    };
    // An id that was made up for this request cannot have come before.
    if is_known && !is_crowded && !request.speaker.is_new {
        match rooms.repeats.elsewhere(&place, key).await {
            Repeat::Heard(listener) => {
                let how = "elsewhere";
                return Err(Again { listener, how });
            }
            Repeat::Full => is_crowded = true,
            Repeat::Unknown => {}
        }
    }
    let permit = rooms.admission.admit();
    let mut permit = permit.filter(|_| rooms.lifecycle.is_open() && !is_crowded);
    // One body asked for while a stream of the session speaks is a program's helper, not the speaker:
    // it neither ends the stream nor is remembered.
    let is_helper = !request.streams && turns.is_speaking(&place);
    let mut ticket = None;
    let mut generation = None;
    if is_known && !is_helper && permit.is_some() {
        match turns.begin(&place, key, &request.conversation, Arc::clone(head)) {
            Begun::Repeat(listener) => return Err(Again::here(listener)),
            Begun::Full => permit = None,
            Begun::Fresh(fresh) => {
                rooms.remember(fresh.committed);
                tell(fresh.last_reply.as_ref());
                request.conversation.last_reply = fresh.last_reply;
                // One body is asked for by a helper too, which another machine cannot tell from the speaker.
                if request.streams {
                    rooms.repeats.begun(&place, key, fresh.ticket);
                }
                ticket = Some(fresh.ticket);
                generation = Some(fresh.generation);
            }
        }
    }
    Ok(Entered {
        place,
        permit,
        ticket,
        generation: generation.unwrap_or_else(|| Arc::new(Generation::apart(Arc::clone(head)))),
    })
}

/// Where a turn stands among others: its session, and in it the user. Where a request names both as
/// it likes, two users of one session id are two sessions.
pub(super) fn place(speaker: &Speaker) -> String {
    let session = speaker.session.as_str();
    match speaker.user.as_deref().filter(|user| *user != session) {
        None => session.to_owned(),
        Some(user) => format!("{session}\n{user}"),
    }
}

/// Counts how much of replies is heard.
fn tell(last_reply: Option<&LastReply>) {
    let how = match last_reply {
        None => return,
        Some(LastReply::CutAfter(_)) => "cut",
        Some(LastReply::Unheard) => "unheard",
    };
    ReplyHeard { how }.emit();
}
