//! The services that the service leans on, real and breakable: PostgreSQL with a pooler, and Redis, as
//! private processes of the test, and a proxy that breaks what lies between. Any test takes it in with
//! `#[path = "../support/mod.rs"] mod support;`.
//!
//! Everything here waits in real time: not for tests that hold tokio's clock.

mod home;
mod daemon;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod pgbouncer;

pub(crate) use home::{Janitor, Port};

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again every few milliseconds until it is so; fails when it never is.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        sleep(Duration::from_millis(3)).await;
    }
}
