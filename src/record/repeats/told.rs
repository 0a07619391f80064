//! What machines say to each other of a session's requests. Sealed under the data key: Redis carries
//! it and can read none of it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::session::{Key, Piece};
use crate::turn::{Fault, FinishReason, Head, ToolCall, TraceContext, TurnId, Usage};
use crate::vault::Vault;

/// What is sealed for one of them opens for no other.
const CONTEXT: &str = "repeats, 1";

/// "Do you know this request? Tell me what it hears."
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Question {
    /// Where to.
    pub(super) channel: String,
    pub(super) place: String,
    pub(super) key: Key,
}

/// "This session has a newer request here." No answer is wanted.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Newer {
    pub(super) place: String,
    /// The request's.
    pub(super) key: Key,
    /// When it was noted, in microseconds by Redis's clock.
    pub(super) noted_us: u64,
}

/// What a machine's ear hears.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Called {
    Question(Question),
    Newer(Newer),
}

/// What follows upon a question. The first is `Heard`, `Full` or `Unknown`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Told {
    Heard(ToldHead),
    Full,
    Unknown,
    /// Nothing to tell yet, and somebody is there.
    Here,
    Words(String),
    Tool(ToolCall),
    End(FinishReason, Option<Usage>),
    Fault(Fault),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ToldHead {
    turn_id: String,
    coach: String,
    coach_reason: String,
    model: String,
    model_reason: String,
    traceparent: String,
}

impl From<&Head> for ToldHead {
    fn from(head: &Head) -> Self {
        Self {
            turn_id: head.turn_id.to_string(),
            coach: head.coach.clone(),
            coach_reason: head.coach_reason.clone(),
            model: head.model.clone(),
            model_reason: head.model_reason.clone(),
            traceparent: head.trace.traceparent(),
        }
    }
}

impl From<ToldHead> for Head {
    fn from(told: ToldHead) -> Self {
        Self {
            turn_id: TurnId::parse(&told.turn_id).unwrap_or_default(),
            coach: told.coach,
            coach_reason: told.coach_reason,
            model: told.model,
            model_reason: told.model_reason,
            trace: TraceContext::continued(Some(&told.traceparent)),
        }
    }
}

impl From<Piece> for Told {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Words(words) => Self::Words(words),
            Piece::Tool(call) => Self::Tool(call),
            Piece::End(reason, usage) => Self::End(reason, usage),
            Piece::Fault(fault) => Self::Fault(fault),
        }
    }
}

pub(super) fn seal(vault: &Vault, message: &impl Serialize) -> Vec<u8> {
    let plain = serde_json::to_vec(message).unwrap_or_default();
    vault.seal(CONTEXT, &plain)
}

/// What somebody with the same key said; none where it was another, or says it otherwise.
pub(super) fn open<T: DeserializeOwned>(vault: &Vault, sealed: &[u8]) -> Option<T> {
    let plain = vault.open(CONTEXT, sealed)?;
    serde_json::from_slice(&plain).ok()
}
