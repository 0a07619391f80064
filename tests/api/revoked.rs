//! Session ids that are taken back: they hold no more, at once, and nobody else's does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::{Call, Request};
use crate::errors::refused;
use crate::memory::{quoted, seed};
use crate::watched::watch;

const KEYS: (&str, &str) = ("SESSION_SIGNING_KEYS", "signing-key-0123456789");
const STRICT: (&str, &str) = ("REQUIRE_SIGNED_SESSIONS", "strict");
const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "admin-1");

fn admin(request: Request) -> Request {
    request.header("authorization", "Bearer admin-1")
}

fn delete(id: &str) -> Request {
    admin(Request::method("DELETE", &format!("/v1/sessions/{id}")))
}

async fn mint(app: &TestApp, user: &str) -> String {
    let wanted = json!({"user_id": user, "tier": "enterprise"});
    let minted = app
        .send(&admin(Request::post("/v1/sessions", &wanted)))
        .await;
    minted.json()["session_id"].as_str().unwrap().to_owned()
}

async fn record(app: &TestApp, turn_id: &str) -> Value {
    let request = admin(Request::get(&format!("/v1/turns/{turn_id}")));
    until("the turn's record", async || {
        let response = app.send(&request).await;
        (response.status == 200).then(|| response.json())
    })
    .await
}

/// How a stream ended that must have ended well, as it is recorded.
async fn ended(app: &TestApp, call: Call) -> String {
    let response = call.response().await;
    let rest = response.text();
    assert!(rest.contains(r#""finish_reason":"stop""#), "{rest}");
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    let turn = record(app, &response.headers["x-clm-turn-id"]).await;
    turn["outcome"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_taken_back_is_nobodys() {
    let app = TestApp::spawn(&[KEYS, ADMIN]).await;
    seed(&app, "ines", &["Leads a team of six."]);
    let (leaked, other) = (mint(&app, "ines").await, mint(&app, "ines").await);
    app.say(&leaked, "Hello").await;
    assert_eq!(quoted(&app).len(), 1);
    let told = app.send(&delete(&leaked)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let told = told.json();
    assert!(told["session_id"].as_str().unwrap().starts_with("s_"));
    assert_eq!(
        (&told["revoked"], &told["ended_here"]),
        (&json!(true), &json!(0))
    );
    assert!(!told.to_string().contains(&leaked));
    let heard = app.say(&leaked, "What do you know of me?").await;
    let turn = record(&app, &heard.turn_id).await;
    assert_eq!(
        (&turn["identity"], &turn["tier"], &turn["user_hash"]),
        (&json!("none"), &json!("free"), &Value::Null)
    );
    assert_eq!(quoted(&app), [""; 0]);
    let events = Request::get(&format!("/v1/sessions/{leaked}/events"));
    refused(&app.send(&events).await, 401, "unauthorized");
    // The same person's other session is as good as it was.
    app.say(&other, "Hello").await;
    assert_eq!(quoted(&app).len(), 1);
    // Twice is once.
    assert_eq!(app.send(&delete(&leaked)).await.status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_name_that_it_is_kept_under_too_and_strict_says_so() {
    let app = TestApp::spawn(&[KEYS, ADMIN, STRICT]).await;
    let session = mint(&app, "ines").await;
    let heard = app.say(&session, "Hello").await;
    let turn = record(&app, &heard.turn_id).await;
    let kept = turn["session_id"].as_str().unwrap();
    assert_eq!(app.send(&delete(kept)).await.status, 200);
    let response = app.send(&Request::hume(&session, "Hello")).await;
    refused(&response, 401, "unauthorized");
    assert!(response.text().contains("revoked"), "{}", response.text());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_in_it_ends_politely_and_what_it_watched_is_over() {
    let app = TestApp::spawn(&[KEYS, ADMIN]).await;
    let session = mint(&app, "ines").await;
    let bystander = mint(&app, "marco").await;
    let watching = watch(
        &app,
        &Request::get(&format!("/v1/sessions/{session}/events")),
    )
    .await;
    app.options(|o| o.gap = Duration::from_millis(50));
    app.script(&["stall:3", "ok"]);
    let mut speaking = app.call(&Request::hume(&session, "Hello")).await;
    speaking.hear_words().await;
    let mut beside = app.call(&Request::hume(&bystander, "Hello")).await;
    beside.hear_words().await;
    let told = app.send(&delete(&session)).await.json();
    assert_eq!(told["ended_here"], json!(1));
    assert_eq!(ended(&app, speaking).await, "superseded");
    // The next it would see is that very turn.
    let seen = watching.response().await.text();
    assert!(!seen.contains("event: turn"), "{seen}");
    assert_eq!(ended(&app, beside).await, "complete");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_operator_takes_back_and_only_what_was_signed_here() {
    let app = TestApp::spawn(&[KEYS, ADMIN]).await;
    let session = mint(&app, "ines").await;
    for (id, status, kind) in [
        ("ines", 400, "invalid_request"),
        ("c1.x.y", 400, "invalid_request"),
        ("s_00", 400, "invalid_request"),
        (&format!("{session}A"), 400, "invalid_request"),
        ("a%00b", 400, "invalid_session_id"),
    ] {
        refused(&app.send(&delete(id)).await, status, kind);
    }
    let path = format!("/v1/sessions/{session}");
    for request in [
        Request::method("DELETE", &path),
        Request::method("DELETE", &path).header("x-clm-session", &session),
        Request::method("DELETE", &path).header("authorization", "Bearer admin-2"),
    ] {
        refused(&app.send(&request).await, 401, "unauthorized");
    }
    let heard = app.say(&session, "Hello").await;
    assert_eq!(record(&app, &heard.turn_id).await["identity"], "signed");
    app.stop().await;
}
