//! Money over a whole day: what upstream bills is what the records say, and what a day costs beside
//! the one model for everything that it replaces. The service is whole, behind its own sockets; only
//! the two services that it calls are simulated.
//!
//! A day is long. Here a part of each runs, and all of it where `CLM_TEST_WHOLE_BILL` or
//! `CLM_TEST_WHOLE_DAY` is set.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, also where a function has no #[test] on it"
)]

#[expect(dead_code, reason = "these tests need less of a service than others")]
#[path = "../api/app.rs"]
mod app;
#[expect(dead_code, reason = "these callers do nothing odd")]
#[path = "../api/caller.rs"]
mod caller;
#[expect(dead_code, reason = "not all that is heard is looked at")]
#[path = "../api/heard.rs"]
mod heard;
#[path = "../api/room.rs"]
mod room;
#[path = "../api/stored.rs"]
mod stored;

mod day;
mod document;

mod bill;
mod savings;

/// Whether whoever runs the tests wants all of it.
fn is_wanted(name: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is a question to who runs the tests, and no setting of the service"
    )]
    std::env::var_os(name).is_some()
}
