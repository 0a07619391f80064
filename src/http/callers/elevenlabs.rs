//! `ElevenLabs` Agents' custom LLM.
//!
//! | matter | as `ElevenLabs` has it |
//! |---|---|
//! | session | what the page passed as extra body, or a header bound to a dynamic variable; the platform's own conversation id is not sent |
//! | comments | hold the socket only: its clock counts content |
//! | retries | the same turn at each cascade timeout, two or three times, the one before cut off or not |
//! | speculation | a shorter transcript early, the whole one later |
//! | silence | the same history again, or a user who says `...` |
//! | system | the agent's prompt with its variables filled in, and sentences of the platform's |
//! | tool calls | its system tools (`end_call`, …) are offered as tools and called as such |
//! | errors | any ends the conversation |
//!
//! The extra body is set once, when the conversation starts: a reading in it would be told again with
//! every turn, so it is no place for one.
//!
//! Source: `ElevenLabs`' "Integrate your own model" guide and SDK, and reports of real traffic.

use crate::turn::CallerProfile;

use super::{Dialect, SESSIONS};

pub(super) static ELEVENLABS: Dialect = Dialect {
    profile: CallerProfile::Elevenlabs,
    prefixes: &["/elevenlabs", "/elevenlabs/v1"],
    streams_by_default: true,
    heeds_system: true,
    sessions: SESSIONS,
    users: &[&["user_id"], &["elevenlabs_extra_body", "user_id"]],
    readings: &[&["emotion"]],
    model_names_coach: true,
    keeps_alive: true,
};
