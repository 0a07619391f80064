//! `clm replay` against the real service: the model is asked the same again, and nobody else notices.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::service::{Service, until};

const KEY: &str = "an-admin-key-of-some-length";

fn clm(service: &Service, words: &[&str]) -> Output {
    let models = service.models();
    Command::new(env!("CARGO_BIN_EXE_clm"))
        .env_clear()
        .env("ADMIN_API_KEYS", KEY)
        .env("OPEN_ROUTER_API_KEY", "or-test")
        .env("OPENROUTER_BASE_URL", models)
        .args(words)
        .args(["--url", &format!("http://{}", service.addr)])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Once the turn is settled and its words are kept.
async fn replayed(service: &Service, words: &[&str]) -> Value {
    until("a replay", async || {
        let output = clm(service, words);
        let told = (output.status.code(), output.stdout.is_empty());
        (told == (Some(0), false)).then(|| serde_json::from_slice(&output.stdout).unwrap())
    })
    .await
}

/// What the models were asked last.
async fn last_question(service: &Service) -> Value {
    let ledger = service.ledger().await;
    let calls = ledger["chats"].as_array().unwrap();
    calls.last().unwrap()["body"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_asked_again_and_nothing_on_the_server_moves() {
    let settings = [("ADMIN_API_KEYS", KEY), ("CAPTURE_TEXT", "true")];
    let service = Service::start(&settings).await;
    service
        .say("s", "My sister Xanthippe wants a promotion")
        .await;
    let [id] = service.turns().try_into().unwrap();
    let first = last_question(&service).await;
    let same = replayed(&service, &["replay", &id, "--json"]).await;
    let again = last_question(&service).await;
    for part in ["model", "messages", "max_tokens", "temperature"] {
        assert!(!first[part].is_null(), "{part} of {first}");
        assert_eq!(again[part], first[part], "{part}");
    }
    assert_eq!(same["then"]["reply"], same["now"]["reply"]);
    for answer in ["then", "now"] {
        assert!(same[answer]["first_token_ms"].as_f64().unwrap() > 0.0);
        assert!(same[answer]["completion_tokens"].as_u64().unwrap() > 0);
    }

    let other = clm(
        &service,
        &["replay", &id, "--model", "sim/reasoning-first:3"],
    );
    let shown = text(&other.stdout);
    println!("{shown}");
    assert_eq!(
        (other.status.code(), text(&other.stderr)),
        (Some(0), String::new())
    );
    assert!(shown.contains("now   sim/reasoning-first:3"), "{shown}");
    let failed = clm(&service, &["replay", &id, "--model", "sim/cut:3"]);
    let shown = text(&failed.stdout);
    println!("{shown}");
    assert_eq!(failed.status.code(), Some(1));
    assert!(shown.contains("[-") && shown.contains("broken"), "{shown}");

    let calls = service.ledger().await["chats"].as_array().unwrap().len();
    assert_eq!(calls, 4, "each was one call");
    let attempts = service.metrics("clm_attempts_total").await;
    assert!(
        attempts.iter().all(|line| !line.contains("sim/")),
        "{attempts:?}"
    );
    let turns = clm(
        &service,
        &["export", "turns", "--since", "1h", "--format", "jsonl"],
    );
    assert_eq!(text(&turns.stdout).lines().count(), 1, "and one turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_were_not_kept_are_said_to_be_so() {
    let service = Service::start_among("exec \"$0\" serve", &[("ADMIN_API_KEYS", KEY)]).await;
    service.say("s", "I want a promotion.").await;
    let [id] = service.turns().try_into().unwrap();
    let told = until("the turn's record", async || {
        let output = clm(&service, &["replay", &id]);
        let said = text(&output.stderr);
        (!said.contains("no turn has the id")).then_some((output.status.code(), said))
    })
    .await;
    assert_eq!(told.0, Some(1));
    assert!(told.1.contains("capture is off"), "{}", told.1);
    let unknown = clm(&service, &["replay", "nobody"]);
    assert!(text(&unknown.stderr).contains("no turn has the id nobody"));
    assert_eq!(
        json!(service.ledger().await["chats"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
