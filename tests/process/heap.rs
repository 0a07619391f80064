//! Large pages for the heap, which a process asks for by starting itself anew. Whether it gets them is not
//! promised: glibc 2.36 compares what the system says with a byte that it never set. Nor is it looked at but where
//! it stopped starting anew, which it does when it has them.

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

/// How much of the heap is there, in MiB.
fn heap_mib(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut is_heap = false;
    let mut kib = 0;
    for line in maps.lines() {
        let (word, rest) = line.split_once(' ').unwrap();
        if !word.ends_with(':') {
            is_heap = line.ends_with("[heap]");
        } else if is_heap && word == "Rss:" {
            kib += rest.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        }
    }
    kib >> 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_first_streams_take_is_there_before_them_but_not_for_whoever_tunes() {
    let service = Service::start(&[]).await;
    let tuned = service.another(&[(VARIABLE, "")]).await;
    assert!(heap_mib(tuned.pid()) < 16);
    // Its eighth start may be without large pages, and a small machine has less of them.
    let starts = variable(service.pid(), "CLM_STARTS").unwrap_or_default();
    if is_of_use() && starts.len() < 8 {
        let heap = heap_mib(service.pid());
        assert!(heap >= 16, "{heap} MiB");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tunes_the_allocator_has_it_so() {
    let tuned = "glibc.malloc.tcache_count=64";
    let service = Service::start(&[(VARIABLE, tuned)]).await;
    assert_eq!(variable(service.pid(), VARIABLE).as_deref(), Some(tuned));
}

/// Whether a signal, by its number, would end the process.
fn ends(pid: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let has = |mask: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(mask));
        let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
        mask >> (signal - 1) & 1 == 1
    };
    !has("SigIgn:") && !has("SigCgt:")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_cannot_start_anew_a_closed_connection_still_ends_one_turn_and_not_the_process() {
    const PIPE: u32 = 13;
    let line = "cp \"$0\" gone && exec 3<gone && rm gone && exec /proc/self/fd/3 serve";
    let mut service = Service::start_as(line, &[]).await;
    let pid = service.pid();
    assert_eq!(variable(pid, VARIABLE), None, "its file is gone");
    assert!(!ends(pid, PIPE));
    assert!(!service.say("s", "Hello").await.text.is_empty());
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
}
