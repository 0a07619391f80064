//! The write-ahead log's way to the disk.
//!
//! A checkpoint waits until all of the log is there, and handing tens of MiB to the disk in one go takes a
//! processor away for milliseconds. So what was appended is handed over a little at a time, in between; and of a
//! machine that is lost, no more than that little is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::give_way;

/// How often.
const EVERY: Duration = Duration::from_millis(200);

/// See the module's words.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    last: Mutex<Instant>,
}

impl Log {
    /// The log of this database.
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: path.into(),
            last: Mutex::new(Instant::now()),
        }
    }

    /// Whether it is time again, which it then is not for a while.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = now.saturating_duration_since(*last) >= EVERY;
        if is_due {
            *last = now;
        }
        is_due
    }

    /// Hands over what was appended. SQLite has no locks on this file that closing it would take away.
    ///
    /// # Errors
    /// When the file cannot be opened, as before the first row, or the disk takes nothing.
    pub(super) fn write_out(&self) -> io::Result<()> {
        give_way();
        File::open(&self.path)?.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_now_and_then() {
        let log = Log::of(Path::new("clm.db"));
        let now = Instant::now();
        let due = [0, 150, 250, 300, 400, 460].map(|ms| {
            let later = now + Duration::from_millis(ms);
            log.is_due(later)
        });
        assert_eq!(due, [false, false, true, false, false, true]);
    }

    #[test]
    fn it_is_the_file_that_sqlite_appends_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clm.db");
        let log = Log::of(&path);
        assert_eq!(log.write_out().unwrap_err().kind(), io::ErrorKind::NotFound);
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.execute("create table t (x)", []).unwrap();
        log.write_out().unwrap();
    }
}
