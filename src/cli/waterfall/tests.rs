//! What a turn looks like, drawn.

use serde_json::{Value, json};

use super::*;

/// A turn that went well, with some of its fields replaced.
fn drawn(fields: &Value) -> String {
    let mut turn = json!({
        "turn_id": "01a20536-75a6-7661-b267-7e0289648657", "identity": "signed",
        "outcome": "complete", "coach": "career", "coach_reason": "keyword:promotion",
        "memory_outcome": "hit", "auth_ms": 0.01, "memory_ms": 40.0, "plan_ms": 40.2,
        "upstream_headers_ms": 60.0, "first_speakable_ms": 240.0, "total_ms": 1000.0,
        "overhead_ms": 0.3, "served_model": "anthropic/claude-sonnet-5",
        "cost_usd": "0.000160", "cost_source": "reported",
        "hedged": false, "continued": false, "lead_in": false,
        "attempts": [{ "cause": "first", "model": "anthropic/claude-sonnet-5", "status": 200,
            "started_ms": 40.2, "first_token_ms": 238.0, "ended_ms": 990.0, "cancelled": false }],
    });
    for (name, value) in fields.as_object().unwrap() {
        turn[name] = value.clone();
    }
    let mut out = Vec::new();
    print(&turn, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    text
}

#[test]
fn a_plain_turn() {
    insta::assert_snapshot!(drawn(&json!({})), @r"
      auth        █                                     0.01 ms  signed
      memory      █                                    40.00 ms  hit
      coach        █                                    0.20 ms  career (keyword:promotion)
      headers      █                                   19.80 ms  anthropic/claude-sonnet-5
      first token   ██████                            180.00 ms
      total       ████████████████████████████████   1000.00 ms  complete
      our own share 0.30 ms, cost $0.000160, turn 01a20536-75a6-7661-b267-7e0289648657
    ");
}

#[test]
fn a_council_names_who_was_asked() {
    let text = drawn(&json!({
        "coach": "master", "coach_reason": "council:asked", "first_speakable_ms": 1.5,
        "attempts": [
            { "cause": "plan", "model": "m", "status": 200, "started_ms": 40.2,
              "first_token_ms": 90.0, "ended_ms": 100.0 },
            { "cause": "specialist", "coach": "leadership", "model": "m", "status": 200,
              "started_ms": 100.0, "first_token_ms": 200.0, "ended_ms": 300.0 },
        ],
    }));
    for name in ["\n  1 plan      ", "\n  2 leadersh…"] {
        assert!(text.contains(name), "{text}");
    }
    // Its opening is said before anybody is asked.
    let words = text.lines().find(|line| line.contains("first words"));
    assert!(words.unwrap().ends_with(" 1.50 ms"), "{text}");
}

#[test]
fn a_failover() {
    insta::assert_snapshot!(drawn(&json!({
        "served_model": "openai/gpt-6.1-terra", "lead_in": true,
        "upstream_headers_ms": 600.0, "first_speakable_ms": 700.0,
        "attempts": [
            { "cause": "first", "model": "google/gemini-3.1-flash-lite", "status": 200,
              "error_kind": "first_token_timeout", "started_ms": 40.2, "ended_ms": 500.0,
              "cancelled": true },
            { "cause": "fallback", "model": "anthropic/claude-haiku-5.5", "status": 429,
              "error_kind": "status_429", "started_ms": 500.0, "ended_ms": 520.0 },
            { "cause": "fallback", "model": "openai/gpt-6.1-terra", "status": 200,
              "started_ms": 520.0, "first_token_ms": 690.0, "ended_ms": 990.0 },
        ],
    })), @r"
      auth        █                                     0.01 ms  signed
      memory      █                                    40.00 ms  hit
      coach        █                                    0.20 ms  career (keyword:promotion)
      1 first      ░░░░░░░░░░░░░░░                    459.80 ms  google/gemini-3.1-… first_token_timeout
      2 fallback                  ░                    20.00 ms  anthropic/claude-haiku-5.5 status_429
      3 fallback                   ░░░░░██████████    470.00 ms  openai/gpt-6.1-terra 200
      first words  █████████████████████              659.80 ms
      total       ████████████████████████████████   1000.00 ms  complete, 3 attempts
      ░ until a model's first token, █ after it
      lead-in: a phrase was said before the answer
      our own share 0.30 ms, cost $0.000160, turn 01a20536-75a6-7661-b267-7e0289648657
    ");
}

#[test]
fn a_hedge_that_won() {
    insta::assert_snapshot!(drawn(&json!({
        "served_model": "anthropic/claude-haiku-5.5", "hedged": true,
        "first_speakable_ms": 500.0, "cost_source": "estimated",
        "attempts": [
            { "cause": "first", "model": "openai/gpt-6.1-terra", "status": 200,
              "started_ms": 40.2, "ended_ms": 500.0, "cancelled": true },
            { "cause": "hedge", "model": "anthropic/claude-haiku-5.5", "status": 200,
              "started_ms": 350.0, "first_token_ms": 490.0, "ended_ms": 990.0 },
        ],
    })), @r"
      auth        █                                     0.01 ms  signed
      memory      █                                    40.00 ms  hit
      coach        █                                    0.20 ms  career (keyword:promotion)
      1 first      ░░░░░░░░░░░░░░░                    459.80 ms  openai/gpt-6.1-terra 200 cancelled
      2 hedge                ░░░░░████████████████    640.00 ms  anthropic/claude-haiku-5.5 200
      first words  ███████████████                    459.80 ms
      total       ████████████████████████████████   1000.00 ms  complete, 2 attempts
      ░ until a model's first token, █ after it
      hedged: a second model was asked because the first was slow
      our own share 0.30 ms, cost $0.000160 (estimated), turn 01a20536-75a6-7661-b267-7e0289648657
    ");
}

#[test]
fn an_answer_that_was_resumed() {
    insta::assert_snapshot!(drawn(&json!({
        "outcome": "partial_recovered", "continued": true, "cost_usd": null,
        "attempts": [
            { "cause": "first", "model": "anthropic/claude-sonnet-5", "status": 200,
              "error_kind": "cut", "started_ms": 40.2, "first_token_ms": 238.0, "ended_ms": 520.0 },
            { "cause": "resume", "model": "openai/gpt-6.1-terra", "status": 200,
              "started_ms": 521.0, "first_token_ms": 700.0, "ended_ms": 995.0 },
        ],
    })), @r"
      auth        █                                     0.01 ms  signed
      memory      █                                    40.00 ms  hit
      coach        █                                    0.20 ms  career (keyword:promotion)
      1 first      ░░░░░░░█████████                   479.80 ms  anthropic/claude-sonnet-5 cut
      2 resume                     ░░░░░██████████    474.00 ms  openai/gpt-6.1-terra 200
      first words  ███████                            199.80 ms
      total       ████████████████████████████████   1000.00 ms  partial_recovered, 2 attempts
      ░ until a model's first token, █ after it
      continued: another model went on where one broke off
      our own share 0.30 ms, cost unknown, turn 01a20536-75a6-7661-b267-7e0289648657
    ");
}

#[test]
fn the_only_attempt_says_why_it_failed() {
    let text = drawn(&json!({ "outcome": "failed", "served_model": null,
        "attempts": [{ "cause": "first", "error_kind": "status_401" }] }));
    assert!(text.contains("failed (status_401)\n"), "{text}");
}

#[test]
fn odd_records_still_read() {
    let mut out = Vec::new();
    print(&json!({}), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("cost unknown"));
    let backwards = json!({ "started_ms": 2e9, "first_token_ms": -1.0, "ended_ms": -5.0 });
    for attempts in [json!("none"), json!([{}, 7]), json!([backwards, {}])] {
        drawn(&json!({ "attempts": attempts, "total_ms": -1.0 }));
    }
}
