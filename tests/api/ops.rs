//! What operators and platforms ask.

use quest_clm::simulate::MemoryFault;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;

async fn ready(app: &TestApp) -> (u16, Value) {
    let response = app.send(&Request::get("/readyz")).await;
    (response.status, response.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alive_ready_and_who_it_is() {
    let app = TestApp::spawn(&[]).await;
    let alive = app.send(&Request::get("/healthz")).await;
    assert_eq!((alive.status, alive.json()), (200, json!({"status": "ok"})));
    let version = app.send(&Request::get("/version")).await.json();
    assert_eq!(
        (&version["name"], &version["version"]),
        (&json!("quest-clm"), &json!(env!("CARGO_PKG_VERSION")))
    );
    let (status, body) = ready(&app).await;
    assert_eq!(
        (status, &body["status"], &body["inflight"]),
        (200, &json!("ready"), &json!(0))
    );
    assert_eq!(body["dependencies"]["store"]["status"], "ok");
    app.script(&["stall:3"]);
    let mut call = app.call(&Request::hume("s", "Hello")).await;
    call.hear_words().await;
    assert_eq!(ready(&app).await.1["inflight"], 1);
    call.reset();
    until("nobody is in flight", async || {
        (ready(&app).await.1["inflight"] == 0).then_some(())
    })
    .await;
    app.stop().await;
    let off = TestApp::spawn(&[("ZEP_API_KEY", ""), ("ADMIN_API_KEYS", "admin-1")]).await;
    assert_eq!(
        ready(&off).await,
        (200, json!({"status": "ready"})),
        "details are for operators"
    );
    let detailed = Request::get("/readyz").header("authorization", "Bearer admin-1");
    assert_eq!(
        off.send(&detailed).await.json()["dependencies"]["memory"]["status"],
        "off"
    );
    off.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_down_degrades_and_does_not_make_unready() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.memory_fault = Some(MemoryFault::Internal));
    app.say("s", "Hello").await;
    let (status, body) = until("memory's trouble is known", async || {
        let ready = ready(&app).await;
        (ready.1["status"] == "degraded").then_some(ready)
    })
    .await;
    assert_eq!(
        (status, &body["dependencies"]["memory"]["status"]),
        (200, &json!("down"))
    );
    app.options(|o| o.memory_fault = None);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_never_answers_costs_no_turn_anything() {
    // The kernel takes connections, and nobody serves them.
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", hung.local_addr().unwrap());
    let app = TestApp::spawn(&[("REDIS_URL", &url)]).await;
    let (status, body) = until("the trouble is known", async || {
        let heard = app.ask("Hello").await;
        let record = app.record(&heard.turn_id).await;
        assert!(record["overhead_ms"].as_f64().unwrap() < 250.0, "{record}");
        let ready = ready(&app).await;
        (ready.1["status"] == "degraded").then_some(ready)
    })
    .await;
    assert_eq!(
        (status, &body["dependencies"]["redis"]),
        (200, &json!({"status": "down"}))
    );
    let now = app.send(&Request::get("/v1/live")).await.json();
    assert_eq!(
        (&now["scope"], &now["reason"], &now["machines"]),
        (&json!("local"), &json!("redis does not answer"), &json!(1))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_now_is_for_operators() {
    let app = TestApp::spawn(&[("ADMIN_API_KEYS", "admin-1"), ("CLM_API_KEYS", "")]).await;
    let live = Request::get("/v1/live");
    assert_eq!(app.send(&live).await.status, 401);
    app.script(&["stall:3"]);
    let mut call = app.call(&Request::hume("s", "Hello")).await;
    call.hear_words().await;
    let live = live.header("authorization", "Bearer admin-1");
    let now = app.send(&live).await.json();
    assert_eq!(
        (&now["scope"], &now["reason"], &now["open_turns"]),
        (
            &json!("local"),
            &json!("redis is not configured"),
            &json!(1)
        )
    );
    assert_eq!(now["last_minute"]["turns"], 0);
    call.reset();
    until("the turn has settled and counts", async || {
        let now = app.send(&live).await.json();
        assert_eq!(now["last_minute"]["complete"], 0);
        let counts = [&now["last_minute"]["interrupted"], &now["today"]["turns"]];
        (counts == [1, 1] && now["open_turns"] == 0).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_name_what_is_counted() {
    let app = TestApp::spawn(&[]).await;
    app.script(&["500"]);
    let heard = app.say("s", "a promotion").await;
    app.record(&heard.turn_id).await;
    app.send(&Request::bytes("/chat/completions", "{")).await;
    let response = app.send(&Request::get("/metrics")).await;
    assert!(response.headers["content-type"].starts_with("text/plain"));
    let text = response.text();
    for name in [
        "clm_turns_total",
        "clm_first_token_seconds",
        "clm_first_speakable_seconds",
        "clm_overhead_seconds",
        "clm_memory_seconds",
        "clm_upstream_ttft_seconds",
        "clm_attempts_total",
        "clm_failovers_total",
        "clm_inflight",
        "clm_http_errors_total",
    ] {
        assert!(
            text.contains(&format!("# TYPE {name} ")),
            "{name} is missing: {text}"
        );
    }
    assert!(text.contains(r#"coach="career""#) && !text.contains("promotion"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coaches_are_listed_as_models() {
    let app = TestApp::spawn(&[]).await;
    for path in ["/models", "/v1/models"] {
        let body = app.send(&Request::get(path)).await.json();
        let ids: Vec<&str> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids[0], "clm");
        for id in ["master", "career", "skills", "leadership", "network"] {
            assert!(ids.contains(&id), "{id}");
        }
    }
    app.stop().await;
}

async fn page(app: &TestApp, query: &str) -> (Vec<String>, Option<String>) {
    let body = app
        .send(&Request::get(&format!("/v1/turns?{query}")))
        .await
        .json();
    let items = body["items"].as_array().unwrap_or_else(|| panic!("{body}"));
    let ids = items
        .iter()
        .map(|t| t["turn_id"].as_str().unwrap().to_owned())
        .collect();
    (ids, body["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_listed_page_by_page_and_by_what_they_were() {
    let app = TestApp::spawn(&[("RESUME", "false")]).await;
    let mut ids = Vec::new();
    for (session, words, fault) in [
        ("a", "a promotion", "ok"),
        ("a", "my team", "slow-first:200"),
        ("b", "a promotion", "cut:3"),
        ("b", "a referral", "401"),
        ("c", "Hello", "ok"),
    ] {
        app.script(&[fault]);
        ids.push(app.say(session, words).await.turn_id);
    }
    app.recorded(5).await;
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let (items, next) = page(&app, &format!("limit=2&cursor={cursor}")).await;
        assert!(items.len() <= 2);
        paged.extend(items);
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(paged, newest_first);
    for (query, expected) in [
        ("session=a", vec![1, 0]),
        ("coach=career", vec![2, 0]),
        ("outcome=partial_failed", vec![2]),
        ("outcome=failed", vec![3]),
        ("session=b&coach=network", vec![3]),
        ("slow_over_ms=150", vec![1]),
        ("model=openai/gpt-6.1-terra", vec![4]),
        ("session=nobody", vec![]),
        ("session=&coach=&outcome=", vec![4, 3, 2, 1, 0]),
    ] {
        let expected: Vec<String> = expected.iter().map(|at: &usize| ids[*at].clone()).collect();
        assert_eq!(page(&app, query).await.0, expected, "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_can_be_watched_as_they_happen() {
    use futures::StreamExt as _;
    let app = TestApp::spawn(&[]).await;
    let client = quest_clm::outbound::client().unwrap();
    let watch = client
        .get(format!("http://{}/v1/turns/live", app.addr))
        .send()
        .await
        .unwrap();
    assert_eq!(watch.headers()["content-type"], "text/event-stream");
    let heard = app.say("watched", "I want a promotion").await;
    let mut bytes = watch.bytes_stream();
    let mut text = String::new();
    while !text.contains("event: turn") || !text.ends_with("\n\n") {
        text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        text.contains(&format!("\"turn_id\":\"{}\"", heard.turn_id)),
        "{text}"
    );
    app.stop().await;
}
