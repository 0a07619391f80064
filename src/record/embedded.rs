//! The embedded store: one `SQLite` file, for running with nothing else installed.
//!
//! WAL with `synchronous = normal`: a killed process loses nothing, a lost machine the last moments.
//! One connection writes, a few read; each call runs on a blocking thread.

mod columns;
mod keep;
mod log;

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params_from_iter};
use serde_json::Value;
use tokio::time::Instant;

use crate::lifecycle::{Lifecycle, give_way};

use self::keep::keep;
use self::log::Log;
use super::entry::{Entry, Kind};
use super::postgres::Migrated;
use super::report::sketch;
use super::sql::{Arg, Mark, Question, Row};
use super::store::StoreError;

const FILE: &str = "clm.db";
/// How long one connection waits for another's lock.
const BUSY: Duration = Duration::from_millis(500);
/// Pages of 4 KiB in the write-ahead log before they go where they belong, 64 MiB: a page that is written to again
/// and again, as most of an index is, goes there once for all of them, and whoever speaks waits for that, 2 to 4 ms.
const CHECKPOINT: u32 = 16_000;
/// To what the log is cut back once it is done with, where somebody who read for long let it grow.
const LOG_BYTES: i64 = 64 << 20;
/// Rows of one transaction, two a turn, and at most one more. Its end writes all of its pages in one go, some four a
/// turn, six where sessions are signed or named by callers, and on a machine with no processor to spare whoever speaks
/// waits for that: half a millisecond and more. With fewer rows, of which many touch the same pages, those are written
/// more often.
const PART: usize = 48;
/// What the connection that writes keeps of the file in memory, in KiB: less is read again with each turn.
const CACHE: i32 = 8192;
/// Steps of SQLite's machine after which it is looked whether whoever speaks should go first, and whether the time of a
/// question is over. A report of an hour takes millions of them; a sort, a count of all rows, or the end of a
/// transaction, is one.
const STEPS: i32 = 1000;
/// How long a statement runs in one go: each pause may last as long as others have work, and counts as its own.
const IN_ONE_GO: Duration = Duration::from_millis(1);
/// Connections that read: a long report does not hold up a list.
const READERS: usize = 3;
/// How long an answer may take; then the question is called off, as soon as it is looked.
const ANSWER: Duration = Duration::from_secs(3);

/// Columns that are true or false; SQLite keeps them as numbers.
const FLAGS: &[&str] = &[
    "hedged",
    "continued",
    "lead_in",
    "committed",
    "cancelled",
    "is_ready",
];

mod migrations {
    refinery::embed_migrations!("sql/migrations/embedded");
}

/// The embedded store, open.
#[derive(Debug)]
pub(super) struct Embedded {
    // Closed in this order: who may write is the last, and so brings the log home and takes it away.
    readers: Arc<[Mutex<Connection>; READERS]>,
    writer: Arc<Mutex<Connection>>,
    log: Arc<Log>,
    lifecycle: Lifecycle,
    migrated: Migrated,
}

impl Embedded {
    /// Opens or makes the store under `data_dir` and brings its schema up to date.
    ///
    /// # Errors
    /// When the directory is not writable or the file is not ours.
    pub(super) fn open(data_dir: &Path, lifecycle: &Lifecycle) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE);
        private(data_dir, &path).map_err(|e| StoreError::Directory(data_dir.to_owned(), e))?;
        let mut writer = Connection::open(&path)?;
        writer.busy_timeout(BUSY)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "normal")?;
        writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        writer.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        // SQLite's own sign for KiB and not pages.
        writer.pragma_update(None, "cache_size", -CACHE)?;
        let report = migrations::migrations::runner().run(&mut writer)?;
        let reader = || -> Result<_, StoreError> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY)?;
            with_buckets(&connection)?;
            Ok(Mutex::new(connection))
        };
        with_buckets(&writer)?;
        giving_way(&mut writer, None)?;
        // Where the file is a link, its log lies beside what it leads to.
        let log = Arc::new(Log::of(writer.path().unwrap_or_default()));
        let applied = report.applied_migrations().iter();
        let all = migrations::migrations::runner();
        let versions = all
            .get_migrations()
            .iter()
            .map(refinery::Migration::version);
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers: Arc::new([reader()?, reader()?, reader()?]),
            log,
            lifecycle: lifecycle.clone(),
            migrated: Migrated {
                applied: applied.map(ToString::to_string).collect(),
                version: versions.max().unwrap_or_default(),
            },
        })
    }

    /// What opening it did to its schema.
    pub(super) fn migrated(&self) -> &Migrated {
        &self.migrated
    }

    pub(super) async fn keep(&self, batch: Arc<Vec<Entry>>) -> Result<(), StoreError> {
        self.write(parts(&batch).len(), move |writer| {
            for part in parts(&batch) {
                let transaction = writer.transaction()?;
                for kind in Kind::ALL {
                    let entries = part.iter().filter(|entry| entry.kind == kind);
                    keep(&transaction, kind, entries.map(|entry| entry.json.as_str()))?;
                }
                transaction.commit()?;
            }
            Ok(())
        })
        .await
    }

    /// Hands to the disk what was written since the last time, where it is time again.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) async fn write_out(&self) -> io::Result<()> {
        if !self.log.is_due(Instant::now()) {
            return Ok(());
        }
        let log = Arc::clone(&self.log);
        let written_out = self.lifecycle.spawn_blocking(move || log.write_out());
        written_out
            .await
            .unwrap_or_else(|e| Err(io::Error::other(e)))
    }

    pub(super) async fn change(&self, questions: Vec<Question>) -> Result<Vec<u64>, StoreError> {
        self.write(1, move |writer| {
            let transaction = writer.transaction()?;
            let changed = questions.iter().map(|question| {
                let (sql, args) = question.compose(Mark::Question);
                let mut statement = transaction.prepare_cached(&sql)?;
                let count = statement.execute(params_from_iter(args))? as u64;
                if count == 0 && question.must_touch {
                    return Err(StoreError::Overtaken);
                }
                Ok(count)
            });
            let changed = changed.collect::<Result<_, StoreError>>()?;
            transaction.commit()?;
            Ok(changed)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        transactions: usize,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (writer, log) = (Arc::clone(&self.writer), Arc::clone(&self.log));
        let work = move || {
            let done = work(&mut lock(&writer));
            log.falls_behind(transactions, Instant::now());
            done
        };
        let written = self.lifecycle.spawn_blocking(work);
        written.await.unwrap_or(Err(StoreError::Stopping))
    }

    pub(super) async fn ask(&self, question: Question) -> Result<Vec<Row>, StoreError> {
        let (readers, writer) = (Arc::clone(&self.readers), Arc::clone(&self.writer));
        let work = move || {
            // The wait for a free connection does not count: the question's own time does.
            let answered = answer(&mut free(readers.as_ref()), &question, ANSWER);
            // Where it outlives the store, too, who may write is let go of last.
            drop(readers);
            drop(writer);
            answered
        };
        let answered = self.lifecycle.spawn_blocking(work);
        answered.await.unwrap_or(Err(StoreError::Stopping))
    }
}

/// What goes into one transaction each: as much into all of them, as a short one at the end writes nearly as many pages;
/// and a turn's calls with what stands before them, so that nobody finds it without.
fn parts(batch: &[Entry]) -> Vec<&[Entry]> {
    let least = batch.len().div_ceil(PART);
    let mut parts = Vec::with_capacity(least);
    let mut rest = batch;
    while !rest.is_empty() {
        let length = batch.len().div_ceil(least).min(rest.len());
        let has_more = |next: &Entry| next.kind == Kind::Attempts;
        let (part, after) =
            rest.split_at(length + usize::from(rest.get(length).is_some_and(has_more)));
        parts.push(part);
        rest = after;
    }
    parts
}

/// The rows that answer a question, called off by the statement itself where that takes longer than `within`:
/// whoever else would call it off might meet the next question.
fn answer(
    db: &mut Connection,
    question: &Question,
    within: Duration,
) -> Result<Vec<Row>, StoreError> {
    giving_way(db, Some(Instant::now() + within))?;
    rows(db, question).map_err(|error| match error {
        StoreError::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            StoreError::Timeout
        }
        other => other,
    })
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that nobody uses, else the first one as soon as it is free.
fn free(readers: &[Mutex<Connection>; READERS]) -> MutexGuard<'_, Connection> {
    let idle = readers.iter().find_map(|reader| match reader.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    });
    let [first, ..] = readers;
    idle.unwrap_or_else(|| lock(first))
}

fn rows(db: &Connection, question: &Question) -> Result<Vec<Row>, StoreError> {
    let (sql, args) = question.compose(Mark::Question);
    let mut statement = db.prepare_cached(&sql)?;
    let names = names(&statement);
    let mut found = statement.query(params_from_iter(args))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut named = Row::new();
        for (at, name) in names.iter().enumerate() {
            let value = json(row.get_ref(at)?);
            let value = match value.as_i64() {
                Some(n) if FLAGS.contains(&name.as_str()) => Value::Bool(n != 0),
                _ => value,
            };
            named.insert(name.clone(), value);
        }
        rows.push(named);
    }
    Ok(rows)
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    let names = statement.column_names();
    names.map(str::to_owned).collect()
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(n) => n.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
    }
}

impl ToSql for Arg {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => text.as_str().into(),
            Self::Id(id) => id.to_string().into(),
            Self::Int(n) | Self::At(n) => (*n).into(),
            Self::Small(n) => (*n).into(),
            Self::Real(n) => (*n).into(),
        })
    }
}

/// The function that PostgreSQL has from its migrations.
fn with_buckets(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("clm_bucket", 1, flags, |context| {
        Ok(context.get::<Option<f64>>(0)?.map(sketch::bucket))
    })?;
    Ok(())
}

/// Lets whoever speaks go first in the midst of a statement, and ends one that is `due`.
fn giving_way(connection: &mut Connection, due: Option<Instant>) -> Result<(), StoreError> {
    let mut since = Instant::now();
    let is_over = move || {
        if since.elapsed() >= IN_ONE_GO {
            give_way();
            since = Instant::now();
        }
        due.is_some_and(|due| since >= due)
    };
    Ok(connection.progress_handler(STEPS, Some(is_over))?)
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

#[cfg(test)]
mod tests;
