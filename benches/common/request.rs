//! A request as Hume sends it, for the benchmarks that take one in.

use quest_clm::http::callers::decode;
use quest_clm::http::callers::hume::{self, HUME};
use quest_clm::turn::Conversation;

pub(crate) use quest_clm::http::callers::hume::{COACH_LINE, USER_LINE};

pub(crate) const CHOOSING_LINE: &str = "I was passed over for a promotion again.";

pub(crate) fn conversation(turns: usize, last: &str) -> Conversation {
    let body = hume::request(turns, last);
    decode(body.as_bytes(), &HUME).unwrap().conversation
}
