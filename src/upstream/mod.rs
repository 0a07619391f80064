//! Models: who answers, and how their words come in.
//!
//! `wire` alone knows `OpenRouter`'s JSON, `answer` turns a response into deltas, `race` is the one
//! layer that tries again, and `seam` joins one model's words to another's. A provider of another
//! shape is a file beside `openrouter.rs` with its own wire, giving the same [`Answer`].

mod answer;
mod error;
mod log;
mod openrouter;
mod race;
mod seam;
mod wire;

pub use answer::{Answer, Meta};
pub use error::AttemptError;
pub use log::{AttemptLog, millis};
pub use openrouter::{OpenRouter, SetupError, Target};
pub use race::{Exhausted, Race, Speaking};
pub use seam::{Asked, Seam, Sewn};
pub use wire::Call;
