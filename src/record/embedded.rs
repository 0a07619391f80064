//! The embedded store: one `SQLite` file, for running with nothing else installed.
//!
//! WAL with `synchronous = normal`: a killed process loses nothing, a lost machine the last moments.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::lifecycle::Lifecycle;
use crate::telemetry::live::Live;
use crate::turn::TurnRecord;

use super::query::Reader;
use super::recorder::Recorder;
use super::rows;
use super::worker::{self, StoreHealth};

const FILE: &str = "clm.db";
/// How long one connection waits for another's lock.
const BUSY: Duration = Duration::from_millis(500);

mod migrations {
    refinery::embed_migrations!("sql/migrations/embedded");
}

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the data directory {0} cannot be used; set DATA_DIR to a writable one")]
    Directory(PathBuf, #[source] io::Error),
    #[error("the store refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the store's schema could not be brought up to date")]
    Migration(#[from] refinery::Error),
    #[error("no thread for the store's writer")]
    Thread(#[source] io::Error),
}

/// The writing end.
#[derive(Debug)]
pub struct Embedded {
    connection: Connection,
    path: PathBuf,
}

impl Embedded {
    /// Opens or makes the store under `data_dir` and brings its schema up to date.
    ///
    /// # Errors
    /// When the directory is not writable or the file is not ours.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE);
        private(data_dir, &path).map_err(|e| StoreError::Directory(data_dir.to_owned(), e))?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        migrations::migrations::runner().run(&mut connection)?;
        Ok(Self { connection, path })
    }

    /// Starts the writer; the returned ends are for turns and for readers.
    ///
    /// # Errors
    /// When the file cannot be opened a second time or no thread can be had.
    pub fn start(
        self,
        lifecycle: &Lifecycle,
        live: Live,
    ) -> Result<(Recorder, Reader, StoreHealth), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        let reader = Reader::new(connection, lifecycle.clone());
        let (recorder, health) =
            worker::start(self, lifecycle, live).map_err(StoreError::Thread)?;
        Ok((recorder, reader, health))
    }

    /// Keeps a batch in one transaction: all of it or nothing. Turns kept already are passed over.
    pub(super) fn keep(&mut self, batch: &[TurnRecord]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for record in batch {
            rows::insert(&transaction, record)?;
            worker::step_aside();
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Makes directory and file for their owner alone: an unsigned session id in a row is all that it
/// takes to be that person. SQLite gives its side files the same mode.
fn private(dir: &Path, file: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    Ok(())
}
