//! How long answers take over a long history in PostgreSQL: lists, sessions and reports, each asked of a
//! private server full of made-up turns, through the same code that the routes use.
//!
//! `CLM_BENCH_TURNS=10000000 cargo bench --bench records` loads ten million turns over ninety days (some
//! minutes and about 15 GB) and prints a table, and how PostgreSQL plans the lists. Without the variable,
//! and under `cargo test --benches`, a few thousand turns show that it still runs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a benchmark: it measures and prints, and what fails may end it"
)]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "nothing is broken here")]
mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use quest_clm::clock::Clock;
use quest_clm::config::{self, Baseline, Sources};
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Reader, Records, ReportKind, SessionFilter, TurnFilter};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::{MicroUsd, Outcome};
use support::postgres::{Postgres, Setup};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The history's length; a day and a bit will do to show that it runs.
const DAYS: i64 = 90;
const FEW_DAYS: i64 = 2;
const RUNS: usize = 20;
const FEW: i64 = 20_000;
const SLICE: i64 = 500_000;

#[tokio::main]
async fn main() {
    let asked = std::env::var("CLM_BENCH_TURNS").ok();
    let turns: i64 = asked
        .as_ref()
        .map_or(FEW, |n| n.parse().expect("CLM_BENCH_TURNS is a number"));
    let days = if asked.is_some() { DAYS } else { FEW_DAYS };
    let server = Postgres::with(
        Setup::default()
            .set("shared_buffers", "1GB")
            .set("work_mem", "32MB")
            .set("maintenance_work_mem", "1GB")
            .set("max_wal_size", "8GB")
            .set("autovacuum", "on"),
    )
    .await;
    let database = server.database().await;
    let dir = TempDir::new().unwrap();
    let sources = Sources::from_pairs([
        ("DATABASE_URL", database.url().to_owned()),
        ("DATA_DIR", dir.path().to_string_lossy().into_owned()),
    ]);
    let settings = config::load(&sources).unwrap().store;
    let lifecycle = Lifecycle::new();
    quest_clm::record::migrate(&settings, &lifecycle)
        .await
        .unwrap();
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let began = Instant::now();
    load(&client, turns, days).await;
    println!(
        "{turns} turns over {days} days loaded in {:?}",
        began.elapsed()
    );
    let records = Records::open(&settings, &lifecycle, Clock::System, Live::default()).unwrap();
    let began = Instant::now();
    let summariser = records.summariser().with_wait(Duration::ZERO);
    let mut made = 0;
    loop {
        let (now, is_more) = summariser.round().await.unwrap();
        made += now;
        if now == 0 && !is_more {
            break;
        }
    }
    println!("{made} summaries made in {:?}", began.elapsed());
    measure(&records).await;
    plans(&client).await;
}

/// Loads made-up turns without the indexes and puts them back, which is many times faster.
async fn load(client: &Client, turns: i64, days: i64) {
    let rows = client
        .query(
            "select indexname, indexdef from pg_indexes where tablename in ('turn', 'attempt')
             and indexname not like '%_pkey'",
            &[],
        )
        .await
        .unwrap();
    let indexes: Vec<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    for (name, _) in &indexes {
        client
            .batch_execute(&format!("drop index {name}"))
            .await
            .unwrap();
    }
    let step_ms = days * 86_400_000 / turns.max(1);
    for from in (0..turns).step_by(SLICE as usize) {
        let until = (from + SLICE).min(turns);
        client
            .batch_execute(&format!(
                include_str!("records.sql"),
                from = from,
                until = until - 1,
                turns = turns,
                step_ms = step_ms
            ))
            .await
            .unwrap();
    }
    for (_, definition) in &indexes {
        client.batch_execute(definition).await.unwrap();
    }
}

async fn measure(records: &Records) {
    let reader = records.reader();
    println!("\n| question | p50 ms | p95 ms |\n|---|---|---|");
    let any = || TurnFilter {
        limit: 50,
        ..TurnFilter::default()
    };
    let some = |text: &str| Some(text.to_owned());
    let lists = [
        ("turns: newest", any()),
        (
            "turns: coach",
            TurnFilter {
                coach: some("network"),
                ..any()
            },
        ),
        (
            "turns: rare model",
            TurnFilter {
                model: some("rare/model"),
                ..any()
            },
        ),
        (
            "turns: failed",
            TurnFilter {
                outcome: Some(Outcome::Failed),
                ..any()
            },
        ),
        (
            "turns: slow over 4.5 s",
            TurnFilter {
                slow_over_ms: Some(4500.0),
                ..any()
            },
        ),
        (
            "turns: failed, of one coach, slow",
            TurnFilter {
                coach: some("career"),
                outcome: Some(Outcome::Failed),
                slow_over_ms: Some(1000.0),
                ..any()
            },
        ),
        (
            "turns: one session",
            TurnFilter {
                session_id: some("session-77"),
                ..any()
            },
        ),
        (
            "turns: nobody's coach",
            TurnFilter {
                coach: some("nobody"),
                ..any()
            },
        ),
    ];
    for (name, filter) in &lists {
        timed(name, async || {
            reader.turns(filter).await.unwrap().items.len()
        })
        .await;
    }
    let mut deep = any();
    deep.until_ms = Some(Clock::System.now_ms() - 60 * 86_400_000);
    timed("turns: of sixty days ago", async || {
        reader.turns(&deep).await.unwrap().items.len()
    })
    .await;
    let newest = reader.turns(&any()).await.unwrap().items;
    let id = &newest[0].turn_id;
    timed("turn: with its attempts", async || one(&reader, id).await).await;
    let sessions = SessionFilter {
        limit: 50,
        ..SessionFilter::default()
    };
    timed("sessions: newest", async || {
        reader.sessions(&sessions).await.unwrap().items.len()
    })
    .await;
    timed("session: totals", async || {
        usize::from(reader.session("session-77").await.unwrap().is_some())
    })
    .await;
    for kind in ReportKind::ALL {
        for (range, days) in [("24h", 1), ("7d", 7), ("30d", 30), ("90d", 90)] {
            let range_of = Duration::from_secs(days * 86_400);
            timed(&format!("report: {}, {range}", kind.as_str()), async || {
                // One that has no answers of before.
                let reporter = records.reporter(Baseline {
                    model: "big/model".to_owned(),
                    input: MicroUsd(10_000_000),
                    output: MicroUsd(30_000_000),
                });
                reporter.report(kind, range_of).await.unwrap().items.len()
            })
            .await;
        }
    }
}

async fn one(reader: &Reader, id: &str) -> usize {
    reader.turn(id).await.unwrap().unwrap().attempts.len()
}

async fn timed<F: Future<Output = usize>>(name: &str, ask: impl Fn() -> F) {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let began = Instant::now();
        std::hint::black_box(ask().await);
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "| {name} | {:.1} | {:.1} |",
        times[RUNS / 2],
        times[RUNS * 95 / 100 - 1]
    );
}

/// How the lists are planned: each condition by its own index.
async fn plans(client: &Client) {
    let conditions = [
        "coach = 'network'",
        "outcome = 'failed'",
        "coalesce(served_model, planned_model) = 'rare/model'",
        "first_speakable_ms > 4500.0 and first_speakable_ms > 1000",
        "session_id = 'session-77'",
        "created_at >= now() - interval '1 hour'",
    ];
    for condition in conditions {
        println!("\nwhere {condition}:");
        let explain = format!(
            "explain (costs off) select * from turn where {condition} order by turn_id desc limit 51"
        );
        for row in client.query(&explain, &[]).await.unwrap() {
            println!("  {}", row.get::<_, String>(0));
        }
    }
}
