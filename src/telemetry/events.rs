//! Things worth telling. Each is a struct; `emit` writes its line and moves its metrics.

mod ended;

use tracing::{info, warn};

use super::metrics::count;
use super::names;

pub use ended::{TurnEnded, short_session};

/// A turn's record could not be handed over or written.
#[derive(Debug)]
pub struct RecordDropped {
    pub reason: &'static str,
}

impl RecordDropped {
    pub fn emit(&self) {
        count(
            names::RECORDS_DROPPED_TOTAL,
            &[("reason", self.reason.to_owned())],
        );
        warn!(target: "clm::record", reason = self.reason, "a turn record was dropped");
    }
}

/// Committed exchanges that memory will never hold.
#[derive(Debug)]
pub struct MemoryWriteDropped {
    /// `queue_full`, `thread_full`, `given_up` or `stopped`.
    pub reason: &'static str,
    pub exchanges: usize,
}

impl MemoryWriteDropped {
    pub fn emit(&self) {
        for _ in 0..self.exchanges {
            count(
                names::MEMORY_WRITES_DROPPED_TOTAL,
                &[("reason", self.reason.to_owned())],
            );
        }
        warn!(
            target: "clm::memory",
            reason = self.reason,
            exchanges = self.exchanges,
            "memory writes were dropped"
        );
    }
}

/// A request was refused with an error body.
#[derive(Debug)]
pub struct RequestRefused<'a> {
    pub kind: &'static str,
    pub status: u16,
    pub route: &'a str,
    /// Why, without any of the caller's text.
    pub reason: &'a str,
    pub trace_id: &'a str,
}

impl RequestRefused<'_> {
    pub fn emit(&self) {
        count(names::HTTP_ERRORS_TOTAL, &[("type", self.kind.to_owned())]);
        info!(
            target: "clm::http",
            kind = self.kind,
            status = self.status,
            route = self.route,
            reason = self.reason,
            trace = self.trace_id,
            "request refused"
        );
    }
}
