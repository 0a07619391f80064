//! The real binary as a process of its own: what signals, a stuck log, a starved processor and too
//! few files do to it, and what outlives it when it is killed.
//!
//! The one fault of the host that is not made here is a jump of the wall clock: setting the clock
//! would set it for the whole machine, and needs a privilege (`scripts/strain` has a library tell the process another
//! time). What it could disturb is held at the
//! source instead: deadlines, cooldowns and breakers count in `tokio::time::Instant`, which does not
//! jump, and `clippy.toml` bans the system clock everywhere but in `clock.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "these are tests, also where a function has no #[test] on it; measured times are shown"
)]

#[expect(
    dead_code,
    reason = "not all of what the other tests' caller can do is needed"
)]
#[path = "../api/caller.rs"]
mod caller;
#[expect(dead_code, reason = "not all that is heard is looked at")]
#[path = "../api/heard.rs"]
mod heard;
#[path = "../api/stored.rs"]
mod stored;
mod service;

mod stopping;
mod logs;
mod practice;
mod starved;
mod files;
mod heap;
mod killed;
mod commands;
mod replay;
mod ten_minutes;
mod haproxy;
