//! Hume EVI's custom language model.
//!
//! | matter | as Hume has it |
//! |---|---|
//! | session | the query, which Hume adds once it knows an id; ours comes back from `system_fingerprint` |
//! | comments | none: nobody has shown that EVI takes them |
//! | retries | a request twice, and once more after 57 s; both hear the first answer |
//! | speculation | a sentence that went on is asked anew, longer |
//! | errors | 401 ends the chat; a failed stream does too, so failures are spoken |
//! | how the user sounds | `models.prosody.scores` of each message |
//!
//! Source: Hume's "Custom Language Model" guide, and captures of real traffic.

use crate::turn::CallerProfile;

use super::{Dialect, Place};

pub static HUME: Dialect = Dialect {
    profile: CallerProfile::Hume,
    prefixes: &["", "/api/hume-clm-sse"],
    streams_by_default: true,
    heeds_system: false,
    sessions: &[Place::Query],
    users: &[&["user_id"]],
    readings: &[&["emotion"]],
    model_names_coach: false,
    keeps_alive: false,
};
