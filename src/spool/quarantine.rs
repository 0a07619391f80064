//! Rows set aside because nobody takes them: one file each, for a person to look at.

use std::collections::VecDeque;
use std::fs;

use super::disk::Disk;
use super::{Class, Row};

const FOLDER: &str = "quarantine";
const ENDING: &str = ".row";
/// Characters of a reason that are kept.
const WHY_CHARS: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Quarantine {
    /// Number and bytes of each, oldest first.
    rows: VecDeque<(u64, u64)>,
    bytes: u64,
    max_bytes: u64,
}

impl Quarantine {
    /// What lies there. Where it cannot be read there is nothing.
    pub(super) fn open(disk: &Disk, max_bytes: u64) -> Self {
        let folder = disk.path(FOLDER);
        let names = disk.names(&folder).unwrap_or_default();
        let mut rows: Vec<(u64, u64)> = names
            .iter()
            .filter_map(|name| {
                let seq = parse(name)?;
                let bytes = fs::metadata(folder.join(name)).ok()?.len();
                Some((seq, bytes))
            })
            .collect();
        rows.sort_unstable();
        Self {
            bytes: rows.iter().map(|(_, bytes)| bytes).sum(),
            rows: rows.into(),
            max_bytes,
        }
    }

    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }

    /// The oldest go until there is room. One that is larger than all the room is not kept.
    pub(super) fn keep(&mut self, disk: &Disk, row: &Row, why: &str) {
        let content = content(row, why);
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if bytes > self.max_bytes {
            return;
        }
        self.forget(disk, |(seq, _)| *seq == row.seq.0);
        while self.bytes.saturating_add(bytes) > self.max_bytes {
            let oldest = self.rows.front().copied();
            if !self.forget(disk, |kept| Some(*kept) == oldest) {
                return;
            }
        }
        let folder = disk.path(FOLDER);
        let kept = disk.make_dir(&folder).and_then(|()| {
            let path = folder.join(file_name(row.seq.0));
            disk.replace(&path, &content)
        });
        if kept.is_ok() {
            self.rows.push_back((row.seq.0, bytes));
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Whether one that is meant is there no more.
    fn forget(&mut self, disk: &Disk, is_meant: impl Fn(&(u64, u64)) -> bool) -> bool {
        let Some(at) = self.rows.iter().position(is_meant) else {
            return false;
        };
        let Some((seq, bytes)) = self.rows.get(at).copied() else {
            return false;
        };
        let path = disk.path(FOLDER).join(file_name(seq));
        if path.exists() && disk.remove(&path).is_err() {
            return false;
        }
        self.rows.remove(at);
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

/// One line of what is known, then the payload as it came.
fn content(row: &Row, why: &str) -> Vec<u8> {
    let class = match row.class {
        Class::Essential => "essential",
        Class::Detail => "detail",
    };
    let why: String = why
        .chars()
        .take(WHY_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = format!(
        "seq={} at_ms={} class={class} why={why}\n",
        row.seq.0, row.at_ms
    );
    let mut content = line.into_bytes();
    content.extend_from_slice(&row.payload);
    content
}

fn file_name(seq: u64) -> String {
    format!("{seq:016x}{ENDING}")
}

fn parse(name: &str) -> Option<u64> {
    let seq = u64::from_str_radix(name.strip_suffix(ENDING)?, 16).ok()?;
    (file_name(seq) == name).then_some(seq)
}

/// Removes what a crash left half written.
pub(super) fn clear_unfinished(disk: &Disk) {
    let folder = disk.path(FOLDER);
    for name in disk.names(&folder).unwrap_or_default() {
        if Disk::unfinished(&name).and_then(parse).is_some() {
            disk.clear(&folder.join(name));
        }
    }
}
