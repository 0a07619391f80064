//! A session whose requests come to two machines.

use quest_clm::turn::Outcome;
use serde_json::json;

use crate::caller::Request;
use crate::service::{Service, until};
use crate::support::redis::{Redis, ask};

/// As many sessions have a turn noted.
async fn noted(redis: &Redis, count: usize) {
    until("a turn is noted", async || {
        let keys = ask(redis.addr(), "KEYS clm:{1}:newest:*").unwrap();
        (keys == format!("*{count}")).then_some(())
    })
    .await;
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
    // Both are connected once each has noted a turn.
    for (count, machine) in [(1, &a), (2, &b)] {
        until("it has a connection", async || {
            machine.say(&format!("session-{count}"), "Hello").await;
            let keys = ask(redis.addr(), "KEYS clm:{1}:newest:*").unwrap();
            (keys == format!("*{count}")).then_some(())
        })
        .await;
    }
    a.simulate(&json!({"gap_ms": 200})).await;
    let mut first = a.call(&Request::hume("s", "I am")).await;
    first.head().await;
    noted(&redis, 3).await;
    // Asked for one body, a machine that does not know who speaks elsewhere cannot tell a helper from the speaker.
    let helper = json!({"messages": [{"role": "user", "content": "a title"}], "metadata": {"session_id": "s"}});
    a.simulate(&json!({"gap_ms": 0})).await;
    assert_eq!(
        b.send(&Request::post("/v1/chat/completions", &helper))
            .await
            .status,
        200
    );
    assert!((a.metric("clm_inflight").await - 1.0).abs() < 0.1);
    b.say("s", "I am stuck").await;
    first.response().await;
    a.signal("TERM");
    assert_eq!(a.ended().await, 0);
    let records = a.records().await;
    let overtaken: Vec<_> = records
        .iter()
        .filter(|record| record.outcome == Outcome::Superseded)
        .collect();
    assert_eq!(overtaken.len(), 1, "{records:?}");
}
