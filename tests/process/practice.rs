//! Turns of practice: gone through between the turns of whoever talks, and noticed by nobody.

use std::time::Duration;

use quest_clm::turn::Outcome;
use serde_json::Value;
use tokio::time::sleep;

use crate::service::{Service, until};

/// What memory is asked about somebody unknown: for the thread's context, before and after thread and user are made.
const ZEP: usize = 5;

/// The sizes of what would have been asked.
fn practised(service: &Service) -> Vec<u64> {
    let lines = service.lines().into_iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let practised = lines.filter(|line| line["target"] == "clm::practice");
    practised
        .map(|line| line["bytes"].as_u64().unwrap())
        .collect()
}

async fn service(practice: &str) -> Service {
    Service::start(&[
        ("WORKERS", "1"),
        ("ZEP_API_KEY", "zep-test"),
        ("RUST_LOG", "info,clm::practice=trace"),
        ("PRACTICE", practice),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn practice_begins_with_a_talk_asks_nobody_and_leaves_nothing() {
    let mut service = service("true").await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(practised(&service), [0; 0], "nobody talks yet");
    service.say("s", "Hello").await;
    let asked = async || {
        let ledger = service.ledger().await;
        let count = |calls: &str| ledger[calls].as_array().unwrap().len();
        (count("chats"), count("zep"))
    };
    // All that the turn itself asks.
    let of_turn = (1, ZEP);
    until("the turn has asked", async || {
        (asked().await == of_turn).then_some(())
    })
    .await;
    let bytes = until("it practises", async || {
        let bytes = practised(&service);
        (bytes.len() > 20).then_some(bytes)
    })
    .await;
    assert_eq!(asked().await, of_turn);
    // As a real turn: rules, persona, and the talk.
    assert!(bytes.iter().all(|bytes| *bytes > 2000), "{bytes:?}");
    assert!(service.metric("clm_inflight").await < 0.5);
    let settled = service.metrics("clm_turns_total").await;
    let settled = settled.iter().filter(|line| !line.ends_with(" 0"));
    assert_eq!(settled.count(), 1);
    service.say("s", "And now?").await;
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    let records = service.records().await;
    let whole = records.iter().filter(|r| r.outcome == Outcome::Complete);
    assert_eq!((records.len(), whole.count()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_no_practice_has_none() {
    let mut service = service("false").await;
    service.say("s", "Hello").await;
    // Longer than it takes a worker to see that somebody talks.
    sleep(Duration::from_millis(1500)).await;
    service.say("s", "And now?").await;
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    assert_eq!(practised(&service), [0; 0]);
}
