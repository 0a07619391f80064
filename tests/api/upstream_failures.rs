//! Everything upstream is known to do wrong: what is heard, what is recorded, what is paid.

use serde_json::Value;

use crate::app::{TestApp, is_fallback_line, until};

/// What the caller hears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hears {
    /// A whole answer of the last model asked.
    Answer,
    /// So many tokens of an answer, and a quiet end.
    Partial(usize),
    /// The coach's own sentence.
    Line,
}
use Hears::{Answer, Line, Partial};

/// Faults of the models in turn, what is heard, the outcome, and each attempt's error.
type Row = (
    &'static [&'static str],
    Hears,
    &'static str,
    &'static [&'static str],
);

async fn hold(table: &[Row]) {
    let app = TestApp::spawn(&[
        ("FIRST_TOKEN_DEADLINE_MS", "150"),
        ("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "150"),
        ("IDLE_DEADLINE_MS", "150"),
        ("SPOKEN_FALLBACK_MS", "1000"),
    ])
    .await;
    app.script(&["ok"]);
    let whole = app.say("s-whole", "Hello").await.text;
    for (at, (faults, hears, outcome, errors)) in table.iter().enumerate() {
        let before = app.chats().len();
        app.script(faults);
        let heard = app.say(&format!("s-{at}"), "Hello").await;
        let record = app.record(&heard.turn_id).await;
        let chats = app.chats().split_off(before);
        match hears {
            Answer => assert_eq!(heard.text, whole, "{faults:?}"),
            Line => assert!(is_fallback_line(&heard.text), "{faults:?}: {}", heard.text),
            Partial(tokens) => {
                assert!(whole.starts_with(&heard.text), "{faults:?}: {}", heard.text);
                assert_eq!(heard.text.split(' ').count(), *tokens, "{faults:?}");
            }
        }
        assert_eq!(heard.finish_reason, "stop", "{faults:?}");
        assert_eq!(record["outcome"], *outcome, "{faults:?}: {record}");
        let attempts = record["attempts"].as_array().unwrap();
        let kinds: Vec<&str> = attempts
            .iter()
            .map(|a| a["error_kind"].as_str().unwrap_or(""))
            .collect();
        assert_eq!(kinds, *errors, "{faults:?}");
        assert_eq!(
            chats.len(),
            attempts.len(),
            "{faults:?}: one row for each call"
        );
        let served = record["served_model"].as_str();
        match hears {
            Line => assert_eq!(served, None),
            _ => assert_eq!(served, Some(chats.last().unwrap().model.as_str())),
        }
        for (attempt, chat) in attempts.iter().zip(&chats) {
            assert_eq!(attempt["model"], chat.model.as_str());
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_word_the_next_model_speaks() {
    hold(&[
        (&["429:7"], Answer, "complete", &["status_429", ""]),
        (&["500"], Answer, "complete", &["status_500", ""]),
        (&["502"], Answer, "complete", &["status_502", ""]),
        (&["503:1"], Answer, "complete", &["status_503", ""]),
        (&["504"], Answer, "complete", &["status_504", ""]),
        (&["529"], Answer, "complete", &["status_529", ""]),
        (&["status:408"], Answer, "complete", &["status_408", ""]),
        (&["404"], Answer, "complete", &["status_404", ""]),
        (&["status:400"], Answer, "complete", &["status_400", ""]),
        (&["html"], Answer, "complete", &["wrong_body", ""]),
        (&["json-error"], Answer, "complete", &["wrong_body", ""]),
        (&["redirect"], Answer, "complete", &["status_3xx", ""]),
        (&["empty"], Answer, "complete", &["empty", ""]),
        (&["role-only"], Answer, "complete", &["empty", ""]),
        (&["reasoning-only"], Answer, "complete", &["empty", ""]),
        (&["refusal"], Answer, "complete", &["empty", ""]),
        (&["fin:0"], Answer, "complete", &["cut", ""]),
        (&["cut:0"], Answer, "complete", &["broken", ""]),
        (
            &["comments-only"],
            Answer,
            "complete",
            &["first_token_timeout", ""],
        ),
        (
            &["stall:0"],
            Answer,
            "complete",
            &["first_token_timeout", ""],
        ),
        (
            &["stall-comments:0"],
            Answer,
            "complete",
            &["first_token_timeout", ""],
        ),
        (&["hang"], Answer, "complete", &["first_token_timeout", ""]),
        (
            &["slow-headers:5000"],
            Answer,
            "complete",
            &["first_token_timeout", ""],
        ),
        (
            &["huge-line:0:1100000"],
            Answer,
            "complete",
            &["too_large", ""],
        ),
        (
            &["500", "html"],
            Answer,
            "complete",
            &["status_500", "wrong_body", ""],
        ),
        (&["err-a:0"], Answer, "complete", &["in_band_error", ""]),
        (&["err-b:0"], Answer, "complete", &["in_band_error", ""]),
        (&["err-c:0"], Answer, "complete", &["empty", ""]),
        (&["err-d:0"], Answer, "complete", &["in_band_error", ""]),
        (&["err-e:0"], Answer, "complete", &["in_band_error", ""]),
        (&["err-f:0"], Answer, "complete", &["in_band_error", ""]),
        (&["err-g:0"], Answer, "complete", &["empty", ""]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nobody_speaks_the_coach_says_so_once() {
    hold(&[
        (
            &["500", "502", "503"],
            Line,
            "failed",
            &["status_500", "status_502", "status_503"],
        ),
        (
            &["empty", "html", "fin:0"],
            Line,
            "failed",
            &["empty", "wrong_body", "cut"],
        ),
        (
            &["err-f:0", "cut:0", "429"],
            Line,
            "failed",
            &["in_band_error", "broken", "status_429"],
        ),
        // With this key nothing will go better.
        (&["401"], Line, "failed", &["status_401"]),
        (&["402"], Line, "failed", &["status_402"]),
        (&["403-limit"], Line, "failed", &["status_403"]),
        (
            &["500", "status:403"],
            Line,
            "failed",
            &["status_500", "status_403"],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_odd_does_no_harm() {
    hold(&[
        (&["finish-twice"], Answer, "complete", &[""]),
        (&["usage-nochoices"], Answer, "complete", &[""]),
        (&["no-usage"], Answer, "complete", &[""]),
        (&["no-done:200"], Answer, "complete", &[""]),
        (&["bad-json:3"], Answer, "complete", &[""]),
        (&["huge-line:3:900000"], Answer, "complete", &[""]),
        (&["reasoning-first:5"], Answer, "complete", &[""]),
        (&["slow-nth:4:60"], Answer, "complete", &[""]),
        (&["bom"], Answer, "complete", &[""]),
        (&["crlf"], Answer, "complete", &[""]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_first_word_a_break_is_a_quiet_end() {
    hold(&[
        (&["cut:5"], Partial(5), "partial_failed", &["broken"]),
        (&["fin:5"], Partial(5), "partial_failed", &["cut"]),
        (
            &["stall:5"],
            Partial(5),
            "partial_failed",
            &["idle_timeout"],
        ),
        (
            &["stall-comments:5"],
            Partial(5),
            "partial_failed",
            &["idle_timeout"],
        ),
        (
            &["huge-line:5:1100000"],
            Partial(5),
            "partial_failed",
            &["too_large"],
        ),
        (
            &["err-a:5"],
            Partial(5),
            "partial_failed",
            &["in_band_error"],
        ),
        (
            &["err-b:5"],
            Partial(5),
            "partial_failed",
            &["in_band_error"],
        ),
        (
            &["err-d:5"],
            Partial(5),
            "partial_failed",
            &["in_band_error"],
        ),
        (
            &["err-e:5"],
            Partial(5),
            "partial_failed",
            &["in_band_error"],
        ),
        (
            &["err-f:5"],
            Partial(5),
            "partial_failed",
            &["in_band_error"],
        ),
    ])
    .await;
}

/// The records of a refused parameter: mended once, and from then on left out at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_parameter_is_paid_for_once() {
    let app = TestApp::spawn(&[("COACH_MODEL_MASTER", "sim/400-param:temperature")]).await;
    for (turn, calls) in [(1, 2), (2, 3), (3, 4)] {
        let heard = app.say("s", "Hello").await;
        assert!(!is_fallback_line(&heard.text));
        assert_eq!(app.chats().len(), calls, "turn {turn}");
        assert!(app.asked().get("temperature").is_none());
        assert_eq!(app.asked()["model"], "sim/400-param:temperature");
    }
    app.stop().await;
    let app = TestApp::spawn(&[("COACH_MODEL_MASTER", "sim/400-reasoning")]).await;
    app.say("s", "Hello").await;
    app.say("s", "Hello").await;
    assert_eq!(app.chats().len(), 3);
    assert_eq!(app.asked()["model"], "sim/400-reasoning");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_too_long_is_shortened_once() {
    use crate::caller::Request;
    use serde_json::json;
    let app = TestApp::spawn(&[
        ("COACH_MODEL_MASTER", "sim/400-context:10"),
        ("ZEP_API_KEY", ""),
    ])
    .await;
    let mut talk = Vec::new();
    for n in 0..12 {
        talk.push(json!({"role": "user", "content": format!("u{n}")}));
        talk.push(json!({"role": "assistant", "content": format!("a{n}")}));
    }
    talk.push(json!({"role": "user", "content": "now"}));
    let heard = app.hear(&Request::talk("s", &json!(talk))).await;
    assert!(!is_fallback_line(&heard.text));
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap();
    assert_eq!((app.chats().len(), messages.len()), (2, 8));
    assert_eq!(
        (&messages[0]["role"], &messages[1]["role"]),
        (&json!("system"), &json!("user"))
    );
    assert_eq!(messages.last().unwrap()["content"], "now");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fallback_one_model_is_asked_once() {
    let app = TestApp::spawn(&[("OPENROUTER_FALLBACK_ENABLED", "false")]).await;
    app.script(&["500"]);
    assert!(is_fallback_line(&app.say("s", "Hello").await.text));
    assert_eq!(app.chats().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_not_there_costs_one_sentence() {
    let app = TestApp::spawn(&[("OPENROUTER_BASE_URL", "http://127.0.0.1:9/api/v1")]).await;
    let heard = app.say("s", "Hello").await;
    assert!(is_fallback_line(&heard.text) && heard.ended.as_millis() < 1000);
    let record = app.record(&heard.turn_id).await;
    let attempts = record["attempts"].as_array().unwrap();
    assert!(attempts.len() == 3 && attempts.iter().all(|a| a["error_kind"] == "connect"));
    assert_eq!(record["outcome"], "failed");
    app.stop().await;
}

/// The bill: read after the caller's end, with or without choices, and never taken for zero.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bill_is_read_on_after_the_finish() {
    let app = TestApp::spawn(&[]).await;
    for (fault, is_known) in [
        ("ok", true),
        ("usage-nochoices", true),
        ("finish-twice", true),
        ("no-usage", false),
    ] {
        app.script(&[fault]);
        let heard = app.say("s", "Hello").await;
        let record = app.record(&heard.turn_id).await;
        let source = if is_known { "reported" } else { "unknown" };
        assert_eq!(record["cost_source"], source, "{fault}");
        assert_eq!(record["cost_usd"].is_null(), !is_known, "{fault}");
        assert_eq!(record["completion_tokens"].is_u64(), is_known, "{fault}");
    }
    // An interrupted answer has no bill, and that is not nothing.
    app.script(&["stall:3"]);
    let mut call = app.call(&crate::caller::Request::hume("s", "Hello")).await;
    call.hear_words().await;
    let turn = call.turn_id().await;
    call.reset();
    let record: Value = app.record(&turn).await;
    assert_eq!(
        (record["outcome"].as_str(), record["cost_source"].as_str()),
        (Some("interrupted"), Some("unknown"))
    );
    assert!(record["cost_usd"].is_null());
    until("upstream is closed", async || {
        app.chats().last()?.aborted_at()
    })
    .await;
    app.stop().await;
}
