//! Server-Sent Events as a protocol leaf: bytes to events and back. Knows nothing of chat.
//!
//! Every byte sequence is a valid stream: decoding never fails, only our limits can.

mod decode;
mod encode;

pub use decode::{Decoder, EVENT_LIMIT_BYTES, TooLarge};
pub use encode::{DONE, data, named};
