//! Models: who answers, and how their words come in.
//!
//! `wire` alone knows `OpenRouter`'s JSON, `connections` which one a call goes on, `answer` turns a
//! response into deltas, `race` is the one layer that tries again; `attempt` is one try, `health` says
//! whom it may ask, `hedge` when to ask a second one too, and `seam` joins one model's words to
//! another's. Beside the conversation, `models` keeps prices fresh, `balance` looks at the key and
//! `corrections` asks (`generation`) what calls cost that brought no bill; all ask through `lookup`. A
//! provider of another shape is a file beside `openrouter.rs` with its own wire, giving the same
//! [`Answer`].

mod answer;
mod attempt;
mod balance;
mod connections;
mod corrections;
mod error;
mod generation;
mod health;
mod hedge;
mod log;
mod lookup;
pub mod models;
mod openrouter;
mod race;
mod seam;
mod wire;

pub use answer::{Answer, Meta};
pub use attempt::{Search, Speaking};
pub use balance::{Balance, balance};
pub use corrections::Corrections;
pub use error::AttemptError;
pub use health::{Health, Pass, TargetState};
pub use hedge::Allowance;
pub use log::{AttemptLog, Row, millis};
pub use openrouter::{OpenRouter, SetupError, Target};
pub use race::Exhausted;
pub use seam::{Asked, Seam, Sewn};
pub use wire::Call;
