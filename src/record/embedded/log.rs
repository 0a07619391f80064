//! The write-ahead log's way to the disk.
//!
//! A checkpoint waits until all of the log is there, and handing tens of MiB to the disk in one go takes a
//! processor away for milliseconds. So what was appended is handed over a little at a time, in between; and of a
//! machine that is lost, no more than that little is.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lifecycle::give_way;

/// See the module's words.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    is_behind: AtomicBool,
}

impl Log {
    /// The log of this database.
    pub(super) fn of(database: &str) -> Self {
        Self {
            path: format!("{database}-wal").into(),
            is_behind: AtomicBool::new(false),
        }
    }

    /// Something may have been appended.
    pub(super) fn falls_behind(&self) {
        self.is_behind.store(true, Ordering::Release);
    }

    /// Hands over what was appended since. SQLite has no locks on this file that closing it would take away.
    ///
    /// # Errors
    /// When the file cannot be opened or the disk does not take it; the next time tries again.
    pub(super) fn write_out(&self) -> io::Result<()> {
        if !self.is_behind.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        give_way();
        let written = File::open(&self.path).and_then(|file| file.sync_data());
        if written.is_err() {
            self.falls_behind();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_handed_over_once_and_again_where_that_failed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clm.db");
        let log = Log::of(path.to_str().unwrap());
        // Nothing is there, and nothing is looked for.
        log.write_out().unwrap();
        log.falls_behind();
        for _ in 0..2 {
            assert_eq!(log.write_out().unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        // It is the file that SQLite appends to.
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.execute("create table t (x)", []).unwrap();
        log.write_out().unwrap();
        drop(db);
        assert!(!log.path.exists());
        log.write_out().unwrap();
    }
}
