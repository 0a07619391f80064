//! What voice platforms tell of their calls: believed only where it is signed, once, and lately.

use hmac::{Hmac, KeyInit as _, Mac as _};
use quest_clm::clock::Clock;
use quest_clm::memory::Person;
use quest_clm::simulate::Ledger;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{TestApp, remembered, saying, until};
use crate::caller::{Request, Response};
use crate::errors::refused;

const KEY: &str = "hume-signing-key-0123456789";
const OLD: &str = "hume-signing-key-of-before";
const SIGNING: (&str, &str) = ("SESSION_SIGNING_KEYS", "signing-key-0123456789");
const HUME: (&str, &str) = (
    "HUME_WEBHOOK_KEY",
    "hume-signing-key-0123456789,hume-signing-key-of-before",
);
const SECRET: &str = "wsec_elevenlabs-0123456789";

fn hex_mac(key: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    base16ct::lower::encode_string(&mac.finalize().into_bytes())
}

fn now_s() -> i64 {
    Clock::System.now_s()
}

/// A webhook of Hume's, signed so over these bytes and sent with those.
fn sent(key: &str, at_s: i64, signed: &[u8], sent: &[u8]) -> Request {
    let time = at_s.to_string();
    Request::bytes("/v1/webhooks/hume", sent)
        .header("x-hume-ai-webhook-timestamp", &time)
        .header(
            "x-hume-ai-webhook-signature",
            &hex_mac(key, &[signed, b".", time.as_bytes()]),
        )
}

fn hume(event: &Value) -> Request {
    let body = event.to_string();
    sent(KEY, now_s(), body.as_bytes(), body.as_bytes())
}

fn started(chat: &str, session: &str) -> Value {
    json!({"event_name": "chat_started", "chat_id": chat, "chat_group_id": "g-1",
        "config_id": "cfg", "custom_session_id": session, "caller_number": null,
        "chat_start_type": "new_chat_group", "start_time": 1_795_435_200_000_i64})
}

fn ended(chat: &str, session: &str) -> Value {
    json!({"event_name": "chat_ended", "chat_id": chat, "custom_session_id": session,
        "end_time": 1_795_435_260_000_i64, "duration_seconds": 60, "end_reason": "USER_ENDED"})
}

fn is(response: &Response, status: &str) {
    let answer = (response.status, response.json());
    assert_eq!(answer, (200, json!({"status": status})));
}

async fn mint(app: &TestApp, user: &str) -> String {
    let minted = app
        .send(&Request::post("/v1/sessions", &json!({"user_id": user})))
        .await
        .json();
    minted["session_id"].as_str().unwrap().to_owned()
}

/// How often memory was asked about this person.
fn asked_about(ledger: &Ledger, user: &str) -> usize {
    let who = Person::new(user, "any");
    let calls = ledger.zep();
    let about = |path: &str| path.contains(who.zep_user());
    calls
        .iter()
        .filter(|call| about(&call.path) || about(&call.body.to_string()))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_signed_lately_over_these_very_bytes_is_believed() {
    let app = TestApp::spawn(&[HUME]).await;
    let event = started("c-1", "s-1");
    let body = event.to_string();
    let bytes = body.as_bytes();
    let changed = body.replace("c-1", "c-2");
    let spaced = serde_json::to_string_pretty(&event).unwrap();
    let now = now_s();
    let bare = Request::post("/v1/webhooks/hume", &event);
    let half = bare
        .clone()
        .header("x-hume-ai-webhook-timestamp", &now.to_string());
    let upper = hex_mac(KEY, &[bytes, b".", now.to_string().as_bytes()]).to_uppercase();
    for (request, why) in [
        (bare.clone(), "missing"),
        (half.clone(), "missing"),
        (
            half.clone().header("x-hume-ai-webhook-signature", "00"),
            "missing",
        ),
        (
            half.header("x-hume-ai-webhook-signature", &upper),
            "missing",
        ),
        (sent("another-key-0123456789", now, bytes, bytes), "match"),
        (sent(KEY, now, bytes, changed.as_bytes()), "match"),
        (sent(KEY, now, bytes, spaced.as_bytes()), "match"),
        (sent(KEY, now, bytes, &[bytes, b" "].concat()), "match"),
        (sent(KEY, now, bytes, b""), "match"),
        (sent(KEY, now - 190, bytes, bytes), "too old"),
        (sent(KEY, now + 190, bytes, bytes), "time to come"),
        (sent(KEY, i64::MIN, bytes, bytes), "too old"),
        (sent(KEY, now * 1000, bytes, bytes), "time to come"),
    ] {
        let response = app.send(&request).await;
        refused(&response, 401, "unauthorized");
        assert!(response.text().contains(why), "{why}: {}", response.text());
    }
    // An admin's key is no signature.
    let keyed = bare.header("authorization", "Bearer admin-1");
    refused(&app.send(&keyed).await, 401, "unauthorized");
    assert_eq!(
        asked_about(app.simulator().ledger(), "s-1"),
        0,
        "nothing came of any of them"
    );
    for (request, status) in [
        (sent(KEY, now - 170, bytes, bytes), "taken"),
        (sent(OLD, now, bytes, bytes), "taken"),
        (sent(OLD, now, bytes, bytes), "repeated"),
        (
            hume(&json!({"event_name": "tool_call", "chat_id": "c"})),
            "ignored",
        ),
        (hume(&json!({"event_name": "chat_paused"})), "ignored"),
        (hume(&started("c-3", &"x".repeat(300))), "ignored"),
        (
            hume(&json!({"event_name": "chat_ended", "chat_id": "c-4"})),
            "ignored",
        ),
    ] {
        is(&app.send(&request).await, status);
    }
    for odd in ["[]", "{", "null", "{}", r#"{"event_name":"chat_ended"}"#] {
        let request = sent(KEY, now_s(), odd.as_bytes(), odd.as_bytes());
        refused(&app.send(&request).await, 400, "invalid_request");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_without_a_key_and_a_body_beyond_measure_are_refused() {
    let closed = TestApp::spawn(&[]).await;
    for path in ["/v1/webhooks/hume", "/v1/webhooks/elevenlabs"] {
        let response = closed.send(&Request::post(path, &json!({}))).await;
        refused(&response, 401, "unauthorized");
        assert!(
            response.text().contains(" is not set"),
            "{}",
            response.text()
        );
        refused(
            &closed.send(&Request::get(path)).await,
            405,
            "method_not_allowed",
        );
    }
    closed.stop().await;
    let app = TestApp::spawn(&[HUME]).await;
    let huge = vec![b' '; 10 << 20];
    let response = app
        .send(&sent(KEY, now_s(), &huge, &huge[..(64 << 10) + 1]))
        .await;
    refused(&response, 413, "payload_too_large");
    // Ten megabytes are not waited for: the head tells enough.
    let time = now_s().to_string();
    let request = Request::method("POST", "/v1/webhooks/hume")
        .header("content-type", "application/json")
        .header("content-length", &huge.len().to_string())
        .header("x-hume-ai-webhook-timestamp", &time)
        .header("x-hume-ai-webhook-signature", &"0a".repeat(32));
    refused(&app.send(&request).await, 413, "payload_too_large");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_begins_finds_memory_ready_and_one_that_ends_is_remembered() {
    let app = TestApp::spawn(&[SIGNING, HUME]).await;
    let ledger = app.simulator().ledger().clone();
    let session = mint(&app, "ines").await;
    // Who is asked about while a question is still on its way joins that one. They are introduced after
    // it was answered, and have a thread last.
    let thread = Person::new("ines", &session).zep_thread().to_owned();
    until("what minting fetched, and what came of it", async || {
        let mut threads = ledger.zep_threads().into_iter();
        threads.any(|t| t.thread_id == thread).then_some(())
    })
    .await;
    let asked = || {
        let calls = ledger.zep().into_iter();
        calls.filter(|call| call.path.contains(&thread)).count()
    };
    let before = asked();
    is(
        &app.send(&hume(&started("chat-7", &session))).await,
        "taken",
    );
    until("memory is asked ahead", async || {
        (asked() > before).then_some(())
    })
    .await;
    app.script(&[&saying("First answer.")]);
    app.say(&session, "My first words").await;
    app.recorded(1).await;
    assert_eq!(
        remembered(&ledger, "ines", &session),
        [""; 0],
        "it may yet be cut off"
    );
    // Somebody else's end is not this one's.
    is(&app.send(&hume(&ended("chat-8", "another"))).await, "taken");
    is(&app.send(&hume(&ended("chat-7", &session))).await, "taken");
    until(
        "the last turn is remembered, long before a minute is over",
        async || {
            let lines = remembered(&ledger, "ines", &session);
            (lines == ["user: My first words", "assistant: First answer."]).then_some(())
        },
    )
    .await;
    let of_chat = Request::get("/v1/sessions/chat-7");
    let found = until("the chat's session", async || {
        let response = app.send(&of_chat).await;
        let found = (response.status == 200).then(|| response.json())?;
        (!found["chats"][0]["ended_at"].is_null()).then_some(found)
    })
    .await;
    let key = found["session_id"].as_str().unwrap();
    assert!(key.starts_with("s_") && found["turns"].as_array().unwrap().len() == 1);
    let chat = &found["chats"][0];
    for (field, expected) in [
        ("chat_id", json!("chat-7")),
        ("platform", json!("hume")),
        ("chat_group_id", json!("g-1")),
        ("started_at", json!("2026-11-23T12:00:00.000Z")),
        ("ended_at", json!("2026-11-23T12:01:00.000Z")),
        ("end_reason", json!("USER_ENDED")),
    ] {
        assert_eq!(chat[field], expected, "{field}");
    }
    assert!(!found.to_string().contains(&session));
    let turns = app.send(&Request::get("/v1/turns?session=chat-7")).await;
    assert_eq!(turns.json()["items"][0]["session_id"], key);
    refused(
        &app.send(&Request::get("/v1/sessions/chat-9")).await,
        404,
        "not_found",
    );
    // The same session goes on: a chat may be taken up again.
    app.script(&[&saying("Second answer.")]);
    app.say(&session, "And now").await;
    app.stop().await;
    let lines = remembered(&ledger, "ines", &session);
    assert_eq!(lines[2..], ["user: And now", "assistant: Second answer."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_nothing_has_nothing_fetched() {
    let app = TestApp::spawn(&[SIGNING, HUME]).await;
    // Whose id this is: memory is asked about them when it is minted.
    let mut forged = mint(&app, "marco").await;
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    let ledger = app.simulator().ledger().clone();
    let unsigned = ["ines", forged.as_str(), "c1.x.y"];
    for id in unsigned {
        is(&app.send(&hume(&started("c", id))).await, "taken");
    }
    app.stop().await;
    for id in unsigned {
        assert_eq!(asked_about(&ledger, id), 0, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_elevenlabs_ends_is_remembered_too() {
    let app = TestApp::spawn(&[SIGNING, ("ELEVENLABS_WEBHOOK_SECRET", SECRET)]).await;
    let ledger = app.simulator().ledger().clone();
    let session = mint(&app, "ines").await;
    app.script(&[&saying("An answer.")]);
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "Hi there"}],
        "elevenlabs_extra_body": {"session_id": session}});
    app.hear(&Request::post("/elevenlabs/chat/completions", &body))
        .await;
    let event = json!({"type": "post_call_transcription", "event_timestamp": now_s(), "data": {
        "conversation_id": "conv-1", "transcript": [{"role": "user", "message": "Hi there"}],
        "conversation_initiation_client_data": {
            "custom_llm_extra_body": {"session_id": session}, "user_id": "marco"}}})
    .to_string();
    let signed = |key: &str, at_s: i64| {
        let mac = hex_mac(key, &[at_s.to_string().as_bytes(), b".", event.as_bytes()]);
        let request = Request::bytes("/v1/webhooks/elevenlabs", event.clone());
        request.header("elevenlabs-signature", &format!("t={at_s},v0={mac}"))
    };
    for bad in [signed(KEY, now_s()), signed(SECRET, now_s() - 1_900)] {
        refused(&app.send(&bad).await, 401, "unauthorized");
    }
    is(&app.send(&signed(SECRET, now_s() - 1_700)).await, "taken");
    until("what was said is remembered", async || {
        let lines = remembered(&ledger, "ines", &session);
        (lines == ["user: Hi there", "assistant: An answer."]).then_some(())
    })
    .await;
    until("the conversation is found", async || {
        let response = app.send(&Request::get("/v1/sessions/conv-1")).await;
        (response.status == 200).then_some(())
    })
    .await;
    assert_eq!(asked_about(app.simulator().ledger(), "marco"), 0);
    app.stop().await;
}
