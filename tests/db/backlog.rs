//! An hour without PostgreSQL at twenty turns a second: all of it waits, through a restart too, and
//! is there within five minutes. Too many turns to be spoken: the records are driven by themselves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quest_clm::clock::Clock;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Recorder, Records};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::TurnRecord;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::arrivals::{odd, within};
use crate::support::postgres::{Database, ask};
use crate::support::proxy::Proxy;
use crate::versions::settings;

const HOUR: usize = 72_000;
const REPLAYED: Duration = Duration::from_secs(5 * 60);
/// So many turns may wait for the writer; the hand-over takes twice as many.
const AHEAD: usize = 5_000;

/// The whole hour where this is set, else a tenth of it.
fn outage() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is a question to who runs the tests, and no setting of the service"
    )]
    let is_whole = std::env::var_os("CLM_TEST_WHOLE_HOUR").is_some();
    if is_whole { HOUR } else { HOUR / 10 }
}

/// Records that are open, as a process has them.
struct Room {
    records: Records,
    recorder: Recorder,
    lifecycle: Lifecycle,
    written: Arc<AtomicUsize>,
}

impl Room {
    fn open(url: &str, data: &Path) -> Self {
        let lifecycle = Lifecycle::new();
        let settings = settings(url, data);
        let records = Records::open(&settings, &lifecycle, Clock::System, Live::default()).unwrap();
        let written = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&written);
        let recorder = records.start(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        Self {
            records,
            recorder: recorder.unwrap(),
            lifecycle,
            written,
        }
    }

    /// Hands over as fast as it is taken.
    async fn keep(&self, count: usize) {
        for n in 0..count {
            self.recorder.keep(turn(n));
            while n - self.written.load(Ordering::Relaxed).min(n) > AHEAD {
                sleep(Duration::from_millis(2)).await;
            }
        }
        within("all is written", Duration::from_secs(60), async || {
            self.written.load(Ordering::Relaxed) == count
        })
        .await;
    }

    async fn close(self) {
        drop(self.recorder);
        self.lifecycle.soft().cancel();
        self.lifecycle.drained().await;
    }
}

/// A turn with as much in it as an ordinary one has, and two attempts.
fn turn(n: usize) -> TurnRecord {
    let attempt = json!({
        "cause": "first", "model": "openai/gpt-6.1-terra", "provider": "OpenAI",
        "generation_id": "gen-0123456789abcdef0123", "status": 200, "error_kind": null,
        "started_ms": 0.11, "headers_ms": 0.75, "first_token_ms": 188.68, "ended_ms": 1483.0,
        "prompt_tokens": 900, "completion_tokens": 53, "cost_microusd": 1071,
        "cost_source": "reported", "cancelled": false,
    });
    let turn = json!({
        "turn_id": Uuid::now_v7().to_string(), "session_id": format!("session-{}", n % 500),
        "user_hash": "0123456789abcdef0123456789abcdef", "profile": "hume", "identity": "body",
        "coach": "career", "coach_reason": "keyword:promotion", "tier": "free", "complexity": null,
        "experiment": null, "variant": null, "planned_model": "openai/gpt-6.1-terra",
        "served_model": "openai/gpt-6.1-terra", "provider": "OpenAI",
        "generation_id": "gen-0123456789abcdef0123", "outcome": "complete", "auth_ms": 0.01,
        "memory_ms": 3.2, "plan_ms": 0.02, "upstream_headers_ms": 0.75, "first_token_ms": 188.68,
        "first_speakable_ms": 188.9, "total_ms": 1483.5, "overhead_ms": 0.11,
        "memory_outcome": "hit", "prompt_tokens": 1800, "completion_tokens": 106,
        "cached_tokens": 0, "reasoning_tokens": 0, "cost_microusd": 2142,
        "cost_source": "reported", "hedged": false, "continued": false, "lead_in": false,
        "satisfaction": null, "trace_id": Uuid::now_v7().simple().to_string(),
        "created_at": 1_790_000_000_000_i64 + i64::try_from(n).unwrap() * 50,
        "attempts": [attempt, attempt],
    });
    serde_json::from_value(turn).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_an_hour_without_postgresql_is_there_five_minutes_after() {
    let turns = outage();
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    proxy.refuse().await;
    let data = tempfile::tempdir().unwrap();
    let url = database.url_at(proxy.addr());
    let handed = Instant::now();
    let room = Room::open(&url, data.path());
    room.keep(turns / 2).await;
    room.close().await;
    let room = Room::open(&url, data.path());
    room.keep(turns - turns / 2).await;
    let handed = handed.elapsed();
    let waiting = room.records.health();
    within("all rows wait", Duration::from_secs(40), async || {
        waiting.standing().rows == 2 * turns as u64
    })
    .await;
    let bytes = waiting.standing().bytes;
    proxy.pass().await;
    let count = async |what: &str| -> usize {
        let found = ask(database.url(), what).await.unwrap_or_default();
        found.first().map_or(0, |n| n.parse().unwrap())
    };
    let first = within("the first is there", Duration::from_secs(40), async || {
        count("select count(*) from (select from turn limit 1) t").await == 1
    })
    .await;
    let rest = within("all are there", REPLAYED, async || {
        count("select count(*) from turn").await == turns
            && count("select count(*) from attempt").await == 2 * turns
    })
    .await;
    assert_eq!(odd(database.url()).await, Vec::<String>::new());
    within("nothing waits", Duration::from_secs(10), async || {
        let standing = waiting.standing();
        standing.rows == 0 && standing.refused.is_none() && standing.quarantined == 0
    })
    .await;
    room.close().await;
    let hour = first + rest.mul_f64(HOUR as f64 / turns as f64);
    println!(
        "e3: {turns} turns kept in {handed:?} ({} MiB); the first there after {first:?}, \
         the others {rest:?} later; an hour would take {hour:?}",
        bytes >> 20
    );
    assert!(hour <= REPLAYED, "{hour:?}");
}
