//! Callers' dialects of the wire: the only place that knows them.
//!
//! A caller is data, a [`Dialect`] in a file of its own (`hume.rs`, `openai.rs`, `elevenlabs.rs`,
//! `vapi.rs`): which routes are its, where session, user and reading come from, what an absent
//! `stream` means, whether system messages count, whether it takes comments. Nothing outside asks
//! which caller it is. Parsing (`decode`), cleaning (`clean`), readings of how the user sounds
//! (`emotion`) and the answer's form (`chunks`) are shared. Alike for all: the role chunk at once,
//! unknown fields passed over, one tool call a delta, a failure spoken, `stop` and `[DONE]`; and the
//! same request again, or a longer one, is known by its session and words, so that bursts and retries
//! cost one answer. To add a caller: one file, its line in [`ALL`], its name in
//! [`CallerProfile`].

mod chunks;
mod clean;
mod decode;
mod elevenlabs;
mod emotion;
pub mod hume;
mod openai;
mod places;
mod vapi;

use crate::turn::CallerProfile;

pub use chunks::{EventMouth, Frame, JsonMouth};
pub use decode::{BadBody, Decoded, decode};
pub use emotion::posted;

/// Every caller that has routes.
pub static ALL: &[&Dialect] = &[
    &hume::HUME,
    &openai::OPENAI,
    &elevenlabs::ELEVENLABS,
    &vapi::VAPI,
];

/// The names that lead to a value in a body, outermost first.
pub type Path = &'static [&'static str];

/// Where a request may name its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The header `x-clm-session`.
    Header,
    /// The query's `custom_session_id`.
    Query,
    Body(Path),
}

/// What distinguishes one caller's requests from another's.
#[derive(Debug)]
pub struct Dialect {
    pub profile: CallerProfile,
    /// What stands before `/chat/completions` in its addresses.
    pub prefixes: &'static [&'static str],
    /// What is meant by a request without a `stream` field.
    pub streams_by_default: bool,
    /// System messages carry the application's instructions, to be quoted to the model; otherwise
    /// they are the platform's own prompt and are left out.
    pub heeds_system: bool,
    /// Where the session id is, the first that is there and not empty wins.
    pub sessions: &'static [Place],
    /// The same for a user id: heeded only where no signing key is set.
    pub users: &'static [Path],
    /// The same for a reading of how the user sounds, besides the user's message itself. Only places
    /// that are written anew for each turn: how somebody sounded when the call began is no news.
    pub readings: &'static [Path],
    /// A `model` that names a coach asks for that coach.
    pub model_names_coach: bool,
    /// A comment every few seconds while nothing else is sent.
    pub keeps_alive: bool,
}

/// Where whoever is not Hume may name the session, most deliberate first: a header or a query is
/// written for us, a call's own id is there in any case.
const SESSIONS: &[Place] = &[
    Place::Header,
    Place::Query,
    Place::Body(&["custom_session_id"]),
    Place::Body(&["elevenlabs_extra_body", "session_id"]),
    Place::Body(&["metadata", "session_id"]),
    Place::Body(&["extra_metadata", "session_id"]),
    Place::Body(&["call", "metadata", "session_id"]),
    Place::Body(&["call", "id"]),
    Place::Body(&["user"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_differ_in_name_and_address() {
        let names: Vec<_> = ALL.iter().map(|d| d.profile).collect();
        let all = CallerProfile::ALL
            .iter()
            .filter(|p| **p != CallerProfile::Council);
        assert_eq!(names, all.copied().collect::<Vec<_>>());
        let mut prefixes: Vec<_> = ALL.iter().flat_map(|d| d.prefixes).collect();
        let all = prefixes.len();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), all);
        assert!(prefixes.iter().all(|p| p.is_empty() || p.starts_with('/')));
    }

    #[test]
    fn only_hume_is_tied_to_the_query_and_spared_comments() {
        for dialect in ALL {
            let is_hume = dialect.profile == CallerProfile::Hume;
            assert_eq!(dialect.sessions == [Place::Query], is_hume);
            assert_eq!(!dialect.keeps_alive, is_hume);
            // The order is one for all.
            let known = dialect
                .sessions
                .iter()
                .filter_map(|place| SESSIONS.iter().position(|p| p == place));
            assert!(known.is_sorted(), "{dialect:?}");
        }
    }
}
