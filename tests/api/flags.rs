//! Switches without a deploy: set, shared, audited, over.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::errors::refused;
use crate::watched::{events, watch};

const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "admin-1");

fn put(name: &str, body: &Value) -> Request {
    let request = Request::put(&format!("/v1/flags/{name}"), body);
    request.header("authorization", "Bearer admin-1")
}

async fn flags(app: &TestApp) -> Value {
    let request = Request::get("/v1/flags").header("authorization", "Bearer admin-1");
    app.send(&request).await.json()
}

fn flag<'v>(list: &'v Value, name: &str) -> &'v Value {
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_are_listed_set_audited_and_handed_back() {
    let app = TestApp::spawn(&[ADMIN, ("LEAD_INS", "false")]).await;
    let list = flags(&app).await;
    for (name, default) in [
        ("hedging", true),
        ("resume", true),
        ("lead_ins", false),
        ("council", true),
        ("capture", false),
        ("speech_filter", true),
    ] {
        let flag = flag(&list, name);
        assert_eq!(
            (&flag["value"], &flag["default"]),
            (&json!(default), &json!(default))
        );
        assert_eq!(flag["is_set"], json!(false));
    }
    let set = app.send(&put("lead_ins", &json!({"value": "25%"}))).await;
    assert_eq!((set.status, &set.json()["value"]), (200, &json!("25%")));
    app.send(&put("lead_ins", &json!({"value": null}))).await;
    let list = flags(&app).await;
    assert_eq!(flag(&list, "lead_ins")["value"], json!(false));
    let changes = list["changes"].as_array().unwrap();
    let values: Vec<&Value> = changes.iter().map(|change| &change["value"]).collect();
    assert_eq!(values, [&json!(null), &json!("25%")]);
    let by = changes[0]["changed_by"].as_str().unwrap();
    assert!(by.starts_with("key-") && by.len() == 12, "{by}");
    for (name, body, status, kind) in [
        ("hedge", json!({"value": true}), 404, "not_found"),
        ("hedging", json!({"value": 1}), 400, "invalid_request"),
        ("hedging", json!({}), 400, "invalid_request"),
    ] {
        refused(&app.send(&put(name, &body)).await, status, kind);
    }
    let stranger = Request::put("/v1/flags/hedging", &json!({"value": false}));
    refused(&app.send(&stranger).await, 401, "unauthorized");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_off_is_asked_nothing_until_its_flag_is_over() {
    let app = TestApp::spawn(&[]).await;
    let planned = async || {
        let heard = app.ask("Hello").await;
        let record = app.record(&heard.turn_id).await;
        record["planned_model"].as_str().unwrap().to_owned()
    };
    let terra = "openai/gpt-6.1-terra";
    assert_eq!(planned().await, terra);
    let soon = quest_clm::clock::Clock::System.now_ms() + 1_500;
    let body = json!({"value": false, "expires_at": quest_clm::clock::rfc3339(soon)});
    let set = app.send(&put(&format!("model:{terra}"), &body)).await;
    assert_eq!(set.status, 200, "{}", set.text());
    assert_eq!(planned().await, "anthropic/claude-haiku-5.5");
    until("the flag is over", async || {
        (planned().await == terra).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_turns_what_it_says_and_is_told_to_watchers() {
    let app = TestApp::spawn(&[]).await;
    let live = Request::get("/v1/turns/live");
    let mut watching = watch(&app, &live).await;
    app.send(&put("resume", &json!({"value": false}))).await;
    let told = events(&mut watching, 1).await;
    assert_eq!(told[0].0, "flag");
    assert_eq!(told[0].1, json!({"name": "resume", "value": "false"}));
    app.script(&["cut:5", "ok"]);
    let heard = app.ask("Hello").await;
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], json!("partial_failed"));
    app.send(&put("resume", &json!({"value": true}))).await;
    app.script(&["cut:5", "ok"]);
    let heard = app.ask("Hello").await;
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], json!("partial_recovered"));
    drop(watching);
    app.stop().await;
}
