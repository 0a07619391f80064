//! What is written is said: the model's marks and figures as they reach a caller.

use serde_json::json;

use crate::app::{TestApp, saying, until};
use crate::caller::Request;

const WRITTEN: &str = "**Great** news: your pay goes from $85,000 to $102,000, a 20% raise. \
    See [the guide](https://example.com/a?b=c).\n\n1. Thank her\n2. Sign by 5/12/2026 🎉";
const SPOKEN: &str = "Great news: your pay goes from eighty-five thousand dollars to one hundred two \
    thousand dollars, a twenty percent raise. See the guide.\n\nFirst, Thank her.\nSecond, Sign by";

fn heard_so(text: &str) -> bool {
    let marks = ['*', '$', '%', '[', ']', '(', ')', '🎉', '#', '`', '|'];
    !text.contains(marks) && !text.contains("http") && !text.contains(|c: char| c.is_ascii_digit())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_and_figures_are_said_as_words_to_every_caller() {
    let app = TestApp::spawn(&[]).await;
    app.script(&[&saying(WRITTEN)]);
    let heard = app.ask("Hello").await;
    assert!(heard_so(&heard.text), "{}", heard.text);
    assert!(heard.text.starts_with(SPOKEN), "{}", heard.text);
    app.script(&[&saying(WRITTEN)]);
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let whole = app
        .send(&Request::post("/v1/chat/completions", &body))
        .await;
    let text = whole.json()["choices"][0]["message"]["content"].clone();
    assert!(heard_so(text.as_str().unwrap()), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_a_flag_and_a_setting_can_have_it_as_it_is_written() {
    let app = TestApp::spawn(&[]).await;
    app.script(&[&saying(WRITTEN)]);
    let asked = Request::hume("raw", "Hello").header("x-clm-speech", "as-written");
    assert_eq!(app.hear(&asked).await.text, WRITTEN);
    let off = Request::put("/v1/flags/speech_filter", &json!({"value": false}));
    assert_eq!(app.send(&off).await.status, 200);
    app.script(&[&saying(WRITTEN)]);
    assert_eq!(app.ask("Hello").await.text, WRITTEN);
    app.stop().await;
    let off = TestApp::spawn(&[("SPEECH_FILTER", "false")]).await;
    off.script(&[&saying(WRITTEN)]);
    assert_eq!(off.ask("Hello").await.text, WRITTEN);
    off.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_coach_of_a_roster_can_say_it_as_it_is_written() {
    let own = |file: &str, switch: &str| {
        let file = file.replace("[models]", "[coach.models]");
        format!("[[coach]]\n{switch}\n{file}\n")
    };
    let roster = [
        own(include_str!("../../src/coach/roster/master.toml"), ""),
        own(
            include_str!("../../src/coach/roster/career.toml"),
            "speech_filter = true",
        ),
        own(
            include_str!("../../src/coach/roster/network.toml"),
            "speech_filter = false",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("coaches.toml");
    std::fs::write(&file, roster.concat()).unwrap();
    let app = TestApp::spawn(&[("COACHES_FILE", file.to_str().unwrap())]).await;
    for (words, coach, is_written) in [
        ("Hello", "master", false),
        ("I want a promotion", "career", false),
        ("A referral, please", "network", true),
    ] {
        app.script(&[&saying(WRITTEN)]);
        let heard = app.ask(words).await;
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["coach"], coach, "{record}");
        assert_eq!(heard.text == WRITTEN, is_written, "{coach}: {}", heard.text);
        assert_eq!(heard_so(&heard.text), !is_written, "{coach}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_language_figures_stay_and_marks_go() {
    let app = TestApp::spawn(&[]).await;
    app.script(&[&saying("Das sind **85.000 Euro** im Jahr, also 20 % mehr.")]);
    let heard = app.ask("Ich möchte mehr verdienen, aber wie?").await;
    assert_eq!(heard.text, "Das sind 85.000 Euro im Jahr, also 20 % mehr.");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_which_nothing_can_be_said_is_no_answer() {
    let app = TestApp::spawn(&[("OPENROUTER_FALLBACK_ENABLED", "false")]).await;
    app.script(&[&saying("```\nlet x = 1;\n```")]);
    let heard = app.ask("Hello").await;
    assert!(crate::app::is_fallback_line(&heard.text), "{}", heard.text);
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], json!("failed"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_figure_is_held_no_longer_than_the_model_pauses() {
    let app = TestApp::spawn(&[]).await;
    // A figure, and then nothing for a while that is no stall yet.
    app.options(|o| o.gap = std::time::Duration::from_millis(400));
    app.script(&[&saying("It is $85,000 now.")]);
    let mut call = app.call(&Request::hume("held", "Hello")).await;
    let mut text = String::new();
    while !text.contains("dollars") {
        let piece = call.piece().await.expect("the figure before the end");
        text.push_str(std::str::from_utf8(&piece.bytes).unwrap());
    }
    assert!(!text.contains("now"), "said before what follows it: {text}");
    drop(call);
    until("settled", async || {
        let open = app.chats().iter().all(|c| c.end.is_some());
        open.then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_said_can_be_asked() {
    let app = TestApp::spawn(&[]).await;
    for (body, spoken) in [
        (
            json!({"text": "Pay: $85,000!"}),
            "Pay: eighty-five thousand dollars!",
        ),
        (
            json!({"text": "**Gehalt**: 85.000 €", "language": "de"}),
            "Gehalt: 85.000 €",
        ),
        (
            json!({"text": "a 20% raise", "language": "en-GB"}),
            "a twenty percent raise",
        ),
        (json!({"text": ""}), ""),
    ] {
        let answer = app
            .send(&Request::post("/v1/speech/normalize", &body))
            .await;
        assert_eq!(
            (answer.status, &answer.json()["spoken"]),
            (200, &json!(spoken))
        );
    }
    for odd in [
        json!({}),
        json!({"text": 1}),
        json!({"text": "a", "lang": "en"}),
    ] {
        let answer = app.send(&Request::post("/v1/speech/normalize", &odd)).await;
        crate::errors::refused(&answer, 400, "invalid_request");
    }
    app.stop().await;
}
