//! What a council may cost: what is set aside for it and its own cap hold also where everything that a
//! prompt can hold is full.

use quest_clm::council::COST_CAP;
use quest_clm::simulate::MemoryFault;
use serde_json::json;

use crate::app::{TestApp, is_fallback_line, saying, until};
use crate::caller::Request;
use crate::council::{PLAN, after_opening, microusd, team};
use crate::memory::seed;

const DEAR: &str = "anthropic/claude-opus-5";
const MIDDLING: &str = "anthropic/claude-sonnet-5";

/// A talk of hours, notes of the application's and a memory without measure, each of them cut where
/// prompts cut it.
fn long_talk(app: &TestApp, text: &str) -> Request {
    let much = text.repeat(9_000 / text.chars().count());
    seed(app, "s", &[&much]);
    app.options(|o| o.memory_fault = Some(MemoryFault::SearchHangs));
    let line: String = much.chars().take(600).collect();
    let mut messages = vec![json!({ "role": "system", "content": much })];
    for _ in 0..100 {
        messages.push(json!({ "role": "user", "content": line }));
        messages.push(json!({ "role": "assistant", "content": line }));
    }
    messages.push(json!({ "role": "user", "content": line }));
    let body = json!({ "model": "council", "stream": true, "messages": messages });
    Request::post("/v1/chat/completions?custom_session_id=s", &body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_talk_is_billed_within_what_was_set_aside_and_within_the_cap() {
    for (text, specialists, master) in [
        ("words of a very long talk ", DEAR, "openai/gpt-6-luna"),
        ("words of a very long talk ", MIDDLING, MIDDLING),
        ("话说得很长，说了很久。", MIDDLING, "openai/gpt-6-luna"),
        ("können größere Städte ", DEAR, "openai/gpt-6-luna"),
    ] {
        let settings = [
            ("ZEP_API_KEY", "z_secret"),
            ("COACH_MODEL_CAREER", specialists),
            ("COACH_MODEL_SKILLS", specialists),
            ("COACH_MODEL_NETWORK", specialists),
            ("COACH_MODEL_MASTER", master),
        ];
        let app = team(&settings).await;
        app.script(&[&saying(PLAN)]);
        let request = long_talk(&app, text);
        let reserved = until("something is set aside", async || {
            let budget = app.send(&Request::get("/v1/budget")).await.json();
            Some(microusd(&budget["reserved_usd"])).filter(|amount| *amount > 0)
        });
        let (heard, reserved) = tokio::join!(app.hear(&request), reserved);
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["coach_reason"], "council:pinned", "{record}");
        assert_eq!(record["outcome"], "complete", "{record}");
        assert_eq!(record["memory_outcome"], "hit", "{record}");
        let attempts = record["attempts"].as_array().unwrap();
        let asked = attempts.iter().filter(|a| a["cause"] == "specialist");
        assert!(asked.count() > 0, "{record}");
        let billed: i64 = app.chats().iter().map(|c| c.bill_microusd()).sum();
        let what = format!("{text}: {billed} of {reserved}, {record}");
        assert!(billed <= COST_CAP.0 && billed <= reserved, "{what}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_refused_ends_the_council_with_its_first_call() {
    for status in ["401", "402", "403-limit"] {
        let app = team(&[]).await;
        app.script(&[status]);
        let heard = app.say("s", "What would the whole team say?").await;
        let record = app.record(&heard.turn_id).await;
        assert_eq!(app.chats().len(), 1, "{record}");
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{record}");
        assert_eq!(record["outcome"], "failed", "{record}");
        // Without credit it is the line of whoever has spent what there was.
        let line = after_opening(&heard.text);
        assert!(!line.is_empty(), "{status}");
        assert_eq!(is_fallback_line(line), status == "401", "{status}: {line}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_one_specialist_beside_answers_is_that_ones() {
    for refused in ["sim/401", "sim/402", "sim/403-limit"] {
        let app = team(&[("COACH_MODEL_SKILLS", refused)]).await;
        app.script(&[&saying(PLAN)]);
        let heard = app.say("s", "What would the whole team say?").await;
        let said = after_opening(&heard.text);
        assert_eq!(said, "Here is what we think.", "{refused}");
        assert_eq!(app.chats().len(), 5, "{refused}");
        app.stop().await;
    }
}
