//! What the tests break: PostgreSQL, Redis and the way to them, each shown to break as it is told to
//! and to come back.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, also where a function has no #[test] on it"
)]

#[path = "../support/mod.rs"]
mod support;

mod kept;

mod contract;
mod schema;
mod postgres;
mod refusals;
mod proxy;
mod redis;
mod janitor;
