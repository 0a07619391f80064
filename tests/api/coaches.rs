//! Which coach answers, why, and how it shows.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::caller::Request;

async fn chosen(app: &TestApp, request: &Request) -> (String, String) {
    let heard = app.hear(request).await;
    let record = app.record(&heard.turn_id).await;
    let coach = heard.headers["x-clm-coach"].clone();
    assert_eq!(record["coach"], coach.as_str());
    assert_eq!(
        record["planned_model"],
        heard.headers["x-clm-model"].as_str()
    );
    let system = app.asked()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        system.contains(&format!("You are the {coach} coach")),
        "{coach}: {system}"
    );
    (coach, record["coach_reason"].as_str().unwrap().to_owned())
}

fn talk(lines: &[&str]) -> Value {
    let mut messages = Vec::new();
    for line in lines {
        if !messages.is_empty() {
            messages.push(json!({"role": "assistant", "content": "Tell me more."}));
        }
        messages.push(json!({"role": "user", "content": line}));
    }
    json!(messages)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_chooses_the_coach_and_the_reason_is_kept() {
    let app = TestApp::spawn(&[]).await;
    let table: &[(&[&str], &str, &str)] = &[
        (&["Hello"], "master", "default"),
        (&["I want a PROMOTION"], "career", "keyword:promotion"),
        (
            &["Python certification?"],
            "skills",
            "keyword:certification",
        ),
        (&["I manage people"], "leadership", "keyword:manage"),
        (&["My management is odd"], "leadership", "keyword:manage"),
        (&["I feel overmanaged"], "master", "default"),
        (
            &["Who can give me a referral"],
            "network",
            "keyword:referral",
        ),
        // In the roster's order, not in the sentence's.
        (&["I network for a job"], "career", "keyword:job"),
        (&["I lead my team to learn"], "skills", "keyword:learn"),
        (&["let me talk to the career coach"], "career", "named"),
        (&["I want a promotion", "Yes, exactly"], "career", "kept"),
        (
            &["I want a promotion", "And a referral"],
            "network",
            "keyword:referral",
        ),
        // Platforms' additions are no words of the user's.
        (
            &["Hello {Context: asks for a promotion}"],
            "master",
            "default",
        ),
        (
            &["Hello {slightly interested, quite calm}"],
            "master",
            "default",
        ),
    ];
    for (lines, coach, reason) in table {
        let got = chosen(&app, &Request::talk("s", &talk(lines))).await;
        assert_eq!(
            got,
            ((*coach).to_owned(), (*reason).to_owned()),
            "{lines:?}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_or_a_model_name_pins_the_coach() {
    let keys = [("SESSION_SIGNING_KEYS", "signing-key-0123456789")];
    let app = TestApp::spawn(&keys).await;
    let wanted = json!({"user_id": "ada", "coach": "skills"});
    let minted = app
        .send(&Request::post("/v1/sessions", &wanted))
        .await
        .json();
    let session = minted["session_id"].as_str().unwrap();
    let pinned = chosen(&app, &Request::hume(session, "I want a promotion")).await;
    assert_eq!(pinned, ("skills".to_owned(), "pinned".to_owned()));
    let body = |model: &str| {
        let body =
            json!({"model": model, "stream": true, "messages": talk(&["I want a promotion"])});
        Request::post("/v1/chat/completions", &body)
    };
    let by_model = chosen(&app, &body("network")).await;
    assert_eq!(by_model, ("network".to_owned(), "pinned".to_owned()));
    assert_eq!(chosen(&app, &body("clm")).await.0, "career");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coach_speaks_with_its_own_model_and_temper() {
    let app = TestApp::spawn(&[("COACH_MODEL_CAREER", "acme/forced")]).await;
    app.say("s", "a promotion").await;
    assert_eq!(app.asked()["model"], "acme/forced");
    assert_eq!(app.asked()["temperature"], 0.8);
    app.say("s2", "learn programming").await;
    assert_eq!(
        (&app.asked()["model"], &app.asked()["temperature"]),
        (&json!("openai/gpt-6.1-terra"), &json!(0.3))
    );
    app.stop().await;
    let free = TestApp::spawn(&[("DEFAULT_TIER", "free")]).await;
    let heard = free.say("s", "learn programming").await;
    assert_eq!(free.asked()["model"], "openai/gpt-6-luna");
    assert_eq!(free.record(&heard.turn_id).await["tier"], "free");
    free.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_to_the_offer_of_a_colleague_brings_them_in() {
    let app = TestApp::spawn(&[]).await;
    let mut messages = vec![
        json!({"role": "user", "content": "Hello"}),
        json!({"role": "assistant", "content": "That is one for the career coach."}),
        json!({"role": "assistant", "content": "Shall I bring them in?"}),
        json!({"role": "user", "content": "Yes please. {slightly calm}"}),
    ];
    let got = chosen(&app, &Request::talk("s", &json!(messages))).await;
    assert_eq!(got, ("career".to_owned(), "named".to_owned()));
    messages.extend([
        json!({"role": "assistant", "content": "Career coach here. What draws you?"}),
        json!({"role": "user", "content": "The sea"}),
    ]);
    let got = chosen(&app, &Request::talk("s", &json!(messages))).await;
    assert_eq!(got, ("career".to_owned(), "kept".to_owned()));
    app.stop().await;
}
