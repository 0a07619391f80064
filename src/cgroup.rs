//! The control groups that this process is in, of either version, and what they let it have of memory.

use std::fs;
use std::path::Path;

/// Version 1 has no word for "no limit": it tells more than any machine has. In bytes.
const NO_LIMIT: u64 = 1 << 60;

/// What a group has of its memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Without what the kernel would give back at once.
    pub used: u64,
    pub limit: u64,
    /// Of the group that we are in; of one around it else, which others may be in too.
    pub is_own: bool,
}

/// The shares of those groups that have a limit, below `root`, which is `/`: our own, and those that it is in. A container
/// may not see its own path, but its limit at the top.
#[must_use]
pub fn memory(root: &Path) -> Vec<Share> {
    let groups = root.join("sys/fs/cgroup");
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    // Each hierarchy of version 1 has paths of its own.
    let path = |is_it: fn(&str, &str) -> bool| {
        let found = own.lines().find_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let (kinds, path) = rest.split_once(':')?;
            is_it(number, kinds).then(|| path.trim_start_matches('/'))
        });
        Path::new(found.unwrap_or_default())
    };
    let newer = path(|number, kinds| number == "0" && kinds.is_empty());
    let older = path(|_, kinds| kinds.split(',').any(|kind| kind == "memory"));
    let newer = NEWER.shares(&groups, newer);
    newer
        .chain(OLDER.shares(&groups.join("memory"), older))
        .collect()
}

/// How a version calls its files, and the numbers in its statistics.
struct Names {
    limit: &'static str,
    used: &'static str,
    /// What is given back. Active files too: the embedded store's log is written and read again, and may be a quarter of a
    /// small group.
    cache: &'static [&'static str],
    /// What of it has to be written first.
    unwritten: [&'static str; 2],
    /// What of it would be read again at once, such as the program itself; with it what is shared in memory and no file.
    mapped: &'static str,
    shared: &'static str,
}

const NEWER: Names = Names {
    limit: "memory.max",
    used: "memory.current",
    cache: &["inactive_file", "active_file", "slab_reclaimable"],
    unwritten: ["file_dirty", "file_writeback"],
    mapped: "file_mapped",
    shared: "shmem",
};
const OLDER: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: &["total_inactive_file", "total_active_file"],
    unwritten: ["total_dirty", "total_writeback"],
    mapped: "total_mapped_file",
    shared: "total_shmem",
};

impl Names {
    /// From the group at `path` up to the top of the hierarchy.
    fn shares(&self, hierarchy: &Path, path: &Path) -> impl Iterator<Item = Share> {
        let groups = path.ancestors().map(|at| hierarchy.join(at));
        let seen = groups.filter(|group| group.is_dir()).enumerate();
        seen.filter_map(|(above, group)| self.read(&group, above == 0))
    }

    fn read(&self, group: &Path, is_own: bool) -> Option<Share> {
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
        let mapped = sum(&[self.mapped]).saturating_sub(sum(&[self.shared]));
        let needed = sum(&self.unwritten).saturating_add(mapped);
        let cache = sum(self.cache).saturating_sub(needed);
        Some(Share {
            used: used.saturating_sub(cache),
            limit,
            is_own,
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
