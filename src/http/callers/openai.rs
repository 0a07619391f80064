//! Whoever speaks plain `OpenAI` chat completions: its SDKs, `LiveKit`, Pipecat, the AI SDK.

use crate::turn::CallerProfile;

use super::Dialect;

/// Source: `OpenAI`'s API reference, and what the clients were seen to send.
pub static OPENAI: Dialect = Dialect {
    profile: CallerProfile::Openai,
    streams_by_default: false,
    heeds_system: true,
    session_in_body: true,
    model_names_coach: true,
    keeps_alive: true,
};
