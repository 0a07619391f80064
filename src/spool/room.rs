//! Room within the bound: what is done goes first, then the oldest details.

use std::io;

use super::Spool;
use super::frame::{self, Kind, Place};
use super::index::Entry;
use super::ranges::Ranges;
use super::segment::{Id, Segment};

/// A segment is written anew when one byte in so many would be won.
const WORTH: u64 = 8;

/// A segment as it will be.
#[derive(Debug, Default)]
struct Anew {
    bytes: Vec<u8>,
    /// Rows that stay, with their new places.
    kept: Vec<(u64, u32)>,
    /// What nobody waits for any more, from its own rows and from its acknowledgements.
    done: Ranges,
}

impl Spool {
    /// Makes room for `size` bytes more within `bound`. Whether there is any.
    pub(super) fn make_room(&mut self, size: u64, bound: u64, may_drop: bool) -> io::Result<bool> {
        while self.used.saturating_add(size) > bound {
            if self.remove_done() {
                continue;
            }
            if let Some(id) = self.worth_writing() {
                self.write_anew(id, false)?;
            } else if let Some(id) = self.with_details().filter(|_| may_drop) {
                if !self.write_anew(id, true)? {
                    return Ok(false);
                }
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the oldest segments as long as nobody waits for a row of them. Whether any has gone.
    ///
    /// Each removal is durable before the next: an older one that a loss of power brought back would
    /// find the acknowledgements of its rows gone. Where a removal fails the next sync tries again.
    pub(super) fn remove_done(&mut self) -> bool {
        let before = self.segments.len();
        while self.segments.len() > 1
            && let Some((&id, oldest)) = self.segments.first_key_value()
            && oldest.is_done()
        {
            let path = self.disk.path(&Segment::file_name(oldest.name));
            let len = oldest.len;
            if self.is_removal_unsynced && self.sync_dir().is_err() {
                break;
            }
            if self.disk.remove(&path).is_err() && path.exists() {
                break;
            }
            self.is_removal_unsynced = true;
            self.segments.remove(&id);
            self.used = self.used.saturating_sub(len);
        }
        self.segments.len() < before
    }

    fn worth_writing(&self) -> Option<Id> {
        let is_worth = |s: &Segment| s.dead() > 0 && s.dead() >= s.len / WORTH && !s.is_unread;
        let found = self.segments.iter().find(|(_, s)| is_worth(s));
        found.map(|(id, _)| *id)
    }

    fn with_details(&self) -> Option<Id> {
        let found = self.segments.iter().find(|(_, s)| s.details > 0);
        found.map(|(id, _)| *id)
    }

    /// Writes a segment anew without what is done, and without its details if they are to go. Whether
    /// there was room for that: until it is in place the old one is there too.
    fn write_anew(&mut self, id: Id, drop_details: bool) -> io::Result<bool> {
        // What is read here has to be what is on disk.
        self.sync_files()?;
        if self.active == Some(id) {
            self.active = None;
        }
        let Some(segment) = self.segments.get_mut(&id) else {
            return Ok(false);
        };
        segment.file = None;
        // Whatever comes of it: no other round for the same bytes.
        segment.settled = segment.len.saturating_sub(segment.row_bytes);
        let path = self.disk.path(&Segment::file_name(segment.name));
        let old = std::fs::read(&path)?;
        let anew = self.anew(id, &old, drop_details);
        let len = u64::try_from(anew.bytes.len()).unwrap_or(u64::MAX);
        let old_len = u64::try_from(old.len()).unwrap_or(u64::MAX);
        let is_smaller = drop_details || len < old_len;
        if !is_smaller || self.used.saturating_add(len) > self.limits.total_bytes {
            return Ok(!drop_details);
        }
        self.disk.replace(&path, &anew.bytes)?;
        let synced = self.sync_dir();
        self.take_place(id, &anew, len);
        synced.map(|()| true)
    }

    fn anew(&self, id: Id, old: &[u8], drop_details: bool) -> Anew {
        let mut anew = Anew::default();
        let name = self.segments.get(&id).map_or(0, |s| s.name);
        let place = |bytes: &[u8]| Place {
            segment: name,
            offset: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        };
        let is_kept = |entry: &Entry, at: u64, kind: Kind| {
            let is_here = entry.segment == Some(id) && u64::from(entry.offset) == at;
            let goes = drop_details && kind == Kind::Row(super::Class::Detail);
            is_here && !goes
        };
        frame::scan(name, old, |at, head, payload| match head.kind {
            Kind::Done => frame::decode_done(payload, &mut anew.done),
            Kind::Row(_) => {
                let entry = self.index.get(head.seq);
                if entry.is_some_and(|entry| is_kept(entry, at, head.kind)) {
                    let place = place(&anew.bytes);
                    let offset = u32::try_from(place.offset).unwrap_or(u32::MAX);
                    anew.kept.push((head.seq, offset));
                    frame::encode(&mut anew.bytes, place, head, payload);
                } else if entry.is_none_or(|entry| entry.segment == Some(id)) {
                    anew.done.insert(head.seq, head.seq);
                }
            }
        });
        // What is older than the oldest segment is asked for by nobody.
        let oldest = self.segments.values().map(Segment::first).min();
        anew.done = anew.done.from(oldest.unwrap_or(0));
        let place = place(&anew.bytes);
        frame::encode_done(&mut anew.bytes, place, &anew.done);
        anew
    }

    /// What was written anew is in place: rows have moved, or gone.
    fn take_place(&mut self, id: Id, anew: &Anew, len: u64) {
        let Some(segment) = self.segments.get_mut(&id) else {
            return;
        };
        self.used = self.used.saturating_sub(segment.len).saturating_add(len);
        let rows = segment.span.map(|span| self.index.within(id, span));
        segment.len = len;
        segment.durable = len;
        let mut kept = anew.kept.iter().copied().peekable();
        for (seq, entry) in rows.unwrap_or_default() {
            match kept.next_if(|(of, _)| *of == seq) {
                Some((_, offset)) => {
                    self.index.insert(seq, Entry { offset, ..entry });
                }
                None => {
                    self.index.remove(seq);
                    segment.release(&entry);
                    // It may not be in the file as done: it could not be read.
                    self.pending.insert(seq, seq);
                    let is_detail = entry.class == super::Class::Detail;
                    match anew.done.missing(seq, seq.saturating_add(1)).is_empty() && is_detail {
                        true => self.counts.dropped_detail += 1,
                        false => self.counts.damaged += 1,
                    }
                }
            }
        }
        segment.settled = len.saturating_sub(segment.row_bytes);
    }
}
