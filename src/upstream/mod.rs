//! Models: who answers, and how their words come in.
//!
//! `wire` alone knows `OpenRouter`'s JSON, `answer` turns a response into deltas, `race` is the one
//! layer that tries again; `health` says whom it may ask, `hedge` when to ask a second one too. A
//! provider of another shape is a file beside `openrouter.rs` with its own wire, giving the same
//! [`Answer`].

mod answer;
mod error;
mod health;
mod hedge;
mod log;
mod openrouter;
mod race;
mod wire;

pub use answer::{Answer, Meta};
pub use error::AttemptError;
pub use health::{Health, Pass, TargetState};
pub use hedge::{Allowance, delay as hedge_delay};
pub use log::{AttemptLog, millis};
pub use openrouter::{OpenRouter, SetupError, Target};
pub use race::{Exhausted, Race, Speaking};
pub use wire::Call;
