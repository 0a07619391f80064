//! Who speaks, and which of their turns really happened.
//!
//! A session id travels through a browser, so it proves nothing unless it is signed (`token`).
//! `identity` turns what a request carries into a [`Speaker`]; `turns` holds each turn back from
//! memory until the conversation shows that it was heard.

mod heard;
mod identity;
mod pseudonym;
mod spoken;
mod token;
mod turns;

pub use identity::{IdentityError, MintError, MintRequest, Minted, Sessions, Speaker, Unproven};
pub use pseudonym::{DataKeyError, Pseudonyms};
pub use spoken::{Committed, MAX_REMEMBERED_BYTES, Spoken, beginning};
pub use token::{Claims, TokenError, has_signed_form};
pub use turns::{COMMIT_AFTER, Ticket, Turns};
