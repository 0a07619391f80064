//! What is kept of every turn, without any turn waiting for it, and what can be asked about it.
//!
//! ```text
//! turn ── try_send ──▶ worker ──▶ spool (disk) ──▶ shipper ──▶ store ◀── query, report
//! ```
//!
//! `recorder` hands over; `worker` tells it (one line, all metrics, whoever watches) and puts it into
//! the spool; `shipper` empties the spool into the store, again and again until it arrives. The store
//! is PostgreSQL or an embedded SQLite file, with the same tables and the same answers. `counters`
//! has what happens now, beside the books; `repeats` lets a machine hear another's turn.

mod sql;
mod entry;
mod report;
mod store;
mod embedded;
mod postgres;
mod outbox;
mod recorder;
mod worker;
mod shipper;
mod filter;
mod query;
mod chats;
mod upkeep;
mod leases;
mod switchboard;
mod revocations;
pub mod counters;
mod repeats;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::config;
use crate::lifecycle::Lifecycle;
use crate::spool::{Limits, Spool};
use crate::telemetry::events::{SchemaSeen, SpoolRecovered};
use crate::telemetry::live::Live;
use crate::turn::TurnRecord;

use self::embedded::Embedded;
use self::outbox::Outbox;
use self::postgres::Postgres;
use self::shipper::Shipper;
use self::store::Store;
use self::upkeep::Upkeep;
use self::worker::Worker;

pub use chats::ChatRecord;
pub use entry::{Capture, Chat, Commit, Erasure, Feedback};
pub use filter::{SessionFilter, TurnFilter};
pub use leases::Leases;
pub use outbox::{Backlog, RecordsHealth, Standing};
pub use postgres::Migrated;
pub use query::{MAX_PAGE, Page, Reader, SessionModel, SessionRecord, Source, Uncorrected};
pub use recorder::Recorder;
pub use repeats::{NOTE_WITHIN, Repeats};
pub use report::{Item, Report, ReportKind, Reporter, Summariser};
pub use revocations::{Revocation, Revocations};
pub use store::StoreError;
pub use switchboard::{FlagChange, FlagRow, Switchboard, in_force};

/// Where the spool lies under the data directory.
const SPOOL: &str = "spool/records";
/// How often a schema that could not be looked at is tried.
const LOOK: Duration = Duration::from_secs(2);

/// The records, open.
#[derive(Debug)]
pub struct Records {
    store: Store,
    outbox: Outbox,
    backlog: Backlog,
    live: Live,
    clock: Clock,
    lifecycle: Lifecycle,
    settings: config::Store,
}

impl Records {
    /// Opens the spool and the store. A PostgreSQL that does not answer is no error: rows wait.
    ///
    /// # Errors
    /// When the data directory belongs to another process, or the embedded store cannot be used.
    pub fn open(
        settings: &config::Store,
        lifecycle: &Lifecycle,
        clock: Clock,
        live: Live,
    ) -> Result<Self, StoreError> {
        let dir = spool_dir(settings);
        let (spool, found) =
            Spool::open(&dir, Limits::default()).map_err(|_| StoreError::Owned(dir))?;
        SpoolRecovered {
            rows: found.rows,
            lost: found.lost_rows,
            skipped_bytes: found.skipped_bytes,
        }
        .emit();
        let store = match &settings.database {
            None => Store::Embedded(Arc::new(Embedded::open(&settings.data_dir, lifecycle)?)),
            Some(database) => Store::Postgres(Arc::new(Postgres::new(database, lifecycle)?)),
        };
        let outbox = Outbox::new(spool);
        Ok(Self {
            store,
            backlog: outbox.backlog(),
            outbox,
            live,
            clock,
            lifecycle: lifecycle.clone(),
            settings: settings.clone(),
        })
    }

    /// Starts those who write; `witness` sees every settled turn, on the writer's thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        &self,
        witness: impl Fn(&TurnRecord) + Send + 'static,
    ) -> Result<Recorder, StoreError> {
        let (recorder, queue) = Recorder::new();
        Worker {
            queue,
            outbox: self.outbox.clone(),
            live: self.live.clone(),
            witness: Box::new(witness),
            clock: self.clock,
        }
        .start(&self.lifecycle)
        .map_err(StoreError::Thread)?;
        let erased = Arc::new(Notify::new());
        Shipper {
            erased: Arc::clone(&erased),
            outbox: self.outbox.clone(),
            store: self.store.clone(),
            lifecycle: self.lifecycle.clone(),
            clock: self.clock,
        }
        .start();
        if let Store::Postgres(store) = &self.store {
            self.lifecycle
                .spawn(migrated(Arc::clone(store), self.lifecycle.clone()));
        }
        Upkeep::new(self.store.clone(), self.clock, &self.settings, erased).start(&self.lifecycle);
        Ok(recorder)
    }

    /// What makes reports; savings are measured against `baseline`.
    #[must_use]
    pub fn reporter(&self, baseline: config::Baseline) -> Reporter {
        Reporter::new(self.store.clone(), self.clock, baseline)
    }

    /// What makes the summaries that reports read; it also runs by itself, once a minute.
    #[must_use]
    pub fn summariser(&self) -> Summariser {
        Summariser::new(self.store.clone(), self.clock)
    }

    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            store: self.store.clone(),
            live: self.live.clone(),
            clock: self.clock,
        }
    }

    /// This process's share of a day's cap, where several machines write into one store.
    #[must_use]
    pub fn leases(&self) -> Option<Leases> {
        match &self.store {
            Store::Embedded(_) => None,
            Store::Postgres(store) => Some(Leases::new(Arc::clone(store))),
        }
    }

    /// What is switched and what was told.
    #[must_use]
    pub fn switchboard(&self) -> Switchboard {
        Switchboard {
            store: self.store.clone(),
            clock: self.clock,
        }
    }

    /// Session ids that hold no more.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        Revocations {
            store: self.store.clone(),
            clock: self.clock,
        }
    }

    /// What the process before had not brought to the store.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        self.backlog.clone()
    }

    #[must_use]
    pub fn health(&self) -> RecordsHealth {
        self.outbox.health()
    }
}

/// Brings PostgreSQL's schema up to date, as soon as somebody answers there.
async fn migrated(store: Arc<Postgres>, lifecycle: Lifecycle) {
    let mut is_told = false;
    let soft = lifecycle.soft().clone();
    let trying = async {
        loop {
            match store.migrate().await {
                Ok(done) => {
                    let (version, applied) = (done.version, done.applied.len());
                    SchemaSeen::Current { version, applied }.emit();
                    return;
                }
                Err(error) if !is_told => {
                    is_told = true;
                    let why = &error.to_string();
                    SchemaSeen::Refused {
                        kind: error.kind(),
                        why,
                    }
                    .emit();
                }
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    };
    soft.run_until_cancelled(trying).await;
}

/// Brings the schema of what `settings` name up to date: `clm migrate`.
///
/// # Errors
/// When the database cannot be asked or refuses.
pub async fn migrate(
    settings: &config::Store,
    lifecycle: &Lifecycle,
) -> Result<Migrated, StoreError> {
    match &settings.database {
        Some(database) => {
            Arc::new(Postgres::new(database, lifecycle)?)
                .migrate()
                .await
        }
        None => Ok(Embedded::open(&settings.data_dir, lifecycle)?
            .migrated()
            .clone()),
    }
}

/// The version of the schema in PostgreSQL and the one that this program needs; nothing is changed.
/// `None` where the store is embedded, whose schema is brought up to date whenever it is opened.
///
/// # Errors
/// When the database cannot be asked.
///
/// # Cancellation
/// Safe.
pub async fn schema(
    settings: &config::Store,
    lifecycle: &Lifecycle,
) -> Result<Option<(i32, i32)>, StoreError> {
    let Some(database) = &settings.database else {
        return Ok(None);
    };
    let store = Arc::new(Postgres::new(database, lifecycle)?);
    store.versions().await.map(Some)
}

/// Where the rows lie that the store has not taken yet.
#[must_use]
pub fn spool_dir(settings: &config::Store) -> PathBuf {
    settings.data_dir.join(SPOOL)
}
