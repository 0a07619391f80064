//! Callers' dialects of the wire: the only place that knows them.
//!
//! A caller is data, [`Dialect`], in a file of its own (`hume.rs`, `openai.rs`): where the session
//! comes from, what an absent `stream` means, whether system messages count. Parsing (`decode`),
//! cleaning (`clean`) and the answer's form (`chunks`) are shared. To add a caller: one file, one
//! route.

mod chunks;
mod clean;
mod decode;
pub mod hume;
pub mod openai;

use crate::turn::CallerProfile;

pub use chunks::{EventMouth, Frame, JsonMouth};
pub use decode::{BadBody, decode};

/// What distinguishes one caller's requests from another's.
#[derive(Debug)]
pub struct Dialect {
    pub profile: CallerProfile,
    /// What is meant by a request without a `stream` field.
    pub streams_by_default: bool,
    /// System messages carry the application's instructions, to be quoted to the model; otherwise
    /// they are the platform's own prompt and are left out.
    pub heeds_system: bool,
    /// The session id may come in a header or the body, not in the query alone.
    pub session_in_body: bool,
    /// A `model` that names a coach asks for that coach.
    pub model_names_coach: bool,
    /// A comment every few seconds while nothing else is sent.
    pub keeps_alive: bool,
}
