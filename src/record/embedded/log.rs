//! The write-ahead log's way to the disk.
//!
//! A checkpoint waits until all of the log is there, and handing tens of MiB to the disk in one go takes a
//! processor away for milliseconds. So what was appended is handed over a little at a time, in between; and of a
//! machine that is lost, no more than that little is. Not after each transaction either, as each time costs half a
//! millisecond, however little it is.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::give_way;

/// Transactions after which it is time: some two MiB.
const MANY: usize = 4;
/// How long fewer of them wait.
const LONG: Duration = Duration::from_secs(1);

/// See the module's words.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    behind: Mutex<Behind>,
}

#[derive(Debug, Default)]
struct Behind {
    transactions: usize,
    /// Since the first of them.
    since: Option<Instant>,
}

impl Log {
    /// The log of this database.
    pub(super) fn of(database: &str) -> Self {
        Self {
            path: format!("{database}-wal").into(),
            behind: Mutex::default(),
        }
    }

    /// So many transactions may have been appended.
    pub(super) fn falls_behind(&self, transactions: usize, now: Instant) {
        let mut behind = self.behind();
        behind.transactions += transactions;
        behind.since.get_or_insert(now);
    }

    /// Whether it is time to hand over what was appended.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let behind = self.behind();
        let waits = behind
            .since
            .map(|since| now.saturating_duration_since(since));
        behind.transactions >= MANY || waits.is_some_and(|waits| waits >= LONG)
    }

    /// Hands over what was appended. SQLite has no locks on this file that closing it would take away.
    ///
    /// # Errors
    /// When the file cannot be opened or the disk does not take it; then it is still to be done.
    pub(super) fn write_out(&self) -> io::Result<()> {
        let taken = std::mem::take(&mut *self.behind());
        give_way();
        let written = File::open(&self.path).and_then(|file| file.sync_data());
        if written.is_err() {
            let mut behind = self.behind();
            behind.transactions += taken.transactions;
            behind.since = taken.since.or(behind.since);
        }
        written
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_after_many_transactions_or_after_a_while() {
        let log = Log::of("clm.db");
        let now = Instant::now();
        assert!(!log.is_due(now + LONG));
        log.falls_behind(1, now);
        assert!(!log.is_due(now) && log.is_due(now + LONG));
        log.falls_behind(MANY - 1, now);
        assert!(log.is_due(now));
    }

    #[test]
    fn what_is_behind_is_handed_over_once_and_again_where_that_failed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clm.db");
        let log = Log::of(path.to_str().unwrap());
        let now = Instant::now();
        log.falls_behind(MANY, now);
        for _ in 0..2 {
            assert_eq!(log.write_out().unwrap_err().kind(), io::ErrorKind::NotFound);
            assert!(log.is_due(now));
        }
        // It is the file that SQLite appends to.
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.execute("create table t (x)", []).unwrap();
        log.write_out().unwrap();
        assert!(!log.is_due(now + LONG));
    }
}
