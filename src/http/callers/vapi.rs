//! Vapi's custom LLM.
//!
//! | matter | as Vapi has it |
//! |---|---|
//! | session | the metadata of the assistant or the call, else the call's own id |
//! | comments | taken, though they do not make it speak |
//! | retries | not documented; a request again hears the same answer |
//! | speculation | six requests for one turn within 16 s, five of them cancelled |
//! | system | the assistant's messages with their variables filled in |
//! | tool calls | `transferCall`, `endCall` and the assistant's own are offered as tools and called as such |
//! | errors | any status ends the call; an object without `choices` breaks its parser |
//!
//! Its `call` object carries phone numbers, and has carried secrets: only the fields below are read.
//! A phone number is nobody's user id here; on an outbound call it is the callee's.
//!
//! Source: Vapi's documentation and SDK, and reports of real traffic.

use crate::turn::CallerProfile;

use super::{Dialect, Place};

pub(super) static VAPI: Dialect = Dialect {
    profile: CallerProfile::Vapi,
    prefixes: &["/vapi", "/vapi/v1"],
    streams_by_default: true,
    heeds_system: true,
    // The order of all, and where Vapi puts what a page passed when it started the call.
    sessions: &[
        Place::Header,
        Place::Query,
        Place::Body(&["custom_session_id"]),
        Place::Body(&["elevenlabs_extra_body", "session_id"]),
        Place::Body(&["metadata", "session_id"]),
        Place::Body(&["extra_metadata", "session_id"]),
        Place::Body(&["call", "metadata", "session_id"]),
        Place::Body(&["call", "assistantOverrides", "metadata", "session_id"]),
        Place::Body(&["call", "id"]),
        Place::Body(&["user"]),
    ],
    users: &[
        &["user_id"],
        &["metadata", "user_id"],
        &["call", "metadata", "user_id"],
    ],
    readings: &[&["emotion"]],
    model_names_coach: true,
    keeps_alive: true,
};
