//! Schemas that are older or newer than the program, one that it may not change, and two programs
//! that make and use one at the same time.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use quest_clm::config;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::migrate;

use crate::arrivals::{
    all_arrive, kept, odd, refused, serving, spoken, standing, told, turns, within,
};
use crate::support::postgres::{Database, Postgres, ask};

const RECOVERED: Duration = Duration::from_secs(30);
const VERSION: &str = "select max(version) from refinery_schema_history";
const HISTORY: &str = "create table refinery_schema_history (
    version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))";

/// What the settings of a service with this database say.
pub(crate) fn settings(url: &str, data: &Path) -> config::Store {
    config::Store {
        database: Some(config::Database {
            config: url.parse().unwrap(),
            tls: config::TlsMode::Disable,
            root_cert: None,
        }),
        data_dir: data.to_owned(),
        data_key: None,
        retention: None,
        capture_ttl: std::time::Duration::from_secs(60),
    }
}

/// What `clm migrate` does.
async fn migrated(url: &str) {
    let nowhere = Path::new("/nonexistent");
    let done = migrate(&settings(url, nowhere), &Lifecycle::new()).await;
    done.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e8_an_older_schema_is_brought_up_to_date() {
    let database = Database::fresh().await;
    let url = database.url();
    let founding = include_str!("../../sql/migrations/postgres/V1__records.sql");
    ask(url, founding).await.unwrap();
    ask(url, HISTORY).await.unwrap();
    let row = "insert into refinery_schema_history values (1, 'records', '', '')";
    ask(url, row).await.unwrap();
    let service = serving(url).await;
    turns(&service, "e8", 10).await;
    let took = all_arrive(url, &spoken(&service), RECOVERED).await;
    let newest = ask(url, VERSION).await.unwrap();
    assert!(newest[0].parse::<u32>().unwrap() >= 2, "{newest:?}");
    ask(url, "select from summary").await.unwrap();
    println!(
        "e8: brought from 1 to {}, 10 turns there after {took:?}",
        newest[0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e8_a_newer_schema_is_used_as_it_is() {
    let database = Database::fresh().await;
    let url = database.url();
    migrated(url).await;
    let newer = "insert into refinery_schema_history values (99, 'of_tomorrow', '', '');
                 alter table turn add mood text; alter table session add mood text default 'good'";
    ask(url, newer).await.unwrap();
    let service = serving(url).await;
    turns(&service, "e8", 10).await;
    let took = all_arrive(url, &spoken(&service), RECOVERED).await;
    assert_eq!(ask(url, VERSION).await.unwrap(), ["99"]);
    println!("e8: 10 turns in a newer schema after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e8_who_may_not_change_the_schema_says_who_can() {
    let postgres = Postgres::start().await;
    let url = postgres.url();
    postgres.admin("create role guest login").await.unwrap();
    let service = serving(&url.replace("clm@", "guest@")).await;
    turns(&service, "e8", 10).await;
    assert_eq!(refused(&service).await, "schema");
    let line = told(&service, "records wait: the store takes none").await;
    let why = line["why"].as_str().unwrap();
    assert!(why.contains("clm migrate"), "{why}");
    within("all rows wait", RECOVERED, async || {
        standing(&service, "spool").await["rows"] == 20
    })
    .await;
    // The owner does it, and lets the guest in.
    migrated(&url).await;
    let grant = "grant select, insert, update, delete on all tables in schema public to guest";
    ask(&url, grant).await.unwrap();
    let took = all_arrive(&url, &spoken(&service), RECOVERED).await;
    println!("e8: 10 turns there {took:?} after somebody made the schema");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e9_two_processes_on_one_database_lose_nothing_and_add_up() {
    let database = Database::fresh().await;
    let url = database.url();
    // Both find nothing there, and make the schema at the same time.
    let one = serving(url).await;
    let own = [("DATABASE_URL", url), ("ZEP_API_KEY", "zep-test")];
    let other = one.another(&own).await;
    let talk = [&one, &other].into_iter().flat_map(|service| {
        // Each process has its own turn in a session, and all sessions are both's.
        (0..6).map(move |session| async move {
            for n in 0..15 {
                service
                    .say(&format!("e9-{session}"), &format!("Hello {n}"))
                    .await;
            }
        })
    });
    join_all(talk).await;
    let mut heard = spoken(&one);
    heard.extend(spoken(&other));
    let took = all_arrive(url, &heard, RECOVERED).await;
    let sums = "select turns from session order by session_id";
    assert_eq!(ask(url, sums).await.unwrap(), ["30"; 6]);
    assert_eq!(kept(url).await.len(), 180);
    assert!(odd(url).await.is_empty());
    for service in [&one, &other] {
        assert_eq!(service.metric("clm_spool_quarantined").await, 0.0);
        let dropped = service.metrics("clm_spool_dropped_total").await;
        assert!(
            dropped.iter().all(|line| line.ends_with(" 0")),
            "{dropped:?}"
        );
    }
    println!("e9: 180 turns of two processes in six sessions, the last there after {took:?}");
}
