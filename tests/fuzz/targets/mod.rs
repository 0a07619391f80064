//! What is tried, and what has to hold of it whatever comes in: a file a target. `cargo test` tries the
//! corpus and changes of it, `fuzz/` builds the same for libFuzzer.

mod body;
mod speech;
mod spool;
mod sse;
mod token;

pub(crate) use body::body;
pub(crate) use speech::speech;
pub(crate) use spool::spool;
pub(crate) use sse::sse;
pub(crate) use token::token;
