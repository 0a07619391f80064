//! Money: the right model for what is left of it, a sentence where nothing is, and nobody overdrawn.

use quest_clm::coach::Roster;
use quest_clm::turn::Outcome;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::errors::refused;

const LUNA: &str = "openai/gpt-6-luna";
const TERRA: &str = "openai/gpt-6.1-terra";
const SONNET: &str = "anthropic/claude-sonnet-5";

/// One candidate, so that what is set aside is what that one may cost.
const ALONE: (&str, &str) = ("OPENROUTER_FALLBACK_ENABLED", "false");

/// A turn that asks for a lot.
const DEMANDING: &str = "I have to decide by Friday between two offers, and I keep going round in \
    circles. The first has a higher pay, but it means moving house, and my partner would have to \
    quit because there is nothing there. The second is smaller, with equity that may be worth \
    nothing, although the people are wonderful. If I say no to both I'm afraid I'll be laid off. \
    How would you weigh that, and what should my strategy be, if they negotiate? And whether I say \
    yes or no, what do I tell them?";

async fn budget(app: &TestApp) -> Value {
    app.send(&Request::get("/v1/budget")).await.json()
}

/// Whether this is one of the master's sentences for when the money is gone.
pub(crate) fn is_budget_line(text: &str) -> bool {
    let roster = Roster::built_in().unwrap();
    roster.master().budget_lines.iter().any(|line| line == text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tier_demand_and_budget_choose_the_model_and_the_record_says_why() {
    let app = TestApp::spawn(&[]).await;
    let free = TestApp::spawn(&[("DEFAULT_TIER", "free")]).await;
    let low = TestApp::spawn(&[("DAILY_BUDGET_USD", "4.99")]).await;
    let forced = TestApp::spawn(&[("COACH_MODEL_MASTER", "x/forced")]).await;
    for (app, words, model, reason) in [
        (&app, "Hello", TERRA, "tier:premium"),
        (&app, DEMANDING, SONNET, "complexity:"),
        (&free, DEMANDING, LUNA, "tier:free"),
        (&low, DEMANDING, LUNA, "budget:low"),
        (&forced, DEMANDING, "x/forced", "override"),
    ] {
        let heard = app.ask(words).await;
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["planned_model"], json!(model), "{record}");
        let why = record["model_reason"].as_str().unwrap();
        assert!(why.starts_with(reason), "{record}");
        let complexity = record["complexity"].as_f64().unwrap();
        assert_eq!(complexity > 0.8, words == DEMANDING, "{record}");
    }
    for app in [app, free, low, forced] {
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_cap_a_sentence_is_heard_and_no_model_is_asked() {
    let app = TestApp::spawn(&[("DAILY_BUDGET_USD", "0"), ("DAILY_HARD_CAP_USD", "0")]).await;
    let heard = app.ask("Hello").await;
    assert!(is_budget_line(&heard.text), "{}", heard.text);
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], json!("shed"));
    assert_eq!(record["model_reason"], json!("budget:cap"));
    assert_eq!(record["cost_usd"], json!("0.000000"));
    let told = Request::hume("told", "Hello").header("x-clm-errors", "signal");
    let refusal = app.send(&told).await;
    refused(&refusal, 429, "budget_exhausted");
    assert!(app.chats().is_empty());
    let metrics = app.send(&Request::get("/metrics")).await.text();
    let counted = metrics.contains(r#"clm_budget_refusals_total{limit="cap"}"#);
    assert!(counted, "{metrics}");
    let records = app.stop().await;
    assert!(records.iter().all(|r| r.outcome == Outcome::Shed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_turns_cost_is_spent_and_nothing_stays_reserved() {
    let app = TestApp::spawn(&[]).await;
    for words in ["Hello", "Go on", "Thank you"] {
        app.ask(words).await;
    }
    app.script(&["503", "no-usage"]);
    app.ask("And now").await;
    let turns = app.recorded(4).await;
    let costs = turns
        .iter()
        .map(|t| t["cost_usd"].as_str().unwrap().parse::<f64>().unwrap());
    let sum: f64 = costs.sum();
    assert!(sum > 0.0);
    let standing = until("everything settled", async || {
        let standing = budget(&app).await;
        (standing["reserved_usd"] == json!("0.000000")).then_some(standing)
    })
    .await;
    assert_eq!(standing["spent_usd"], json!(format!("{sum:.6}")));
    assert_eq!(standing["sharing"], json!("alone"));
    assert_eq!(standing["budget_usd"], json!("50.000000"));
    assert_eq!(standing["hard_cap_usd"], json!("100.000000"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_hangs_up_gives_back_what_it_did_not_use() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["stall:3"]);
    let mut call = app.call(&Request::hume("gone", "Hello")).await;
    call.hear_words().await;
    assert_ne!(budget(&app).await["reserved_usd"], json!("0.000000"));
    drop(call);
    until("given back", async || {
        (budget(&app).await["reserved_usd"] == json!("0.000000")).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_turns_at_once_never_go_beyond_the_cap() {
    // Room for three turns as they are reserved: none of them costs as much.
    let app = TestApp::spawn(&[
        ("DAILY_BUDGET_USD", "0"),
        ("DAILY_HARD_CAP_USD", "0.0075"),
        ALONE,
    ])
    .await;
    let turns = (0..100).map(|n| {
        let app = &app;
        async move { app.say(&format!("s-{n}"), "Hello").await.text }
    });
    let texts = futures::future::join_all(turns).await;
    let refused = texts.iter().filter(|text| is_budget_line(text)).count();
    assert!((1..100).contains(&refused), "{refused}");
    let records = app.stop().await;
    let costs = records
        .iter()
        .filter_map(|r| r.cost_microusd)
        .map(|cost| cost.0);
    assert!(costs.sum::<i64>() <= 5_000);
    let spoken = records
        .iter()
        .filter(|r| r.outcome == Outcome::Complete)
        .count();
    assert_eq!(spoken, 100 - refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_and_a_user_have_caps_of_their_own() {
    let capped = [
        ("SESSION_CAP_USD", "0.0025"),
        ("DEFAULT_TIER", "free"),
        ALONE,
    ];
    let app = TestApp::spawn(&capped).await;
    let mut said = Vec::new();
    for n in 0..40 {
        let heard = app.say("talkative", &format!("Go on, {n}")).await;
        said.push(is_budget_line(&heard.text));
        app.recorded(n + 1).await;
    }
    assert!(!said[0] && said[39], "{said:?}");
    let other = app.say("another", "Hello").await;
    assert!(!is_budget_line(&other.text));
    let newest = &app.recorded(41).await[1];
    assert_eq!(newest["model_reason"], json!("budget:session_cap"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_money_is_asked_once_and_says_so() {
    let app = TestApp::spawn(&[]).await;
    for fault in ["402", "403-limit"] {
        app.script(&[fault]);
        let before = app.chats().len();
        let heard = app.ask("Hello").await;
        assert!(is_budget_line(&heard.text), "{fault}: {}", heard.text);
        assert_eq!(app.chats().len(), before + 1, "{fault}");
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["outcome"], json!("failed"));
        let kind = record["attempts"][0]["error_kind"].as_str().unwrap();
        assert_eq!(
            kind,
            if fault == "402" {
                "status_402"
            } else {
                "key_limit"
            }
        );
    }
    // Moderation is no want of money.
    app.script(&["403"]);
    let heard = app.ask("Hello").await;
    assert!(!is_budget_line(&heard.text));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_what_was_begun_is_said_to_its_end() {
    let app = TestApp::spawn(&[
        ("DAILY_BUDGET_USD", "0"),
        ("DAILY_HARD_CAP_USD", "0.0025"),
        ALONE,
    ])
    .await;
    app.options(|o| o.gap = std::time::Duration::from_millis(20));
    let mut first = app.call(&Request::hume("first", "Hello")).await;
    first.hear_words().await;
    let second = app.say("second", "Hello").await;
    assert!(is_budget_line(&second.text), "{}", second.text);
    let first = first.response().await.text();
    assert!(first.ends_with("data: [DONE]\n\n"), "{first}");
    let records = app.stop().await;
    let outcomes: Vec<Outcome> = records.iter().map(|r| r.outcome).collect();
    assert!(outcomes.contains(&Outcome::Complete) && outcomes.contains(&Outcome::Shed));
}
