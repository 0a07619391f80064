//! Large pages for the heap of a process that takes turns.
//!
//! Each token of each stream walks through that stream's own memory, some forty pages of it: with many streams
//! the processor's list of pages holds none of them, and looking one up costs more than what is read there.
//! glibc asks the system for pages of 2 MiB where it is told to, in its main arena alone, and is told by a
//! variable that it reads when a process starts and never again. So the process starts itself once more.
//!
//! glibc 2.36 may overlook that the system gives such pages: it compares the system's word
//! with a byte of its stack that it never set. What lies there is new with each start, so that a few more help.
//! Measured: `docs/DECISIONS.md`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, fs, thread};

use crate::config;

/// glibc's variable. Whoever sets it has decided for himself, and nothing is started anew.
const VARIABLE: &str = "GLIBC_TUNABLES";
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";
/// How often this process started itself, a letter for each time.
const STARTS: &str = "CLM_STARTS";
/// Enough of it: each has large pages with a chance of about one half.
const MOST_STARTS: usize = 8;
/// With more processors than this, threads would wait for one another at the one arena.
const MOST_PROCESSORS: usize = 4;
/// How the system gives large pages: `always`, to whoever asks (`madvise`), or `never`.
const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
/// In bytes. glibc 2.36 makes a heap of large pages as large as one at least; others end it where one ends.
const LARGE_PAGE: u64 = 2 << 20;

/// Starts this process anew with large pages: the same process id, command line and files. Returns where they
/// are set up, are of no use, or cannot be had; then the process goes on without.
pub(super) fn enlarge() {
    let mut starts = config::in_environment(STARTS).unwrap_or_default();
    let is_first = starts.is_empty();
    let is_settled = match is_first {
        true => config::in_environment(VARIABLE).is_some(),
        false => starts.len() >= MOST_STARTS || is_enlarged().unwrap_or(true),
    };
    if is_settled || !is_of_use() {
        return;
    }
    starts.push("I");
    let mut words = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), words.next()) else {
        return;
    };
    let mut again = Command::new(program);
    let again = again.arg0(name).args(words).env(STARTS, starts);
    // Comes back only where it failed, as where the file has been replaced meanwhile.
    let _ = again.env(VARIABLE, TUNABLES).exec();
}

fn is_of_use() -> bool {
    let is_glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
    let is_small = thread::available_parallelism().is_ok_and(|n| n.get() <= MOST_PROCESSORS);
    let asked = || fs::read_to_string(SWITCH);
    is_glibc && is_small && asked().is_ok_and(|switch| switch.contains("[madvise]"))
}

/// Whether the heap is one of large pages; unknown where the system does not tell.
fn is_enlarged() -> Option<bool> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let heap = maps.lines().find(|line| line.ends_with("[heap]"))?;
    let (from, to) = heap.split_whitespace().next()?.split_once('-')?;
    let address = |hex| u64::from_str_radix(hex, 16).ok();
    let (from, to) = (address(from)?, address(to)?);
    Some(to.is_multiple_of(LARGE_PAGE) || to.checked_sub(from)? >= LARGE_PAGE)
}
