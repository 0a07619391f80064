//! A set of numbers, kept as ranges: what is done mostly lies together.

use std::collections::BTreeMap;

/// No two of its ranges touch, so their number is at most one more than that of the gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Both ends belong to it. Ends in the wrong order are nothing.
    pub(super) fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        let reach = last.saturating_add(1);
        // From the right: whatever begins within reach and is not wholly before it becomes one with it.
        while let Some((&begin, &end)) = self.0.range(..=reach).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&begin);
            first = first.min(begin);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    pub(super) fn insert_all(&mut self, other: &Self) {
        for (first, last) in other.iter() {
            self.insert(first, last);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// In order, both ends included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// The highest number in it.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// How many numbers are in it.
    pub(super) fn count(&self) -> u64 {
        let each = self
            .iter()
            .map(|(first, last)| (last - first).saturating_add(1));
        each.fold(0, u64::saturating_add)
    }

    /// The numbers from `first` up to and without `end` that are not in it.
    pub(super) fn missing(&self, first: u64, end: u64) -> Self {
        let mut missing = Self::default();
        let mut next = first;
        for (begin, last) in self.iter() {
            if begin >= end {
                break;
            }
            if let Some(before) = begin.checked_sub(1) {
                missing.insert(next, before);
            }
            next = next.max(last.saturating_add(1));
        }
        if let Some(last) = end.checked_sub(1) {
            missing.insert(next, last);
        }
        missing
    }

    /// Those from `first` on.
    pub(super) fn from(&self, first: u64) -> Self {
        let mut kept = Self::default();
        for (begin, last) in self.iter() {
            kept.insert(begin.max(first), last);
        }
        kept
    }
}
