//! Going on where another model broke off: how it is asked, what it costs, and when nobody is asked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::app::{TestApp, until};
use crate::caller::Request;

/// A roster whose models all go on from a last message of their own, and have a known price.
struct Prefilling {
    file: PathBuf,
    _dir: TempDir,
}

const MASTER: &str = include_str!("../../src/coach/roster/master.toml");
const FIRST: &str = "anthropic/claude-haiku-4.5";
const SECOND: &str = "meta-llama/llama-3.3-70b-instruct";
const THIRD: &str = "mistralai/mistral-small-2603";

impl Prefilling {
    fn new() -> Self {
        let (coach, _) = MASTER.split_once("[models]").unwrap();
        let roster = format!(
            "[[coach]]\n{coach}[coach.models]\nbalanced = \"{FIRST}\"\nhigh = \"{FIRST}\"\n\
             fallback = \"{SECOND}\"\ncost_saving = \"{THIRD}\"\n"
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("coaches.toml");
        std::fs::write(&file, roster).unwrap();
        Self { file, _dir: dir }
    }

    async fn spawn(&self, settings: &[(&str, &str)]) -> TestApp {
        let ours = [
            ("COACHES_FILE", self.file.to_str().unwrap()),
            ("HEDGING", "false"),
            ("ZEP_API_KEY", ""),
        ];
        let all: Vec<_> = ours.iter().chain(settings).copied().collect();
        TestApp::spawn(&all).await
    }
}

/// What a model was asked last, as role and words.
fn last_message(body: &Value) -> (String, String) {
    let last = body["messages"].as_array().unwrap().last().unwrap();
    let text = |field: &str| last[field].as_str().unwrap().to_owned();
    (text("role"), text("content"))
}

fn words(text: &str, count: usize) -> String {
    text.split(' ').take(count).collect::<Vec<_>>().join(" ")
}

/// One field of each attempt; empty where it is null.
fn attempts(record: &Value, field: &str) -> Vec<String> {
    let attempts = record["attempts"].as_array().unwrap();
    let field = attempts.iter().map(|a| a[field].as_str().unwrap_or(""));
    field.map(str::to_owned).collect()
}

fn dollars(value: &Value) -> f64 {
    value.as_str().map_or(0.0, |v| v.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_takes_prefill_is_given_what_was_said_and_goes_on() {
    let roster = Prefilling::new();
    let app = roster.spawn(&[]).await;
    let whole = app.say("whole", "Hello").await.text;
    for cut in [1, 5, 20] {
        let before = app.chats().len();
        app.script(&[&format!("cut:{cut}"), "ok"]);
        let heard = app.say(&format!("s-{cut}"), "Hello").await;
        assert_eq!(heard.text, whole, "{cut}");
        let [first, second] = &app.chats().split_off(before)[..] else {
            panic!("two calls")
        };
        // The breaker has heard of the first two breaks.
        assert_ne!(first.model, second.model);
        let prompt = first.body["messages"].as_array().unwrap();
        let again = second.body["messages"].as_array().unwrap();
        assert_eq!(&again[..prompt.len()], prompt, "the prompt is kept");
        assert_eq!(again.len(), prompt.len() + 1);
        assert_eq!(
            last_message(&second.body),
            ("assistant".to_owned(), words(&whole, cut))
        );
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["outcome"], "partial_recovered");
        assert_eq!(record["continued"], true);
        assert_eq!(attempts(&record, "cause"), ["first", "resume"]);
        let sum: f64 = record["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| dollars(&a["cost_usd"]))
            .sum();
        let cost = dollars(&record["cost_usd"]);
        assert!(cost > 0.0 && (sum - cost).abs() < 1e-9, "{record}");
        assert!(
            record["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .all(|a| dollars(&a["cost_usd"]) > 0.0),
            "{record}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_refuses_prefill_says_so_once() {
    let roster = Prefilling::new();
    let app = roster.spawn(&[]).await;
    let whole = app.say("whole", "Hello").await.text;
    let before = app.chats().len();
    app.script(&["cut:5", "reject-prefill", "reject-prefill"]);
    let heard = app.say("s-1", "Hello").await;
    assert_eq!(heard.text, whole);
    let chats = app.chats().split_off(before);
    let models: Vec<&str> = chats.iter().map(|c| c.model.as_str()).collect();
    assert_eq!(models, [FIRST, SECOND, SECOND]);
    let asked: Vec<String> = chats.iter().map(|c| last_message(&c.body).0).collect();
    assert_eq!(asked, ["user", "assistant", "user"]);
    assert!(last_message(&chats[2].body).1.contains("continue"));
    let record = app.record(&heard.turn_id).await;
    assert_eq!(
        attempts(&record, "error_kind"),
        ["broken", "status_400", ""]
    );
    assert_eq!(attempts(&record, "cause"), ["first", "resume", "mended"]);
    assert_eq!(record["outcome"], "partial_recovered");
    assert_eq!(record["served_model"], SECOND);
    // The next turn that needs it pays no 400 again.
    let before = app.chats().len();
    app.script(&["cut:7", "reject-prefill"]);
    let heard = app.say("s-2", "Hello").await;
    assert_eq!(heard.text, whole);
    let chats = app.chats().split_off(before);
    let models: Vec<&str> = chats.iter().map(|c| c.model.as_str()).collect();
    assert_eq!(models, [FIRST, SECOND]);
    assert_eq!(last_message(&chats[1].body).0, "user");
    // Another model is asked as ever.
    let before = app.chats().len();
    app.script(&["cut:7", "503", "ok"]);
    app.say("s-3", "Hello").await;
    let chats = app.chats().split_off(before);
    assert_eq!(chats[2].model, THIRD);
    assert_eq!(last_message(&chats[2].body).0, "assistant");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b15_who_has_gone_has_nobody_asked_to_go_on() {
    let app = TestApp::spawn(&[
        ("IDLE_DEADLINE_MS", "200"),
        ("FIRST_TOKEN_DEADLINE_MS", "200"),
        ("HEDGING", "false"),
    ])
    .await;
    // Before anybody is asked to go on.
    app.script(&["stall:3"]);
    let mut call = app.call(&Request::hume("s-1", "Hello")).await;
    call.hear_words().await;
    call.reset();
    until("upstream is closed", async || app.chats()[0].aborted_at()).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(app.chats().len(), 1);
    // While somebody is asked, and others are left.
    app.script(&["cut:3", "hang"]);
    let mut call = app.call(&Request::hume("s-2", "Hello")).await;
    call.hear_words().await;
    until("another is asked", async || {
        (app.chats().len() == 3).then_some(())
    })
    .await;
    call.reset();
    until("upstream is closed", async || app.chats()[2].aborted_at()).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(app.chats().len(), 3);
    for turn in app.recorded(2).await {
        assert_eq!(turn["outcome"], "interrupted", "{turn}");
    }
    app.stop().await;
}

fn event(delta: &Value) -> String {
    let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
    format!("data: {chunk}\n\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_called_a_tool_is_never_continued() {
    let app = TestApp::spawn(&[("HEDGING", "false")]).await;
    let call = |arguments: &str| {
        let function = json!({"name": "save_goal", "arguments": arguments});
        event(
            &json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}),
        )
    };
    let words = event(&json!({"content": "Let me note that"}));
    let more = event(&json!({"content": " for you."}));
    let (half, whole) = (call("{\"go"), call("{}"));
    let tool = json!([{"type": "function", "function": {"name": "save_goal", "parameters": {}}}]);
    for (n, (stream, tools)) in [
        (format!("{words}{half}"), tool.clone()),
        (format!("{words}{whole}{more}"), tool),
        // Nobody asked for it.
        (format!("{words}{half}{more}"), json!([])),
    ]
    .into_iter()
    .enumerate()
    {
        let before = app.chats().len();
        app.simulator().add_recording("tool", stream, 0);
        app.script(&["replay:tool"]);
        let body = json!({"stream": true, "tools": tools, "user": format!("u-{n}"),
            "messages": [{"role": "user", "content": "Save that"}]});
        let heard = app
            .hear(&Request::post("/v1/chat/completions", &body))
            .await;
        assert!(heard.text.starts_with("Let me note that"), "{}", heard.text);
        assert_eq!(heard.finish_reason, "stop");
        assert!(heard.tool_calls.is_empty(), "half a call is none");
        assert_eq!(app.chats().len(), before + 1, "nobody goes on");
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["outcome"], "partial_failed");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_may_go_on_an_answer_ends_politely() {
    for setting in ["RESUME", "OPENROUTER_FALLBACK_ENABLED"] {
        let app = TestApp::spawn(&[(setting, "false"), ("HEDGING", "false")]).await;
        let whole = app.say("whole", "Hello").await.text;
        for (n, fault) in ["cut:5", "fin:5", "err-a:5"].iter().enumerate() {
            let before = app.chats().len();
            app.script(&[fault]);
            let heard = app.say(&format!("s-{n}"), "Hello").await;
            assert_eq!(heard.text, words(&whole, 5), "{setting}: {fault}");
            assert_eq!(heard.finish_reason, "stop");
            assert_eq!(app.chats().len(), before + 1, "{setting}: {fault}");
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["outcome"], "partial_failed");
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_a_stall_within_the_words_that_still_sound_is_nothing() {
    let app = TestApp::spawn(&[("SPEECH_WPM", "240"), ("HEDGING", "false")]).await;
    let whole = app.say("whole", "Hello").await.text;
    // Eight words sound for two seconds.
    for (session, fault) in [("s-1", "slow-nth:9:400"), ("s-2", "slow-nth:9:1500")] {
        let before = app.chats().len();
        app.script(&[fault]);
        let heard = app.say(session, "Hello").await;
        assert_eq!(heard.text, whole, "{fault}");
        assert_eq!(app.chats().len(), before + 1, "{fault}: it was waited for");
        assert_eq!(app.record(&heard.turn_id).await["outcome"], "complete");
    }
    app.stop().await;
}

/// A stall for ever after so many words that came at once: when it was given up, from the first of
/// them, and what was heard.
async fn stalled(settings: &[(&str, &str)], said: usize) -> Duration {
    let app = TestApp::spawn(&[settings, &[("HEDGING", "false")]].concat()).await;
    app.options(|o| o.gap = Duration::ZERO);
    let whole = app.say("whole", "Hello").await.text;
    app.script(&[&format!("stall:{said}"), "ok"]);
    let heard = app.say("s", "Hello").await;
    assert_eq!(heard.text, whole);
    let record = app.record(&heard.turn_id).await;
    assert_eq!(attempts(&record, "error_kind"), ["idle_timeout", ""]);
    let at = |attempt: usize, field: &str| record["attempts"][attempt][field].as_f64().unwrap();
    let spoke = at(0, "first_token_ms");
    let given_up = at(0, "ended_ms") - spoke;
    // Whoever goes on is asked at once: nothing but its own first word is added to the silence.
    assert!(at(1, "started_ms") - at(0, "ended_ms") < 50.0, "{record}");
    app.stop().await;
    println!("{said} words, {settings:?}: given up after {given_up:.0} ms");
    Duration::from_secs_f64(given_up / 1e3)
}

/// How late a timer may be noticed on a busy machine.
const SLACK: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_stall_is_given_up_when_the_words_have_sounded_and_by_its_deadline() {
    let (sounding, bounded, short) = tokio::join!(
        stalled(&[("SPEECH_WPM", "400"), ("IDLE_DEADLINE_MS", "9000")], 30),
        stalled(&[("SPEECH_WPM", "240"), ("IDLE_DEADLINE_MS", "1500")], 30),
        stalled(&[("SPEECH_WPM", "240"), ("IDLE_DEADLINE_MS", "9000")], 2),
    );
    for (name, given_up, due) in [
        ("thirty words of 150 ms", sounding, 4500),
        ("never beyond the deadline", bounded, 1500),
        ("two words: the shortest stall", short, 700),
    ] {
        let due = Duration::from_millis(due);
        // First words and first token are two moments, a little apart.
        let early = Duration::from_millis(30);
        assert!(given_up + early >= due, "{name}: {given_up:?}");
        assert!(given_up < due + SLACK, "{name}: {given_up:?}");
    }
}
