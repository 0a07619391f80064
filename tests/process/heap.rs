//! Large pages for the heap, which a process asks for by starting itself anew. Whether it gets them is not
//! looked at: glibc 2.36 compares what the system says with a byte that it never set.

use std::fs;
use std::thread::available_parallelism;

use crate::service::Service;

const VARIABLE: &str = "GLIBC_TUNABLES";

/// A variable that a process was started with.
fn variable(pid: u32, name: &str) -> Option<String> {
    let all = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let mut all = all.split('\0').filter_map(|pair| pair.split_once('='));
    all.find_map(|(known, value)| (known == name).then(|| value.to_owned()))
}

/// Whether this machine is one where they are of use.
fn is_of_use() -> bool {
    let switch = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let gives = switch.is_ok_and(|switch| switch.contains("[madvise]"));
    gives && available_parallelism().unwrap().get() <= 4
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_told_to_ask_for_large_pages_and_is_the_process_that_was_started() {
    let mut service = Service::start(&[]).await;
    // Who started it knows it by this number, and signals reach it.
    let pid = service.pid();
    assert_eq!(variable(pid, VARIABLE).is_some(), is_of_use());
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<_> = line.split(|byte| *byte == 0).collect();
    assert_eq!(words, [env!("CARGO_BIN_EXE_clm").as_bytes(), b"serve", b""]);
    assert!(!service.say("s", "Hello").await.text.is_empty());
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tunes_the_allocator_has_it_so() {
    let tuned = "glibc.malloc.tcache_count=64";
    let service = Service::start(&[(VARIABLE, tuned)]).await;
    assert_eq!(variable(service.pid(), VARIABLE).as_deref(), Some(tuned));
}
