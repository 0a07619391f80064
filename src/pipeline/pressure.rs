//! How full the machine's memory is: beyond a mark new turns are shed, before the kernel sheds all.
//!
//! Read from the files that the kernel keeps: the control groups' limits where there are any, else the
//! machine's. Caches that the kernel would give back at once do not count as used.

use std::fs;
use std::path::Path;

use crate::cgroup::{self, field};

/// Shed beyond so much of a limit of our own: what runs still needs room to grow.
const FULL_PERCENT: u64 = 85;
/// Shed beyond so much of the machine, or of a group around our own, which others may fill and empty again.
const FULL_MACHINE_PERCENT: u64 = 97;

/// Whether no new turn should be begun. Unreadable files say nothing, and nothing is shed.
#[must_use]
pub fn is_full(root: &Path) -> bool {
    let is_beyond =
        |used: u64, limit: u64, percent| used.saturating_mul(100) >= limit.saturating_mul(percent);
    let shares = cgroup::memory(root);
    if shares.is_empty() {
        let machine = machine(root);
        return machine.is_some_and(|(used, all)| is_beyond(used, all, FULL_MACHINE_PERCENT));
    }
    shares.iter().any(|share| {
        let percent = if share.is_own {
            FULL_PERCENT
        } else {
            FULL_MACHINE_PERCENT
        };
        is_beyond(share.used, share.limit, percent)
    })
}

/// Used and present kilobytes of the machine.
fn machine(root: &Path) -> Option<(u64, u64)> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = field(&info, "MemTotal:")?;
    let available = field(&info, "MemAvailable:")?;
    Some((total.saturating_sub(available), total))
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
        const OWN: &str = "proc/self/cgroup";
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
            // What is shared in memory is not, be it mapped or not; and what is mapped of it is no file.
            (
                &[
                    (MAX, "1000"),
                    (NOW, "990"),
                    (STAT, "shmem 600\nfile_mapped 600\ninactive_file 150\n"),
                ],
                false,
            ),
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
            // A group within a group, as a service manager's; others may fill the outer one.
            (
                &[
                    (OWN, "0::/system.slice/clm.service\n"),
                    ("sys/fs/cgroup/system.slice/clm.service/memory.max", "1000"),
                    (
                        "sys/fs/cgroup/system.slice/clm.service/memory.current",
                        "850",
                    ),
                ],
                true,
            ),
            (
                &[
                    (OWN, "0::/system.slice/clm.service\n"),
                    ("sys/fs/cgroup/system.slice/clm.service/memory.max", "9000"),
                    (
                        "sys/fs/cgroup/system.slice/clm.service/memory.current",
                        "850",
                    ),
                    ("sys/fs/cgroup/system.slice/memory.max", "1000"),
                    ("sys/fs/cgroup/system.slice/memory.current", "969"),
                ],
                false,
            ),
            (
                &[
                    (OWN, "0::/system.slice/clm.service\n"),
                    ("sys/fs/cgroup/system.slice/clm.service/memory.max", "max"),
                    ("sys/fs/cgroup/system.slice/memory.max", "1000"),
                    ("sys/fs/cgroup/system.slice/memory.current", "969"),
                ],
                false,
            ),
            (
                &[
                    (OWN, "0::/system.slice/clm.service\n"),
                    ("sys/fs/cgroup/system.slice/clm.service/memory.max", "max"),
                    ("sys/fs/cgroup/system.slice/memory.max", "1000"),
                    ("sys/fs/cgroup/system.slice/memory.current", "970"),
                ],
                true,
            ),
            // A container of version 1 that is told its path and sees it at the top; and what it is in for other kinds.
            (
                &[
                    (OWN, "7:pids:/other\n4:memory:/docker/1\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/memory.usage_in_bytes", "850"),
                ],
                true,
            ),
            (
                &[
                    (OWN, "7:pids:/other\n4:memory:/clm\n"),
                    ("sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/other/memory.usage_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/clm/memory.limit_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/clm/memory.usage_in_bytes", "10"),
                ],
                false,
            ),
            // Version 1, whose root has a limit that is none.
            (
                &[
                    (OWN, "7:pids:/\n4:memory:/clm\n0::/\n"),
                    (
                        "sys/fs/cgroup/memory/memory.limit_in_bytes",
                        "9223372036854771712",
                    ),
                    ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000"),
                    ("sys/fs/cgroup/memory/clm/memory.limit_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/clm/memory.usage_in_bytes", "990"),
                    (
                        "sys/fs/cgroup/memory/clm/memory.stat",
                        "total_active_file 140\n",
                    ),
                ],
                true,
            ),
            (
                &[
                    (OWN, "4:memory:/clm\n"),
                    ("sys/fs/cgroup/memory/clm/memory.limit_in_bytes", "1000"),
                    ("sys/fs/cgroup/memory/clm/memory.usage_in_bytes", "990"),
                    (
                        "sys/fs/cgroup/memory/clm/memory.stat",
                        "total_active_file 141\n",
                    ),
                ],
                false,
            ),
        ] {
            assert_eq!(is_full(root(files).path()), full, "{files:?}");
        }
    }
}
