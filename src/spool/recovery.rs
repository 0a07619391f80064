//! What lies in the directory when a spool begins.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;

use super::disk::{Disk, PROBE};
use super::frame::{self, HEADER, Kind, Scan};
use super::index::{Entry, Index};
use super::quarantine;
use super::ranges::Ranges;
use super::segment::{Id, Segment};

#[derive(Debug)]
pub(super) struct Found {
    pub(super) lock: File,
    pub(super) segments: BTreeMap<Id, Segment>,
    pub(super) index: Index,
    /// The next row's number, one at least.
    pub(super) next: u64,
    /// To be written as done: what is lost is told once, and numbers passed over are not lost.
    pub(super) done: Ranges,
    pub(super) lost: u64,
    pub(super) skipped: u64,
    /// Why not everything could be read and made durable.
    pub(super) unread: Option<io::Error>,
}

#[derive(Debug)]
pub(super) enum Trouble {
    Owned,
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Makes the directory, owns it, and reads all segments in it.
pub(super) fn recover(disk: &Disk) -> Result<Found, Trouble> {
    if !disk.dir().is_dir() {
        disk.make_dir(disk.dir())?;
    }
    let lock = disk.lock_file()?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Trouble::Owned),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let file_names = disk.names(disk.dir())?;
    quarantine::clear_unfinished(disk);
    let is_ours = |name: &str| name == PROBE || Segment::parse(name).is_some();
    for name in &file_names {
        if Disk::unfinished(name).is_some_and(is_ours) {
            disk.clear(&disk.path(name));
        }
    }
    let mut names: Vec<u64> = file_names
        .iter()
        .filter_map(|n| Segment::parse(n))
        .collect();
    names.sort_unstable();
    let mut reading = Reading::default();
    let mut last = Scan::default();
    let ids = (1..=u32::MAX).filter_map(Id::new);
    for (id, name) in ids.zip(names) {
        last = reading.segment(disk, id, name);
    }
    reading.unread = reading.unread.or(disk.sync_dir().err());
    Ok(reading.end(lock, last.skipped))
}

#[derive(Default)]
struct Reading {
    segments: BTreeMap<Id, Segment>,
    index: Index,
    done: Ranges,
    skipped: u64,
    unread: Option<io::Error>,
}

impl Reading {
    fn segment(&mut self, disk: &Disk, id: Id, name: u64) -> Scan {
        let path = disk.path(&Segment::file_name(name));
        let mut segment = Segment {
            name,
            ..Segment::default()
        };
        // A process that died may have left what is in the kernel's memory only.
        let read = File::open(&path).and_then(|file| disk.sync(&file));
        let bytes = match read.and_then(|()| fs::read(&path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                segment.len = fs::metadata(&path).map_or(0, |meta| meta.len());
                segment.is_unread = true;
                self.segments.insert(id, segment);
                self.unread = Some(error);
                return Scan::default();
            }
        };
        segment.len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        segment.durable = segment.len;
        let (segments, index) = (&mut self.segments, &mut self.index);
        let length = segment.len;
        segments.insert(id, segment);
        let scan = frame::scan(name, &bytes, |at, head, payload| match head.kind {
            Kind::Done => frame::decode_done(payload, &mut self.done),
            Kind::Row(class) => {
                let entry = Entry {
                    at_ms: head.at_ms,
                    offset: u32::try_from(at).unwrap_or(u32::MAX),
                    length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
                    segment: Some(id),
                    class,
                };
                // Written twice, when an fsync had failed: the older copy counts for nothing.
                let older = index.insert(head.seq, entry);
                if let Some(older) = older
                    && let Some(of) = older.segment.and_then(|of| segments.get_mut(&of))
                {
                    of.release(&older);
                }
                if let Some(segment) = segments.get_mut(&id) {
                    segment.add(head.seq, &entry);
                }
            }
        });
        self.skipped = self.skipped.saturating_add(scan.skipped);
        // A crash leaves torn frames at the end. Where they cannot be cut away they do no harm.
        if scan.end < length
            && disk.cut(&path, scan.end).is_ok()
            && let Some(segment) = segments.get_mut(&id)
        {
            segment.len = scan.end;
            segment.durable = scan.end;
        }
        scan
    }

    /// `torn` bytes of the newest segment could not be decoded. They may have held rows, whose numbers
    /// are not given again.
    fn end(mut self, lock: File, torn: u64) -> Found {
        let oldest = self.segments.values().map(Segment::first).min();
        let newest = self.segments.values().map(|s| s.name).max();
        let spans = self.segments.values().filter_map(|s| s.span);
        let highest = spans.map(|(_, last)| last).max().max(self.done.last());
        let after = highest.map_or(1, |seq| seq.saturating_add(1));
        let known = after.max(newest.unwrap_or(1)).max(1);
        let header = u64::try_from(HEADER).unwrap_or(u64::MAX);
        let next = known.saturating_add(torn.div_ceil(header));

        let mut seen = self.done.clone();
        for (seq, _) in self.index.after(None) {
            seen.insert(seq, seq);
        }
        let missing = seen.missing(oldest.unwrap_or(known), known);
        let lost = missing.count();
        let mut done = Ranges::default();
        // What could not be read may be read another time.
        if self.unread.is_none() {
            done = missing;
            done.insert(known, next.saturating_sub(1));
        }
        let was_done = self.done.clone();
        self.forget(&was_done);
        Found {
            lock,
            segments: self.segments,
            index: self.index,
            next,
            done,
            lost,
            skipped: self.skipped,
            unread: self.unread,
        }
    }

    /// Drops the rows that are done.
    fn forget(&mut self, done: &Ranges) {
        let mut ranges = done.iter().peekable();
        let segments = &mut self.segments;
        self.index.retain(|seq, entry| {
            while ranges.next_if(|(_, last)| *last < seq).is_some() {}
            let is_done = ranges.peek().is_some_and(|(first, _)| *first <= seq);
            if is_done && let Some(segment) = entry.segment.and_then(|id| segments.get_mut(&id)) {
                segment.release(entry);
            }
            !is_done
        });
    }
}
