//! What is kept of every turn, without any turn waiting for it.
//!
//! `recorder` hands a settled turn over with `try_send`; `worker` takes what has gathered, tells it
//! (one line, all metrics) and writes it to the store in one transaction; `query` asks the store.
//! The embedded store is one `SQLite` file under the data directory, written by one thread.

mod embedded;
mod query;
mod recorder;
mod rows;
mod worker;

pub use embedded::{Embedded, StoreError};
pub use query::{Page, Reader, TurnFilter};
pub use recorder::Recorder;
pub use worker::StoreHealth;
