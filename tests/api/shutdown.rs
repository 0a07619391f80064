//! The end: no sentence is cut, and what has to be cut is cut politely.

use std::time::Duration;

use quest_clm::app::Ended;
use quest_clm::turn::Outcome;

use crate::app::{TestApp, is_fallback_line};
use crate::caller::{Call, Request};
use crate::heard::Heard;

const STREAMS: usize = 20;

/// Some streams, each with its first words out.
async fn speaking(app: &TestApp) -> Vec<Call> {
    let mut calls = Vec::new();
    for n in 0..STREAMS {
        calls.push(app.call(&Request::hume(&format!("s-{n}"), "Hello")).await);
    }
    for call in &mut calls {
        call.head().await;
    }
    calls
}

async fn all(calls: Vec<Call>) -> Vec<Heard> {
    let heard = futures::future::join_all(calls.into_iter().map(Call::response)).await;
    heard.into_iter().map(Heard::strictly).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_every_stream_finish_whole() {
    let app = TestApp::spawn(&[]).await;
    let whole = app.say("s", "Hello").await.text;
    app.options(|o| o.gap = Duration::from_millis(15));
    let calls = speaking(&app).await;
    app.lifecycle().soft().cancel();
    for heard in all(calls).await {
        assert_eq!(
            (heard.text.as_str(), heard.finish_reason.as_str()),
            (whole.as_str(), "stop")
        );
    }
    let records = app.stop().await;
    assert_eq!(records.len(), STREAMS + 1);
    assert!(
        records
            .iter()
            .all(|r| r.outcome == Outcome::Complete && r.cost_microusd.is_some())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hard_token_ends_streams_politely() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(200));
    let mut calls = speaking(&app).await;
    for call in &mut calls {
        call.hear_words().await;
    }
    app.lifecycle().soft().cancel();
    app.lifecycle().hard().cancel();
    for call in calls {
        // The first words are read already; the rest is a polite end.
        let rest = call.response().await.text();
        assert!(
            rest.ends_with("data: [DONE]\n\n") && rest.contains(r#""finish_reason":"stop""#),
            "{rest}"
        );
    }
    let records = app.stop_as(Ended::Cut).await;
    assert!(records.iter().all(|r| r.outcome == Outcome::PartialFailed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_is_not_exceeded_and_who_heard_nothing_hears_a_sentence() {
    let app = TestApp::spawn(&[
        ("SHUTDOWN_GRACE_S", "1"),
        ("FIRST_TOKEN_DEADLINE_MS", "9000"),
        ("SPOKEN_FALLBACK_MS", "9000"),
        ("HEDGING", "false"),
    ])
    .await;
    let faults = ["hang"; STREAMS];
    app.script(&faults);
    let calls = speaking(&app).await;
    app.lifecycle().soft().cancel();
    for heard in all(calls).await {
        assert!(is_fallback_line(&heard.text), "{}", heard.text);
        assert!(
            heard.ended < Duration::from_millis(2500),
            "{:?}",
            heard.ended
        );
    }
    let records = app.stop_as(Ended::Cut).await;
    assert!(records.iter().all(|r| r.outcome == Outcome::Failed));
}
