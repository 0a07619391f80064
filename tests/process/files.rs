//! Too few files to open, too little room on the disk, and many streams held.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::caller::{Call, Request, Seen};
use crate::heard::Heard;
use crate::service::{Service, nine_of_ten, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_it_recovers_when_files_run_out() {
    let line = "ulimit -n 96 && exec \"$0\" serve";
    let settings = [
        ("WORKERS", "1"),
        ("OPS_PORT", "0"),
        ("ADMIN_API_KEYS", "operates"),
    ];
    let mut service = Service::start_as(line, &settings).await;
    let ops = service.ops_addr().await;
    let whole = service.say("whole", "Hello").await.text;
    service.simulate(&json!({"gap_ms": 40})).await;
    let running = service.streams(5).await;
    let mut early = service.call(&Request::get("/healthz")).await;
    early.whole().await;
    let crowd = crowd(&service, 200).await;
    // The crowd has every place, and whoever asks how it is waits behind it, but not on the second port.
    let behind = service.call(&Request::get("/healthz")).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let call = Call::begin(ops, &Request::get(path), Seen::default()).await;
        let answer = call.response().await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let waits = timeout(Duration::from_millis(200), behind.response()).await;
    assert!(waits.is_err(), "files were left for callers");
    // Who was let in before has a file for their model.
    early.again(&Request::hume("early", "Hello")).await;
    assert_eq!(Heard::strictly(early.whole().await).text, whole);
    for call in running {
        assert_eq!(Heard::strictly(call.response().await).text, whole);
    }
    service.simulate(&json!({"gap_ms": 0})).await;
    heard_soon(&service, crowd, &whole).await;
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_it_recovers_where_files_run_out_all_the_same() {
    let mut service = Service::start(&[("WORKERS", "1")]).await;
    let whole = service.say("whole", "Hello").await.text;
    let open = std::fs::read_dir(format!("/proc/{}/fd", service.pid())).unwrap();
    let few = format!("--nofile={}:", open.count() + 8);
    prlimit(service.pid(), &few);
    let crowd = crowd(&service, 60).await;
    prlimit(service.pid(), "--nofile=1024:");
    heard_soon(&service, crowd, &whole).await;
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_takes_as_many_files_as_the_system_allows_it() {
    let line = "ulimit -S -n 256 && exec \"$0\" serve";
    // Also where it starts itself anew with large pages.
    for settings in [&[][..], &[("GLIBC_TUNABLES", "")]] {
        let service = Service::start_as(line, settings).await;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", service.pid()));
        let limits = limits.unwrap();
        let files = limits.lines().find(|l| l.starts_with("Max open files"));
        let mut files = files.unwrap().split_whitespace().skip(3);
        let (soft, hard) = (files.next().unwrap(), files.next().unwrap());
        assert!(soft == hard && soft != "256", "{soft} of {hard}");
    }
}

/// So many who connect and say nothing, some time later.
async fn crowd(service: &Service, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        // Taken by the system's queue, whether or not they are ever accepted.
        crowd.push(TcpStream::connect(service.addr).await.unwrap());
    }
    sleep(Duration::from_millis(700)).await;
    crowd
}

/// The crowd leaves, and whoever comes then is heard within two seconds.
async fn heard_soon(service: &Service, crowd: Vec<TcpStream>, whole: &str) {
    let freed = Instant::now();
    drop(crowd);
    let after = service.say("after", "Hello").await;
    let took = freed.elapsed();
    println!("a turn was heard {took:?} after files were free again");
    assert_eq!(after.text, whole);
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

/// As `fly.toml` has it: a private network there is IPv6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_are_heard_over_both_kinds_of_addresses() {
    let settings = [("OPS_PORT", "0"), ("OPS_HOST", "::")];
    let service = Service::start_as("exec \"$0\" serve", &settings).await;
    let port = service.ops_addr().await.port();
    for host in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        let addr = SocketAddr::new(host, port);
        let call = Call::begin(addr, &Request::get("/metrics"), Seen::default()).await;
        assert_eq!(call.response().await.status, 200, "{addr}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_ask_at_a_port_of_their_own_without_a_key() {
    let settings = [("OPS_PORT", "0"), ("ADMIN_API_KEYS", "operates")];
    let mut service = Service::start_as("exec \"$0\" serve", &settings).await;
    service.say("one", "Hello").await;
    let ops = service.ops_addr().await;
    let ask = async |addr, request: Request| {
        let call = Call::begin(addr, &request, Seen::default()).await;
        call.response().await
    };
    let page = ask(ops, Request::get("/metrics")).await;
    let gauge = |name: &str| {
        let text = page.text();
        let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    assert!(page.text().contains("clm_turns_total"), "{}", page.text());
    assert!(gauge("clm_connections_limit ") >= gauge("clm_connections "));
    // 2026 and later.
    assert!(gauge("clm_start_time_seconds ") > 1_767_225_600.0);
    assert_eq!(
        ask(service.addr, Request::get("/metrics")).await.status,
        401
    );
    assert_eq!(
        ask(ops, Request::get("/readyz")).await.json(),
        json!({"status": "ready"})
    );
    // Nothing else is there: neither what anybody said nor a way to say something.
    for path in ["/v1/turns", "/version", "/dashboard", "/models"] {
        assert_eq!(ask(ops, Request::get(path)).await.status, 404, "{path}");
    }
    assert_eq!(ask(ops, Request::hume("two", "Hello")).await.status, 404);
    service.simulate(&json!({"gap_ms": 40})).await;
    let running = service.streams(1).await;
    service.signal("TERM");
    until("it says that it stops", async || {
        let answer = ask(ops, Request::get("/readyz")).await;
        (answer.status == 503).then_some(())
    })
    .await;
    for call in running {
        Heard::strictly(call.response().await);
    }
    assert_eq!(service.ended().await, 0);
}

/// Resident memory of a process.
fn kibibytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let words = line.unwrap().split_whitespace().next().unwrap().parse();
    words.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c18_five_hundred_silent_streams_are_held_in_kibibytes() {
    const STREAMS: usize = 500;
    let service = Service::start(&[
        ("HEDGING", "false"),
        ("FIRST_TOKEN_DEADLINE_MS", "60000"),
        ("SPOKEN_FALLBACK_MS", "60000"),
        // Else they would lie in memory that was touched at the start.
        ("GLIBC_TUNABLES", ""),
    ])
    .await;
    let whole = service.say("whole", "Hello").await.text;
    // What the first streams leave behind is not counted.
    for n in 0..50 {
        service.say(&format!("warm-{n}"), "Hello").await;
    }
    let faults = vec!["slow-first:50000"; STREAMS];
    service.simulate(&json!({ "script": faults })).await;
    let before = kibibytes(service.pid());
    let held = service.streams(STREAMS).await;
    sleep(Duration::from_millis(200)).await;
    let each = (kibibytes(service.pid()) - before) as f64 / STREAMS as f64;
    service.simulate(&json!({"script": []})).await;
    let spoke = first_words(&service, "new", 30, &whole).await;
    println!("{STREAMS} streams held: {each:.1} KiB each; first words of another within {spoke:?}");
    assert!(each <= 128.0, "{each} KiB a stream");
    assert!(spoke <= Duration::from_millis(50), "{spoke:?}");
    drop(held);
}

/// From now on no file of a process may grow beyond this, in bytes.
fn limit_files(pid: u32, limit: &str) {
    // The hard limit stays, so that it can be raised again.
    prlimit(pid, &format!("--fsize={limit}:"));
}

fn prlimit(pid: u32, limit: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args([limit, "--pid", &pid.to_string()]);
    assert!(prlimit.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_store_that_takes_no_more_costs_records_and_no_words() {
    // A write beyond the limit is an error, as on a full disk.
    let line = "trap '' XFSZ; exec \"$0\" serve";
    let mut service = Service::start_as(line, &[]).await;
    let whole = service.say("whole", "Hello").await.text;
    let well = first_words(&service, "well", 30, &whole).await;
    let standing = async || service.readiness().await["dependencies"].clone();
    let down = async || (standing().await["store"]["status"] == "down").then_some(());
    // The store is larger than this already. What is new in the spool is not.
    limit_files(service.pid(), "4096");
    let mut turns = 0;
    while down().await.is_none() {
        assert!(turns < 2000, "the store is never full");
        first_words(&service, &format!("fill-{turns}"), 10, &whole).await;
        turns += 10;
    }
    until("rows wait", async || {
        (standing().await["spool"]["rows"].as_u64()? > 0).then_some(())
    })
    .await;
    assert_eq!(service.readiness().await["status"], "degraded");
    // And no room for anything at all: now they wait in memory.
    limit_files(service.pid(), "0");
    let full = first_words(&service, "full", 30, &whole).await;
    until("the spool is degraded", async || {
        (standing().await["spool"]["status"] == "degraded").then_some(())
    })
    .await;
    println!("first words: {well:?}, and {full:?} with a full store, after {turns} turns");
    assert!(full <= well + Duration::from_millis(100), "{full:?}");
    let lost = service.metrics("clm_spool_dropped_total").await;
    assert!(lost.iter().all(|line| line.ends_with(" 0")), "{lost:?}");
    limit_files(service.pid(), "unlimited");
    until("nothing waits", async || {
        let all = service.readiness().await;
        let is_done = all["status"] == "ready" && all["dependencies"]["spool"]["rows"] == 0;
        is_done.then_some(())
    })
    .await;
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    // Every turn that was heard of, once.
    service.records().await;
}

/// Until the first words of so many whole turns: what nine of ten keep to.
async fn first_words(service: &Service, name: &str, count: usize, whole: &str) -> Duration {
    let mut times = Vec::new();
    for n in 0..count {
        let heard = service.say(&format!("{name}-{n}"), "Hello").await;
        assert_eq!(heard.text, whole);
        times.push(heard.spoke.unwrap());
    }
    nine_of_ten(times)
}
