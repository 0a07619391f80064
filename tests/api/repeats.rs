//! Turns that are not real yet: repeats, fragments, speculation, and what was really heard.

use std::time::Duration;

use quest_clm::turn::Outcome;
use serde_json::json;

use crate::app::{TestApp, is_fallback_line, remembered, saying, until};
use crate::caller::Request;
use crate::heard::Heard;

fn talk(session: &str, lines: &[(&str, &str)]) -> Request {
    let messages: Vec<_> = lines
        .iter()
        .map(|(role, text)| json!({"role": role, "content": text}))
        .collect();
    Request::talk(session, &json!(messages))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_five_of_one_request_are_one_answer() {
    let app = TestApp::spawn(&[("WORKERS", "2")]).await;
    app.options(|o| o.gap = Duration::from_millis(5));
    let request = Request::hume("s", "I am stuck");
    let mut heard = Vec::new();
    // At once and a moment later, while it runs; and when it is over.
    let (a, b, (c, d)) = tokio::join!(app.hear(&request), app.hear(&request), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        tokio::join!(app.hear(&request), app.hear(&request))
    });
    heard.extend([a, b, c, d, app.hear(&request).await]);
    for one in &heard {
        assert_eq!(one.text, heard[0].text);
        assert_eq!(one.turn_id, heard[0].turn_id);
    }
    assert_eq!(app.chats().len(), 1, "one paid call");
    assert_eq!(app.recorded(1).await.len(), 1, "one record");
    // Another dialect of the same talk hears the same too.
    let whole = json!({"messages": [{"role": "user", "content": "I am stuck"}]});
    let body = Request::post("/v1/chat/completions?custom_session_id=s", &whole);
    let json = app.send(&body).await.json();
    assert_eq!(
        json["choices"][0]["message"]["content"],
        heard[0].text.as_str()
    );
    let ledger = app.simulator().ledger().clone();
    assert_eq!(app.chats().len(), 1);
    app.stop().await;
    assert_eq!(remembered(&ledger, "s", "s").len(), 2, "one memory");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_goes_on_when_the_first_caller_leaves_and_ends_when_all_have_left() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(10));
    let request = Request::hume("s", "Hello");
    let mut first = app.call(&request).await;
    first.hear_words().await;
    let second = app.call(&request).await;
    let mut third = app.call(&request).await;
    third.hear_words().await;
    first.reset();
    third.reset();
    let heard = Heard::strictly(second.response().await);
    assert!(heard.text.split(' ').count() > 30, "{}", heard.text);
    assert_eq!(app.chats().len(), 1);
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "complete");
    until("the end of the model's answer", async || {
        app.chats()[0].finished().then_some(())
    })
    .await;
    // And with nobody left, nothing is left running.
    let request = Request::hume("s-2", "Hello");
    let mut first = app.call(&request).await;
    first.hear_words().await;
    let mut second = app.call(&request).await;
    second.hear_words().await;
    first.reset();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(app.chats()[1].end.is_none(), "somebody listens");
    let left = second.reset();
    let closed = until("upstream is closed", async || app.chats()[1].aborted_at()).await;
    assert!(
        closed - left < Duration::from_millis(50),
        "{:?}",
        closed - left
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_request_takes_the_place_of_the_older() {
    let app = TestApp::spawn(&[("WORKERS", "2")]).await;
    app.options(|o| o.gap = Duration::from_millis(20));
    let mut old = app.call(&Request::hume("s", "I want")).await;
    old.hear_words().await;
    let turn = old.turn_id().await;
    app.script(&[&saying("Tell me more.")]);
    let new = app.say("s", "I want to change jobs").await;
    let rest = old.response().await.text();
    assert!(rest.contains(r#""finish_reason":"stop""#) && rest.ends_with("data: [DONE]\n\n"));
    assert_eq!(new.text, "Tell me more.");
    let record = app.record(&turn).await;
    assert_eq!(record["outcome"], "superseded", "{record}");
    assert_eq!(record["attempts"][0]["cancelled"], true);
    until("the older is closed upstream", async || {
        app.chats()[0].aborted_at()
    })
    .await;
    let ledger = app.simulator().ledger().clone();
    app.stop().await;
    // The grown sentence replaces its fragment.
    assert_eq!(
        remembered(&ledger, "s", "s"),
        ["user: I want to change jobs", "assistant: Tell me more."]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_a_speculative_burst_is_one_committed_turn() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(20));
    let mut burst = Vec::new();
    for words in ["I", "I feel", "I feel stuck", "I feel stuck at work"] {
        burst.push(app.call(&Request::hume("s", words)).await);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let heard =
        futures::future::join_all(burst.into_iter().map(crate::caller::Call::response)).await;
    let heard: Vec<Heard> = heard.into_iter().map(Heard::strictly).collect();
    let ledger = app.simulator().ledger().clone();
    let records = app.stop().await;
    let outcome = |h: &Heard| {
        records
            .iter()
            .find(|r| r.turn_id == h.turn_id)
            .unwrap()
            .outcome
    };
    let outcomes: Vec<Outcome> = heard.iter().map(outcome).collect();
    use Outcome::{Complete, Superseded};
    assert_eq!(outcomes, [Superseded, Superseded, Superseded, Complete]);
    assert_eq!(
        remembered(&ledger, "s", "s")[0],
        "user: I feel stuck at work"
    );
    assert_eq!(remembered(&ledger, "s", "s").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_never_cancel_each_other() {
    let app = TestApp::spawn(&[("SESSION_SIGNING_KEYS", "a-key-of-sixteen-bytes-or-more")]).await;
    app.options(|o| o.gap = Duration::from_millis(5));
    // No id, and one that nobody signed.
    for session in ["", "guessed"] {
        let (one, other) = tokio::join!(app.say(session, "Hello"), app.say(session, "Good day"));
        let again = app.say(session, "Hello").await;
        for heard in [&one, &other, &again] {
            assert_eq!(
                app.record(&heard.turn_id).await["outcome"],
                "complete",
                "{session:?}"
            );
        }
        assert!(
            one.turn_id != again.turn_id,
            "nothing of a stranger's is replayed"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m4_what_was_heard_is_known_to_the_word() {
    const REPLY: &str =
        "Let us look at one small thing. What would help you most this week, and who could help?";
    let words: Vec<&str> = REPLY.split(' ').collect();
    let app = TestApp::spawn(&[]).await;
    for heard in [0, 1, 3, 8, 12, words.len()] {
        let session = format!("s-{heard}");
        app.script(&[&saying(REPLY)]);
        app.say(&session, "I am stuck").await;
        let part = words[..heard].join(" ");
        let mut lines = vec![("user", "I am stuck")];
        if heard > 0 {
            lines.push(("assistant", part.as_str()));
        }
        lines.push(("user", "Wait"));
        app.script(&[&saying("Yes?")]);
        app.hear(&talk(&session, &lines)).await;
        let told = app.asked()["messages"].to_string();
        let last = words[heard.saturating_sub(3)..heard].join(" ");
        match heard {
            0 => assert!(told.contains("did not reach"), "{told}"),
            n if n == words.len() => assert!(!told.contains("cut you off"), "{told}"),
            _ => assert!(
                told.contains("cut you off") && told.contains(&last),
                "{heard}: {told}"
            ),
        }
        let ledger = app.simulator().ledger().clone();
        let lines = until("the turn is remembered", async || {
            let lines = remembered(&ledger, &session, &session);
            (!lines.is_empty()).then_some(lines)
        })
        .await;
        let mut expected = vec!["user: I am stuck".to_owned()];
        if heard > 0 {
            expected.push(format!("assistant: {part}"));
        }
        assert_eq!(lines, expected);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_not_replayed_and_an_interrupted_turn_is_asked_again() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["401"]);
    let failed = app.say("s", "Hello").await;
    let second = app.say("s", "Hello").await;
    assert_ne!(failed.turn_id, second.turn_id);
    assert_eq!(app.record(&second.turn_id).await["outcome"], "complete");
    app.options(|o| o.gap = Duration::from_millis(20));
    let mut cut = app.call(&Request::hume("s-2", "Hello")).await;
    cut.hear_words().await;
    cut.reset();
    until("the hang-up is noticed", async || {
        app.chats().last()?.aborted_at()
    })
    .await;
    app.options(|o| o.gap = Duration::ZERO);
    let again = app.say("s-2", "Hello").await;
    assert_eq!(app.record(&again.turn_id).await["outcome"], "complete");
    app.stop().await;
}

/// A caller that gives up and sends the same again crosses its own hang-up: whichever comes first, the
/// answer is never empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resend_that_crosses_its_hang_up_is_answered() {
    let app = TestApp::spawn(&[("WORKERS", "2"), ("ZEP_API_KEY", "")]).await;
    app.options(|o| o.gap = Duration::ZERO);
    for n in 0..150_u64 {
        let request = Request::hume(&format!("s-{n}"), "Hello");
        let first = app.call(&request).await;
        tokio::time::sleep(Duration::from_millis(4)).await;
        let (second, ()) = tokio::join!(app.call(&request), async {
            tokio::time::sleep(Duration::from_micros(n % 40 * 10)).await;
            first.reset();
        });
        let heard = Heard::strictly(second.response().await);
        assert!(!heard.text.is_empty(), "{n}: nothing was said");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_of_one_session_id_never_meet() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(10));
    let as_user = |user: &str| {
        let body = json!({"stream": true, "session_id": "shared", "user_id": user,
            "messages": [{"role": "user", "content": "Hello"}]});
        Request::post("/chat/completions", &body)
    };
    // While the other speaks, and after.
    let mut ada = app.call(&as_user("ada")).await;
    ada.hear_words().await;
    let bob = app.hear(&as_user("bob")).await;
    let turn = ada.turn_id().await;
    ada.response().await;
    let cleo = app.hear(&as_user("cleo")).await;
    for id in [&turn, &bob.turn_id, &cleo.turn_id] {
        assert_eq!(app.record(id).await["outcome"], "complete");
    }
    assert_eq!(app.chats().len(), 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_words_to_another_coach_are_another_request() {
    let app = TestApp::spawn(&[]).await;
    let to = |coach: &str| {
        let body = json!({"model": coach, "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
        Request::post("/v1/chat/completions?custom_session_id=s", &body)
    };
    let (career, skills) = (app.hear(&to("career")).await, app.hear(&to("skills")).await);
    assert_ne!(career.turn_id, skills.turn_id);
    assert_eq!(skills.headers["x-clm-coach"], "skills");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helpers_request_does_not_end_the_stream_that_speaks() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(10));
    let spoken = json!({"stream": true, "user": "call-9", "messages": [{"role": "user", "content": "Hello"}]});
    let asked =
        json!({"user": "call-9", "messages": [{"role": "user", "content": "Summarize the call."}]});
    let mut speaking = app
        .call(&Request::post("/v1/chat/completions", &spoken))
        .await;
    speaking.hear_words().await;
    let turn = speaking.turn_id().await;
    let summary = app
        .send(&Request::post("/v1/chat/completions", &asked))
        .await;
    assert_eq!(summary.status, 200);
    speaking.response().await;
    assert_eq!(app.record(&turn).await["outcome"], "complete");
    let ledger = app.simulator().ledger().clone();
    app.stop().await;
    let lines = remembered(&ledger, "call-9", "call-9");
    assert_eq!(
        lines.first().map(String::as_str),
        Some("user: Hello"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_needs_no_place_and_hears_a_failure_in_its_own_way() {
    let app = TestApp::spawn(&[
        ("MAX_TURNS", "1"),
        ("RESUME", "false"),
        ("SPOKEN_FALLBACK_MS", "400"),
    ])
    .await;
    app.options(|o| o.gap = Duration::from_millis(15));
    let request = Request::hume("s", "Hello").header("x-clm-fault", "cut:8");
    let told = request.clone().header("x-clm-errors", "signal");
    let mut first = app.call(&request).await;
    first.hear_words().await;
    let (same, signalled) = tokio::join!(app.hear(&request), app.send(&told));
    let signalled = signalled.text();
    assert_eq!(same.text.split(' ').count(), 8);
    assert!(
        signalled.contains("upstream_broke_off") && !signalled.contains("[DONE]"),
        "{signalled}"
    );
    first.response().await;
    assert_eq!(app.chats().len(), 1);
    // The other way round: who wants to be told asks first, and nobody says a word.
    let request = Request::hume("s-2", "Hello").header("x-clm-fault", "hang,hang,hang,hang");
    let told = request.clone().header("x-clm-errors", "signal");
    let (signalled, spoken) = tokio::join!(app.send(&told), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        app.hear(&request).await
    });
    assert!(signalled.text().contains("upstream_failed"));
    assert!(is_fallback_line(&spoken.text), "{}", spoken.text);
    assert_eq!(app.recorded(2).await.len(), 2);
    app.stop().await;
}
