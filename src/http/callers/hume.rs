//! Hume EVI's custom language model: an event stream whatever happens, the session id in the query,
//! no comments (nobody has shown that EVI takes them).

use crate::turn::CallerProfile;

use super::Dialect;

/// Source: Hume's "Custom Language Model" guide, and captures of real traffic.
pub static HUME: Dialect = Dialect {
    profile: CallerProfile::Hume,
    streams_by_default: true,
    heeds_system: false,
    session_in_body: false,
    model_names_coach: false,
    keeps_alive: false,
};
