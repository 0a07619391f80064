//! Reports and exports: what they hold, in which form, and that no spreadsheet computes any of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::app::{TestApp, saying, until};
use crate::caller::{Request, Response};
use crate::council::{PLAN, microusd, team};
use crate::records::{SIGNING, get, mint, multiply, single, texts};

/// A session id that a spreadsheet would compute.
const FORMULA: &str = "=cmd(\"x\"),1";
const FORMULA_IN_QUERY: &str = "%3Dcmd(%22x%22),1";

async fn file(app: &TestApp, path: &str, name: &str) -> Response {
    let response = app.send(&Request::get(path)).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    let attachment = format!("attachment; filename=\"{name}\"");
    assert_eq!(response.headers["content-disposition"], attachment);
    response
}

/// The rows of a table, each cell by its column.
fn table(response: &Response) -> (Vec<String>, Vec<Vec<String>>) {
    assert_eq!(response.headers["content-type"], "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(response.body.as_slice());
    let columns = reader.headers().unwrap();
    let columns = columns.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        row.iter().map(str::to_owned).collect()
    });
    (columns, rows.collect())
}

fn cell<'a>(table: &'a (Vec<String>, Vec<Vec<String>>), row: usize, column: &str) -> &'a str {
    let at = table.0.iter().position(|c| c == column);
    &table.1[row][at.unwrap_or_else(|| panic!("{column}"))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_told_as_json_and_as_a_table() {
    let app = TestApp::spawn(&[]).await;
    for kind in ["models", "coaches", "savings", "spend", "experiments"] {
        let report = get(&app, &format!("/v1/analytics/{kind}")).await;
        assert_eq!(
            (&report["items"], &report["range"]["range"]),
            (&json!([]), &json!("24h"))
        );
        assert!(report["totals"].is_object() && report.get("stale").is_none());
        let empty = format!("/v1/analytics/{kind}?format=csv");
        let (columns, rows) = table(&file(&app, &empty, &format!("clm-{kind}-24h.csv")).await);
        assert!(
            columns.len() > 5 && rows.is_empty(),
            "a header is there without a row"
        );
    }
    app.say("a", "a promotion").await;
    app.script(&["500"]);
    app.say("b", "a promotion").await;
    app.say("b", "my team").await;
    app.recorded(3).await;
    for (kind, first, count) in [
        ("models", "model", None),
        ("coaches", "coach", Some(2)),
        ("savings", "coach", Some(2)),
        ("spend", "start", None),
    ] {
        let report = get(&app, &format!("/v1/analytics/{kind}?range=90m")).await;
        let items = report["items"].as_array().unwrap();
        assert!(
            count.is_none_or(|count| items.len() == count),
            "{kind}: {report}"
        );
        assert_eq!(report["totals"]["count"], 3, "{kind}");
        let path = format!("/v1/analytics/{kind}?range=90m&format=csv");
        let table = table(&file(&app, &path, &format!("clm-{kind}-90m.csv")).await);
        assert_eq!((table.0[0].as_str(), table.1.len()), (first, items.len()));
        for (row, item) in items.iter().enumerate() {
            let fields = item.as_object().unwrap();
            assert_eq!(fields.len(), table.0.len(), "{kind}");
            for (name, value) in fields {
                let text = match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                };
                assert_eq!(cell(&table, row, name), text, "{kind}: {name}");
            }
        }
    }
    let models = get(&app, "/v1/analytics/models?range=90m").await;
    assert_eq!(
        (&models["totals"]["calls"], &models["totals"]["errors"]),
        (&json!(4), &json!(1))
    );
    let range = &models["range"];
    assert!(range["since"].as_str() < range["until"].as_str(), "{range}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_councils_specialists_cost_is_their_own_and_no_turn_is() {
    let app = team(&[]).await;
    app.script(&[&saying(PLAN)]);
    let heard = app.say("s", "What would the whole team say?").await;
    let record = app.record(&heard.turn_id).await;
    let report = get(&app, "/v1/analytics/coaches?range=90m").await;
    let items = report["items"].as_array().unwrap();
    let attempts = record["attempts"].as_array().unwrap();
    for (coach, count) in [("master", 1), ("career", 0), ("skills", 0), ("network", 0)] {
        let own = |a: &&Value| a["coach"].as_str().unwrap_or("master") == coach;
        let calls = || attempts.iter().filter(own);
        let cost: i64 = calls().map(|a| microusd(&a["cost_usd"])).sum();
        let tokens: u64 = calls().filter_map(|a| a["prompt_tokens"].as_u64()).sum();
        let item = items.iter().find(|item| item["coach"] == coach).unwrap();
        assert_eq!(microusd(&item["cost_usd"]), cost, "{item}");
        assert_eq!(item["prompt_tokens"], tokens, "{item}");
        assert_eq!(item["count"], count, "{item}");
    }
    let billed: i64 = app.chats().iter().map(|c| c.bill_microusd()).sum();
    for kind in ["coaches", "models", "savings", "spend"] {
        let report = get(&app, &format!("/v1/analytics/{kind}?range=90m")).await;
        let told = report["items"].as_array().unwrap().iter();
        let told: i64 = told.map(|item| microusd(&item["cost_usd"])).sum();
        assert_eq!(told, billed, "{kind}: {report}");
        let totals = &report["totals"];
        assert_eq!(microusd(&totals["cost_usd"]), billed, "{kind}: {report}");
        assert_eq!(totals["count"], 1, "{kind}: {report}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_has_every_column_and_computes_nothing() {
    let app = TestApp::spawn(&[]).await;
    let turns = file(&app, "/v1/export/turns", "clm-turns.csv").await;
    assert!(
        turns
            .text()
            .starts_with("turn_id,session_id,user_hash,profile,")
    );
    assert_eq!(table(&turns).1.len(), 0);
    let lines = file(&app, "/v1/export/turns?format=jsonl", "clm-turns.jsonl").await;
    assert_eq!(lines.text(), "");
    let formula = app.say(FORMULA_IN_QUERY, "a promotion").await.turn_id;
    let plain = app.say("-5", "my team").await.turn_id;
    app.recorded(2).await;
    let listed = get(&app, "/v1/turns").await;
    let turns = table(&file(&app, "/v1/export/turns", "clm-turns.csv").await);
    let listed = listed["items"].as_array().unwrap();
    let columns: BTreeSet<&String> = turns.0.iter().collect();
    assert_eq!(columns, listed[0].as_object().unwrap().keys().collect());
    for (row, (id, session)) in [(&plain, "-5"), (&formula, &format!("'{FORMULA}"))]
        .iter()
        .enumerate()
    {
        assert_eq!(cell(&turns, row, "turn_id"), *id);
        assert_eq!(cell(&turns, row, "session_id"), *session);
        assert_eq!(
            cell(&turns, row, "cost_usd"),
            listed[row]["cost_usd"].as_str().unwrap()
        );
        assert_eq!(
            cell(&turns, row, "created_at"),
            listed[row]["created_at"].as_str().unwrap()
        );
        assert_eq!(cell(&turns, row, "satisfaction"), "");
    }
    let sessions = table(&file(&app, "/v1/export/sessions", "clm-sessions.csv").await);
    assert_eq!(cell(&sessions, 1, "session_id"), format!("'{FORMULA}"));
    let listed = get(&app, "/v1/sessions").await["items"].clone();
    let columns: BTreeSet<&String> = sessions.0.iter().collect();
    assert_eq!(columns, listed[0].as_object().unwrap().keys().collect());
    let lines = file(
        &app,
        "/v1/export/sessions?format=jsonl",
        "clm-sessions.jsonl",
    )
    .await;
    let lines: Vec<Value> = lines
        .text()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(
        json!(lines),
        listed,
        "JSON is not for spreadsheets: as it is"
    );
    for (query, count) in [
        ("turns?coach=career", 1),
        ("turns?session=-5", 1),
        ("turns?range=1h&outcome=complete", 2),
        ("turns?until=1000", 0),
        ("sessions?since=0", 2),
        ("sessions?user=-5", 1),
        ("sessions?until=1000", 0),
    ] {
        let response = app
            .send(&Request::get(&format!("/v1/export/{query}")))
            .await;
        assert_eq!(table(&response).1.len(), count, "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_many_pages_is_whole() {
    let app = TestApp::spawn(&[]).await;
    let one = app.say("a", "Hello").await.turn_id;
    app.recorded(1).await;
    multiply(&app, &one, 2999);
    let lines = file(&app, "/v1/export/turns?format=jsonl", "clm-turns.jsonl").await;
    let turns: Vec<Value> = lines
        .text()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let ids = texts(&json!(turns), "turn_id");
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first, none twice");
    assert_eq!(ids.len(), 3000);
    assert!(!lines.headers.contains_key("content-length"));
    let rows = table(&file(&app, "/v1/export/turns", "clm-turns.csv").await);
    assert_eq!(rows.1.len(), 3000);
    let sessions = table(&file(&app, "/v1/export/sessions", "clm-sessions.csv").await);
    assert_eq!(sessions.1.len(), 301);
    single(&app);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_cannot_be_finished_is_broken_off() {
    let app = TestApp::spawn(&[]).await;
    let one = app.say("a", "Hello").await.turn_id;
    app.recorded(1).await;
    multiply(&app, &one, 20_000);
    let mut call = app
        .call(&Request::get("/v1/export/turns?format=jsonl"))
        .await;
    // Far more than all buffers on the way: it waits for its reader.
    call.piece().await.unwrap();
    sleep(Duration::from_millis(100)).await;
    app.lifecycle().soft().cancel();
    assert!(!call.ends_well().await, "its reader notices");
    single(&app);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_made_of_what_people_thought() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let session = mint(&app, "ines").await;
    let turn = app.say(&session, "a promotion").await.turn_id;
    app.recorded(1).await;
    let path = format!("/v1/turns/{turn}/feedback");
    for satisfaction in [2, 4] {
        let word = json!({"satisfaction": satisfaction});
        let response = app.send(&Request::post(&path, &word)).await;
        assert_eq!(
            (response.status, response.json()),
            (
                202,
                json!({
                    "turn_id": turn, "satisfaction": satisfaction,
                })
            )
        );
    }
    until("the later word stands", async || {
        (app.record(&turn).await["satisfaction"] == 4).then_some(())
    })
    .await;
    for kind in ["models", "coaches"] {
        let report = get(&app, &format!("/v1/analytics/{kind}")).await;
        for figures in [&report["items"][0], &report["totals"]] {
            assert_eq!(
                (&figures["mean_satisfaction"], &figures["rated"]),
                (&json!(4.0), &json!(1))
            );
        }
    }
    app.stop().await;
}
