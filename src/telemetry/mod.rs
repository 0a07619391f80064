//! The only place that names a span field or a metric.
//!
//! A thing worth telling is a struct in `events`: emitting it writes the line *and* moves the
//! metrics, so the two cannot drift apart. Nothing here ever sees a word of anybody, a key, or a raw
//! session id. To add a metric: a constant in `names`, its help and shape in `metrics`, an event that
//! moves it, a row in `docs/TELEMETRY.md` (`tests/tidy.rs` compares them).

pub mod events;
pub mod genai;
mod lines;
pub mod live;
pub mod logs;
pub mod metrics;
pub mod names;
pub mod otlp;
mod page;
pub mod spans;
pub mod traces;
