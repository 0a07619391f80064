//! What `clm replay` says where there is nothing to ask again. Asking again is in
//! `tests/process/replay.rs`, against a whole service.

use serde_json::json;

use crate::cli::Exit;
use crate::cli::scripted::{Scripted, answer, clm_with, refusal};

const KEYED: &[(&str, &str)] = &[("OPEN_ROUTER_API_KEY", "k-of-some-length")];

async fn told_of(body: serde_json::Value) -> (Exit, String, String) {
    let server = Scripted::start([answer(200, "application/json", &body.to_string())]);
    clm_with(&server.url, KEYED, &["replay", "a-turn"]).await
}

#[tokio::test]
async fn whatever_is_missing_is_named() {
    for (body, expected) in [
        (json!({ "words_missing": "off" }), "capture is off"),
        (json!({ "words_missing": "expired" }), "have expired"),
        (json!({ "words_missing": "unreadable" }), "another data key"),
        (json!({ "words_missing": "store_away" }), "does not answer"),
        (json!({ "words_missing": "not_kept" }), "was off when"),
        (json!({}), "an older clm"),
        (
            json!({ "words": { "user": "a", "reply": "b" }, "outcome": "shed" }),
            "no model was asked in this turn (outcome shed)",
        ),
        (json!({ "words": 7 }), "cannot be read"),
    ] {
        let (exit, out, err) = told_of(body).await;
        assert_eq!((exit, out.as_str()), (Exit::Problem, ""), "{err}");
        assert!(err.contains(expected), "{err}");
    }
}

#[tokio::test]
async fn a_turn_that_nobody_knows_and_a_key_that_is_not_set_are_told() {
    let unknown = Scripted::start([refusal(404, "no such turn", "")]);
    let (exit, _, err) = clm_with(&unknown.url, KEYED, &["replay", "nobody"]).await;
    assert_eq!(exit, Exit::Problem);
    assert!(err.contains("no turn has the id nobody"), "{err}");
    let (exit, _, err) = clm_with(&unknown.url, &[], &["replay", "nobody"]).await;
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("OPEN_ROUTER_API_KEY is not set"), "{err}");
}
