//! Where each waiting row lies.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Class;
use super::segment::Id;

/// 24 bytes, and 8 for the number: a backlog has hundreds of thousands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) at_ms: i64,
    /// Where its frame begins in the segment.
    pub(super) offset: u32,
    /// Bytes of its payload.
    pub(super) length: u32,
    /// None: it is in memory.
    pub(super) segment: Option<Id>,
    pub(super) class: Class,
}

#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<u64, Entry>);

impl Index {
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn first(&self) -> Option<(u64, &Entry)> {
        self.0.first_key_value().map(|(seq, entry)| (*seq, entry))
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(seq, _)| *seq)
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        self.0.get(&seq)
    }

    /// What was known of the row before.
    pub(super) fn insert(&mut self, seq: u64, entry: Entry) -> Option<Entry> {
        self.0.insert(seq, entry)
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Entry> {
        self.0.remove(&seq)
    }

    pub(super) fn take_in(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Rows after this one, in order.
    pub(super) fn after(&self, seq: Option<u64>) -> impl Iterator<Item = (u64, &Entry)> {
        let from = seq.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.0.range((from, Bound::Unbounded));
        rows.map(|(seq, entry)| (*seq, entry))
    }

    /// Rows of a segment, whose numbers are within `span`.
    pub(super) fn within(&self, segment: Id, span: (u64, u64)) -> Vec<(u64, Entry)> {
        let rows = self.0.range(span.0..=span.1.max(span.0));
        rows.filter(|(_, entry)| entry.segment == Some(segment))
            .map(|(seq, entry)| (*seq, *entry))
            .collect()
    }

    /// Keeps those that `wanted` says.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(u64, &Entry) -> bool) {
        self.0.retain(|seq, entry| wanted(*seq, entry));
    }
}
