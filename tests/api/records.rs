//! Lists of turns and sessions: filters, cursors, what is refused, and a store that is away.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::errors::refused;

/// A database where nobody answers.
pub(crate) const AWAY: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/clm");
pub(crate) const SIGNING: (&str, &str) = ("SESSION_SIGNING_KEYS", "signing-key-0123456789");

/// The JSON of a path that must be answered.
pub(crate) async fn get(app: &TestApp, path: &str) -> Value {
    let response = app.send(&Request::get(path)).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

pub(crate) fn texts(items: &Value, field: &str) -> Vec<String> {
    let items = items.as_array().unwrap_or_else(|| panic!("{items}"));
    let text = |item: &Value| item[field].as_str().unwrap().to_owned();
    items.iter().map(text).collect()
}

/// A signed session of somebody.
pub(crate) async fn mint(app: &TestApp, user: &str) -> String {
    let minted = app
        .send(&Request::post("/v1/sessions", &json!({"user_id": user})))
        .await;
    minted.json()["session_id"].as_str().unwrap().to_owned()
}

/// Copies one turn this many times, each a millisecond older than the one before, in a session of every
/// tenth; what a service would have gathered in a day.
pub(crate) fn multiply(app: &TestApp, turn_id: &str, times: u32) {
    let db = rusqlite::Connection::open(app.data().join("clm.db")).unwrap();
    let columns: Vec<String> = db
        .prepare("select name from pragma_table_info('turn')")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let copied = columns.iter().map(|column| match column.as_str() {
        "turn_id" => "printf('01800000-%04x-7000-8000-000000000000', n)".to_owned(),
        "created_at" => "created_at - n".to_owned(),
        "session_id" => "printf('many-%d', n / 10)".to_owned(),
        column => column.to_owned(),
    });
    let sql = format!(
        "with recursive many(n) as (select 1 union all select n + 1 from many where n < {times})
         insert into turn ({}) select {} from turn, many where turn_id = ?1",
        columns.join(", "),
        copied.collect::<Vec<_>>().join(", "),
    );
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    db.execute(&sql, [turn_id]).unwrap();
    db.execute_batch(
        "insert into session
         select session_id, max(user_hash), min(created_at), max(created_at), count(*), 0, 0.0, 0, 0, 0, 0
         from turn where session_id like 'many-%' group by session_id",
    )
    .unwrap();
}

/// Takes the copies away: whoever stops a service reads all of its turns.
pub(crate) fn single(app: &TestApp) {
    let db = rusqlite::Connection::open(app.data().join("clm.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    db.execute("delete from turn where session_id like 'many-%'", [])
        .unwrap();
}

/// Every item of a list, page by page.
async fn walk(app: &TestApp, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(app, &format!("{path}limit={limit}&cursor={cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit && page.get("source").is_none());
        all.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), limit);
                cursor = next.to_owned();
            }
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_asked_for_by_their_time_and_slowness() {
    let app = TestApp::spawn(&[]).await;
    let empty = get(&app, "/v1/turns").await;
    assert_eq!(empty, json!({"items": [], "next_cursor": null}));
    let first = app.say("a", "a promotion").await.turn_id;
    app.script(&["slow-first:200"]);
    let slow = app.say("b", "Hello").await.turn_id;
    app.recorded(2).await;
    let began = app.record(&slow).await["created_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let zoned = began.replace('Z', "+00:00");
    let both = vec![slow.clone(), first.clone()];
    for (query, expected) in [
        ("range=1h", both.clone()),
        ("since=0", both.clone()),
        (&format!("since={began}"), vec![slow.clone()]),
        (&format!("since={zoned}"), vec![slow.clone()]),
        (&format!("until={began}"), vec![first.clone()]),
        ("until=1000", vec![]),
        ("slow_over=150ms", vec![slow.clone()]),
        ("slow_over=0.15s", vec![slow.clone()]),
        ("slow_over_ms=150", vec![slow.clone()]),
        ("slow_over=1.5s", vec![]),
        ("slow_over=&range=&since=&until=&limit=1000", both),
        ("limit=1", vec![slow.clone()]),
    ] {
        let page = get(&app, &format!("/v1/turns?{query}")).await;
        assert_eq!(texts(&page["items"], "turn_id"), expected, "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_is_named() {
    let app = TestApp::spawn(&[]).await;
    for (path, said) in [
        ("/v1/turns?sesion=a", "did you mean `session`?"),
        ("/v1/turns?user=a", "there are session, coach"),
        (
            "/v1/turns?limit=1001",
            "`limit` must be an integer from 1 to 1000",
        ),
        (
            "/v1/turns?range=1y",
            "`range` must be a number and its unit",
        ),
        ("/v1/turns?range=1h&since=0", "give it alone"),
        ("/v1/turns?since=today", "`since` must be a time such as"),
        ("/v1/turns?since=2&until=1", "`until` must be later"),
        (
            "/v1/turns?slow_over=fast",
            "`slow_over` must be a number and its unit",
        ),
        ("/v1/turns?slow_over_ms=-1", "`slow_over_ms` must be"),
        ("/v1/turns?slow_over_ms=inf", "`slow_over_ms` must be"),
        ("/v1/turns?slow_over=1s&slow_over_ms=1", "give one of them"),
        (
            "/v1/turns?outcome=nice",
            "`outcome` must be one of complete",
        ),
        (
            "/v1/turns?cursor=nonsense",
            "`cursor` must be the `next_cursor`",
        ),
        ("/v1/turns?coach=a&coach=b", "`coach` must be given once"),
        ("/v1/turns?session=%00", "`session` must not hold control"),
        ("/v1/turns?session=%FF", "percent-encoded UTF-8"),
        ("/v1/sessions?session=a", "there are user"),
        ("/v1/sessions?cursor=%21", "`cursor` must be"),
        ("/v1/sessions?cursor=eA", "`cursor` must be"),
        ("/v1/sessions?limit=0", "`limit` must be"),
        ("/v1/sessions/a?range=1h", "there are limit, cursor"),
        ("/v1/sessions/a/events?session=a", "there are none"),
        ("/v1/turns/live?range=1h", "no query parameter"),
        (
            "/v1/turns/live?replay=1001",
            "`replay` must be an integer from 0 to 1000",
        ),
        ("/v1/analytics/models?rang=1h", "did you mean `range`?"),
        ("/v1/analytics/models?range=1s", "from 1m to 3650d"),
        (
            "/v1/analytics/models?format=xml",
            "`format` must be one of json, csv",
        ),
        (
            "/v1/export/turns?format=json",
            "`format` must be one of csv, jsonl",
        ),
        ("/v1/export/turns?limit=1", "no query parameter"),
        ("/v1/export/sessions?coach=a", "no query parameter"),
    ] {
        let response = app.send(&Request::get(path)).await;
        refused(&response, 400, "invalid_request");
        let message = response.json()["error"]["message"].to_string();
        assert!(message.contains(said), "{path}: {message}");
    }
    let odd = app.send(&Request::get("/v1/sessions/%00")).await;
    refused(&odd, 400, "invalid_session_id");
    for (path, said) in [
        ("/v1/turns/%00", "no turn has this id"),
        ("/v1/sessions/nobody", "no session has this id"),
        ("/v1/analytics/coach", "there are models, coaches, savings"),
        ("/v1/export/attempts", "there are turns, sessions"),
    ] {
        let response = app.send(&Request::get(path)).await;
        refused(&response, 404, "not_found");
        let message = response.json()["error"]["message"].to_string();
        assert!(message.contains(said), "{path}: {message}");
    }
    for (method, path, allow) in [
        ("POST", "/v1/turns", "GET, HEAD"),
        ("PUT", "/v1/sessions", "GET, HEAD, POST"),
        ("POST", "/v1/sessions/a", "GET, HEAD, DELETE"),
        ("HEAD", "/v1/sessions/a/events", "GET"),
        ("POST", "/v1/analytics/models", "GET, HEAD"),
        ("POST", "/v1/export/turns", "GET, HEAD"),
        ("GET", "/v1/turns/a/feedback", "POST"),
        ("GET", "/v1/users/a", "DELETE"),
    ] {
        let head = app.call(&Request::method(method, path)).await.head().await;
        assert_eq!(
            (head.status, head.headers["allow"].as_str()),
            (405, allow),
            "{path}"
        );
    }
    for path in [
        "/v1/turns",
        "/v1/sessions",
        "/v1/analytics/spend",
        "/v1/export/turns",
    ] {
        let head = app.call(&Request::method("HEAD", path)).await.head().await;
        assert_eq!(head.status, 200, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_an_admin_needs_the_key_of_one() {
    let app = TestApp::spawn(&[("CLM_API_KEYS", "caller-1"), ("ADMIN_API_KEYS", "admin-1")]).await;
    for (method, path) in [
        ("GET", "/v1/turns"),
        ("GET", "/v1/turns/a"),
        ("GET", "/v1/turns/live"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/sessions/a"),
        ("GET", "/v1/sessions/a/events"),
        ("GET", "/v1/analytics/models"),
        ("GET", "/v1/analytics/none"),
        ("GET", "/v1/export/turns"),
        ("GET", "/v1/export/none?x"),
        ("POST", "/v1/turns/a/feedback"),
        ("DELETE", "/v1/users/a"),
    ] {
        for key in ["", "Bearer caller-1", "Bearer wrong"] {
            let request = Request::method(method, path).header("authorization", key);
            let response = app.send(&request).await;
            refused(&response, 401, "unauthorized");
            assert_eq!(response.headers["www-authenticate"], "Bearer", "{path}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_told_one_by_one() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let none = get(&app, "/v1/sessions").await;
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
    let (ines, marco) = (mint(&app, "ines").await, mint(&app, "marco").await);
    let first = app.say(&ines, "a promotion").await;
    app.say(&marco, "Hello").await;
    app.script(&["401", "401", "401", "401"]);
    let last = app.say(&ines, "my team").await;
    app.recorded(3).await;
    let list = get(&app, "/v1/sessions").await;
    let [newest, other] = list["items"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert_eq!((&newest["turns"], &other["turns"]), (&json!(2), &json!(1)));
    assert!(newest["cost_usd"].is_string() && newest.get("cost_microusd").is_none());
    assert!(newest["last_turn_at"].as_str().unwrap().ends_with('Z'));
    assert!(!list.to_string().contains("c1."), "signed ids are not kept");
    let since = newest["last_turn_at"].as_str().unwrap();
    let key = newest["session_id"].clone();
    for (query, expected) in [
        ("user=ines".to_owned(), vec![key.clone()]),
        ("user=nobody".to_owned(), vec![]),
        (format!("since={since}"), vec![key.clone()]),
        (format!("until={since}"), vec![other["session_id"].clone()]),
        ("range=1h&user=ines".to_owned(), vec![key.clone()]),
    ] {
        let page = get(&app, &format!("/v1/sessions?{query}")).await;
        assert_eq!(
            json!(texts(&page["items"], "session_id")),
            json!(expected),
            "{query}"
        );
    }
    let key = key.as_str().unwrap();
    let one = get(&app, &format!("/v1/sessions/{key}")).await;
    assert_eq!(one, get(&app, &format!("/v1/sessions/{ines}")).await);
    assert_eq!(
        (&one["session_id"], &one["totals"]["turns"]),
        (&json!(key), &json!(2))
    );
    assert_eq!(one["totals"]["failed_turns"], 1);
    let turns = vec![last.turn_id.clone(), first.turn_id.clone()];
    assert_eq!(texts(&one["turns"], "turn_id"), turns);
    let coaches = one["coaches"].as_array().unwrap();
    assert_eq!(texts(&one["coaches"], "coach"), ["career", "leadership"]);
    assert_eq!(coaches[0]["turns"], 1);
    assert_eq!(coaches[0]["models"][0]["cost_usd"], coaches[0]["cost_usd"]);
    assert!(coaches[0]["models"][0]["model"].is_string());
    let page = get(&app, &format!("/v1/sessions/{ines}?limit=1")).await;
    let next = page["next_cursor"].as_str().unwrap();
    let page = get(&app, &format!("/v1/sessions/{ines}?limit=1&cursor={next}")).await;
    assert_eq!(texts(&page["turns"], "turn_id"), [first.turn_id]);
    assert_eq!(page["next_cursor"], Value::Null);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_leave_nothing_out_and_show_nothing_twice() {
    let app = TestApp::spawn(&[]).await;
    let one = app.say("%3Dcmd()/%C3%BC", "Hello").await.turn_id;
    app.recorded(1).await;
    multiply(&app, &one, 35);
    for (path, field, count) in [
        ("/v1/turns?", "turn_id", 36),
        ("/v1/turns?session=many-1&", "turn_id", 10),
        ("/v1/sessions?", "session_id", 5),
    ] {
        let whole = walk(&app, path, 100).await;
        let ids = texts(&json!(whole), field);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), count, "{path}");
        for limit in [1, 2, count - 1, count] {
            let walked = walk(&app, path, limit).await;
            assert_eq!(texts(&json!(walked), field), ids, "{path} by {limit}");
        }
    }
    let odd = get(&app, "/v1/sessions/%3Dcmd%28%29%2F%C3%BC").await;
    assert_eq!(odd["session_id"], "=cmd()/ü");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_the_last_turns_are_told() {
    let app = TestApp::spawn(&[AWAY]).await;
    for path in [
        "/v1/sessions",
        "/v1/sessions/a",
        "/v1/export/turns",
        "/v1/export/sessions",
        "/v1/analytics/models",
    ] {
        refused(&app.send(&Request::get(path)).await, 503, "unavailable");
    }
    let first = app.say("a", "a promotion").await.turn_id;
    let last = app.say("b", "Hello").await.turn_id;
    let again = app.say("a", "my team").await.turn_id;
    let page = until("the turns are told", async || {
        let page = get(&app, "/v1/turns").await;
        (page["items"].as_array().unwrap().len() == 3).then_some(page)
    })
    .await;
    assert_eq!(page["source"], "recent");
    assert_eq!(
        texts(&page["items"], "turn_id"),
        [again.clone(), last, first.clone()]
    );
    let session = get(&app, "/v1/sessions/a?limit=1").await;
    assert_eq!(session["source"], "recent");
    assert_eq!(texts(&session["turns"], "turn_id"), [again]);
    assert!(
        session.get("totals").is_none(),
        "sums of some turns are no sums"
    );
    let next = session["next_cursor"].as_str().unwrap();
    let session = get(&app, &format!("/v1/sessions/a?limit=1&cursor={next}")).await;
    assert_eq!(texts(&session["turns"], "turn_id"), [first]);
    assert_eq!(session["next_cursor"], Value::Null);
    app.stop().await;
}
