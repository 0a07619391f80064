//! A turn that nobody takes: the part of a turn's way that leaves nothing behind.

use std::hint::black_box;

use crate::prompt;
use crate::upstream::{Call, OpenRouter};

use super::Rooms;
use super::choose::choose;
use super::prepare::{TurnRequest, tongue, unsay};

/// Chooses, composes and writes down what a model would be asked, so that code and tables are in the
/// processor's caches when somebody's turn comes. The bytes that would have been sent.
pub fn practise(rooms: &Rooms, upstream: &OpenRouter, mut request: TurnRequest) -> Option<usize> {
    let chosen = choose(rooms, &request);
    black_box(tongue(&request.conversation));
    unsay(rooms, &mut request.conversation.history);
    let session = &request.speaker.session;
    let key = rooms
        .turns
        .key(session.as_str(), &chosen.coach.id, &request.conversation);
    black_box(key);
    let messages = prompt::compose(chosen.coach, &request.conversation, None);
    let session = rooms.pseudonyms.session(session.as_str());
    let call = Call {
        messages: &messages,
        tools: None,
        max_tokens: chosen.coach.max_tokens,
        temperature: chosen.coach.temperature,
        user: None,
        session: &session,
    };
    upstream.practise(chosen.plan.candidates.first()?, &call)
}
