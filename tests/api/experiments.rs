//! Experiments: who gets which arm, what it changes, and which turns count.

use std::fs;

use quest_clm::app::Application;
use quest_clm::config::{Sources, load};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::records::get;

const FILE: &str = r#"
[[experiment]]
name = "warmth"
coach = "career"
start = 2026-01-01

[[experiment.variant]]
name = "control"
weight = 1

[[experiment.variant]]
name = "warm"
weight = 1
model = "acme/warm"
temperature = 1.5
persona = "You are warm."
"#;

struct House {
    app: TestApp,
    _dir: TempDir,
}

impl House {
    async fn with(file: &str, settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("experiments.toml");
        fs::write(&path, file).unwrap();
        let mut all = vec![("EXPERIMENTS_FILE", path.to_str().unwrap())];
        all.extend(settings);
        let app = TestApp::spawn(&all).await;
        Self { app, _dir: dir }
    }

    /// A session whose first turn was answered by this arm, and that turn.
    async fn session_of(&self, variant: &str) -> (String, Value) {
        for n in 0..64 {
            let session = format!("{variant}-{n}");
            let heard = self.app.say(&session, "I want a promotion").await;
            let record = self.app.record(&heard.turn_id).await;
            assert_eq!(record["experiment"], "warmth");
            if record["variant"] == variant {
                return (session, record);
            }
        }
        panic!("64 sessions and none in {variant}");
    }

    /// How many turns count for this arm.
    async fn counted(&self, variant: &str) -> u64 {
        // Each question another range: an answer stands for five seconds.
        let range = fresh_range();
        let report = get(
            &self.app,
            &format!("/v1/analytics/experiments?range={range}m"),
        )
        .await;
        let items = report["items"].as_array().unwrap().iter();
        let arm = items.filter(|item| item["variant"] == variant);
        arm.map(|item| item["count"].as_u64().unwrap()).sum()
    }
}

fn fresh_range() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(60);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn went_on(session: &str, reply: &str) -> Request {
    let talk = json!([
        {"role": "user", "content": "I want a promotion"},
        {"role": "assistant", "content": reply},
        {"role": "user", "content": "Yes, exactly"},
    ]);
    Request::talk(session, &talk)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_arm_changes_model_temper_and_persona_and_sticks() {
    let house = House::with(FILE, &[]).await;
    let app = &house.app;
    let system = |asked: &Value| asked["messages"][0]["content"].as_str().unwrap().to_owned();
    let (warm, record) = house.session_of("warm").await;
    assert_eq!(record["planned_model"], "acme/warm");
    let asked = app.asked();
    assert_eq!(
        (&asked["model"], &asked["temperature"]),
        (&json!("acme/warm"), &json!(1.5))
    );
    assert!(
        system(&asked).contains("You are warm.") && !system(&asked).contains("You are the career")
    );
    let (control, record) = house.session_of("control").await;
    assert_eq!(record["planned_model"], "anthropic/claude-sonnet-5");
    assert_eq!(app.asked()["temperature"], 0.8);
    assert!(system(&app.asked()).contains("You are the career coach"));
    for (session, variant) in [(&warm, "warm"), (&control, "control")] {
        for _ in 0..3 {
            let heard = app.hear(&went_on(session, "Tell me more.")).await;
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["variant"], variant);
        }
    }
    // Another coach's turns are in none.
    let heard = app.say(&warm, "learn programming").await;
    assert_eq!(app.record(&heard.turn_id).await["experiment"], Value::Null);
    house.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_counts_with_the_sessions_next_request_or_when_it_failed() {
    // Also where there is no memory to write to.
    let house = House::with(FILE, &[("ZEP_API_KEY", "")]).await;
    let app = &house.app;
    let session = "counted";
    let heard = app.say(session, "I want a promotion").await;
    let record = app.record(&heard.turn_id).await;
    let variant = record["variant"].as_str().unwrap().to_owned();
    assert_eq!(house.counted(&variant).await, 0, "nothing shows it yet");
    app.hear(&went_on(session, &heard.text)).await;
    until("the first turn counts", async || {
        (house.counted(&variant).await == 1).then_some(())
    })
    .await;
    // The one that showed it is recorded by itself, and may be a moment later.
    until("both are turns all the same", async || {
        let coaches = get(app, "/v1/analytics/coaches?range=55m").await;
        (coaches["totals"]["count"] == 2).then_some(())
    })
    .await;
    app.script(&["503"; 8]);
    let failed = app.say("failed", "I want a promotion").await;
    let record = app.record(&failed.turn_id).await;
    assert_eq!(record["outcome"], "failed");
    let its = record["variant"].as_str().unwrap().to_owned();
    let before = u64::from(its == variant);
    until("the failed turn counts", async || {
        (house.counted(&its).await == before + 1).then_some(())
    })
    .await;
    house.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_broken_arm_loses_its_traffic_and_keeps_its_turns() {
    let file = FILE.replace("acme/warm", "sim/500");
    let house = House::with(&file, &[("HEDGING", "false")]).await;
    let app = &house.app;
    let (mut turns, mut bad) = (0, 0);
    for n in 0..60 {
        let calls = app.chats().len();
        let heard = app.say(&format!("i3-{n}"), "I want a promotion").await;
        let record = app.record(&heard.turn_id).await;
        if record["variant"] == "warm" {
            turns += 1;
            let asked = &app.chats()[calls..];
            bad += usize::from(asked.iter().any(|call| call.body["model"] == "sim/500"));
            assert_eq!(record["outcome"], "complete", "somebody else answers");
            assert_ne!(record["served_model"], "sim/500");
        }
    }
    assert!(turns > 15, "{turns}");
    assert!(
        (1..=10).contains(&bad),
        "{bad} of {turns} turns met the broken model"
    );
    println!("i3: {bad} of {turns} turns of the broken arm met its model");
    house.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_enrolled_who_has_no_name_of_their_own() {
    let keys = [("SESSION_SIGNING_KEYS", "signing-key-0123456789")];
    let house = House::with(FILE, &keys).await;
    let heard = house.app.say("unsigned", "I want a promotion").await;
    let record = house.app.record(&heard.turn_id).await;
    assert_eq!(
        (&record["identity"], &record["experiment"]),
        (&json!("none"), &Value::Null)
    );
    house.app.stop().await;
    let house = House::with(FILE, &[]).await;
    let talk = json!([
        {"role": "user", "content": "I want a promotion"},
        {"role": "assistant", "content": "Tell me more."},
        {"role": "user", "content": "Yes, exactly"},
    ]);
    let body = json!({"model": "clm", "stream": true, "messages": talk});
    let heard = house
        .app
        .hear(&Request::post("/v1/chat/completions", &body))
        .await;
    let record = house.app.record(&heard.turn_id).await;
    assert_eq!(
        (&record["coach"], &record["experiment"]),
        (&json!("career"), &Value::Null)
    );
    house.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_file_refuses_the_start_and_tells_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("experiments.toml");
    fs::write(&path, FILE.replace("weight = 1", "weight = 0")).unwrap();
    let settings = [
        ("EXPERIMENTS_FILE", path.to_str().unwrap()),
        ("DATA_DIR", dir.path().to_str().unwrap()),
        ("OPEN_ROUTER_API_KEY", "or-test"),
        ("PORT", "0"),
    ];
    let settings = load(&Sources::from_pairs(settings)).unwrap();
    let Err(error) = Application::build(&settings, None) else {
        panic!("it started")
    };
    let told = error.to_string();
    for variant in ["control", "warm"] {
        let fault = format!("experiment \"warmth\": variant \"{variant}\": weight 0 is not");
        assert!(told.contains(&fault), "{told}");
    }
    assert!(
        told.starts_with("EXPERIMENTS_FILE has 2 problem(s)"),
        "{told}"
    );
}
