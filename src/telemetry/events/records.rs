//! What befalls records on their way into the store.

use tracing::{error, info, warn};

use crate::telemetry::metrics::{count_by, set};
use crate::telemetry::names;

/// Rows that no store will ever hold.
#[derive(Debug)]
pub struct RecordDropped {
    /// `queue_full`, `closed`, `spool_full`, `too_large`, `damaged` or `lost`.
    pub reason: &'static str,
    pub rows: u64,
}

impl RecordDropped {
    pub fn emit(&self) {
        if self.rows == 0 {
            return;
        }
        count_by(
            names::SPOOL_DROPPED_TOTAL,
            &[("reason", self.reason.to_owned())],
            self.rows,
        );
        warn!(target: "clm::record", reason = self.reason, rows = self.rows, "records were dropped");
    }
}

/// The store takes no rows; they wait. Told once an outage.
#[derive(Debug)]
pub struct RecordsDelayed<'a> {
    pub kind: &'static str,
    /// In our words: a database's own may quote a row.
    pub why: &'a str,
}

impl RecordsDelayed<'_> {
    pub fn emit(&self) {
        warn!(target: "clm::record", kind = self.kind, why = self.why, "records wait: the store takes none");
    }
}

/// What the embedded store was given does not reach the disk: a machine that is lost loses it. Told once an outage.
#[derive(Debug)]
pub struct LogUnwritten<'a> {
    /// The system's words.
    pub why: &'a str,
}

impl LogUnwritten<'_> {
    pub fn emit(&self) {
        warn!(target: "clm::record", why = self.why, "the embedded store's log does not reach the disk");
    }
}

/// What was written since then has reached the disk.
#[derive(Debug)]
pub struct LogWritten;

impl LogWritten {
    pub fn emit(&self) {
        info!(target: "clm::record", "the embedded store's log reaches the disk again");
    }
}

/// The store takes rows again.
#[derive(Debug)]
pub struct RecordsFlow;

impl RecordsFlow {
    pub fn emit(&self) {
        info!(target: "clm::record", "the store takes records again");
    }
}

/// A row that the store refuses for its own fault was set aside.
#[derive(Debug)]
pub struct RowQuarantined<'a> {
    /// In our words.
    pub why: &'a str,
}

impl RowQuarantined<'_> {
    pub fn emit(&self) {
        error!(target: "clm::record", why = self.why, "a record that no store takes was set aside");
    }
}

/// How the spool stands. Only metrics: it is looked at once a second.
#[derive(Debug)]
pub struct SpoolSeen {
    pub rows: u64,
    pub bytes: u64,
    /// How long the oldest row has waited; 0 without any.
    pub age_ms: i64,
    pub is_degraded: bool,
    pub quarantined: u64,
}

impl SpoolSeen {
    pub fn emit(&self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge; beyond 2^52 one more or less does not matter"
        )]
        let (rows, bytes, age, quarantined) = (
            self.rows as f64,
            self.bytes as f64,
            self.age_ms.max(0) as f64 / 1000.0,
            self.quarantined as f64,
        );
        set(names::SPOOL_ROWS, rows);
        set(names::SPOOL_BYTES, bytes);
        set(names::SPOOL_AGE_SECONDS, age);
        set(names::SPOOL_DEGRADED, f64::from(u8::from(self.is_degraded)));
        set(names::SPOOL_QUARANTINED, quarantined);
    }
}

/// What a process found in its spool.
#[derive(Debug)]
pub struct SpoolRecovered {
    /// Rows that were waiting when the process began.
    pub rows: u64,
    /// Rows that were neither found nor delivered.
    pub lost: u64,
    /// Bytes that could not be read.
    pub skipped_bytes: u64,
}

impl SpoolRecovered {
    pub fn emit(&self) {
        if self.rows > 0 {
            info!(target: "clm::record", rows = self.rows, "records of before wait in the spool");
        }
        if self.skipped_bytes > 0 {
            warn!(target: "clm::record", bytes = self.skipped_bytes, "part of the spool could not be read");
        }
        RecordDropped {
            reason: "lost",
            rows: self.lost,
        }
        .emit();
    }
}

/// The schema was brought up to date, or that could not be done yet.
#[derive(Debug)]
pub enum SchemaSeen<'a> {
    Current { version: i32, applied: usize },
    Refused { kind: &'static str, why: &'a str },
}

impl SchemaSeen<'_> {
    pub fn emit(&self) {
        match self {
            Self::Current { version, applied } => {
                info!(target: "clm::record", version, applied, "the schema is up to date");
            }
            Self::Refused { kind, why } => {
                warn!(target: "clm::record", kind, why, "the schema cannot be looked at; trying again");
            }
        }
    }
}
