//! Refusals: one shape, a hint in each, and never a 500 for anything a caller can send. What is meant
//! to do harm is in `callers_matrix.rs`.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::app::TestApp;
use crate::caller::{Call, Request, Response, Seen};
use crate::heard::Heard;

const HI: &str = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
pub(crate) const MAX_BODY: usize = 4 << 20;

/// The error body every refusal has.
pub(crate) fn refused(response: &Response, status: u16, kind: &str) {
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    assert_eq!(
        response.headers["content-type"], "application/json",
        "{text}"
    );
    let body = response.json();
    let error = body["error"].as_object().unwrap();
    assert_eq!(
        (body.as_object().unwrap().len(), error.len()),
        (1, 6),
        "{text}"
    );
    assert_eq!(error["type"], kind, "{text}");
    assert!(
        error["message"].as_str().is_some_and(|m| m.len() > 5),
        "{text}"
    );
    assert!(
        error["hint"].as_str().is_some_and(|h| h.len() > 5),
        "{text}"
    );
    assert_eq!(error["docs"], format!("/docs#error-{kind}"), "{text}");
    assert_eq!(error["retryable"], matches!(status, 408 | 503), "{text}");
    assert_eq!(
        error["trace_id"],
        response.headers["x-clm-trace-id"].as_str()
    );
}

/// A JSON object of exactly this many bytes with a turn in it.
pub(crate) fn sized(bytes: usize) -> String {
    let fill = |n: usize| format!(r#"{{"fill":"{}","messages":[]}}"#, "x".repeat(n));
    fill(bytes - fill(0).len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_turn_is_refused_with_a_reason() {
    let app = TestApp::spawn(&[]).await;
    let post = |body: &str| Request::bytes("/chat/completions", body);
    let at = |path: &str| Request::bytes(path, HI);
    for (request, status, kind) in [
        (post(""), 400, "invalid_request"),
        (post("{"), 400, "invalid_request"),
        (post("[]"), 400, "invalid_request"),
        (post("null"), 400, "invalid_request"),
        (post("{}"), 400, "invalid_request"),
        (post(r#"{"messages":{}}"#), 400, "invalid_request"),
        (post(r#"{"messages":"Hi"}"#), 400, "invalid_request"),
        (
            at("/chat/completions?custom_session_id=%FF"),
            400,
            "invalid_request",
        ),
        (at("/nowhere"), 404, "not_found"),
        (Request::get("/"), 404, "not_found"),
        (Request::get("/v1/turns/nobody"), 404, "not_found"),
        (Request::get("/chat/completions"), 405, "method_not_allowed"),
        (
            Request::method("DELETE", "/v1/chat/completions"),
            405,
            "method_not_allowed",
        ),
        (
            Request::method("PUT", "/v1/sessions"),
            405,
            "method_not_allowed",
        ),
        (at("/healthz"), 405, "method_not_allowed"),
        (
            at("/chat/completions").typed("text/plain"),
            415,
            "unsupported_media_type",
        ),
        (
            at("/chat/completions").typed("application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
        ),
        (Request::get("/v1/turns?limit=many"), 400, "invalid_request"),
        (Request::get("/v1/turns?limit=0"), 400, "invalid_request"),
        (
            Request::get("/v1/turns?outcome=nice"),
            400,
            "invalid_request",
        ),
    ] {
        let response = app.send(&request).await;
        refused(&response, status, kind);
        assert_eq!(response.headers.contains_key("allow"), status == 405);
    }
    assert_eq!(app.chats().len(), 0);
    for typed in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ] {
        app.hear(&at("/chat/completions").typed(typed)).await;
    }
    assert!(
        app.stop()
            .await
            .iter()
            .all(|turn| turn.outcome.as_str() == "complete")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_needed_where_keys_are_set_before_the_body_is_read() {
    let app = TestApp::spawn(&[
        ("CLM_API_KEYS", "caller-1,caller-2"),
        ("ADMIN_API_KEYS", "admin-1"),
    ])
    .await;
    let turn = Request::bytes("/chat/completions", HI);
    let list = Request::get("/v1/turns");
    for (request, key, status) in [
        (&turn, "", 401),
        (&turn, "Bearer wrong", 401),
        (&turn, "Bearer admin-1", 401),
        (&turn, "Basic caller-1", 401),
        (&turn, "Bearer caller-1", 200),
        (&turn, "bearer caller-2", 200),
        (&list, "Bearer caller-1", 401),
        (&list, "Bearer admin-1", 200),
        (&Request::get("/metrics"), "", 401),
        (&Request::get("/models"), "", 401),
        (&Request::get("/healthz"), "", 200),
    ] {
        let response = app
            .send(&request.clone().header("authorization", key))
            .await;
        match status {
            200 => assert_eq!(response.status, 200, "{key}"),
            _ => {
                refused(&response, 401, "unauthorized");
                assert_eq!(response.headers["www-authenticate"], "Bearer");
            }
        }
    }
    // Answered although the body never comes.
    let mut call = raw(
        &app,
        b"POST /chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n",
    )
    .await;
    assert_eq!(call.head().await.status, 401);
    app.stop().await;
}

/// Sends these bytes and nothing else.
pub(crate) async fn raw(app: &TestApp, bytes: &[u8]) -> Call {
    let mut call = Call::connect(app.addr, Seen::default()).await;
    call.write(bytes).await;
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_mebibytes_are_taken_and_more_is_not_however_it_comes() {
    let app = TestApp::spawn(&[]).await;
    app.hear(&Request::bytes("/chat/completions", sized(MAX_BODY)))
        .await;
    let head = "POST /chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = sized(MAX_BODY + 1);
    let chunked = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let call = raw(&app, chunked.as_bytes()).await;
    refused(&call.response().await, 413, "payload_too_large");
    // Refused by its declaration alone.
    let declared = "POST /chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n";
    refused(
        &raw(&app, declared.as_bytes()).await.response().await,
        413,
        "payload_too_large",
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_and_slow_heads_are_cut() {
    let app = TestApp::spawn(&[]).await;
    let body =
        b"POST /chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 60\r\n\r\n{\"messages\":";
    let head = b"POST /chat/completions HTTP/1.1\r\nhost: a\r\n";
    let (slow_body, mut slow_head) = (raw(&app, body).await, raw(&app, head).await);
    let began = slow_body.began;
    let (response, closed) = tokio::join!(slow_body.response(), async {
        let answered = slow_head.try_head().await;
        (
            answered.map(|head| head.status),
            slow_head.is_closed().await,
            slow_head.began.elapsed(),
        )
    });
    let took = response.pieces[0].at - began;
    refused(&response, 408, "timeout");
    let about = Duration::from_millis(4500)..Duration::from_millis(6500);
    assert!(about.contains(&took), "{took:?}");
    let (status, is_closed, took) = closed;
    assert!(
        matches!(status, None | Some(408)) && is_closed && about.contains(&took),
        "{status:?} {took:?}"
    );
    app.stop().await;
}

/// JSON of any shape.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof!["user", "assistant", "system", "tool", "Hi \\{very calm\\}"]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name = prop_oneof![
            Just("role"),
            Just("content"),
            Just("messages"),
            Just("message"),
            Just("models"),
            Just("prosody"),
            Just("scores"),
            Just("time"),
            Just("tools"),
            Just("tool_calls"),
            Just("stream_options"),
            Just("user"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let fields = (any_json(), any_json(), any_json());
    let talk = (prop::collection::vec(any_json(), 0..6), fields).prop_map(|(messages, (user, tools, more))| {
        let body = json!({"messages": messages, "user": user, "tools": tools, "stream_options": more, "stream": true});
        body.to_string().into_bytes()
    }).boxed();
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => any_json().prop_map(|json| json.to_string().into_bytes()),
        3 => talk.clone(),
        1 => (talk, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
            let at = at.index(body.len());
            body[at] = byte;
            body
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_is_answered_with_a_500() {
    let app = TestApp::spawn(&[("ZEP_API_KEY", "")]).await;
    app.options(|o| (o.first_token, o.gap) = (Duration::ZERO, Duration::ZERO));
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let ran = block_in_place(|| {
        TestRunner::new(config).run(&(any_body(), any::<bool>()), |(body, hume)| {
            let path = if hume {
                "/chat/completions"
            } else {
                "/v1/chat/completions"
            };
            let response = Handle::current().block_on(app.send(&Request::bytes(path, body)));
            match response.status {
                200 if response.headers["content-type"] == "text/event-stream" => {
                    Heard::strictly(response);
                }
                200 => assert_eq!(response.json()["object"], "chat.completion"),
                status => refused(
                    &response,
                    status,
                    response.json()["error"]["type"].as_str().unwrap(),
                ),
            }
            prop_assert!(true);
            Ok(())
        })
    });
    ran.unwrap();
    app.stop().await;
}
