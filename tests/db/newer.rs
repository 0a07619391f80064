//! A session whose requests come to two machines.

use quest_clm::turn::Outcome;
use serde_json::json;

use crate::caller::Request;
use crate::service::{Service, until};
use crate::support::redis::{Redis, ask};

/// Sessions: one whose note is late, as it may be on a busy machine, proves nothing.
const SESSIONS: usize = 5;

/// How many sessions have a turn noted.
fn noted(redis: &Redis) -> String {
    ask(redis.addr(), "KEYS clm:{1}:newest:*").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_a_newer_request_at_another_machine_ends_the_turn_and_a_helpers_does_not() {
    let redis = Redis::start().await;
    let url = redis.url();
    let settings = [
        ("REDIS_URL", url.as_str()),
        ("DATA_KEY", "a-data-key-for-all-machines"),
    ];
    let mut a = Service::start_among("exec \"$0\" serve", &settings).await;
    let b = a.another(&settings).await;
    for (count, machine) in [(1, &a), (2, &b)] {
        until("it is connected", async || {
            let words = rand::random::<u64>().to_string();
            machine.say(&format!("machine-{count}"), &words).await;
            (noted(&redis) == format!("*{count}")).then_some(())
        })
        .await;
    }
    for n in 0..SESSIONS {
        let session = format!("session-{n}");
        a.simulate(&json!({"gap_ms": 200})).await;
        let mut first = a.call(&Request::hume(&session, "I am")).await;
        first.hear_words().await;
        a.simulate(&json!({"gap_ms": 0})).await;
        // Asked for one body: a machine that does not know who speaks elsewhere cannot tell a helper from the speaker.
        let helper = json!({
            "messages": [{"role": "user", "content": "a title"}],
            "metadata": {"session_id": session},
        });
        let helped = b
            .send(&Request::post("/v1/chat/completions", &helper))
            .await;
        assert_eq!(helped.status, 200);
        assert!((a.metric("clm_inflight").await - 1.0).abs() < 0.1);
        b.say(&session, "I am stuck").await;
        first.response().await;
    }
    a.signal("TERM");
    assert_eq!(a.ended().await, 0);
    let records = a.records().await;
    let ended = records.iter().filter(|r| r.outcome == Outcome::Superseded);
    assert!((1..=SESSIONS).contains(&ended.count()), "{records:?}");
}
