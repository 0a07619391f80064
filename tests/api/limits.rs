//! How many turns one key and one session may take, and that nobody else is touched by it.

use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, until};
use crate::caller::{Request, Response};

/// A 429 of this scope and setting, which says in so many seconds what is true.
fn assert_limited(
    response: &Response,
    scope: &str,
    setting: &str,
    seconds: std::ops::RangeInclusive<u64>,
) {
    assert_eq!(response.status, 429, "{}", response.text());
    let error = &response.json()["error"];
    assert_eq!(
        (&error["type"], &error["retryable"]),
        (&json!("rate_limited"), &json!(true))
    );
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    assert!(text("message").contains(scope), "{error}");
    assert!(text("hint").contains(setting), "{error}");
    let after: u64 = response.headers["retry-after"].parse().unwrap();
    assert!(seconds.contains(&after), "{after} s");
}

/// The same words as one body.
fn whole(session: &str, words: &str) -> Request {
    let path = format!("/v1/chat/completions?custom_session_id={session}");
    Request::post(
        &path,
        &json!({"messages": [{"role": "user", "content": words}]}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_so_many_turns_a_minute_and_another_is_not_touched() {
    let app = TestApp::spawn(&[("SESSION_TURNS_PER_MINUTE", "3")]).await;
    for n in 0..3 {
        app.say("wild", &format!("Words {n}")).await;
    }
    for n in 3..6 {
        let refused = app
            .send(&Request::hume("wild", &format!("Words {n}")))
            .await;
        assert_limited(&refused, "session", "SESSION_TURNS_PER_MINUTE", 1..=20);
    }
    assert_eq!(app.chats().len(), 3, "nobody is asked for what is refused");
    app.say("calm", "Hello").await;
    // Who sends no id gets a new one each time: there is nothing to count.
    for n in 0..5 {
        app.say("", &format!("Hello {n}")).await;
    }
    let metrics = app.send(&Request::get("/metrics")).await.text();
    let count = |scope: &str| {
        let row = format!("clm_rate_limited_total{{scope=\"{scope}\"}} ");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&row));
        count.unwrap().parse::<u64>().unwrap()
    };
    assert!(count("session") >= 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_as_long_as_was_told_a_turn_is_taken() {
    let app = TestApp::spawn(&[("SESSION_TURNS_PER_MINUTE", "60")]).await;
    let mut taken = 0;
    let refused = loop {
        let response = app.send(&whole("s", &format!("Words {taken}"))).await;
        if response.status == 429 {
            break response;
        }
        taken += 1;
    };
    assert!((60..90).contains(&taken), "{taken}");
    assert_limited(&refused, "session", "SESSION_TURNS_PER_MINUTE", 1..=1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(app.send(&whole("s", "Later")).await.status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_takes_nothing_of_its_sessions_minute() {
    let app = TestApp::spawn(&[("SESSION_TURNS_PER_MINUTE", "2")]).await;
    let first = app.say("s", "Hello").await;
    for _ in 0..5 {
        assert_eq!(app.say("s", "Hello").await.turn_id, first.turn_id);
    }
    app.say("s", "Something else").await;
    let refused = app.send(&Request::hume("s", "More")).await;
    assert_limited(&refused, "session", "SESSION_TURNS_PER_MINUTE", 1..=30);
    assert_eq!(app.chats().len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_refused_before_its_body_is_read_and_another_key_is_not() {
    let settings = [
        ("KEY_TURNS_PER_MINUTE", "2"),
        ("CLM_API_KEYS", "key-a-0123,key-b-0123"),
    ];
    let app = TestApp::spawn(&settings).await;
    let with =
        |key: &str, request: Request| request.header("authorization", &format!("Bearer {key}"));
    let broken = || Request::bytes("/chat/completions", "{");
    // Whatever a key sends is counted, and the wrong key counts for nobody.
    assert_eq!(app.send(&with("key-a-0123", broken())).await.status, 400);
    assert_eq!(app.send(&with("key-c-0123", broken())).await.status, 401);
    app.hear(&with("key-a-0123", Request::hume("a", "Hello")))
        .await;
    let refused = app.send(&with("key-a-0123", broken())).await;
    assert_limited(&refused, "key", "KEY_TURNS_PER_MINUTE", 1..=30);
    app.hear(&with("key-b-0123", Request::hume("b", "Hello")))
        .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_turns_are_bounded_until_they_end_or_their_caller_leaves() {
    let settings = [("SESSION_MAX_TURNS", "1"), ("KEY_MAX_TURNS", "2")];
    let app = TestApp::spawn(&settings).await;
    app.script(&["hang", "hang"]);
    let mut first = app.call(&Request::hume("one", "Hello")).await;
    first.head().await;
    let refused = app.send(&whole("one", "And this?")).await;
    assert_limited(&refused, "session", "SESSION_MAX_TURNS", 1..=1);
    let mut second = app.call(&Request::hume("two", "Hello")).await;
    second.head().await;
    let refused = app.send(&whole("three", "Hello")).await;
    assert_limited(&refused, "key", "KEY_MAX_TURNS", 1..=1);
    first.reset();
    until("there is room for the session", async || {
        let response = app.send(&whole("one", "And this?")).await;
        (response.status == 200).then_some(())
    })
    .await;
    drop(second);
    app.stop().await;
}
