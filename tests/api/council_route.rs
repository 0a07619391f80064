//! `POST /v1/council`: who said what at which cost, as one object and as events.

use serde_json::{Value, json};

use crate::app::{saying, until};
use crate::caller::{Request, Response};
use crate::council::{PLAN, microusd, team};
use crate::errors::refused;

/// Name and data of each event.
fn events(response: &Response) -> Vec<(String, Value)> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.headers["content-type"], "text/event-stream");
    let text = response.text();
    let events = text
        .split_terminator("\n\n")
        .filter(|event| !event.starts_with(':'));
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            let name = name.strip_prefix("event: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_tells_who_said_what_at_which_cost() {
    let app = team(&[("COACH_MODEL_SKILLS", "sim/500")]).await;
    app.script(&[&saying(PLAN)]);
    let asked = json!({ "message": "Two offers. Which one?", "session_id": "s", "user_id": "ada" });
    let response = app.send(&Request::post("/v1/council", &asked)).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let told = response.json();
    assert_eq!(told["answer"], "Here is what we think.");
    assert_eq!(told["plan"][1], json!({ "coach": "skills", "why": "two" }));
    let outcomes: Vec<_> = told["coaches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["outcome"])
        .collect();
    assert_eq!(outcomes, ["answered", "failed", "answered"]);
    assert_eq!(told["coaches"][1]["model"], "sim/500");
    assert_eq!(told["coaches"][1]["cost_usd"], "0.000000");
    let record = app.record(told["turn_id"].as_str().unwrap()).await;
    assert_eq!(
        told["totals"]["cost_usd"], record["cost_usd"],
        "{told} {record}"
    );
    let tokens = ["prompt_tokens", "completion_tokens"].map(|t| record[t].as_u64().unwrap());
    assert_eq!(told["totals"]["tokens"], tokens[0] + tokens[1]);
    let billed: i64 = app.chats().iter().map(|c| c.bill_microusd()).sum();
    assert_eq!(microusd(&told["totals"]["cost_usd"]), billed, "{told}");
    for (field, expected) in [
        ("profile", json!("council")),
        ("coach_reason", json!("council:route")),
        ("session_id", json!("s")),
        ("outcome", json!("complete")),
    ] {
        assert_eq!(record[field], expected, "{record}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_shows_how_a_council_gets_on() {
    let app = team(&[]).await;
    let asked =
        json!({ "message": "Which one?", "coaches": ["network", "career"], "stream": true });
    let told = events(&app.send(&Request::post("/v1/council", &asked)).await);
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["opening", "plan"], "{names:?}");
    assert_eq!(names.iter().filter(|n| **n == "specialist").count(), 4);
    assert_eq!(names.last(), Some(&"totals"));
    let states = |coach: &str| -> Vec<&Value> {
        let of_coach = told.iter().filter(|(_, data)| data["coach"] == coach);
        of_coach.map(|(_, data)| &data["state"]).collect()
    };
    assert_eq!(states("career"), ["asked", "answered"]);
    assert_eq!(states("network"), ["asked", "answered"]);
    let words = told.iter().filter(|(name, _)| name == "delta");
    let words: String = words
        .map(|(_, data)| data["text"].as_str().unwrap())
        .collect();
    assert_eq!(words, "Here is what we think.");
    let (_, plan) = &told[1];
    assert_eq!(plan["plan"][0], json!({ "coach": "network", "why": "" }));
    assert_eq!(app.chats().len(), 3, "no plan was asked for");
    app.stop().await;
    let app = team(&[("COACH_MODEL_MASTER", "sim/500")]).await;
    let told = events(&app.send(&Request::post("/v1/council", &asked)).await);
    let (name, error) = told.last().unwrap();
    assert_eq!(
        (name.as_str(), &error["error"]["type"]),
        ("error", &json!("upstream_failed"))
    );
    let whole = json!({ "message": "Which one?" });
    let refusal = app.send(&Request::post("/v1/council", &whole)).await;
    assert_eq!(refusal.status, 502, "{}", refusal.text());
    assert_eq!(refusal.json()["error"]["type"], "upstream_failed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_takes_what_it_can_use_and_an_admin_only() {
    let keys = [
        ("ADMIN_API_KEYS", "admin-key-0123456789"),
        ("SESSION_SIGNING_KEYS", "signing-key-0123456789"),
    ];
    let app = team(&keys).await;
    let ask = |body: &Value| Request::post("/v1/council", body);
    let admin = |body: &Value| ask(body).header("authorization", "Bearer admin-key-0123456789");
    let hello = json!({ "message": "Which one?", "coaches": ["career"], "user_id": "ada" });
    refused(&app.send(&ask(&hello)).await, 401, "unauthorized");
    for (body, kind) in [
        (json!({ "message": " " }), "invalid_request"),
        (json!({ "coaches": ["career"] }), "invalid_request"),
        (
            json!({ "message": "x", "coaches": ["master"] }),
            "invalid_request",
        ),
        (
            json!({ "message": "x", "coaches": ["nobody"] }),
            "invalid_request",
        ),
        (
            json!({ "message": "x", "coaches": ["career", "skills", "network", "leadership"] }),
            "invalid_request",
        ),
        (json!({ "message": "x", "model": "y" }), "invalid_request"),
        (
            json!({ "message": "x", "session_id": "a\nb" }),
            "invalid_session_id",
        ),
    ] {
        refused(&app.send(&admin(&body)).await, 400, kind);
    }
    let long = json!({ "message": "x".repeat(70_000) });
    refused(&app.send(&admin(&long)).await, 413, "payload_too_large");
    assert!(app.chats().is_empty());
    for (body, identity) in [
        (hello.clone(), "signed"),
        (
            json!({ "message": "x", "session_id": "s", "user_id": "ada" }),
            "body",
        ),
        (json!({ "message": "x", "session_id": "s2" }), "none"),
    ] {
        let told = app.send(&admin(&body)).await.json();
        let turn = told["turn_id"].as_str().unwrap();
        let path = format!("/v1/turns/{turn}");
        let request = Request::get(&path).header("authorization", "Bearer admin-key-0123456789");
        let record = until("the record", async || {
            let response = app.send(&request).await;
            (response.status == 200).then(|| response.json())
        });
        assert_eq!(record.await["identity"], identity, "{body}");
    }
    app.stop().await;
}
