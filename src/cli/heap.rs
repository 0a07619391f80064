//! Large pages for the heap of a process that takes turns.
//!
//! Each token of each stream walks through that stream's own memory, some forty pages of it: with many streams
//! the processor's list of pages holds none of them, and looking one up costs more than what is read there.
//! glibc asks the system for pages of 2 MiB where it is told to, in its main arena alone, and is told by a
//! variable that it reads when a process starts and never again. So the process starts itself once more.
//! Measured, and how sure it is: `docs/DECISIONS.md`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, fs, thread};

use crate::config;

/// glibc's variable. Whoever sets it has decided for himself, and nothing is started anew.
const VARIABLE: &str = "GLIBC_TUNABLES";
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";
/// With more processors than this, threads would wait for one another at the one arena.
const MOST_PROCESSORS: usize = 4;
/// How the system gives large pages: `always`, to whoever asks (`madvise`), or `never`.
const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// Starts this process anew with large pages: the same process id, command line and files. Returns where they
/// are set up already, are of no use, or cannot be had; then the process goes on without.
pub(super) fn enlarge() {
    let is_glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
    let is_small = thread::available_parallelism().is_ok_and(|n| n.get() <= MOST_PROCESSORS);
    let is_told = config::is_in_environment(VARIABLE);
    if !is_glibc || !is_small || is_told || !fs::read_to_string(SWITCH).is_ok_and(|s| gives(&s)) {
        return;
    }
    let mut words = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), words.next()) else {
        return;
    };
    let mut again = Command::new(program);
    let again = again.arg0(name).args(words).env(VARIABLE, TUNABLES);
    // Comes back only where it failed, as where the file has been replaced meanwhile.
    let _ = again.exec();
}

fn gives(switch: &str) -> bool {
    !switch.contains("[never]")
}
