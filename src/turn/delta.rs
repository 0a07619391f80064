//! What an upstream model says, one event at a time.

use serde::{Deserialize, Serialize};

use super::end::FinishReason;
use super::money::MicroUsd;

/// One meaningful event of an upstream stream. Comments, role-only, empty and reasoning chunks are
/// not events: they never leave `upstream`.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Words to speak, never empty.
    Words(String),
    /// A whole tool call, assembled and checked.
    Tool(ToolCall),
    /// The model says that it is done; may come more than once.
    Finish(FinishReason),
    /// The bill. At most once, after the finish.
    Usage(Usage),
}

/// One tool call in `OpenAI`'s terms; `arguments` is JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// Token counts as the upstream bills them, and the charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Part of `prompt_tokens`.
    pub cached_tokens: u64,
    /// Part of `completion_tokens`.
    pub reasoning_tokens: u64,
    /// Absent when the upstream named none.
    pub cost: Option<MicroUsd>,
}
