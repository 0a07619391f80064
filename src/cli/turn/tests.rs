//! What `clm turn` prints, and how it ends.

use serde_json::json;

use super::*;
use crate::cli::scripted::{Scripted, answer, clm, nowhere, refusal};

fn turn() -> Value {
    let text = r#"{
        "turn_id": "01a20536-75a6-7661-b267-7e0289648657", "session_id": "s_3745ffbee7aa",
        "profile": "hume", "identity": "signed", "tier": "premium", "outcome": "complete",
        "coach": "career", "coach_reason": "keyword:promotion",
        "planned_model": "google/gemini-3.1-flash-lite", "model_reason": "tier:premium", "served_model": "openai/gpt-6.1-terra",
        "provider": "OpenAI", "generation_id": "gen-7", "memory_outcome": "hit",
        "memory_ms": 40.0, "plan_ms": 40.2, "first_speakable_ms": 700.0, "total_ms": 1000.0,
        "overhead_ms": 0.3, "prompt_tokens": 812, "cached_tokens": 600, "completion_tokens": 53,
        "reasoning_tokens": 0, "cost_usd": "0.001071", "cost_source": "reported",
        "experiment": "warmth", "variant": "b", "satisfaction": 4,
        "trace_id": "e675c580e7217e99cfbaa5b3a386dd9c", "created_at": "2026-11-22T09:15:02.000Z",
        "attempts": [
            { "cause": "first", "model": "google/gemini-3.1-flash-lite", "status": 429,
              "error_kind": "status_429", "started_ms": 40.2, "ended_ms": 60.0,
              "cost_source": "unknown", "cancelled": false },
            { "cause": "fallback", "model": "openai/gpt-6.1-terra", "provider": "OpenAI",
              "status": 200, "started_ms": 60.0, "first_token_ms": 690.0, "ended_ms": 990.0,
              "cost_usd": "0.001071", "cost_source": "reported", "cancelled": false }
        ]
    }"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn bars_then_facts_then_attempts() {
    let mut out = Vec::new();
    print(&turn(), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
    auth        ░                                     0.00 ms  signed
    memory      █                                    40.00 ms  hit
    coach        █                                    0.20 ms  career (keyword:promotion)
    1 first      ░                                   19.80 ms  google/gemini-3.1-flash-lite status_429
    2 fallback    ░░░░░░░░░░░░░░░░░░░░██████████    930.00 ms  openai/gpt-6.1-terra 200
    first words  █████████████████████              659.80 ms
    total       ████████████████████████████████   1000.00 ms  complete, 2 attempts
    ░ until a model's first token, █ after it
    our own share 0.30 ms, cost $0.001071, turn 01a20536-75a6-7661-b267-7e0289648657

    began       2026-11-22T09:15:02.000Z
    session     s_3745ffbee7aa, identity signed, tier premium, caller hume
    coach       career, because keyword:promotion
    model       openai/gpt-6.1-terra by OpenAI; google/gemini-3.1-flash-lite was planned, because tier:premium
    outcome     complete
    memory      hit after 40ms
    tokens      812 in (600 cached), 53 out
    cost        $0.001071
    trace       e675c580e7217e99cfbaa5b3a386dd9c
    generation  gen-7
    experiment  warmth, variant b
    satisfied   4 of 5
    attempt 1   first, google/gemini-3.1-flash-lite, 429, status_429, ended after 20ms, cost unknown
    attempt 2   fallback, openai/gpt-6.1-terra, by OpenAI, 200, first token after 630ms, ended after 930ms, cost $0.001071
    ");
}

#[test]
fn odd_records_still_read() {
    for odd in [
        json!({}),
        json!({ "attempts": [7, {}] }),
        json!([]),
        json!(null),
    ] {
        let mut out = Vec::new();
        print(&odd, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("none answered"));
    }
}

#[tokio::test]
async fn a_turn_is_asked_for_by_its_encoded_id_with_the_key() {
    let body = turn().to_string();
    let answers = ["a/b?c", "x"].map(|_| answer(200, "application/json", &body));
    let server = Scripted::start(answers);
    let (exit, out, err) = clm(&server.url, &["turn", "a/b?c", "--json"]).await;
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), turn());
    let (exit, out, _) = clm(&server.url, &["turn", "x", "--key", "k"]).await;
    assert_eq!(exit, Exit::Fine);
    assert!(out.contains("because keyword:promotion"), "{out}");
    assert_eq!(
        server.asked(),
        ["GET /v1/turns/a%2Fb%3Fc", "GET /v1/turns/x"]
    );
}

#[tokio::test]
async fn who_does_not_have_it_says_why() {
    for (answer, expected) in [
        (
            refusal(404, "no turn has this id", "see GET /v1/turns"),
            "no turn has the id t",
        ),
        (
            refusal(401, "a valid key is needed", "send one"),
            "clm: a valid key is needed (401 Unauthorized): send one\n",
        ),
        (
            refusal(503, "the store cannot be asked", "try again"),
            "(503 Service Unavailable): try again",
        ),
        (answer(200, "text/html", "<html>"), "no JSON"),
        (
            answer(502, "text/html", "<html>"),
            "502 Bad Gateway; is it clm",
        ),
    ] {
        let server = Scripted::start([answer]);
        let (exit, out, err) = clm(&server.url, &["turn", "t"]).await;
        assert_eq!((exit, out.as_str()), (Exit::Problem, ""));
        assert!(err.contains(expected), "{err}");
        assert!(server.was_shown("an-admin-key-of-some-length"));
    }
    let (exit, _, err) = clm(&nowhere(), &["turn", "t"]).await;
    assert_eq!(exit, Exit::Unreachable);
    assert!(err.contains("nothing answers at"), "{err}");
    for wrong in [&["turn"][..], &["turn", ""]] {
        assert_eq!(clm("http://h", wrong).await.0, Exit::Usage);
    }
    assert_eq!(clm("localhost:1", &["turn", "t"]).await.0, Exit::Usage);
}
