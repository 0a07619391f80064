//! PostgreSQL is there and refuses: no room, read-only, too many connections, a row that it will
//! never take.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use crate::arrivals::{all_arrive, kept, odd, refused, serving, spoken, standing, turns, within};
use crate::caller::Request;
use crate::support::postgres::{Postgres, Setup, ask};

const RECOVERED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e5_rows_wait_while_the_disk_is_full() {
    let mut postgres = Postgres::with(Setup::default().fillable_disk()).await;
    let url = postgres.url();
    let service = serving(&url).await;
    turns(&service, "room", 5).await;
    all_arrive(&url, &spoken(&service), RECOVERED).await;
    postgres.fill_disk();
    // What the pages still have room for is taken.
    let mut count = 0;
    let full = within("the disk is full", RECOVERED, async || {
        turns(&service, &format!("full-{count}"), 10).await;
        count += 1;
        standing(&service, "store").await["refused"].is_string()
    })
    .await;
    assert_eq!(service.readiness().await["status"], "degraded");
    let listed = service.send(&Request::get("/v1/turns?limit=5")).await;
    // A server without room for its log stops altogether; then the last turns stand in.
    assert_eq!(listed.status, 200, "{}", listed.text());
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 5);
    postgres.free_disk();
    if ask(&url, "select 1").await.is_err() {
        postgres.stop().await;
        postgres.start_again().await;
    }
    let took = all_arrive(&url, &spoken(&service), RECOVERED).await;
    println!(
        "e5: full after {full:?}; all {} turns there {took:?} after there was room",
        spoken(&service).len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e6_a_read_only_postgresql_is_noticed_and_so_is_its_end() {
    let postgres = Postgres::start().await;
    let url = postgres.url();
    let service = serving(&url).await;
    turns(&service, "before", 5).await;
    all_arrive(&url, &spoken(&service), RECOVERED).await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clm'";
    let set = "alter system set default_transaction_read_only = on";
    for sql in [set, "select pg_reload_conf()", end] {
        postgres.admin(sql).await.unwrap();
    }
    let began = Instant::now();
    turns(&service, "read-only", 20).await;
    let why = refused(&service).await;
    assert_eq!(why, "refused", "it answers, and refuses");
    let listed = service.send(&Request::get("/v1/turns?limit=5")).await;
    assert_eq!(listed.status, 200, "what is kept can be read");
    // Long enough for the pauses between two tries to have grown.
    within("a while", RECOVERED, async || {
        began.elapsed() > Duration::from_secs(8)
    })
    .await;
    assert_eq!(kept(&url).await.len(), 5);
    let reset = "alter system reset default_transaction_read_only";
    for sql in [reset, "select pg_reload_conf()"] {
        postgres.admin(sql).await.unwrap();
    }
    let took = all_arrive(&url, &spoken(&service), RECOVERED).await;
    println!("e6: 20 turns there {took:?} after it took rows again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_four_connections_are_the_most_we_take() {
    let postgres = Postgres::start().await;
    let service = serving(&postgres.url()).await;
    let list = Request::get("/v1/turns?limit=100");
    let mut most = 0;
    let load = async {
        for round in 0..5 {
            let turns = (0..20).map(|n| {
                let (service, session) = (&service, format!("load-{round}-{n}"));
                async move { service.say(&session, "Hello").await }
            });
            let lists = (0..20).map(|_| service.send(&list));
            let (_, lists) = tokio::join!(join_all(turns), join_all(lists));
            assert!(lists.iter().all(|list| list.status == 200));
        }
    };
    let watch = async {
        loop {
            most = most.max(held(service.pid(), postgres.addr()));
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = load => {}
        () = watch => {}
    }
    println!("e7: {most} connections at most, with 20 turns and 20 lists at once");
    assert!((1..=4).contains(&most), "{most}");
    all_arrive(&postgres.url(), &spoken(&service), RECOVERED).await;
}

/// Connections to this address that a process has open. Its own side tells: the server counts one that was given up
/// until its backend has ended.
fn held(pid: u32, to: SocketAddr) -> usize {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let open: HashSet<_> = open.collect();
    let port = format!(":{:04X}", to.port());
    let is_held = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (peer, state, inode) = (fields[2], fields[3], fields[9]);
        let socket = format!("socket:[{inode}]");
        peer.ends_with(&port) && state == "01" && open.contains(Path::new(&socket))
    };
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    table.lines().skip(1).filter(is_held).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_no_connection_is_tried_again_until_there_is_one() {
    // Three of the five are kept for superusers.
    let setup = Setup::default().set("max_connections", "5");
    let postgres = Postgres::with(setup).await;
    let url = postgres.url();
    let mut taken = Vec::new();
    // One that has just ended may still be counted.
    within("both are taken", RECOVERED, async || {
        taken.extend(tokio_postgres::connect(&url, NoTls).await.ok());
        taken.len() == 2
    })
    .await;
    let service = serving(&url).await;
    turns(&service, "e7", 10).await;
    assert_eq!(refused(&service).await, "refused");
    within("all rows wait", RECOVERED, async || {
        standing(&service, "spool").await["rows"] == 20
    })
    .await;
    drop(taken);
    // The one who looks needs a connection as well.
    let began = Instant::now();
    within("all is delivered", RECOVERED, async || {
        standing(&service, "spool").await["rows"] == 0
    })
    .await;
    let took = began.elapsed();
    let there = "select count(*) from turn";
    assert_eq!(postgres.admin(there).await.unwrap(), ["10"]);
    println!("e7: 10 turns there {took:?} after connections were free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_store_will_never_take_is_set_aside_and_the_others_arrive() {
    let postgres = Postgres::start().await;
    let url = postgres.url();
    let service = serving(&url).await;
    turns(&service, "before", 3).await;
    all_arrive(&url, &spoken(&service), RECOVERED).await;
    ask(&url, "alter table turn add check (coach <> 'career')")
        .await
        .unwrap();
    let talk = (0..30).map(|n| {
        let (service, session) = (&service, format!("poison-{n}"));
        // One in ten is the career coach's.
        let words = if n % 10 == 0 {
            "I want a promotion"
        } else {
            "Hello"
        };
        async move { (words, service.say(&session, words).await.turn_id) }
    });
    let said = join_all(talk).await;
    let bad: Vec<&String> = said
        .iter()
        .filter(|s| s.0 != "Hello")
        .map(|s| &s.1)
        .collect();
    let good = spoken(&service)
        .into_iter()
        .filter(|turn| !bad.contains(&turn));
    let good = good.collect();
    within("the others are there", RECOVERED, async || {
        kept(&url).await == good
    })
    .await;
    within("three are set aside", RECOVERED, async || {
        service.metric("clm_spool_quarantined").await == 3.0
    })
    .await;
    within("nothing waits", RECOVERED, async || {
        let spool = standing(&service, "spool").await;
        spool["rows"] == 0 && spool["quarantined"] == 3
    })
    .await;
    // A turn and its attempts are two rows; these have no fault.
    let odd = odd(&url).await;
    assert_eq!(odd.len(), 3, "{odd:?}");
    assert!(
        odd.iter().all(|o| o.starts_with("an attempt of no turn")),
        "{odd:?}"
    );
    assert_eq!(service.readiness().await["status"], "ready");
    let aside = service.data().join("spool/records/quarantine");
    let aside: Vec<String> = std::fs::read_dir(aside)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(aside.len(), 3);
    for row in aside {
        assert!(row.contains("SQLSTATE 23514") && bad.iter().any(|turn| row.contains(*turn)));
    }
}
