//! What is known of a turn before any model is asked.

use super::id::{TraceContext, TurnId};

/// A turn's response head.
#[derive(Clone, Debug)]
pub struct Head {
    pub turn_id: TurnId,
    pub coach: String,
    pub coach_reason: String,
    /// The first candidate.
    pub model: String,
    /// Why that one.
    pub model_reason: String,
    pub trace: TraceContext,
}
