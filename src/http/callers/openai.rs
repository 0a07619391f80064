//! Whoever speaks plain `OpenAI` chat completions: its SDKs, `LiveKit`, Pipecat, the AI SDK.
//!
//! | matter | as they have it |
//! |---|---|
//! | session | wherever the application puts it |
//! | comments | taken by all that were tried, and they keep `LiveKit`'s ten seconds from running out |
//! | retries | two or three, on 408, 409, 429 and 5xx and before any word; never on 400 and 401 |
//! | speculation | `LiveKit` asks up to four times a turn and drops all but one |
//! | errors | an error object in the stream breaks every client tried: failures are spoken |
//! | tool calls | one whole call a delta; `LiveKit` loses one without a finish reason |
//!
//! Source: `OpenAI`'s API reference, and what the clients were seen to send.

use crate::turn::CallerProfile;

use super::{Dialect, SESSIONS};

pub(super) static OPENAI: Dialect = Dialect {
    profile: CallerProfile::Openai,
    prefixes: &["/v1"],
    streams_by_default: false,
    heeds_system: true,
    sessions: SESSIONS,
    users: &[&["user_id"]],
    readings: &[
        &["emotion"],
        &["metadata", "emotion"],
        &["extra_metadata", "emotion"],
    ],
    model_names_coach: true,
    keeps_alive: true,
};
