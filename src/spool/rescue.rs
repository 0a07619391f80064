//! After a failed fsync: what was written since the last good one comes back into memory.

use super::Spool;
use super::index::Entry;
use super::reading::Reader;
use super::segment::{Id, Segment};

impl Spool {
    /// Believes nothing of what was written since the last good fsync.
    pub(super) fn rescue(&mut self) {
        self.active = None;
        let done = std::mem::take(&mut self.unsynced_done);
        self.pending.insert_all(&done);
        for segment in self.segments.values_mut() {
            segment.file = None;
        }
        self.take_back_unknown();
    }

    /// Takes rows of which nobody knows whether they are on disk back into memory. Those it has no room
    /// for stay where they are, which may well be on disk, until it has.
    pub(super) fn take_back_unknown(&mut self) {
        let is_unknown = |s: &Segment| s.file.is_none() && s.durable < s.len;
        let unknown = self.segments.iter().filter(|(_, s)| is_unknown(s));
        let unknown: Vec<(Id, u64)> = unknown.map(|(id, s)| (*id, s.durable)).collect();
        let mut reader = Reader::default();
        for (id, durable) in unknown {
            let span = self.segments.get(&id).and_then(|s| s.span);
            let rows = span.map(|span| self.index.within(id, span));
            let mut is_all = true;
            for (seq, entry) in rows.unwrap_or_default() {
                if u64::from(entry.offset) >= durable {
                    is_all &= self.take_back(seq, entry, &mut reader);
                }
            }
            if is_all {
                self.cut(id, durable);
            }
        }
    }

    /// Whether it lies there no more.
    fn take_back(&mut self, seq: u64, entry: Entry, reader: &mut Reader) -> bool {
        let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
        if !self.ring.has_room(length) {
            return false;
        }
        let payload = match self.payload(seq, &entry, reader) {
            Ok(Some(payload)) => payload,
            Ok(None) => {
                self.counts.damaged += u64::from(self.finish(seq));
                return true;
            }
            Err(_) => return false,
        };
        self.ring.insert(seq, payload);
        if let Some(segment) = entry.segment.and_then(|id| self.segments.get_mut(&id)) {
            segment.release(&entry);
        }
        let segment = None;
        self.index.insert(seq, Entry { segment, ..entry });
        true
    }
}
