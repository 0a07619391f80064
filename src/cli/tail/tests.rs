//! The line of a turn, and what becomes of the stream.

use serde_json::json;

use super::*;
use crate::cli::scripted::{Scripted, clm, cut as cut_off, nowhere, refusal, stream};

const EVENTS: &str = "text/event-stream";

fn turn(fields: &Value) -> Value {
    let mut turn = json!({
        "turn_id": "01a20536-75a6-7661-b267-7e0289648657", "session_id": "s_3745ffbee7aabbcc",
        "outcome": "complete", "coach": "career", "served_model": "anthropic/claude-sonnet-5",
        "memory_outcome": "hit", "memory_ms": 142.0, "first_speakable_ms": 531.0,
        "total_ms": 4200.0, "overhead_ms": 0.16, "completion_tokens": 312,
        "cost_usd": "0.001100", "created_at": "2026-11-22T09:15:02.000Z", "attempts": [{}],
    });
    for (name, value) in fields.as_object().unwrap() {
        turn[name] = value.clone();
    }
    turn
}

fn event(turn: &Value) -> String {
    format!("event: turn\ndata: {turn}\n\n")
}

#[test]
fn a_turn_is_a_line() {
    let lines = [
        json!({}),
        json!({ "outcome": "partial_recovered", "coach": "leadership", "continued": true,
            "lead_in": true, "hedged": true, "served_model": null,
            "planned_model": "google/gemini-3.1-flash-lite", "cost_usd": null,
            "model_reason": "complexity:0.86",
            "attempts": [{ "error_kind": "cut" }, { "error_kind": "status_429" }, {}] }),
        json!({ "outcome": "shed", "memory_outcome": "off", "memory_ms": null, "attempts": [],
            "first_speakable_ms": null, "completion_tokens": null, "session_id": "raw" }),
    ];
    let lines = lines.map(|fields| line(&turn(&fields), Format::Plain));
    insta::assert_snapshot!(lines.join("\n"), @r"
    09:15:02.000Z turn=01a20536-75a6-7661-b267-7e0289648657 sess=s_3745ffbee7 coach=career     model=anthropic/claude-sonnet-5   out=complete    mem=142ms(hit)     first=531ms  total=4.20s  own=0.16ms tok=312  cost=$0.001100 att=1
    09:15:02.000Z turn=01a20536-75a6-7661-b267-7e0289648657 sess=s_3745ffbee7 coach=leadership model=google/gemini-3.1-flash-lite out=partial_recovered mem=142ms(hit)     first=531ms  total=4.20s  own=0.16ms tok=312  cost=unknown att=3 hedge=1 cont=1 lead=1 plan=complexity:0.86 err=cut,status_429
    09:15:02.000Z turn=01a20536-75a6-7661-b267-7e0289648657 sess=s_d7439bee24 coach=career     model=anthropic/claude-sonnet-5   out=shed        mem=-(off)         first=-      total=4.20s  own=0.16ms tok=0    cost=$0.001100 att=0
    ");
}

#[test]
fn only_the_outcome_is_coloured_and_nobodys_escapes_are_obeyed() {
    let coloured = line(&turn(&json!({ "outcome": "failed" })), Format::Coloured);
    assert!(
        coloured.contains("out=\x1b[31mfailed     \x1b[0m mem="),
        "{coloured}"
    );
    let odd = turn(&json!({ "coach": "\x1b[2J", "created_at": "\u{1}é", "attempts": 7 }));
    assert!(!line(&odd, Format::Plain).contains(char::is_control));
    line(&json!({}), Format::Plain);
}

#[test]
fn slow_is_a_time() {
    for good in ["1500ms", "2s", "1m"] {
        assert!(slow(good).is_ok(), "{good}");
    }
    for odd in ["", "ms", "1.5s", "fast", "-1ms", "123456789ms"] {
        assert!(slow(odd).is_err(), "{odd}");
    }
}

// In real time: a clock that jumps whenever nothing is to be done jumps over answers on their way.
#[tokio::test]
async fn a_broken_stream_is_asked_for_again_and_no_turn_shown_twice() {
    let (one, two) = (turn(&json!({})), turn(&json!({ "turn_id": "two" })));
    let server = Scripted::start([
        cut_off(EVENTS, &event(&one)),
        refusal(503, "stopping", "elsewhere"),
        stream(
            EVENTS,
            &format!("{}event: missed\ndata: 3\n\n{}", event(&one), event(&two)),
        ),
        refusal(401, "a valid key is needed", "send one"),
    ]);
    let line = [
        "tail",
        "--outcome",
        "failed",
        "--coach",
        "ca&reer",
        "--slow",
        "1500ms",
        "--last",
        "5",
        "--json",
    ];
    let (exit, out, err) = clm(&server.url, &line).await;
    assert_eq!(exit, Exit::Problem);
    let shown: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(shown, [one, two]);
    insta::assert_snapshot!(err, @r"
    clm: the answer broke off (unexpected EOF during chunk size line); asking again in 0.5 s
    clm: stopping (503 Service Unavailable): elsewhere; asking again in 1 s
    clm: connected again; turns that ended meanwhile may be missing here; `clm export turns` has them
    clm: 3 turns are missing here: more came than could be shown
    clm: the server ended the stream; asking again in 2 s
    clm: a valid key is needed (401 Unauthorized): send one
    ");
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!(
        asked[0],
        "GET /v1/turns/live?outcome=failed&coach=ca%26reer&slow_over=1500ms&replay=5"
    );
}

#[tokio::test]
async fn a_first_refusal_ends_it() {
    for (status, told) in [(401, "401"), (503, "503"), (400, "400")] {
        let server = Scripted::start([refusal(status, "no", "so")]);
        let (exit, out, err) = clm(&server.url, &["tail"]).await;
        assert_eq!((exit, out.as_str()), (Exit::Problem, ""));
        assert!(err.contains(told), "{err}");
    }
    assert_eq!(clm(&nowhere(), &["tail"]).await.0, Exit::Unreachable);
    let server = Scripted::start([stream("text/html", "<html>")]);
    let (exit, _, err) = clm(&server.url, &["tail"]).await;
    assert_eq!(exit, Exit::Problem);
    assert!(err.contains("no event stream"), "{err}");
}

#[tokio::test]
async fn wrong_filters_are_told_before_anybody_is_asked() {
    for (wrong, told) in [
        (["tail", "--outcome", "faild"], "failed"),
        (["tail", "--slow", "soon"], "1500ms"),
        (["tail", "--last", "5000"], "1000"),
    ] {
        let (exit, _, err) = clm("http://h", &wrong).await;
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains(told), "{err}");
    }
}
