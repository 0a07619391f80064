//! `clm`: a voice-coaching language model server.
//!
//! Modules are declared in the order a turn meets them. **The doors rule: a module uses only
//! modules listed above it**; `tests/tidy.rs` holds it. `docs/ARCHITECTURE.md` has the map.

pub mod clock;
pub mod doze;
pub mod descriptors;
pub mod cgroup;
pub mod turn;
pub mod sse;
pub mod json;
pub mod speech;
pub mod spool;
pub mod outbound;
pub mod config;
pub mod vault;
pub mod lifecycle;
pub mod telemetry;
pub mod breaker;
pub mod export;
pub mod session;
pub mod memory;
pub mod coach;
pub mod routing;
pub mod prompt;
pub mod council;
pub mod upstream;
pub mod simulate;
pub mod record;
pub mod pipeline;
pub mod alert;
pub mod dashboard;
pub mod http;
pub mod app;
pub mod cli;
