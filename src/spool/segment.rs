//! What is known of a segment without reading it.

use std::fs::File;
use std::num::NonZeroU32;

use super::Class;
use super::frame;
use super::index::Entry;

/// Segments in the order they were made, within one life.
pub(super) type Id = NonZeroU32;

const ENDING: &str = ".log";

#[derive(Debug, Default)]
pub(super) struct Segment {
    /// The first row's number, or one higher than the name before: it rises from one to the next. Rows
    /// that were in memory may have lower numbers.
    pub(super) name: u64,
    /// Bytes of its file.
    pub(super) len: u64,
    /// Bytes that survive a loss of power.
    pub(super) durable: u64,
    /// Open while it is appended to, and until all of it is durable.
    pub(super) file: Option<File>,
    /// Rows in it that wait, and the bytes of their frames.
    pub(super) rows: u64,
    pub(super) row_bytes: u64,
    /// How many of those rows are details.
    pub(super) details: u64,
    /// The lowest and the highest number of its rows, also of those that wait no more.
    pub(super) span: Option<(u64, u64)>,
    /// Bytes that writing it anew would not win.
    pub(super) settled: u64,
    /// It could not be read when the spool was opened: nobody knows what is in it.
    pub(super) is_unread: bool,
}

impl Segment {
    pub(super) fn file_name(name: u64) -> String {
        format!("{name:016x}{ENDING}")
    }

    /// The name in a file's name, if it is a segment's.
    pub(super) fn parse(file_name: &str) -> Option<u64> {
        let digits = file_name.strip_suffix(ENDING)?;
        let name = u64::from_str_radix(digits, 16).ok()?;
        (Self::file_name(name) == file_name).then_some(name)
    }

    /// A row in it waits.
    pub(super) fn add(&mut self, seq: u64, entry: &Entry) {
        self.rows += 1;
        self.row_bytes += entry.frame_bytes();
        self.details += u64::from(entry.class == Class::Detail);
        let (first, last) = self.span.unwrap_or((seq, seq));
        self.span = Some((first.min(seq), last.max(seq)));
    }

    /// A row in it waits no more.
    pub(super) fn release(&mut self, entry: &Entry) {
        self.rows = self.rows.saturating_sub(1);
        self.row_bytes = self.row_bytes.saturating_sub(entry.frame_bytes());
        let detail = u64::from(entry.class == Class::Detail);
        self.details = self.details.saturating_sub(detail);
    }

    /// The lowest number that may be in it.
    pub(super) fn first(&self) -> u64 {
        self.span
            .map_or(self.name, |(first, _)| first.min(self.name))
    }

    /// Whether it may go, once it is the oldest.
    pub(super) fn is_done(&self) -> bool {
        self.rows == 0 && !self.is_unread
    }

    /// Bytes that nobody waits for.
    pub(super) fn dead(&self) -> u64 {
        let kept = self.row_bytes.saturating_add(self.settled);
        self.len.saturating_sub(kept)
    }
}

impl Entry {
    fn frame_bytes(&self) -> u64 {
        frame::size(usize::try_from(self.length).unwrap_or(usize::MAX))
    }
}
