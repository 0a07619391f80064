//! What the tests break: PostgreSQL, Redis and the way to them, each shown to break as it is told to
//! and to come back. And the service in front of a PostgreSQL that breaks: turns are spoken, and
//! every row arrives, once; no words stay behind, and the money is right.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, also where a function has no #[test] on it"
)]

#[path = "../support/mod.rs"]
mod support;
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
#[expect(dead_code, reason = "these tests measure no time closely")]
#[path = "../process/service.rs"]
mod service;
mod arrivals;
mod kept;

mod contract;
mod spent;
mod backup;
mod amended;
mod trials;
mod schema;
mod postgres;
mod refusals;
mod proxy;
mod redis;
mod janitor;
mod outages;
mod pressure;
mod versions;
mod backlog;
mod crashes;
mod disks;
mod secured;
mod pooler;
mod money;
mod leases;
mod revoked;
mod newer;
mod privacy;
