//! How the user sounds: told by anybody, in the prompt of the turn where that is allowed, and nowhere
//! else; and not even there where it is not.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::{Request, Response};
use crate::errors::refused;
use crate::records::{SIGNING, get, mint};

const OFF: (&str, &str) = ("PROSODY", "off");
const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "admin-1");
/// What a prompt says of a voice, whoever heard it.
const NOTE: &str = "The speaker sounds ";
/// A label that stands in no roster and in no rule.
const LABEL: &str = "turmfalke";

fn felt(label: &str) -> Value {
    json!([{"label": label, "confidence": 0.71}])
}

/// Every way in which a request can tell, as its body.
fn ways(words: &str) -> [(&'static str, Value); 4] {
    let message = |extra: Value| {
        let mut message = json!({"role": "user", "content": words});
        message
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        json!({"stream": true, "messages": [message]})
    };
    let mut whole = message(json!({}));
    whole["emotion"] = felt(LABEL);
    let mut labels = message(json!({}));
    labels["emotion"] = json!({"source": LABEL, "labels": [{"name": LABEL, "score": 0.7}]});
    [
        (
            "Hume's scores",
            message(json!({"models": {"prosody": {"scores": {LABEL: 0.71}}}})),
        ),
        (
            "a message's field",
            message(json!({"emotion": felt(LABEL)})),
        ),
        ("the request's field", whole),
        ("with its source", labels),
    ]
}

fn path(prefix: &str, session: &str) -> String {
    format!("{prefix}/chat/completions?custom_session_id={session}")
}

async fn tell(app: &TestApp, session: &str, body: &Value) -> Response {
    let path = format!("/v1/sessions/{session}/emotion");
    app.send(&Request::post(&path, body)).await
}

/// Whether the reading was taken.
async fn told(app: &TestApp, session: &str, label: &str) -> bool {
    let response = tell(app, session, &json!({"emotion": felt(label)})).await;
    assert_eq!(response.status, 202, "{}", response.text());
    let answer = response.json();
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    answer["used"].as_bool().unwrap()
}

/// What the last prompt said of the voice.
fn note(app: &TestApp) -> Option<String> {
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap().iter();
    let mut notes = messages.filter_map(|m| m["content"].as_str());
    let note = notes.find_map(|text| text.split(NOTE).nth(1))?;
    Some(note.split('.').next().unwrap().to_owned())
}

async fn signed(app: &TestApp, prosody: &str) -> String {
    let wanted = json!({"user_id": "ines", "prosody": prosody});
    let minted = app.send(&Request::post("/v1/sessions", &wanted)).await;
    minted.json()["session_id"].as_str().unwrap().to_owned()
}

fn holds(bytes: &[u8]) -> bool {
    let found = |w: &[u8]| w.eq_ignore_ascii_case(LABEL.as_bytes());
    bytes.windows(LABEL.len()).any(found)
}

/// The files under a directory that hold the label, and how many were looked into.
fn looked_into(dir: &Path, hits: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += looked_into(&path, hits);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files += 1;
            hits.extend(holds(&bytes).then(|| path.display().to_string()));
        }
    }
    files
}

/// Nowhere but in prompts: not in answers of any route, in the store, in the spool, in memory.
async fn is_nowhere(app: &TestApp, turns: usize) {
    let items = app.recorded(turns).await;
    let mut paths = vec![
        "/v1/turns?limit=200".to_owned(),
        "/v1/sessions".to_owned(),
        "/v1/live".to_owned(),
        "/v1/export/turns?format=jsonl".to_owned(),
        "/v1/analytics/models".to_owned(),
        "/metrics".to_owned(),
        "/readyz".to_owned(),
    ];
    for turn in &items {
        paths.push(format!("/v1/turns/{}", turn["turn_id"].as_str().unwrap()));
    }
    for path in paths {
        let response = app.send(&Request::get(&path)).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(!holds(&response.body), "{path}");
    }
    let mut hits = Vec::new();
    assert!(looked_into(app.data(), &mut hits) > 0);
    assert_eq!(hits, Vec::<String>::new());
    let ledger = app.simulator().ledger();
    assert!(!holds(format!("{:?}", ledger.zep()).as_bytes()));
    assert!(!holds(format!("{:?}", ledger.zep_threads()).as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_allowed_it_is_in_the_prompt_and_nowhere_else() {
    let app = TestApp::spawn(&[]).await;
    let mut turns = 0;
    for prefix in ["", "/v1", "/elevenlabs", "/vapi"] {
        for (way, body) in ways("Hi") {
            let session = format!("s-{turns}");
            app.hear(&Request::post(&path(prefix, &session), &body))
                .await;
            let expected = Some(format!("touched by {LABEL}"));
            assert_eq!(note(&app), expected, "{prefix}: {way}");
            turns += 1;
        }
    }
    assert!(told(&app, "late", LABEL).await);
    app.say("late", "Hi").await;
    assert_eq!(note(&app), Some(format!("touched by {LABEL}")));
    is_nowhere(&app, turns + 1).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_not_allowed_it_is_nowhere() {
    let everybody = TestApp::spawn(&[SIGNING, OFF]).await;
    let one = TestApp::spawn(&[SIGNING]).await;
    for (app, prosody) in [(everybody, "full"), (one, "off")] {
        let mut turns = 0;
        for prefix in ["", "/v1", "/elevenlabs", "/vapi"] {
            for (way, body) in ways("Hi") {
                let session = signed(&app, prosody).await;
                assert!(!told(&app, &session, LABEL).await, "{way}");
                app.hear(&Request::post(&path(prefix, &session), &body))
                    .await;
                assert_eq!(note(&app), None, "{prefix}: {way}");
                turns += 1;
            }
        }
        assert!(
            !app.chats()
                .iter()
                .any(|call| holds(call.body.to_string().as_bytes()))
        );
        is_nowhere(&app, turns).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_id_does_not_raise_what_its_session_allows() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let session = signed(&app, "off").await;
    let edited = format!("{}x", session.trim_end_matches('x'));
    for (id, allowed) in [
        (edited.as_str(), false),
        ("ines", false),
        (mint(&app, "ines").await.as_str(), true),
        // Ours, made up for somebody nameless.
        ("", true),
    ] {
        for (way, body) in ways(&format!("Hi {id}")) {
            app.hear(&Request::post(&path("", id), &body)).await;
            assert_eq!(note(&app).is_some(), allowed, "{id}: {way}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_reading_is_for_the_next_turn_that_has_none_of_its_own() {
    let app = TestApp::spawn(&[]).await;
    let talk = |lines: usize, last: Value| {
        let mut messages: Vec<Value> = (0..lines)
            .map(|n| (["user", "assistant"][n % 2], format!("Line {n}")))
            .map(|(role, line)| json!({"role": role, "content": line}))
            .collect();
        messages.push(last);
        Request::talk("s", &json!(messages))
    };
    let user = |words: &str| json!({"role": "user", "content": words});
    assert!(told(&app, "s", "sad").await);
    assert!(told(&app, "other", "angry").await);
    let own = json!({"role": "user", "content": "Own", "emotion": felt("calm")});
    for (request, expected) in [
        (talk(0, own), Some("calm")),
        // A sentence that goes on is the same turn.
        (talk(2, user("I was")), Some("downcast")),
        (talk(2, user("I was passed over")), Some("downcast")),
        (talk(4, user("Well")), None),
    ] {
        app.hear(&request).await;
        assert_eq!(note(&app).as_deref(), expected);
    }
    assert!(told(&app, "s", "sad").await);
    for request in [
        talk(6, user("[user silent]")),
        talk(6, json!({"role": "user", "content": null})),
    ] {
        app.hear(&request).await;
        assert_eq!(note(&app), None, "nobody's words");
    }
    app.hear(&talk(6, user("Still sad"))).await;
    assert_eq!(note(&app).as_deref(), Some("downcast"));
    // An old one is none.
    for (at, used) in [
        (json!(1_000_000_000_000_i64), false),
        (json!("2020-01-01T00:00:00Z"), false),
        (Value::Null, true),
    ] {
        let body = json!({"emotion": {"at": at, "labels": felt("sad")}});
        assert_eq!(tell(&app, "s", &body).await.json()["used"], used, "{body}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_is_told_by_the_sessions_holder_or_an_admin() {
    let app = TestApp::spawn(&[SIGNING, ADMIN]).await;
    let key = ("authorization", "Bearer admin-1");
    let mint = async |user: &str| {
        let wanted = Request::post("/v1/sessions", &json!({"user_id": user}));
        let minted = app.send(&wanted.header(key.0, key.1)).await.json();
        minted["session_id"].as_str().unwrap().to_owned()
    };
    let (ines, marco) = (mint("ines").await, mint("marco").await);
    let forged = ines.replace("c1.", "c1.A");
    let sad = json!({"emotion": felt("sad")});
    let of = |id: &str| Request::post(&format!("/v1/sessions/{id}/emotion"), &sad);
    for (request, status) in [
        (of("plain"), 401),
        (of(&forged), 401),
        (of("plain").header("x-clm-session", &ines), 401),
        (of(&ines).header("x-clm-session", &marco), 401),
        (of(&ines).header("authorization", "Bearer caller-1"), 202),
        (of(&ines), 202),
        (of(&ines).header("x-clm-session", &ines), 202),
        (of(&ines).header(key.0, key.1), 202),
        (of("plain").header(key.0, key.1), 202),
    ] {
        let response = app.send(&request).await;
        assert_eq!(response.status, status, "{request:?}: {}", response.text());
    }
    refused(
        &app.send(&Request::get(&format!("/v1/sessions/{ines}/emotion")))
            .await,
        405,
        "method_not_allowed",
    );
    app.say(&ines, "Hi").await;
    assert_eq!(note(&app).as_deref(), Some("downcast"));
    app.say(&marco, "Hi").await;
    assert_eq!(note(&app), None, "of somebody else");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_reading_is_refused_without_repeating_it() {
    let app = TestApp::spawn(&[]).await;
    for body in [
        json!({}),
        json!([]),
        json!(LABEL),
        json!({"emotion": null}),
        json!({"emotion": LABEL}),
        json!({"emotion": []}),
        json!({"emotion": {LABEL: 0.7}}),
        json!({"emotion": [{"label": LABEL, "confidence": 7}]}),
        json!({"emotion": felt(LABEL), LABEL: 1}),
    ] {
        let response = tell(&app, "s", &body).await;
        refused(&response, 400, "invalid_request");
        assert!(!holds(&response.body), "{body}");
    }
    let large = json!({"emotion": felt(&"x".repeat(70_000))});
    refused(&tell(&app, "s", &large).await, 413, "payload_too_large");
    let long = "x".repeat(256);
    let response = tell(&app, &long, &json!({"emotion": felt("sad")})).await;
    refused(&response, 400, "invalid_session_id");
    app.say("s", "Hi").await;
    assert_eq!(note(&app), None);
    until("the turn's record", async || {
        let turns = get(&app, "/v1/turns").await;
        (turns["items"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    app.stop().await;
}
