//! Speech before silence: what is said while a model is slow, and that it is never taken for what
//! the model said.

use std::time::Duration;

use quest_clm::coach::Roster;
use serde_json::{Value, json};

use crate::app::{TestApp, is_fallback_line, remembered, saying, until};
use crate::caller::Request;

fn lead_ins() -> Vec<String> {
    let roster = Roster::built_in().unwrap();
    roster.master().lead_ins().to_vec()
}

/// A talk that is under way.
fn second(session: &str, reply: &str, words: &str) -> Request {
    Request::talk(
        session,
        &json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": reply},
            {"role": "user", "content": words},
        ]),
    )
}

const SLOW: &[(&str, &str)] = &[("HEDGING", "false")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m1_the_first_word_is_never_far_whatever_the_model_takes() {
    let app = TestApp::spawn(&[
        ("HEDGING", "false"),
        ("FIRST_TOKEN_DEADLINE_MS", "12000"),
        ("OPENROUTER_FALLBACK_ENABLED", "false"),
    ])
    .await;
    let turns = [0_u64, 400, 1000, 1400, 2500, 4900, 5200, 10_000].map(|wait| {
        let app = &app;
        async move {
            let request = second(&format!("s-{wait}"), "Hi.", "Go on")
                .header("x-clm-fault", &format!("slow-first:{wait}"));
            let heard = app.hear(&request).await;
            let spoke = heard.spoke.unwrap();
            // Due after 1.2 s; a busy machine says it later.
            assert!(spoke < Duration::from_millis(2000), "{wait}: {spoke:?}");
            let led = lead_ins()
                .iter()
                .filter(|l| heard.text.starts_with(*l))
                .count();
            assert_eq!(led, usize::from(wait > 1200), "{wait}: {}", heard.text);
            assert!(heard.ended < Duration::from_millis(5000 + 1200), "{wait}");
            if wait > 5000 {
                let rest = lead_ins()
                    .iter()
                    .find_map(|l| heard.text.strip_prefix(l))
                    .unwrap()
                    .to_owned();
                assert!(is_fallback_line(rest.trim_start()), "{}", heard.text);
            }
            assert!(!heard.text.contains("  "), "{}", heard.text);
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["lead_in"], wait > 1200, "{wait}");
        }
    });
    futures::future::join_all(turns).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_reply_has_none_and_no_session_hears_two_in_eight_seconds() {
    let app = TestApp::spawn(SLOW).await;
    app.script(&["slow-first:1500"; 4]);
    let heard = app.say("s", "Hello").await;
    assert!(
        !lead_ins().iter().any(|l| heard.text.contains(l)),
        "{}",
        heard.text
    );
    let first = app.hear(&second("s", &heard.text, "Go on")).await;
    assert!(
        lead_ins().iter().any(|l| first.text.starts_with(l)),
        "{}",
        first.text
    );
    let again = app.hear(&second("s", &heard.text, "And then")).await;
    assert!(
        !lead_ins().iter().any(|l| again.text.contains(l)),
        "too soon: {}",
        again.text
    );
    app.stop().await;
    let off = TestApp::spawn(&[("HEDGING", "false"), ("LEAD_INS", "false")]).await;
    off.script(&["slow-first:1500"]);
    let heard = off.hear(&second("s", "Hi.", "Go on")).await;
    assert!(heard.spoke.unwrap() >= Duration::from_millis(1500));
    off.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phrases_enter_neither_memory_nor_later_prompts() {
    let app = TestApp::spawn(SLOW).await;
    let lead = lead_ins().remove(0);
    app.script(&["slow-first:1400"]);
    let asks = second("s", &format!("{lead} Where exactly?"), "I am stuck");
    let heard = app.hear(&asks).await;
    let spoken_lead = lead_ins()
        .into_iter()
        .find(|l| heard.text.starts_with(l))
        .unwrap();
    let asked = app.asked().to_string();
    assert!(
        !asked.contains(&lead),
        "an earlier lead-in came back: {asked}"
    );
    assert!(asked.contains("Where exactly?"));
    // The next request shows the whole reply, lead-in and all, as it was spoken.
    app.script(&[&saying("Good.")]);
    let next = json!([
        {"role": "user", "content": "I am stuck"},
        {"role": "assistant", "content": heard.text},
        {"role": "user", "content": "At work"},
    ]);
    app.hear(&Request::talk("s", &next)).await;
    let messages = app.asked()["messages"].to_string();
    assert!(!messages.contains(&spoken_lead), "{messages}");
    let ledger = app.simulator().ledger().clone();
    let answer = heard.text.strip_prefix(&spoken_lead).unwrap().trim_start();
    until("the turn is remembered", async || {
        let lines = remembered(&ledger, "s", "s");
        (lines.len() >= 2).then(|| assert_eq!(lines[1], format!("assistant: {answer}")))
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_answered_as_the_operator_wants() {
    let silent = |history: &[Value]| {
        let mut messages = history.to_vec();
        messages.push(json!({"role": "user", "content": "[user silent]"}));
        Request::talk("", &json!(messages))
    };
    let roster = Roster::built_in().unwrap();
    let master = roster.master();
    let nudges: Vec<&str> = (0..).map_while(|n| master.nudge(n)).collect();
    assert!(nudges.len() >= 3, "they escalate");
    let app = TestApp::spawn(&[("SILENCE_REPLY", "line")]).await;
    let said = |text: &str| json!({"role": "assistant", "content": text});
    let marker = json!({"role": "user", "content": "[user silent]"});
    let mut talk = vec![json!({"role": "user", "content": "Hello"}), said("Hi.")];
    for nudge in nudges {
        let heard = app.hear(&silent(&talk)).await;
        assert_eq!(heard.text, nudge);
        talk.extend([marker.clone(), said(nudge)]);
    }
    let heard = app.hear(&silent(&talk)).await;
    assert_eq!(
        (heard.text.as_str(), heard.finish_reason.as_str()),
        ("", "stop")
    );
    assert_eq!(app.chats().len(), 0, "no model is asked");
    app.stop().await;
    let quiet = TestApp::spawn(&[("SILENCE_REPLY", "quiet")]).await;
    assert_eq!(quiet.hear(&silent(&[])).await.text, "");
    quiet.stop().await;
    // The model's own words escalate too, and stop.
    let model = TestApp::spawn(&[]).await;
    let mut talk = vec![json!({"role": "user", "content": "Hello"}), said("Hi.")];
    for asked in 1..=3 {
        assert!(!model.hear(&silent(&talk)).await.text.is_empty());
        assert_eq!(model.chats().len(), asked);
        talk.extend([marker.clone(), said("Still here.")]);
    }
    assert_eq!(model.hear(&silent(&talk)).await.text, "");
    assert_eq!(model.chats().len(), 3, "nobody is asked any more");
    talk.push(json!({"role": "user", "content": "Sorry, I was away."}));
    talk.push(said("Welcome back."));
    assert!(!model.hear(&silent(&talk)).await.text.is_empty());
    model.stop().await;
}
