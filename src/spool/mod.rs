//! Rows that must not be lost wait here, on disk and in order, until whoever takes them says that
//! they have arrived.
//!
//! A leaf: it knows nothing of what the rows say, logs nothing and moves no metric. What happened is
//! returned, and its user tells it. All of it is synchronous and waits for the disk.
//!
//! **On disk** a directory of segments, each named by the sequence number it begins with, and each a
//! run of frames (`frame`). Rows and acknowledgements are both appended to the newest segment. A
//! segment goes when it is the oldest and nobody waits for a row of it, so that an acknowledgement
//! never goes before its row. The newest always stays: it carries the next number, and numbers are
//! not given twice. A segment found at the start is never appended to (`recovery`).
//!
//! **Durable** is what was appended before the last [`Spool::sync`] that went well. A process that
//! dies without one loses nothing that was appended; a machine that loses power does. A row that
//! power cut off before it was durable leaves its number to another.
//!
//! **Degraded** is a spool that keeps rows in memory (`ring`), because the disk failed or has no room
//! within the bound. After a failed write nothing more goes into that segment, and what was torn is
//! cut away. After a failed fsync nobody knows what is on disk: Linux calls the pages clean and may
//! have dropped them. What was appended since the last good one is read back, checked, and kept in
//! memory, and cut from the disk where that is possible, so that there is one copy and it is a known
//! one (`rescue`). [`Spool::retry_disk`] writes it again.
//!
//! **When the bound is reached** (`room`) what is acknowledged goes first, then the oldest details.
//! Segments are written anew without them, which costs an fsync and at most a segment's bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

mod disk;
mod frame;
mod index;
mod look;
mod quarantine;
mod ranges;
mod reading;
mod recovery;
mod rescue;
mod ring;
mod room;
mod segment;
mod writing;

use self::disk::Disk;
use self::index::Index;
use self::quarantine::Quarantine;
use self::ranges::Ranges;
use self::recovery::{Found, Trouble};
use self::ring::Ring;
use self::segment::{Id, Segment};

pub use self::look::{Left, look};

/// How much a spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a segment; a single larger row has one of its own. At most an eighth of `total_bytes`.
    pub segment_bytes: u64,
    /// Bytes of all segments on disk, never exceeded. Two segments' worth is kept free of rows, for
    /// acknowledgements and for writing segments anew. The quarantine comes on top.
    pub total_bytes: u64,
    /// Bytes of one row's payload.
    pub row_bytes: usize,
    /// Rows in memory while the disk does not take them, 64 MiB at most.
    pub ring_rows: usize,
    /// Bytes of what is set aside.
    pub quarantine_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            total_bytes: 512 << 20,
            row_bytes: 1 << 20,
            ring_rows: 10_000,
            quarantine_bytes: 8 << 20,
        }
    }
}

impl Limits {
    /// The same, made to fit each other: offsets in a segment have 32 bits, and a row fits on disk.
    fn fitted(self) -> Self {
        let segment_bytes = self.segment_bytes.min(self.total_bytes / 8).min(1 << 30);
        let fitted = Self {
            segment_bytes,
            ..self
        };
        let payload = fitted
            .for_rows()
            .saturating_sub(frame::size(0))
            .min(1 << 30);
        Self {
            row_bytes: self
                .row_bytes
                .min(usize::try_from(payload).unwrap_or(usize::MAX)),
            ..fitted
        }
    }

    /// Bytes that may be on disk after a row was added.
    fn for_rows(&self) -> u64 {
        self.for_acks().saturating_sub(self.segment_bytes)
    }

    /// Bytes that may be on disk after acknowledgements were added.
    fn for_acks(&self) -> u64 {
        self.total_bytes.saturating_sub(self.segment_bytes)
    }
}

/// What goes first when there is no room: the oldest details, and never anything essential for the
/// sake of a detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Essential,
    Detail,
}

/// A row's place in the order of appending, and its name. Numbers rise, with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub seq: Seq,
    pub class: Class,
    /// When it was appended, in milliseconds of the wall clock, as its user said.
    pub at_ms: i64,
    pub payload: Vec<u8>,
}

/// What a spool found when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Rows that wait.
    pub rows: u64,
    /// Rows that were neither found nor acknowledged: gaps in the sequence numbers. Told once.
    pub lost_rows: u64,
    /// Bytes that could not be decoded, where they lie at present: told at each start until their
    /// segment goes. A segment's torn end is cut away and told once.
    pub skipped_bytes: u64,
    /// Why the spool is degraded, or why not all that lies there could be read.
    pub degraded: Option<io::Error>,
}

/// What happened since the last time this was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Details dropped for want of room.
    pub dropped_detail: u64,
    /// Rows that could be read once and cannot any more.
    pub damaged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no room on disk or in memory")]
    Full,
    #[error("the row is larger than the spool takes")]
    TooLarge,
}

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("{} belongs to another process", .0.display())]
    Owned(PathBuf),
}

/// See the module's words.
#[derive(Debug)]
pub struct Spool {
    limits: Limits,
    disk: Disk,
    /// Held as long as the spool lives. None where the directory was not to be had so far.
    lock: Option<File>,
    /// Oldest first.
    segments: BTreeMap<Id, Segment>,
    /// The one that is appended to.
    active: Option<Id>,
    index: Index,
    ring: Ring,
    /// The next row's number; zero until there is one.
    next: u64,
    /// Bytes of all segments on disk.
    used: u64,
    /// Done, and not written yet.
    pending: Ranges,
    /// Done and written since the last good fsync.
    unsynced_done: Ranges,
    /// A segment was made since the directory was synced.
    is_dir_unsynced: bool,
    /// A segment was removed since then.
    is_removal_unsynced: bool,
    /// Why nothing is written at present.
    failed: Option<io::Error>,
    counts: Counts,
    quarantine: Quarantine,
}

impl Spool {
    /// Opens the directory, makes it where there is none, and reads all that lies there. One that
    /// cannot be had or written gives a degraded spool.
    ///
    /// # Errors
    /// Only where another spool, of this process or another, owns the directory.
    pub fn open(dir: &Path, limits: Limits) -> Result<(Self, Recovered), SpoolError> {
        Self::open_on(Disk::new(dir), limits)
    }

    fn open_on(disk: Disk, limits: Limits) -> Result<(Self, Recovered), SpoolError> {
        let limits = limits.fitted();
        let mut spool = Self {
            limits,
            disk,
            lock: None,
            segments: BTreeMap::new(),
            active: None,
            index: Index::default(),
            ring: Ring::new(limits.ring_rows),
            next: 0,
            used: 0,
            pending: Ranges::default(),
            unsynced_done: Ranges::default(),
            is_dir_unsynced: false,
            is_removal_unsynced: false,
            failed: None,
            counts: Counts::default(),
            quarantine: Quarantine::default(),
        };
        let mut recovered = Recovered::default();
        match recovery::recover(&spool.disk) {
            Ok(found) => {
                recovered = spool.adopt(found);
                spool.failed = spool.disk.probe().err();
                // What is lost is told now, and not again after a crash. A failure is told below.
                spool.sync().unwrap_or_default();
            }
            Err(Trouble::Owned) => return Err(SpoolError::Owned(spool.disk.dir().to_owned())),
            Err(Trouble::Io(error)) => spool.failed = Some(error),
        }
        let unread = recovered.degraded.take();
        recovered.degraded = unread.or(spool.failed.as_ref().map(again));
        Ok((spool, recovered))
    }

    /// Takes over what lies in the directory.
    fn adopt(&mut self, found: Found) -> Recovered {
        let told = Recovered {
            rows: found.index.len(),
            lost_rows: found.lost,
            skipped_bytes: found.skipped,
            degraded: found.unread,
        };
        self.lock = Some(found.lock);
        self.used = found.segments.values().map(|s| s.len).sum();
        self.segments = found.segments;
        self.index.take_in(found.index);
        self.pending.insert_all(&found.done);
        if self.next == 0 {
            self.next = found.next;
        }
        self.quarantine = Quarantine::open(&self.disk, self.limits.quarantine_bytes);
        told
    }

    /// Keeps a row. On an I/O error it is kept in memory, and the spool is degraded. Costs a write,
    /// and an fsync and more only where room has to be made.
    ///
    /// # Errors
    /// [`Refused::TooLarge`], or [`Refused::Full`] where neither the disk nor the memory takes it: a
    /// detail is refused where there is no older detail to drop.
    pub fn append(&mut self, class: Class, payload: &[u8], at_ms: i64) -> Result<Seq, Refused> {
        if payload.len() > self.limits.row_bytes {
            return Err(Refused::TooLarge);
        }
        self.begin_numbers(at_ms);
        if self.next == u64::MAX {
            return Err(Refused::Full);
        }
        let has_way = self.failed.is_none() && self.drain();
        if has_way {
            match self.write_row(None, class, at_ms, payload) {
                Ok(Some(seq)) => return Ok(Seq(seq)),
                Ok(None) => {}
                Err(error) => self.fail(error),
            }
        }
        // The disk works and has no room within the bound: details do not fill the memory too.
        if self.failed.is_none() && class == Class::Detail {
            return Err(Refused::Full);
        }
        self.keep_in_memory(class, at_ms, payload)
    }

    /// Rows that wait, in order, from the one after `after` on, or the oldest: at most `max_rows`,
    /// and about `max_bytes` of payload, but one at least. What cannot be read at present is left
    /// out; what is damaged is dropped and counted.
    pub fn read(&mut self, after: Option<Seq>, max_rows: usize, max_bytes: usize) -> Vec<Row> {
        self.read_rows(after, max_rows, max_bytes)
    }

    /// These rows are done, in any order; unknown ones are ignored. Durable with the next sync: an
    /// acknowledgement that a crash loses means that the row is read again.
    pub fn ack(&mut self, rows: &[Seq]) {
        for Seq(seq) in rows {
            self.finish(*seq);
        }
    }

    /// Sets a poison row aside, with the reason, in a file of the directory's `quarantine`, and
    /// acknowledges it. Where that cannot be written it is acknowledged all the same: it must not
    /// come again.
    pub fn quarantine(&mut self, row: &Row, why: &str) {
        if self.finish(row.seq.0) && self.lock.is_some() {
            self.quarantine.keep(&self.disk, row, why);
        }
    }

    /// Rows that lie set aside.
    pub fn quarantined(&self) -> u64 {
        self.quarantine.len()
    }

    /// Whether rows are kept in memory, or would be.
    pub fn is_degraded(&self) -> bool {
        self.failed.is_some() || !self.ring.is_empty()
    }

    /// Rows that are in memory alone, and end with the process.
    pub fn in_memory(&self) -> usize {
        self.ring.numbers().count()
    }

    /// Rows that wait, on disk and in memory.
    pub fn len(&self) -> u64 {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    /// Bytes of all segments on disk, with what is acknowledged and not gone yet.
    pub fn bytes(&self) -> u64 {
        self.used
    }

    /// The row that has waited longest.
    pub fn oldest(&self) -> Option<Seq> {
        self.index.first().map(|(seq, _)| Seq(seq))
    }

    /// The row that was appended last, of those that wait.
    pub fn newest(&self) -> Option<Seq> {
        self.index.last().map(Seq)
    }

    /// When the oldest row was appended, in milliseconds of the wall clock: the age of the backlog.
    pub fn oldest_at_ms(&self) -> Option<i64> {
        self.index.first().map(|(_, entry)| entry.at_ms)
    }

    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}

/// A spool that ends in order leaves nothing to be read again.
impl Drop for Spool {
    fn drop(&mut self) {
        self.sync().unwrap_or_default();
    }
}

/// An error that can be told more than once.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests;
