//! Signals: no stream is cut that is shorter than the grace, whichever signal it is; a second one
//! insists.

use std::time::Duration;

use futures::StreamExt as _;
use quest_clm::turn::Outcome;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::caller::{Call, Request};
use crate::heard::Heard;
use crate::service::{Service, is_busy_line, until};

const STREAMS: usize = 200;
/// `SHUTDOWN_GRACE_S` as it is when nobody sets it, less two seconds.
const AT_MOST: Duration = Duration::from_secs(25 - 2);

async fn outlived_by_all_streams(signal: &str) {
    let mut service = Service::start(&[]).await;
    let whole = service.say("whole", "Hello").await.text;
    // About two seconds of speech.
    service.simulate(&json!({"gap_ms": 50})).await;
    let calls = service.streams(STREAMS).await;
    let told = Instant::now();
    service.signal(signal);
    until("unready", async || {
        (service.ready().await == 503).then_some(())
    })
    .await;
    let unready = Instant::now();
    let late = service.say("late", "Hello").await;
    assert!(is_busy_line(&late.text), "{}", late.text);
    let responses = futures::future::join_all(calls.into_iter().map(Call::response)).await;
    let code = service.ended().await;
    let took = told.elapsed();
    for response in responses {
        assert!(
            response.pieces.last().unwrap().at > unready,
            "the streams ran when it was told to stop"
        );
        let heard = Heard::strictly(response);
        assert_eq!(
            (heard.text.as_str(), heard.finish_reason.as_str()),
            (whole.as_str(), "stop")
        );
    }
    println!("SIG{signal}: {STREAMS} streams whole, exit {code} after {took:?}");
    assert_eq!(code, 0);
    assert!(took <= AT_MOST, "{took:?}");
    // Whoever copies the file now has all of it.
    let is_there = |file| service.data().join(file).exists();
    assert!(is_there("clm.db") && !is_there("clm.db-wal"));
    let records = service.records().await;
    let count = |outcome| records.iter().filter(|r| r.outcome == outcome).count();
    assert_eq!(
        (count(Outcome::Complete), count(Outcome::Shed)),
        (STREAMS + 1, 1)
    );
    assert_eq!(records.len(), STREAMS + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_two_hundred_streams_outlive_sigterm() {
    outlived_by_all_streams("TERM").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_two_hundred_streams_outlive_sigint() {
    outlived_by_all_streams("INT").await;
}

/// Until a balancer has heard of it turns still come.
const DELAY: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_turns_that_come_before_the_balancer_knows_are_taken() {
    let mut service = Service::start(&[("SHUTDOWN_DELAY_S", "3")]).await;
    let whole = service.say("whole", "Hello").await;
    service.signal("TERM");
    let told = Instant::now();
    until("unready", async || {
        (service.ready().await == 503).then_some(())
    })
    .await;
    let taken = service.say("taken", "Hello").await;
    let asked_after = told.elapsed();
    // One that still runs when the delay is over: some four seconds of speech.
    service.simulate(&json!({"gap_ms": 100})).await;
    let last = service.say("last", "Hello").await.text;
    assert!(told.elapsed() > DELAY, "it ended too soon to tell");
    until("no new turns", async || {
        let late = service.say("late", "Hello").await.text;
        is_busy_line(&late).then_some(())
    })
    .await;
    assert!(asked_after < DELAY, "it was asked too late to tell");
    assert_eq!([&taken.text, &last], [&whole.text, &whole.text]);
    // A balancer that sees no requests, only connections, would keep asking here.
    let connection = |heard: &Heard| heard.headers.get("connection").cloned();
    assert_eq!(connection(&whole), None);
    assert_eq!(connection(&taken).as_deref(), Some("close"));
    assert_eq!(service.ended().await, 0);
    assert!(told.elapsed() >= DELAY, "{:?}", told.elapsed());
    let records = service.records().await;
    let shed = records.iter().filter(|r| r.outcome == Outcome::Shed);
    assert_eq!(shed.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_a_second_signal_insists_while_turns_are_still_taken() {
    let mut service = Service::start(&[("SHUTDOWN_DELAY_S", "60")]).await;
    service.signal("TERM");
    until("unready", async || {
        (service.ready().await == 503).then_some(())
    })
    .await;
    let insisted = Instant::now();
    service.signal("INT");
    assert_eq!(service.ended().await, 0, "nothing was cut");
    let took = insisted.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_a_second_signal_insists() {
    for (first, second) in [("TERM", "INT"), ("INT", "INT")] {
        // A slow voice, so that half a second between two words is no silence.
        let mut service = Service::start(&[("SPEECH_WPM", "60")]).await;
        service.simulate(&json!({"gap_ms": 500})).await;
        let mut calls = service.streams(20).await;
        for call in &mut calls {
            call.hear_words().await;
        }
        service.signal(first);
        until("unready", async || {
            (service.ready().await == 503).then_some(())
        })
        .await;
        let insisted = Instant::now();
        service.signal(second);
        for call in calls {
            // The first words are read already; the rest is a polite end.
            let rest = call.response().await.text();
            assert!(
                rest.ends_with("data: [DONE]\n\n") && rest.contains(r#""finish_reason":"stop""#),
                "{rest}"
            );
        }
        let code = service.ended().await;
        let took = insisted.elapsed();
        println!("SIG{first}, SIG{second}: exit {code} after {took:?}");
        assert_eq!(code, 1, "something was cut");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let records = service.records().await;
        assert!(records.len() == 20 && records.iter().all(|r| r.outcome == Outcome::PartialFailed));
    }
}

/// More people than memory takes in at once.
const NEWCOMERS: usize = 6_000;

/// Nothing confirmed their words within the minute: they count by themselves, all of them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_thousands_said_within_a_minute_is_kept_for_memory() {
    let settings = [("ZEP_API_KEY", "zep-test"), ("CLM_API_KEYS", "caller-test")];
    let mut service = Service::start(&settings).await;
    service
        .simulate(&json!({"first_token_ms": 0, "gap_ms": 0, "memory_fault": "hang"}))
        .await;
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let request =
        Request::bytes("/chat/completions", body).header("authorization", "Bearer caller-test");
    let turns = futures::stream::iter(0..NEWCOMERS).map(|_| service.send(&request));
    let statuses: Vec<u16> = turns.buffer_unordered(48).map(|r| r.status).collect().await;
    assert!(statuses.iter().all(|status| *status == 200));
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    let lines = service.lines();
    let dropped = lines.iter().find(|l| l.contains("writes were dropped"));
    assert_eq!(dropped, None);
    let waiting = lines
        .iter()
        .find(|l| l.contains("wait on the disk for the next start"));
    let waiting: Value = serde_json::from_str(waiting.expect("a line")).unwrap();
    assert_eq!(waiting["exchanges"], NEWCOMERS);
}
