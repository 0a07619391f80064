//! What the model is told: coach, conversation and memory become messages. Pure; cannot fail.
//!
//! Order matters twice. What never changes for a coach comes first, so that providers can cache it;
//! what was written by others (memory, application context) is quoted as data in messages of its
//! own, never in the system message.

mod compose;
mod rules;
mod trim;
mod weight;
mod quote;
mod heard;
mod sound;
mod murmur;
mod resume;

pub use compose::{PromptMessage, compose, without_sound};
pub use quote::{Source, is_plain, quote};
pub use resume::{instructed, prefilled};
pub use rules::Rules;
pub use weight::{QUOTED_TOKENS, tokens_in, tokens_of};
