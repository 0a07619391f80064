//! Load and its bounds: what is shed, what is never cut, who is disconnected.

use std::time::Duration;

use quest_clm::app::Ended;
use quest_clm::coach::Roster;
use quest_clm::turn::Outcome;
use serde_json::json;
use tokio::time::Instant;

use crate::app::{TestApp, is_fallback_line, until};
use crate::caller::{Call, Request};
use crate::heard::Heard;

fn is_busy_line(text: &str) -> bool {
    let roster = Roster::built_in().unwrap();
    roster
        .iter()
        .flat_map(|coach| &coach.busy_lines)
        .any(|line| line == text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c21_overload_sheds_new_turns_at_once_and_cuts_none_that_run() {
    const ROOM: usize = 20;
    let app = TestApp::spawn_alone(&[("MAX_TURNS", "20")]).await;
    let whole = app.say("s-whole", "Hello").await.text;
    // The twenty speak for longer than everybody else needs to be turned away.
    app.options(|o| o.gap = Duration::from_millis(100));
    let mut running = Vec::new();
    for n in 0..ROOM {
        running.push(app.call(&Request::hume(&format!("s-{n}"), "Hello")).await);
    }
    for call in &mut running {
        call.hear_words().await;
    }
    let mut took = Vec::new();
    for n in 0..2 * ROOM {
        let heard = app.say(&format!("more-{n}"), "Hello").await;
        assert!(is_busy_line(&heard.text), "{}", heard.text);
        assert_eq!(heard.finish_reason, "stop");
        took.push(heard.ended);
    }
    took.sort();
    assert!(
        took[took.len() * 9 / 10] <= Duration::from_millis(20),
        "{took:?}"
    );
    // A program is told instead, in words it understands.
    let told = Request::hume("program", "Hello").header("x-clm-errors", "signal");
    let response = app.send(&told).await;
    assert_eq!(response.status, 503);
    assert_eq!(response.headers["retry-after"], "1");
    let error = &response.json()["error"];
    assert_eq!(
        (&error["type"], &error["retryable"]),
        (&json!("overloaded"), &json!(true))
    );
    for call in running {
        let text = call.response().await.text();
        assert!(text.ends_with("data: [DONE]\n\n"));
    }
    let records = app.stop().await;
    let count = |outcome| records.iter().filter(|r| r.outcome == outcome).count();
    assert_eq!(count(Outcome::Complete), ROOM + 1);
    assert_eq!(count(Outcome::Shed), 2 * ROOM + 1);
    assert!(!whole.is_empty() && records.len() == 3 * ROOM + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c4_a_caller_that_takes_nothing_is_disconnected() {
    let app = TestApp::spawn(&[("CALLER_STALL_S", "1"), ("IDLE_DEADLINE_MS", "60000")]).await;
    let stream = long_stream();
    app.simulator().add_recording("long", stream, 64 << 10);
    app.script(&["replay:long"]);
    let mut call = app.call(&Request::hume("s", "Hello")).await;
    call.hear_words().await;
    let turn = call.turn_id().await;
    let stopped = Instant::now();
    let record = app.record(&turn).await;
    let after = stopped.elapsed();
    assert_eq!(record["outcome"], "interrupted", "{record}");
    assert!(
        after >= Duration::from_millis(900) && after < Duration::from_secs(5),
        "{after:?}"
    );
    until("upstream is closed", async || app.chats()[0].aborted_at()).await;
    drop(call);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_caller_that_goes_on_reading_is_left_alone() {
    let app = TestApp::spawn(&[("CALLER_STALL_S", "1"), ("IDLE_DEADLINE_MS", "60000")]).await;
    let stream = long_stream();
    app.simulator().add_recording("long", stream, 64 << 10);
    app.script(&["replay:long"]);
    let mut call = app.call(&Request::hume("s", "Hello")).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        call.piece().await.expect("more to read");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let rest = call.whole().await.text();
    assert!(rest.ends_with("data: [DONE]\n\n"), "{} bytes", rest.len());
    app.stop().await;
}

/// More than all the buffers of two connections hold.
fn long_stream() -> String {
    let event = json!({
        "choices": [{"index": 0, "delta": {"content": "a "}}],
        "padding": "x".repeat(250),
    });
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    format!("data: {event}\n\n").repeat(60_000) + end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_a_panic_in_one_turn_is_that_turns_alone() {
    let app = TestApp::spawn(&[]).await;
    let whole = app.say("s-whole", "Hello").await.text;
    app.options(|o| o.gap = Duration::from_millis(5));
    let mut others: Vec<Call> = Vec::new();
    for n in 0..10 {
        others.push(app.call(&Request::hume(&format!("s-{n}"), "Hello")).await);
    }
    let request = Request::hume("s", "Hello").header("x-clm-fault", "panic");
    let heard = app.hear(&request).await;
    assert!(is_fallback_line(&heard.text), "{}", heard.text);
    for other in others {
        assert_eq!(Heard::strictly(other.response().await).text, whole);
    }
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "failed");
    let metrics = app.send(&Request::get("/metrics")).await.text();
    let count = metrics
        .lines()
        .find_map(|l| l.strip_prefix("clm_panics_total "));
    assert!(count.unwrap().parse::<u32>().unwrap() >= 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_two_hundred_streams_outlive_the_signal() {
    const STREAMS: usize = 200;
    let app = TestApp::spawn(&[]).await;
    let whole = app.say("s-whole", "Hello").await.text;
    app.options(|o| o.gap = Duration::from_millis(30));
    let mut calls = Vec::new();
    for n in 0..STREAMS {
        calls.push(app.call(&Request::hume(&format!("s-{n}"), "Hello")).await);
    }
    for call in &mut calls {
        call.head().await;
    }
    app.lifecycle().soft().cancel();
    let late = app.say("late", "Hello").await;
    assert!(is_busy_line(&late.text), "{}", late.text);
    let heard = futures::future::join_all(calls.into_iter().map(Call::response)).await;
    let cut = heard
        .into_iter()
        .map(Heard::strictly)
        .filter(|h| h.text != whole);
    assert_eq!(cut.count(), 0);
    let records = app.stop_as(Ended::Clean).await;
    assert_eq!(records.len(), STREAMS + 2);
}
