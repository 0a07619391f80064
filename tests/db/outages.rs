//! PostgreSQL is not there: at the start, in mid-run, and as good as not there because it is slow.
//! Nobody who speaks notices, and every row arrives once it is back.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::arrivals::{
    all_arrive, kept, refused, serving, serving_as, spoken, standing, turns, within,
};
use crate::heard::Heard;
use crate::service::nine_of_ten;
use crate::support::postgres::{Database, Postgres, ask};
use crate::support::proxy::Proxy;

/// What the machine may add to a first word while something else goes on. That nothing is added by
/// us is for a benchmark to say.
const NOISE: Duration = Duration::from_millis(150);
/// The longest pause between two tries is 22.5 s.
const RECOVERED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_without_postgresql_at_start_turns_are_spoken_and_rows_wait() {
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    postgres.stop().await;
    let service = serving(&url).await;
    let listened = service.listened_after;
    assert!(listened <= Duration::from_secs(2), "{listened:?}");
    turns(&service, "e1", 20).await;
    let why = refused(&service).await;
    assert_eq!(why, "connection", "the reason is the real one");
    let store = standing(&service, "store").await;
    assert_eq!(
        (&store["status"], &store["kind"]),
        (&json!("down"), &json!("postgres"))
    );
    within("all rows wait", RECOVERED, async || {
        standing(&service, "spool").await["rows"] == 40
    })
    .await;
    postgres.start_again().await;
    let took = all_arrive(&url, &spoken(&service), RECOVERED).await;
    let version = "select max(version) >= 2 from refinery_schema_history";
    assert_eq!(ask(&url, version).await.unwrap(), ["t"]);
    within("it is ready", RECOVERED, async || {
        service.readiness().await["status"] == "ready"
    })
    .await;
    println!("e1: listened after {listened:?}; 20 turns there {took:?} after it came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_postgresql_that_dies_cuts_nobody_off() {
    const STREAMS: usize = 20;
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    let service = serving(&url).await;
    let whole = service.say("whole", "Hello").await.text;
    let before = nine_of_ten(turns(&service, "before", 30).await);
    all_arrive(&url, &spoken(&service), RECOVERED).await;
    service.simulate(&json!({"gap_ms": 30})).await;
    let mut streams = service.streams(STREAMS).await;
    for stream in &mut streams {
        stream.head().await;
    }
    postgres.kill().await;
    let died = Instant::now();
    for stream in streams {
        let response = stream.response().await;
        assert!(
            response.pieces.last().unwrap().at > died,
            "it ran when PostgreSQL died"
        );
        assert_eq!(Heard::strictly(response).text, whole);
    }
    service.simulate(&json!({"gap_ms": 0})).await;
    let without = nine_of_ten(turns(&service, "without", 30).await);
    refused(&service).await;
    postgres.start_again().await;
    let took = all_arrive(&url, &spoken(&service), RECOVERED).await;
    println!(
        "e2: first words {before:?} with it, {without:?} without; \
         all {} turns there {took:?} after it came back",
        spoken(&service).len()
    );
    assert!(without <= before + NOISE, "{before:?}, {without:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_postgresql_that_takes_five_seconds_for_everything_delays_nobody() {
    const LATE: Duration = Duration::from_secs(5);
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    let service = serving(&database.url_at(proxy.addr())).await;
    let url = database.url();
    let before = nine_of_ten(turns(&service, "before", 30).await);
    all_arrive(url, &spoken(&service), RECOVERED).await;
    let there = kept(url).await.len();
    proxy.delay(LATE, Duration::ZERO).await;
    let slow = nine_of_ten(turns(&service, "slow", 30).await);
    refused(&service).await;
    // Readiness asks the store, and does not wait for it.
    let asked = Instant::now();
    let answered = timeout(Duration::from_secs(1), service.readiness()).await;
    assert!(answered.is_ok(), "{:?}", asked.elapsed());
    let waiting = spoken(&service).len() - kept(url).await.len();
    proxy.pass().await;
    let took = all_arrive(url, &spoken(&service), RECOVERED + LATE).await;
    println!(
        "e4: first words {before:?}, and {slow:?} before a slow one; {there} turns were there, \
         {waiting} waited, and were there {took:?} after it was quick again"
    );
    assert!(slow <= before + NOISE, "{before:?}, {slow:?}");
}

/// Without a lease yet a turn waits for the store's word on its money, beside memory: where there is none, it is
/// answered from the one lease that a machine may go beyond what it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_postgresql_that_hangs_at_the_start_refuses_nobody() {
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    proxy.stall().await;
    let url = database.url_at(proxy.addr());
    let impatient = [("MEMORY_DEADLINE_MS", "100")];
    let service = serving_as("exec \"$0\" serve", &url, &impatient).await;
    let heard = service.say("first", "Hello").await;
    let later = turns(&service, "later", 5).await;
    proxy.pass().await;
    all_arrive(database.url(), &spoken(&service), RECOVERED).await;
    let outcomes = "select distinct outcome from turn";
    let outcomes = ask(database.url(), outcomes).await.unwrap();
    assert_eq!(outcomes, ["complete"], "{}", heard.text);
    println!(
        "hung at the start: {:?}, then {later:?}",
        heard.spoke.unwrap()
    );
}
