//! Rows and acknowledgements onto the disk, and what happens when it does not take them.

use std::io;

use super::frame::{self, Head, Kind, Place};
use super::index::Entry;
use super::ranges::Ranges;
use super::recovery::{self, Trouble};
use super::segment::{Id, Segment};
use super::{Class, Spool, again};

/// Numbers a millisecond, for a spool that cannot know which were given: more than can be appended.
const NUMBERS_A_MS: u64 = 1 << 20;

/// Bytes of a segment in which there can be no row: a frame that tells what is done.
const WORN: u64 = 256;

impl Spool {
    /// Whether a [`Spool::sync`] has something to do.
    pub fn is_unsynced(&self) -> bool {
        let is_unsynced = |s: &Segment| s.file.is_some() && s.durable < s.len;
        let is_written = self.is_dir_unsynced || self.segments.values().any(is_unsynced);
        let is_kept = self.failed.is_some() && !self.ring.is_empty();
        is_written || is_kept || !self.pending.is_empty()
    }

    /// Makes durable what was appended and acknowledged since the last time: an fsync of every segment
    /// written to, and of the directory when one was made. Does nothing when there is nothing.
    ///
    /// # Errors
    /// What the disk said, now or when the spool became degraded: then not all that was appended is
    /// durable. Acknowledgements for which there is no room within the bound wait for the next sync.
    pub fn sync(&mut self) -> io::Result<()> {
        if !self.is_unsynced() {
            return Ok(());
        }
        let mut written = Ok(true);
        if self.failed.is_none() {
            written = self.write_pending();
        }
        let is_complete = match written {
            Ok(is_complete) => is_complete,
            Err(error) => {
                self.fail(error);
                false
            }
        };
        if let Err(error) = self.sync_files() {
            self.fail(error);
        }
        if let Some(error) = &self.failed {
            return Err(again(error));
        }
        self.remove_done();
        match is_complete {
            true => Ok(()),
            false => Err(io::ErrorKind::QuotaExceeded.into()),
        }
    }

    /// Where nothing waits, begins another segment, so that what has arrived goes from the disk. Does
    /// nothing where the newest segment is as good as empty.
    ///
    /// # Errors
    /// What the disk said.
    pub fn turn_page(&mut self) -> io::Result<()> {
        let newest = self.segments.last_key_value();
        let is_worn = newest.is_some_and(|(_, segment)| segment.len > WORN);
        if !self.is_empty() || self.failed.is_some() || !is_worn {
            return Ok(());
        }
        self.active = None;
        self.roll(0, self.next)?;
        self.sync()
    }

    /// Moves rows from memory to the disk if the disk works again, and makes them durable. Whether the
    /// spool is not degraded any more.
    pub fn retry_disk(&mut self) -> bool {
        if self.lock.is_none() && !self.take_late() {
            return false;
        }
        if self.failed.is_some() {
            self.remove_done();
            self.failed = self.disk.probe().err();
            if self.failed.as_ref().is_some_and(is_full) && self.begin_anew() {
                self.failed = self.disk.probe().err();
            }
        }
        while self.failed.is_none() && self.drain() {
            self.take_back_unknown();
            if self.ring.is_empty() {
                return self.sync().is_ok() && !self.is_degraded();
            }
        }
        false
    }

    /// What fills the disk may be the newest segment, when nobody waits for a row of it any more. One without a
    /// byte takes its place, and its number with it. Whether any has gone.
    fn begin_anew(&mut self) -> bool {
        let newest = self.segments.last_key_value();
        let is_in_the_way = newest.is_some_and(|(_, s)| s.len > WORN && s.is_done());
        if !is_in_the_way {
            return false;
        }
        self.active = None;
        self.roll(0, self.next).is_ok() && self.remove_done()
    }

    /// Takes a directory that was not to be had when the spool was opened. What lies there is older
    /// than what is in memory, and so are its numbers unless a clock went wrong: then it is left alone.
    fn take_late(&mut self) -> bool {
        let found = match recovery::recover(&self.disk) {
            Ok(found) => found,
            Err(Trouble::Io(error)) => {
                self.failed = Some(error);
                return false;
            }
            Err(Trouble::Owned) => {
                self.failed = Some(io::ErrorKind::ResourceBusy.into());
                return false;
            }
        };
        let done = self.pending.iter().next().map(|(first, _)| first);
        let own = [done, self.index.first().map(|(seq, _)| seq)];
        if let Some(own) = own.into_iter().flatten().min() {
            if found.next > own {
                self.failed = Some(io::ErrorKind::AlreadyExists.into());
                return false;
            }
            // Never given, so not lost.
            self.pending.insert(found.next, own.saturating_sub(1));
        }
        let told = self.adopt(found);
        self.counts.damaged = self.counts.damaged.saturating_add(told.lost_rows);
        true
    }

    /// A spool without its directory does not know which numbers were given. It begins where no other
    /// life of it got to: at the time.
    pub(super) fn begin_numbers(&mut self, at_ms: i64) {
        if self.next == 0 {
            let ms = u64::try_from(at_ms).unwrap_or(0);
            self.next = ms.saturating_mul(NUMBERS_A_MS).max(1);
        }
    }

    /// Writes a row with the number it has, or the next. None where there is no room.
    pub(super) fn write_row(
        &mut self,
        seq: Option<u64>,
        class: Class,
        at_ms: i64,
        payload: &[u8],
    ) -> io::Result<Option<u64>> {
        let size = frame::size(payload.len());
        if !self.make_room(size, self.limits.for_rows(), true)? {
            return Ok(None);
        }
        let id = self.roll(size, seq.unwrap_or(self.next))?;
        // A new segment may have passed over numbers.
        let number = seq.unwrap_or(self.next);
        let head = Head {
            kind: Kind::Row(class),
            seq: number,
            at_ms,
        };
        let offset = self.write(id, |out, place| frame::encode(out, place, head, payload))?;
        if seq.is_none() {
            self.next = self.next.saturating_add(1);
        }
        let entry = Entry {
            at_ms,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            segment: Some(id),
            class,
        };
        self.index.insert(number, entry);
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.add(number, &entry);
        }
        Ok(Some(number))
    }

    /// The segment that takes `size` more bytes: the active one, or a new one that begins with `seq`.
    fn roll(&mut self, size: u64, seq: u64) -> io::Result<Id> {
        if let Some(id) = self.active
            && let Some(active) = self.segments.get(&id)
            && (active.len == 0 || active.len.saturating_add(size) <= self.limits.segment_bytes)
        {
            return Ok(id);
        }
        let newest = self.segments.last_key_value();
        let name = newest.map_or(seq, |(_, s)| seq.max(s.name.saturating_add(1)));
        let id = newest.map_or(Some(Id::MIN), |(id, _)| id.checked_add(1));
        let id = id.ok_or(io::ErrorKind::FileTooLarge)?;
        let file = self
            .disk
            .create(&self.disk.path(&Segment::file_name(name)))?;
        let segment = Segment {
            name,
            file: Some(file),
            ..Segment::default()
        };
        self.segments.insert(id, segment);
        self.active = Some(id);
        self.is_dir_unsynced = true;
        if name > self.next {
            // The name was taken by a segment without rows. What is passed over is not lost.
            let mut passed = Ranges::default();
            passed.insert(self.next, name.saturating_sub(1));
            self.next = name;
            self.write_done(id, &passed)?;
        }
        Ok(id)
    }

    fn write_done(&mut self, id: Id, done: &Ranges) -> io::Result<()> {
        let written = self.write(id, |out, place| frame::encode_done(out, place, done));
        match written {
            Ok(_) => self.unsynced_done.insert_all(done),
            Err(_) => self.pending.insert_all(done),
        }
        written.map(|_| ())
    }

    /// Appends what `encode` makes for its place, and says which place that was.
    fn write(&mut self, id: Id, encode: impl FnOnce(&mut Vec<u8>, Place)) -> io::Result<u64> {
        let segment = self.segments.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let file = segment.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = Vec::new();
        let offset = segment.len;
        let place = Place {
            segment: segment.name,
            offset,
        };
        encode(&mut bytes, place);
        if let Err(error) = self.disk.append(file, &bytes) {
            self.active = None;
            self.cut(id, offset);
            return Err(error);
        }
        let written = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        segment.len = segment.len.saturating_add(written);
        self.used = self.used.saturating_add(written);
        Ok(offset)
    }

    /// Cuts a segment's end off, and removes one of which nothing is left. Where the disk does not even
    /// do that, what is there counts as used.
    pub(super) fn cut(&mut self, id: Id, length: u64) {
        let Some(segment) = self.segments.get_mut(&id) else {
            return;
        };
        let path = self.disk.path(&Segment::file_name(segment.name));
        let before = segment.len;
        segment.len = match self.disk.cut(&path, length) {
            Ok(()) => length,
            Err(_) => std::fs::metadata(&path).map_or(before, |meta| meta.len()),
        };
        self.used = self.used.saturating_sub(before).saturating_add(segment.len);
        if segment.len == 0 && segment.is_done() && self.disk.remove(&path).is_ok() {
            self.segments.remove(&id);
        }
    }

    /// Whether all of it was written: there may be no room.
    fn write_pending(&mut self) -> io::Result<bool> {
        if self.pending.is_empty() {
            return Ok(true);
        }
        let mut bytes = Vec::new();
        let place = Place {
            segment: 0,
            offset: 0,
        };
        frame::encode_done(&mut bytes, place, &self.pending);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if !self.make_room(size, self.limits.for_acks(), false)? {
            return Ok(false);
        }
        let id = self.roll(size, self.next)?;
        let pending = std::mem::take(&mut self.pending);
        self.write_done(id, &pending)?;
        Ok(true)
    }

    /// Makes durable what is on disk. Where that fails nothing of it is believed any more.
    pub(super) fn sync_files(&mut self) -> io::Result<()> {
        let synced = self.sync_each();
        match synced {
            Ok(()) => self.unsynced_done.clear(),
            Err(_) => self.rescue(),
        }
        synced
    }

    fn sync_each(&mut self) -> io::Result<()> {
        if self.is_dir_unsynced || self.is_removal_unsynced {
            self.sync_dir()?;
        }
        for (id, segment) in &mut self.segments {
            if let Some(file) = &segment.file
                && segment.durable < segment.len
            {
                self.disk.sync(file)?;
                segment.durable = segment.len;
            }
            if self.active != Some(*id) {
                segment.file = None;
            }
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self) -> io::Result<()> {
        self.disk.sync_dir()?;
        self.is_dir_unsynced = false;
        self.is_removal_unsynced = false;
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
