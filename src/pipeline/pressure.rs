//! How full the machine's memory is: beyond a mark new turns are shed, before the kernel sheds all.
//!
//! Read from the files that the kernel keeps: the control group's limit where there is one, else the
//! machine's. Caches that the kernel would give back at once do not count as used.

use std::fs;
use std::path::Path;

/// Shed beyond so much of a limit of our own: what runs still needs room to grow.
const FULL_PERCENT: u64 = 85;
/// Shed beyond so much of the machine, which others may fill and empty again.
const FULL_MACHINE_PERCENT: u64 = 97;

/// Whether no new turn should be begun. Unreadable files say nothing, and nothing is shed.
#[must_use]
pub fn is_full(root: &Path) -> bool {
    let is_beyond = |(used, limit): (u64, u64), percent: u64| {
        used.saturating_mul(100) >= limit.saturating_mul(percent)
    };
    match group(&root.join("sys/fs/cgroup")) {
        Some(share) => is_beyond(share, FULL_PERCENT),
        None => machine(root).is_some_and(|share| is_beyond(share, FULL_MACHINE_PERCENT)),
    }
}

/// Used and allowed bytes of the control group, version 2.
fn group(group: &Path) -> Option<(u64, u64)> {
    let number = |file: &str| {
        let text = fs::read_to_string(group.join(file)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    // "max" is no number: there is no limit.
    let limit = number("memory.max")?;
    let current = number("memory.current")?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let sum = |kinds: &[&str]| -> u64 {
        let bytes = kinds.iter().filter_map(|kind| field(&stat, kind));
        bytes.fold(0, u64::saturating_add)
    };
    // Active too: the embedded store's log is written and read again, and may be a quarter of a small group.
    let files = sum(&["inactive_file", "active_file"]);
    // What has to be written first, and what would be read again at once, such as the program itself.
    let needed = sum(&["file_dirty", "file_writeback", "file_mapped"]);
    let cache = files.saturating_sub(needed);
    Some((current.saturating_sub(cache), limit))
}

/// Used and present kilobytes of the machine.
fn machine(root: &Path) -> Option<(u64, u64)> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = field(&info, "MemTotal:")?;
    let available = field(&info, "MemAvailable:")?;
    Some((total.saturating_sub(available), total))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().map(str::split_ascii_whitespace);
    words.find_map(|mut line| {
        (line.next()? == name).then_some(())?;
        line.next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_group_decides_and_the_machine_where_there_is_none() {
        const MAX: &str = "sys/fs/cgroup/memory.max";
        const NOW: &str = "sys/fs/cgroup/memory.current";
        const STAT: &str = "sys/fs/cgroup/memory.stat";
        const INFO: &str = "proc/meminfo";
        for (files, full) in [
            (&[][..], false),
            (&[(MAX, "1000\n"), (NOW, "849\n")], false),
            (&[(MAX, "1000\n"), (NOW, "850\n")], true),
            // A file cache is given back before anybody is killed.
            (
                &[
                    (MAX, "1000"),
                    (NOW, "990"),
                    (STAT, "anon 7\ninactive_file 100\nactive_file 50\n"),
                ],
                false,
            ),
            // But not what must be written before, or is a running program.
            (
                &[
                    (MAX, "1000"),
                    (NOW, "990"),
                    (
                        STAT,
                        "active_file 150\nfile_mapped 5\nfile_dirty 4\nfile_writeback 1\n",
                    ),
                ],
                true,
            ),
            // What is shared in memory is not.
            (
                &[
                    (MAX, "1000"),
                    (NOW, "990"),
                    (
                        STAT,
                        "shmem 600\nfile 739\ninactive_file 100\nactive_file 39\n",
                    ),
                ],
                true,
            ),
            (&[(MAX, "max\n"), (NOW, "850\n")], false),
            (
                &[(
                    INFO,
                    "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 30 kB\n",
                )],
                true,
            ),
            (&[(INFO, "MemTotal: 1000 kB\nMemAvailable: 31 kB\n")], false),
            // A limit of our own is what counts where there is one.
            (
                &[
                    (INFO, "MemTotal: 1000 kB\nMemAvailable: 1 kB\n"),
                    (MAX, "1000"),
                    (NOW, "10"),
                ],
                false,
            ),
            (&[(INFO, "nothing to read")], false),
        ] {
            assert_eq!(is_full(root(files).path()), full, "{files:?}");
        }
    }
}
