//! The race on the wire: hedges, cooldowns, breakers.

use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, is_fallback_line};
use crate::caller::Request;

/// Distinct sessions: the same words of one session would be heard again, not asked again.
async fn turns(app: &TestApp, name: &str, count: usize) {
    for n in 0..count {
        app.say(&format!("{name}-{n}"), "Hello").await;
    }
}

/// Models asked since so many calls.
fn asked_since(app: &TestApp, before: usize) -> Vec<String> {
    let chats = app.chats().split_off(before);
    chats.into_iter().map(|chat| chat.model).collect()
}

const FIRST: &str = "openai/gpt-6.1-terra";
const SECOND: &str = "anthropic/claude-haiku-5.5";
const THIRD: &str = "openai/gpt-6-luna";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_slow_model_is_raced_and_the_loser_is_closed_and_costed() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["slow-first:3000", "ok"]);
    let heard = app.say("s", "Hello").await;
    let spoke = heard.spoke.unwrap();
    // The model was never heard before: its hedge waits the longest.
    assert!(
        spoke >= Duration::from_millis(900) && spoke < Duration::from_millis(1150),
        "{spoke:?}"
    );
    let record = app.record(&heard.turn_id).await;
    assert_eq!(
        (&record["outcome"], &record["hedged"]),
        (&"complete".into(), &true.into())
    );
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        (&attempts[0]["cause"], &attempts[1]["cause"]),
        (&"first".into(), &"hedge".into())
    );
    assert_eq!(
        (&attempts[0]["cancelled"], &attempts[1]["cancelled"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&attempts[0]["cost_source"], &attempts[1]["cost_source"]),
        (&"estimated".into(), &"reported".into())
    );
    assert_eq!(
        (
            record["served_model"].as_str(),
            record["cost_source"].as_str()
        ),
        (Some(SECOND), Some("estimated"))
    );
    let chats = app.chats();
    let lost = chats[0].aborted_at().expect("the loser was closed");
    let won = chats[1].received_at + Duration::from_millis(5);
    assert!(lost.saturating_duration_since(won) < Duration::from_millis(500));
    let metrics = app
        .send(&crate::caller::Request::get("/metrics"))
        .await
        .text();
    assert!(metrics.contains(r#"clm_hedges_total{result="won"}"#));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_no_more_than_one_turn_in_ten_is_hedged() {
    let app = TestApp::spawn(&[]).await;
    // Five quick answers, so that what is usual is known and a hedge waits the shortest.
    turns(&app, "known", 5).await;
    let before = app.chats().len();
    let slow = ["slow-first:450"; 40];
    app.script(&slow);
    let all = (0..20).map(|n| {
        let app = &app;
        async move { app.say(&format!("slow-{n}"), "Hello").await }
    });
    futures::future::join_all(all).await;
    let calls = app.chats().len() - before;
    // One to begin with, and a tenth for each of 25 turns.
    assert!((21..=23).contains(&calls), "{calls} calls for 20 turns");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hedging_can_be_switched_off() {
    let app = TestApp::spawn(&[("HEDGING", "false")]).await;
    app.script(&["slow-first:1100"]);
    let heard = app.say("s", "Hello").await;
    assert!(heard.spoke.unwrap() >= Duration::from_millis(1100));
    assert_eq!(app.chats().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_a_model_that_asks_for_rest_gets_it_and_nobody_waits() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["429:2"]);
    let heard = app.say("s", "Hello").await;
    assert!(
        heard.spoke.unwrap() < Duration::from_millis(500),
        "the rest is not waited for"
    );
    let before = app.chats().len();
    turns(&app, "resting", 3).await;
    assert_eq!(asked_since(&app, before), [SECOND; 3]);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let before = app.chats().len();
    turns(&app, "rested", 1).await;
    assert_eq!(asked_since(&app, before), [FIRST]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_three_failures_open_a_breaker_and_a8_one_404_closes_the_book() {
    let app = TestApp::spawn(&[]).await;
    for n in 0..3 {
        app.script(&["500"]);
        app.say(&format!("s-{n}"), "Hello").await;
    }
    let before = app.chats().len();
    turns(&app, "open", 3).await;
    assert_eq!(asked_since(&app, before), [SECOND; 3]);
    let before = app.chats().len();
    app.script(&["404"]);
    turns(&app, "gone", 3).await;
    assert_eq!(asked_since(&app, before), [SECOND, THIRD, THIRD, THIRD]);
    // An operator is told who is left alone.
    let ready = app.send(&Request::get("/readyz")).await.json();
    let resting = ready["dependencies"]["upstream"]["resting"].as_array();
    let resting = resting.unwrap();
    assert_eq!(resting.len(), 2, "{resting:?}");
    assert!(resting.iter().any(|model| model["model"] == FIRST));
    assert!(resting.contains(&json!({ "model": SECOND, "state": "cooling" })));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a8_where_all_seem_gone_a_proxy_that_lost_its_way_for_a_moment_silences_nobody() {
    let app = TestApp::spawn(&[]).await;
    let whole = app.say("whole", "Hello").await.text;
    app.script(&["404"; 3]);
    assert!(is_fallback_line(&app.say("lost", "Hello").await.text));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(app.say("found", "Hello").await.text, whole);
    assert_eq!(app.say("again", "Hello").await.text, whole);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_a_full_outage_is_not_stormed() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["503"; 400]);
    let began = tokio::time::Instant::now();
    for n in 0..100 {
        let heard = app.say(&format!("s-{n}"), "Hello").await;
        assert!(is_fallback_line(&heard.text), "{}", heard.text);
    }
    // Three failures of each of three models, and then each once a second at most.
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let calls = app.chats().len();
    assert!(calls <= 9 + 3 * seconds, "{calls} calls in {seconds} s");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_a_failure_moves_on_within_fifty_milliseconds() {
    let app = TestApp::spawn_alone(&[]).await;
    for (n, fault) in ["500", "html", "cut:0", "empty", "status:400", "429"]
        .iter()
        .enumerate()
    {
        app.script(&[fault]);
        let heard = app.say(&format!("s-{n}"), "Hello").await;
        let record = app.record(&heard.turn_id).await;
        let at = |attempt: usize, field: &str| record["attempts"][attempt][field].as_f64().unwrap();
        let gap = at(1, "started_ms") - at(0, "ended_ms");
        assert!((0.0..50.0).contains(&gap), "{fault}: {gap} ms");
    }
    app.stop().await;
}
