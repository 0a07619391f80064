//! What a memory may do to a call: add one quoted message, whatever was planted in it.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::caller::Request;
use crate::memory::{quoted, seed};

/// The last call to a model without what differs from session to session by design, and with it the
/// coach and the reason.
async fn asked_for(app: &TestApp, user: &str, tools: &Value) -> (Value, String) {
    let body = json!({"stream": true, "user_id": user, "tools": tools,
        "messages": [{"role": "user", "content": "I want a promotion"}]});
    let path = format!("/chat/completions?custom_session_id={user}");
    let heard = app.hear(&Request::post(&path, &body)).await;
    let mut asked = app.asked();
    for field in ["user", "session_id"] {
        asked.as_object_mut().unwrap().remove(field);
    }
    let record = app.record(&heard.turn_id).await;
    let chosen = [
        "coach",
        "coach_reason",
        "tier",
        "planned_model",
        "served_model",
    ];
    let chosen = chosen.map(|name| record[name].to_string());
    (asked, chosen.join(" "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_planted_in_memory_changes_a_call_but_its_quotation() {
    let app = TestApp::spawn(&[("MEMORY_DEADLINE_MS", "2000")]).await;
    let corpus = include_str!("../fixtures/memory/poison.jsonl");
    let planted: Vec<String> = corpus
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|case| case["text"].as_str().unwrap().to_owned())
        .collect();
    let tools = json!([{"type": "function", "function": {"name": "dates", "parameters": {}}}]);
    let (without, chosen) = asked_for(&app, "clean", &tools).await;
    assert!(
        chosen.starts_with(r#""career" "keyword:promotion""#),
        "{chosen}"
    );
    assert_eq!(without["tools"], tools);
    for (n, chunk) in planted.chunks(30).enumerate() {
        let facts: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let user = format!("planted-{n}");
        seed(&app, &user, &facts);
        let (mut asked, same) = asked_for(&app, &user, &tools).await;
        let quoted = quoted(&app);
        let [memory] = quoted.as_slice() else {
            panic!("{n}: {quoted:?}")
        };
        let letters = |text: &str| {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        };
        assert!(
            letters(memory).contains(&letters(&chunk[0])),
            "{n}: {memory}"
        );
        assert!(memory.chars().count() < 8_120, "{n}");
        let messages = asked["messages"].as_array_mut().unwrap();
        messages.retain(|m| m["content"] != memory.as_str());
        assert_eq!((asked, same), (without.clone(), chosen.clone()), "{n}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_knows_the_name_that_memory_knows() {
    let app = TestApp::spawn(&[]).await;
    seed(&app, "ines", &["The user's name is Ines."]);
    let greeting = json!([{"role": "user", "content": "Speak your greeting to the user."}]);
    app.hear(&Request::talk("ines", &greeting)).await;
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap();
    let [system, memory, greet] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    let system = system["content"].as_str().unwrap();
    assert!(system.contains("When a call begins: Welcome them as you would at your own door"));
    assert!(memory["content"].as_str().unwrap().contains("name is Ines"));
    assert!(
        greet["content"]
            .as_str()
            .unwrap()
            .contains("by name if the notes")
    );
    app.stop().await;
}
