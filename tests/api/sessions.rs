//! Who speaks: minted, signed, spoken, strict; and nobody in another's memory.

use quest_clm::memory::Person;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::caller::Request;
use crate::heard::Heard;

const KEYS: (&str, &str) = ("SESSION_SIGNING_KEYS", "signing-key-0123456789");
const STRICT: (&str, &str) = ("REQUIRE_SIGNED_SESSIONS", "strict");

async fn mint(app: &TestApp, wanted: &Value) -> String {
    let response = app.send(&Request::post("/v1/sessions", wanted)).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let minted = response.json();
    let expires = minted["expires_at"].as_str().unwrap();
    assert!(expires.ends_with('Z') && expires.contains('T'), "{expires}");
    let session = minted["session_id"].as_str().unwrap().to_owned();
    assert!(session.len() <= 255 && session.starts_with("c1."));
    session
}

async fn identity(app: &TestApp, heard: &Heard) -> String {
    app.record(&heard.turn_id).await["identity"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A valid id of one person with the claims of another in it.
fn tampered(session: &str) -> String {
    let mut bytes = session.to_owned().into_bytes();
    bytes[20] = if bytes[20] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

fn facts(app: &TestApp) -> bool {
    app.asked()["messages"].to_string().contains("secret of")
}

fn seed(app: &TestApp, user: &str) {
    let fact = format!("The secret of {user} is known.");
    app.simulator()
        .seed_memory(Person::new(user, user).zep_user(), &[&fact]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_an_id_gets_one_that_holds() {
    let app = TestApp::spawn(&[]).await;
    let first = app.say("", "Hello").await;
    assert_eq!(identity(&app, &first).await, "minted");
    let other = app.say("", "Hello").await;
    assert_ne!(first.session, other.session);
    let second = app.say(&first.session, "Hello again").await;
    assert_eq!(second.session, first.session);
    assert_eq!(identity(&app, &second).await, "body");
    let empty = app
        .hear(&Request::post(
            "/chat/completions?custom_session_id=",
            &json!({"messages": []}),
        ))
        .await;
    assert!(!empty.session.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_signing_keys_the_body_may_say_who_it_is() {
    let app = TestApp::spawn(&[]).await;
    seed(&app, "ines");
    let body = json!({"session_id": "from-body", "user_id": "ines", "messages": [{"role": "user", "content": "Hi"}]});
    let heard = app.hear(&Request::post("/chat/completions", &body)).await;
    assert_eq!(heard.session, "from-body");
    assert!(facts(&app));
    let query = app
        .hear(&Request::post(
            "/chat/completions?custom_session_id=from-query",
            &body,
        ))
        .await;
    assert_eq!(query.session, "from-query");
    app.stop().await;
    let signed = TestApp::spawn(&[KEYS]).await;
    seed(&signed, "ines");
    let heard = signed
        .hear(&Request::post("/chat/completions", &body))
        .await;
    assert!(
        heard.session.starts_with("c1.") && !facts(&signed),
        "{}",
        heard.session
    );
    assert_eq!(identity(&signed, &heard).await, "minted");
    signed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_route_finds_the_session_where_its_callers_keep_it() {
    let app = TestApp::spawn(&[]).await;
    let mut body = json!({"stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    for (field, value, session) in [
        ("user", json!("u"), "u"),
        ("call", json!({"id": "c"}), "c"),
        (
            "call",
            json!({"id": "c", "metadata": {"session_id": "cm"}}),
            "cm",
        ),
        ("extra_metadata", json!({"session_id": "em"}), "em"),
        ("metadata", json!({"session_id": "m"}), "m"),
        ("elevenlabs_extra_body", json!({"session_id": "el"}), "el"),
        ("custom_session_id", json!("cs"), "cs"),
    ] {
        body[field] = value;
        let heard = app
            .hear(&Request::post("/v1/chat/completions", &body))
            .await;
        assert_eq!(heard.session, session);
    }
    let query = Request::post("/v1/chat/completions?custom_session_id=q", &body);
    assert_eq!(app.hear(&query).await.session, "q");
    assert_eq!(
        app.hear(&query.header("x-clm-session", "h")).await.session,
        "h"
    );
    let hume =
        Request::post("/chat/completions?custom_session_id=q", &body).header("x-clm-session", "h");
    assert_eq!(app.hear(&hume).await.session, "q");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsigned_id_is_answered_without_memory_and_as_free() {
    let app = TestApp::spawn(&[KEYS]).await;
    seed(&app, "ines");
    let session = mint(&app, &json!({"user_id": "ines", "tier": "enterprise"})).await;
    let signed = app.say(&session, "Hello").await;
    let record = app.record(&signed.turn_id).await;
    assert_eq!(
        (&record["identity"], &record["tier"]),
        (&json!("signed"), &json!("enterprise"))
    );
    assert!(facts(&app) && signed.session == session);
    assert!(
        !record.to_string().contains(&session),
        "a signed id opens a memory: it is not kept"
    );
    app.recorded(1).await;
    let found = app
        .send(&Request::get(&format!("/v1/turns?session={session}")))
        .await
        .json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    for unsigned in ["ines", &tampered(&session), "c1.x.y"] {
        let heard = app.say(unsigned, "Hello").await;
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["identity"], "none", "{unsigned}");
        assert_eq!(
            (
                &record["tier"],
                &record["memory_outcome"],
                &record["user_hash"]
            ),
            (&json!("free"), &json!("off"), &Value::Null)
        );
        assert!(!facts(&app) && !crate::app::is_fallback_line(&heard.text));
    }
    let stranger = app.say("", "Hello").await;
    let back = app.say(&stranger.session, "Hello again").await;
    assert_eq!(
        (identity(&app, &stranger).await, identity(&app, &back).await),
        ("minted".into(), "minted".into())
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_takes_signed_ids_only() {
    let app = TestApp::spawn(&[KEYS, STRICT]).await;
    let session = mint(&app, &json!({"user_id": "ines", "ttl_s": 600})).await;
    assert_eq!(
        identity(&app, &app.say(&session, "Hello").await).await,
        "signed"
    );
    for refused in ["", "ines", &tampered(&session)] {
        let response = app.send(&Request::hume(refused, "Hello")).await;
        assert_eq!(
            (response.status, &response.json()["error"]["type"]),
            (401, &json!("unauthorized")),
            "{refused}"
        );
    }
    assert_eq!(app.chats().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_minted_for_whom_it_is_asked_and_by_whom_may() {
    let app = TestApp::spawn(&[KEYS, ("ADMIN_API_KEYS", "admin-1")]).await;
    let send = async |wanted: Value, key: &str| {
        let request = Request::post("/v1/sessions", &wanted).header("authorization", key);
        app.send(&request).await.status
    };
    for (wanted, key, status) in [
        (json!({"user_id": "ines"}), "Bearer admin-1", 201),
        (
            json!({"user_id": "ines", "coach": "career", "tier": "free", "prosody": "off", "ttl_s": 60}),
            "Bearer admin-1",
            201,
        ),
        (json!({"user_id": "ines"}), "", 401),
        (json!({}), "Bearer admin-1", 400),
        (
            json!(["ines", null, null, null, null]),
            "Bearer admin-1",
            400,
        ),
        (json!({"user_id": ""}), "Bearer admin-1", 400),
        (json!({"user_id": "a\nb"}), "Bearer admin-1", 400),
        (json!({"user_id": "x".repeat(250)}), "Bearer admin-1", 400),
        (
            json!({"user_id": "ines", "coach": "nobody"}),
            "Bearer admin-1",
            400,
        ),
        (
            json!({"user_id": "ines", "tier": "gold"}),
            "Bearer admin-1",
            400,
        ),
        (
            json!({"user_id": "ines", "ttl_s": 1}),
            "Bearer admin-1",
            400,
        ),
        (
            json!({"user_id": "ines", "admin": true}),
            "Bearer admin-1",
            400,
        ),
    ] {
        assert_eq!(send(wanted.clone(), key).await, status, "{wanted} {key}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_lower_what_is_done_with_the_voice() {
    let app = TestApp::spawn(&[KEYS]).await;
    let talk = json!([{"role": "user", "content": "Hi", "models": {"prosody": {"scores": {"Doubt": 0.6}}}}]);
    for (wanted, noted) in [("off", false), ("prompt", true), ("full", true)] {
        let session = mint(&app, &json!({"user_id": "ines", "prosody": wanted})).await;
        app.hear(&Request::talk(&session, &talk)).await;
        assert_eq!(
            app.asked()["messages"].to_string().contains("doubtful"),
            noted,
            "{wanted}"
        );
    }
    app.stop().await;
    let off = TestApp::spawn(&[KEYS, ("PROSODY", "off")]).await;
    let session = mint(&off, &json!({"user_id": "ines", "prosody": "full"})).await;
    off.hear(&Request::talk(&session, &talk)).await;
    assert!(
        !off.asked()["messages"].to_string().contains("doubtful"),
        "it may not raise it"
    );
    off.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anothers_memory() {
    let app = TestApp::spawn(&[KEYS]).await;
    let people = [
        "ines",
        "marco",
        "ines\u{2028}",
        "INES",
        "ines/marco",
        "clm-u-ines",
    ];
    let mut sessions = Vec::new();
    for person in people {
        seed(&app, person);
        sessions.push((person, mint(&app, &json!({"user_id": person})).await));
    }
    for round in 0..3 {
        for (person, session) in &sessions {
            app.say(session, &format!("Hello {round}")).await;
            let asked = app.asked()["messages"].to_string();
            assert_eq!(asked.matches("The secret of ").count(), 1, "{person}");
            let own = format!("The secret of {person} is known.");
            // A quotation begins each line with a bar.
            let own = json!(own.replace('\u{2028}', "\n| ")).to_string();
            assert!(
                asked.replace("\\\\", "\\").contains(own.trim_matches('"')),
                "{person}: {asked}"
            );
        }
    }
    let names: Vec<Value> = app.chats().iter().map(|c| c.body["user"].clone()).collect();
    assert_eq!(
        names
            .iter()
            .map(Value::to_string)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        people.len()
    );
    app.stop().await;
}
