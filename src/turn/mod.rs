//! The vocabulary: plain values that every other room speaks in.
//!
//! Nothing here does IO, reads a clock (but for ids, which begin with the time) or can fail on a well-typed
//! input; `pipeline` is the grammar that puts these words in order.

mod delta;
mod end;
mod head;
mod id;
mod message;
mod money;
mod murmur;
mod prosody;
mod record;
mod timing;

pub use delta::{Delta, ToolCall, Usage};
pub use end::{
    CallerProfile, Cause, CostSource, Fault, FinishReason, Identity, MemoryOutcome, Outcome, Tier,
};
pub use head::Head;
pub use id::{InvalidSessionId, MAX_SESSION_ID_BYTES, SessionId, TraceContext, TurnId};
pub use message::{Ask, Conversation, LastReply, Message, Role, Tools};
pub use money::MicroUsd;
pub use murmur::Murmur;
pub use prosody::{Expression, NEWS_FOR, ProsodyPolicy, Reading, Source, Taken, smoothed};
pub use record::{AttemptRecord, Correction, TurnRecord};
pub use timing::{Mark, Timings};
