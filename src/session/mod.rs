//! Who speaks, and which of their turns are live, repeated, or really happened.
//!
//! A session id travels through a browser, so it proves nothing unless it is signed (`token`).
//! `identity` turns what a request carries into a [`Speaker`], unless the id is `revoked`. `turns` keeps one live turn a session:
//! the same request again (`key`) hears what that one says (`generation`, `speech`), any other
//! supersedes it. It holds each turn back from memory (`spoken`) until the conversation shows what of
//! it was heard (`heard`). `readings` keeps how a user sounds, told beside the turns, for the next one.

mod generation;
mod heard;
mod identity;
mod key;
mod pseudonym;
mod readings;
mod revoked;
mod speech;
mod spoken;
mod text;
mod token;
mod turns;

pub use generation::{Generation, Listener, Piece};
pub use identity::{IdentityError, MintError, MintRequest, Minted, Sessions, Speaker, Unproven};
pub use key::Key;
pub use pseudonym::{Pseudonyms, is_session_key};
pub use readings::Readings;
pub use revoked::Revoked;
pub use speech::{REPLAY_FOR, Replay};
pub use spoken::{Committed, MAX_REMEMBERED_BYTES, Spoken, beginning};
pub use token::{Claims, TokenError, has_signed_form};
pub use turns::{Begun, COMMIT_AFTER, Fresh, LEAD_IN_AGAIN, Repeat, Ticket, Turns};
