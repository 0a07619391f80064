//! The words of turns, kept where the operator asks for it and nowhere else.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;

async fn turn(app: &TestApp, id: &str) -> Value {
    app.send(&Request::get(&format!("/v1/turns/{id}")))
        .await
        .json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_kept_sealed_shown_to_admins_and_forgotten() {
    let app = TestApp::spawn(&[("CAPTURE_TEXT", "true"), ("CAPTURE_TTL", "1h")]).await;
    let heard = app.say("captured", "My sister is called Xanthippe").await;
    let id = &heard.turn_id;
    let words = until("the words are kept", async || {
        turn(&app, id).await.get("words").cloned()
    })
    .await;
    assert_eq!(words["user"], "My sister is called Xanthippe");
    assert_eq!(words["reply"], heard.text);
    // What the model was asked, rules first and the words last, so that it can be asked again.
    let asked = words["asked"]["messages"].as_array().unwrap();
    assert_eq!(asked.first().unwrap()["role"], "system");
    let last = json!({ "role": "user", "content": "My sister is called Xanthippe" });
    assert_eq!(asked.last(), Some(&last));
    let erase = Request::method("DELETE", "/v1/users/captured");
    assert_eq!(app.send(&erase).await.status, 202);
    until("the words are gone", async || {
        turn(&app, id).await.get("words").is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_not_kept_unless_asked_for() {
    let app = TestApp::spawn(&[]).await;
    let heard = app.say("quiet", "My sister is called Xanthippe").await;
    app.record(&heard.turn_id).await;
    let shown = turn(&app, &heard.turn_id).await;
    assert!(shown.get("words").is_none());
    assert_eq!(shown["words_missing"], "off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_somebody_sounds_is_not_among_the_words() {
    let app = TestApp::spawn(&[("CAPTURE_TEXT", "true")]).await;
    let body = json!({ "messages": [
        { "role": "user", "content": "I was passed over for a promotion.",
          "models": { "prosody": { "scores": { "Anxiety": 0.91 } } } },
    ]});
    let path = "/chat/completions?custom_session_id=tense";
    let heard = app.hear(&Request::post(path, &body)).await;
    let note = "The speaker sounds tense";
    assert!(app.asked().to_string().contains(note));
    let mut asked = app.asked()["messages"].clone();
    let messages = asked.as_array_mut().unwrap();
    messages.retain(|message| !message.to_string().contains(note));
    let kept = until("the words are kept", async || {
        let turn = turn(&app, &heard.turn_id).await;
        turn.pointer("/words/asked/messages").cloned()
    })
    .await;
    assert_eq!(kept, asked, "all the rest is");
}
