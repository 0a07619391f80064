//! Deadlines: what counts as speech, and when somebody else speaks instead.

use std::time::Duration;

use crate::app::{TestApp, is_fallback_line, saying};
use crate::heard::Heard;

/// How late a deadline may be noticed on a busy machine.
const SLACK: Duration = Duration::from_millis(150);

fn at_about(heard: &Heard, due: u64) {
    let (spoke, due) = (heard.spoke.unwrap(), Duration::from_millis(due));
    // The caller's clock starts a moment before the turn's.
    assert!(
        spoke >= due && spoke < due + SLACK,
        "spoke at {spoke:?}, due at {due:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_speech_does_not_hold_the_first_token_deadline() {
    const SETTINGS: &[(&str, &str)] = &[
        ("FIRST_TOKEN_DEADLINE_MS", "300"),
        ("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "200"),
        ("SPOKEN_FALLBACK_MS", "2000"),
    ];
    for fault in [
        "comments-only",
        "stall:0",
        "hang",
        "slow-first:5000",
        "reasoning-first:3000",
    ] {
        // A service of its own: a model that was late three times is asked no more.
        let app = TestApp::spawn(SETTINGS).await;
        app.script(&[fault]);
        let heard = app.ask("Hello").await;
        at_about(&heard, 300);
        assert!(!is_fallback_line(&heard.text), "{fault}");
        let record = app.record(&heard.turn_id).await;
        assert_eq!(
            record["attempts"][0]["error_kind"], "first_token_timeout",
            "{fault}"
        );
        assert_eq!(record["attempts"][0]["cancelled"], true, "{fault}");
        assert!(record["first_speakable_ms"].as_f64().unwrap() >= 300.0);
        app.stop().await;
    }
    let app = TestApp::spawn(SETTINGS).await;
    // Each later model has its own, shorter or longer.
    app.script(&["hang", "hang"]);
    at_about(&app.ask("Hello").await, 500);
    app.script(&["hang", "hang", "hang"]);
    let heard = app.ask("Hello").await;
    at_about(&heard, 700);
    assert!(
        is_fallback_line(&heard.text),
        "the line comes as soon as nothing is left"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_spoken_by_its_deadline_whoever_is_still_tried() {
    let app = TestApp::spawn(&[
        ("SPOKEN_FALLBACK_MS", "400"),
        ("FIRST_TOKEN_DEADLINE_MS", "300"),
    ])
    .await;
    for faults in [
        ["hang", "hang"],
        ["comments-only", "comments-only"],
        ["500", "stall:0"],
        ["reasoning-first:9999", "hang"],
    ] {
        app.script(&faults);
        let heard = app.ask("Hello").await;
        at_about(&heard, 400);
        assert!(is_fallback_line(&heard.text), "{faults:?}: {}", heard.text);
        assert_eq!(app.record(&heard.turn_id).await["outcome"], "failed");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_in_mid_answer_is_given_up_and_a_short_one_is_not() {
    let app = TestApp::spawn(&[("IDLE_DEADLINE_MS", "300"), ("RESUME", "false")]).await;
    app.script(&["slow-nth:4:200"]);
    let heard = app.ask("Hello").await;
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "complete");
    for fault in ["stall:3", "stall-comments:3", "slow-nth:4:9000"] {
        app.script(&[fault]);
        let heard = app.ask("Hello").await;
        let silence = heard.ended - heard.spoke.unwrap();
        assert!(
            silence >= Duration::from_millis(300) && silence < Duration::from_millis(300) + SLACK,
            "{silence:?}"
        );
        assert_eq!(
            (heard.text.split(' ').count(), heard.finish_reason.as_str()),
            (3, "stop")
        );
        assert_eq!(
            app.record(&heard.turn_id).await["outcome"],
            "partial_failed"
        );
    }
    app.stop().await;
}

/// The filter holds marks for what may follow them; to whoever listens that is a silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_without_end_behind_words_are_a_silence() {
    let app = TestApp::spawn(&[("IDLE_DEADLINE_MS", "300"), ("RESUME", "false")]).await;
    app.options(|o| o.gap = Duration::from_millis(20));
    // At most as long again is what is held taken for words.
    let longest = Duration::from_millis(2 * 300 + 100) + SLACK;
    for mark in ["*", "** ", "[", "`", "|"] {
        app.script(&[&saying(&format!("Well, you see {}", mark.repeat(400)))]);
        let heard = app.ask("Hello").await;
        let silence = heard.ended - heard.spoke.unwrap();
        assert!(silence < longest, "{mark}: {silence:?}");
        assert_eq!(heard.text, "Well, you see", "{mark}");
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["outcome"], "partial_failed", "{mark}");
    }
    // What is let out by each pause is heard.
    app.options(|o| o.gap = Duration::from_millis(60));
    app.script(&[&saying(&"7 ".repeat(30))]);
    let heard = app.ask("Hello").await;
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], "complete", "{}", heard.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_turn_has_an_end() {
    let app = TestApp::spawn(&[
        ("TURN_DEADLINE_MS", "500"),
        ("FIRST_TOKEN_DEADLINE_MS", "400"),
        ("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "400"),
    ])
    .await;
    app.options(|o| o.gap = Duration::from_millis(60));
    let heard = app.ask("Hello").await;
    assert!(
        heard.ended >= Duration::from_millis(500)
            && heard.ended < Duration::from_millis(500) + SLACK
    );
    assert!(!heard.text.is_empty() && heard.finish_reason == "stop");
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], "partial_failed", "{record}");
    app.script(&["hang", "hang"]);
    let silent = app.ask("Hello").await;
    at_about(&silent, 500);
    assert!(is_fallback_line(&silent.text));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_waited_for_no_longer_than_its_deadline() {
    let app = TestApp::spawn(&[("MEMORY_DEADLINE_MS", "200")]).await;
    app.options(|o| o.memory_latency = Duration::from_secs(3));
    let heard = app.ask("Hello").await;
    at_about(&heard, 200);
    assert_eq!(app.record(&heard.turn_id).await["memory_outcome"], "late");
    app.options(|o| o.memory_latency = Duration::ZERO);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stream_says_that_it_lives_where_comments_are_taken() {
    use crate::caller::Request;
    use serde_json::json;
    let app = TestApp::spawn(&[
        ("FIRST_TOKEN_DEADLINE_MS", "5500"),
        ("SPOKEN_FALLBACK_MS", "5800"),
        ("HEDGING", "false"),
    ])
    .await;
    app.script(&["hang"; 4]);
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let hear = async |prefix: &str| {
        let request = Request::post(&format!("{prefix}/chat/completions"), &body);
        app.send(&request).await
    };
    let all = tokio::join!(hear(""), hear("/v1"), hear("/elevenlabs"), hear("/vapi"));
    assert!(!all.0.text().contains("\n:"), "hume gets no comment");
    for response in [&all.1, &all.2, &all.3] {
        assert!(response.text().contains(": keep-alive\n\n"));
    }
    for response in [all.0, all.1, all.2, all.3] {
        Heard::strictly(response);
    }
    app.stop().await;
}
