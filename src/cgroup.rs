//! The control groups that this process is in, of either version, and what they let it have of memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Version 1 has no word for "no limit": it tells more than any machine has. In bytes.
const NO_LIMIT: u64 = 1 << 60;

/// What a group has of its memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Without what the kernel would give back at once.
    pub used: u64,
    pub limit: u64,
}

/// The shares of all groups that have a limit, below `root`, which is `/`. A process may be in a group within a group;
/// a container may not see its own path, but its limit at the top.
#[must_use]
pub fn memory(root: &Path) -> Vec<Share> {
    let groups = root.join("sys/fs/cgroup");
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let paths = own.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let places: BTreeSet<&Path> = paths
        .chain([""])
        .flat_map(|path| Path::new(path.trim_start_matches('/')).ancestors())
        .collect();
    let shares = places.into_iter().flat_map(|place| {
        let older = groups.join("memory").join(place);
        [NEWER.read(&groups.join(place)), OLDER.read(&older)]
    });
    shares.flatten().collect()
}

/// How a version calls its files, and the numbers in its statistics.
struct Names {
    limit: &'static str,
    used: &'static str,
    /// Active ones too: the embedded store's log is written and read again, and may be a quarter of a small group.
    files: [&'static str; 2],
    /// What has to be written first, and what would be read again at once, such as the program itself.
    needed: [&'static str; 3],
}

const NEWER: Names = Names {
    limit: "memory.max",
    used: "memory.current",
    files: ["inactive_file", "active_file"],
    needed: ["file_dirty", "file_writeback", "file_mapped"],
};
const OLDER: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
    needed: ["total_dirty", "total_writeback", "total_mapped_file"],
};

impl Names {
    fn read(&self, group: &Path) -> Option<Share> {
        let number = |file: &str| {
            let text = fs::read_to_string(group.join(file)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        // "max" is no number: there is no limit.
        let limit = number(self.limit).filter(|limit| *limit < NO_LIMIT)?;
        let used = number(self.used)?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let sum = |kinds: &[&str]| -> u64 {
            let bytes = kinds.iter().filter_map(|kind| field(&stat, kind));
            bytes.fold(0, u64::saturating_add)
        };
        let cache = sum(&self.files).saturating_sub(sum(&self.needed));
        Some(Share {
            used: used.saturating_sub(cache),
            limit,
        })
    }
}

/// The number behind a name, as the kernel writes its lists.
#[must_use]
pub fn field(text: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().map(str::split_ascii_whitespace);
    words.find_map(|mut line| {
        (line.next()? == name).then_some(())?;
        line.next()?.parse().ok()
    })
}
