//! Large pages for the heap of a process that takes turns.
//!
//! Each token of each stream walks through that stream's own memory, some forty pages of it: with many streams
//! the processor's list of pages holds none of them, and looking one up costs more than what is read there.
//! glibc asks the system for pages of 2 MiB where it is told to, in its main arena alone, and is told by a
//! variable that it reads when a process starts and never again. So the process starts itself once more.
//!
//! glibc 2.36 may overlook that the system gives such pages: it compares the system's word
//! with a byte of its stack that it never set. What lies there is new with each start, so that a few more help.
//!
//! The system clears a large page when it is first touched, all of it: 0.2 ms, and 4.5 ms in a virtual machine
//! whose host has to find it first. Nobody's words go out meanwhile, so what the first streams will take is
//! touched before there are any. Measured: `docs/DECISIONS.md`.

use std::ffi::OsString;
use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};

use crate::{cgroup, config};

/// glibc's variable. Whoever sets it has decided for himself, and nothing is started anew.
const VARIABLE: &str = "GLIBC_TUNABLES";
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
/// The most that is touched at the start, in bytes: what the service and 1,000 streams took behind 100 and 500
/// (`docs/DECISIONS.md`).
const RESERVE: usize = 160 << 20;
/// Of the memory that there is at most this part.
const SHARE: usize = 16;
/// In bytes; what is as large is no part of the heap, and goes back to the system as soon as it is free.
const APART: usize = 8 << 20;
/// In bytes, less than [`APART`].
const BLOCK: usize = 64 << 10;

/// Starts this process anew with large pages, the same process id, command line and files, and touches them
/// there. Returns where that is done, is of no use, or cannot be had; then the process goes on without.
pub(super) fn enlarge() {
    let starts = config::in_environment(STARTS).unwrap_or_default();
    if starts.is_empty() {
        if config::in_environment(VARIABLE).is_none() && is_of_use() {
            start_anew(starts);
        }
        return;
    }
    match is_enlarged() {
        Some(true) => touch(),
        Some(false) if starts.len() < MOST_STARTS && is_of_use() => start_anew(starts),
        _ => {}
    }
}

/// Comes back only where it failed, as where the file has been replaced meanwhile.
fn start_anew(mut starts: OsString) {
    starts.push("I");
    let mut words = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), words.next()) else {
        return;
    };
    let mut again = Command::new(program);
    let again = again.arg0(name).args(words).env(STARTS, starts);
    let _ = again.env(VARIABLE, tunables()).exec();
}

/// One arena with large pages. What is free at its end goes back to the system where it is a third more than the
/// reserve, and all of it then. glibc moves neither threshold any more where one of them is told.
fn tunables() -> String {
    let trim = reserve() / 3 * 4;
    format!(
        "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:\
         glibc.malloc.trim_threshold={trim}:glibc.malloc.mmap_threshold={APART}"
    )
}

/// How much is touched at the start, in bytes.
fn reserve() -> usize {
    RESERVE.min(memory().unwrap_or(RESERVE) / SHARE)
}

/// Takes the reserve, as far as there is one, and gives it back: to glibc, which keeps it for whoever asks next.
fn touch() {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for _ in 0..reserve() / BLOCK {
        let mut block = Vec::new();
        if block.try_reserve_exact(BLOCK).is_err() {
            break;
        }
        block.push(0);
        blocks.push(block);
    }
    drop(black_box(blocks));
}

/// What this process may use at most, in bytes: what the machine has, or less where one of its control groups has a
/// limit.
fn memory() -> Option<usize> {
    let whole = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = whole.strip_prefix("MemTotal:")?.split_whitespace().next()?;
    let whole = kib.parse::<usize>().ok()?.checked_mul(1024)?;
    let groups = cgroup::memory(Path::new("/")).into_iter();
    let limits = groups.filter_map(|group| usize::try_from(group.limit).ok());
    Some(limits.fold(whole, usize::min))
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
