//! Rows in memory, for as long as the disk does not take them.

use std::collections::BTreeMap;
use std::io;

use super::index::Entry;
use super::{Class, Refused, Seq, Spool};

/// Bytes of payload in memory at most, however few the rows are.
const RING_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Ring {
    rows: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
    max_rows: usize,
}

impl Ring {
    pub(super) fn new(max_rows: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            bytes: 0,
            max_rows,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn has_room(&self, payload: usize) -> bool {
        self.rows.len() < self.max_rows && self.bytes.saturating_add(payload) <= RING_BYTES
    }

    pub(super) fn insert(&mut self, seq: u64, payload: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(payload.len());
        self.rows.insert(seq, payload);
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Vec<u8>> {
        self.rows.get(&seq)
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Vec<u8>> {
        let payload = self.rows.remove(&seq)?;
        self.bytes = self.bytes.saturating_sub(payload.len());
        Some(payload)
    }

    /// The oldest row.
    pub(super) fn first(&self) -> Option<u64> {
        self.numbers().next()
    }

    /// In order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.keys().copied()
    }
}

impl Spool {
    /// Nothing is written until the disk is tried again.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.failed = Some(error);
        self.active = None;
    }

    /// Where memory is full a detail is refused, and something essential takes the oldest detail's
    /// place.
    pub(super) fn keep_in_memory(
        &mut self,
        class: Class,
        at_ms: i64,
        payload: &[u8],
    ) -> Result<Seq, Refused> {
        while !self.ring.has_room(payload.len()) {
            let is_detail = |seq: &u64| {
                let entry = self.index.get(*seq);
                entry.is_some_and(|entry| entry.class == Class::Detail)
            };
            let oldest = self.ring.numbers().find(is_detail);
            let Some(oldest) = oldest.filter(|_| class == Class::Essential) else {
                return Err(Refused::Full);
            };
            self.finish(oldest);
            self.counts.dropped_detail += 1;
        }
        let seq = self.next;
        self.next = seq.saturating_add(1);
        let entry = Entry {
            at_ms,
            offset: 0,
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            segment: None,
            class,
        };
        self.index.insert(seq, entry);
        self.ring.insert(seq, payload.to_owned());
        Ok(Seq(seq))
    }

    /// Moves rows from memory to the disk, oldest first. Whether none is left.
    pub(super) fn drain(&mut self) -> bool {
        while let Some(seq) = self.ring.first() {
            let Some(payload) = self.ring.remove(seq) else {
                break;
            };
            let Some(Entry { class, at_ms, .. }) = self.index.get(seq).copied() else {
                continue;
            };
            let written = self.write_row(Some(seq), class, at_ms, &payload);
            if !matches!(written, Ok(Some(_))) {
                self.ring.insert(seq, payload);
            }
            match written {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(error) => {
                    self.fail(error);
                    return false;
                }
            }
        }
        true
    }

    /// Nobody waits for this row any more. Whether somebody did.
    pub(super) fn finish(&mut self, seq: u64) -> bool {
        let Some(entry) = self.index.remove(seq) else {
            return false;
        };
        match entry.segment.and_then(|id| self.segments.get_mut(&id)) {
            Some(segment) => segment.release(&entry),
            None => drop(self.ring.remove(seq)),
        }
        self.pending.insert(seq, seq);
        true
    }
}
