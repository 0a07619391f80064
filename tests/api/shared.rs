//! A session shown by a link: to whom, for how long, and what of it.

use serde_json::{Value, json};

use crate::app::{TestApp, saying, until};
use crate::caller::{Request, Response};
use crate::errors::refused;

const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "admin-1");

/// A turn as an admin sees it, once the store has it. A turn that has just ended is told of before that,
/// without its words and without its session's sums.
async fn recorded(app: &TestApp, turn: &str) -> Value {
    let as_admin = |path: String| Request::get(&path).header("authorization", "Bearer admin-1");
    until("the turn in the store", async || {
        let page = app.send(&as_admin("/v1/turns".to_owned())).await.json();
        let items = page["items"].as_array().unwrap();
        let is_there = items.iter().any(|item| item["turn_id"] == turn);
        is_there.then_some(())
    })
    .await;
    app.send(&as_admin(format!("/v1/turns/{turn}")))
        .await
        .json()
}

fn make(session: &str, body: &Value) -> Request {
    Request::post(&format!("/v1/sessions/{session}/share"), body)
        .header("authorization", "Bearer admin-1")
}

async fn shown(app: &TestApp, path: &str, link: &str) -> Response {
    let text = link.strip_prefix("/shared#").unwrap();
    app.send(&Request::get(path).header("x-clm-share", text))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_one_session_without_a_word_or_a_name() {
    let app = TestApp::spawn(&[ADMIN, ("CAPTURE_TEXT", "true")]).await;
    app.script(&[&saying("My planted answer.")]);
    let turn = app.say("ines", "My planted question").await.turn_id;
    let other = app.say("marco", "Hello").await.turn_id;
    recorded(&app, &turn).await;
    recorded(&app, &other).await;
    let made = Request::bytes("/v1/sessions/ines/share", "");
    let made = app
        .send(&made.header("authorization", "Bearer admin-1"))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let link = made.json()["path"].as_str().unwrap().to_owned();
    let session = shown(&app, "/v1/shared", &link).await;
    assert_eq!(session.status, 200, "{}", session.text());
    assert_eq!(session.headers["cache-control"], "no-store");
    let told = session.json();
    assert_eq!(told["turns"][0]["turn_id"], json!(turn));
    assert_eq!(told["totals"]["turns"], 1);
    assert_eq!(told["expires_at"], made.json()["expires_at"]);
    let one = shown(&app, &format!("/v1/shared/turns/{turn}"), &link).await;
    assert_eq!(one.json()["attempts"][0]["cause"], "first");
    let record = recorded(&app, &turn).await;
    assert!(record["words"].is_object(), "an admin sees them: {record}");
    for text in [session.text(), one.text()] {
        for secret in [
            "planted",
            "ines",
            "user_hash",
            record["trace_id"].as_str().unwrap(),
        ] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    let theirs = shown(&app, &format!("/v1/shared/turns/{other}"), &link).await;
    refused(&theirs, 404, "not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opens_nothing_else_and_only_an_admin_makes_one() {
    let app = TestApp::spawn(&[ADMIN]).await;
    let turn = app.say("ines", "Hello").await.turn_id;
    recorded(&app, &turn).await;
    let made = app.send(&make("ines", &json!({ "ttl_s": 604_800 }))).await;
    let link = made.json()["path"].as_str().unwrap().to_owned();
    for path in ["/v1/sessions/ines", "/v1/turns", "/v1/budget", "/metrics"] {
        refused(&shown(&app, path, &link).await, 401, "unauthorized");
    }
    refused(
        &shown(&app, "/v1/shared", "/shared#nonsense").await,
        401,
        "unauthorized",
    );
    refused(
        &app.send(&Request::get("/v1/shared")).await,
        401,
        "unauthorized",
    );
    let keyless = Request::post("/v1/sessions/ines/share", &json!({}));
    refused(&app.send(&keyless).await, 401, "unauthorized");
    refused(
        &app.send(&make("nobody", &json!({}))).await,
        404,
        "not_found",
    );
    for odd in [
        json!({ "ttl_s": 59 }),
        json!({ "ttl_s": 604_801 }),
        json!({ "ttl_s": -1 }),
        json!({ "until": "ever" }),
    ] {
        refused(&app.send(&make("ines", &odd)).await, 400, "invalid_request");
    }
    app.stop().await;
}
