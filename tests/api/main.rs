//! The service as its callers meet it: over a real socket, with everything behind it real but the
//! two services it calls, which are simulated on real sockets too.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "these are tests, also where a function has no #[test] on it; measured times are shown"
)]

mod app;
mod caller;
mod heard;
mod room;
mod stored;
mod ten_turns;

mod turns;
mod quirks;
mod coaches;
mod council;
mod council_memory;
mod council_money;
mod council_route;
mod experiments;
mod matrix;
mod breaks;
mod racing;
mod resuming;
mod lead_ins;
mod repeats;
mod shared;
mod shedding;
mod upstream_failures;
mod deadlines;
mod recordings;
mod hangup;
mod memory;
mod planted;
mod sessions;
mod revoked;
mod strangers;
mod webhooks;
mod errors;
mod limits;
mod injected;
mod callers_matrix;
mod callers_odd;
mod callers_profiles;
mod emotion;
mod connections;
mod ops;
mod records;
mod reports;
mod captured;
mod judged;
mod watched;
mod budget;
mod alerts;
mod flags;
mod spoken;
mod pages;
mod openapi;
mod shutdown;
