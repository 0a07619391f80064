//! Turns as they settle: filters, replays, and whoever may watch one session.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::{Call, Request};
use crate::errors::refused;
use crate::records::{SIGNING, mint};

/// Reads until so many events were seen; their names and data.
pub(crate) async fn events(watch: &mut Call, count: usize) -> Vec<(String, Value)> {
    let mut text = String::new();
    loop {
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let events = whole.split("\n\n").filter(|e| e.contains("event: "));
        let events: Vec<_> = events.map(event).collect();
        if events.len() >= count {
            assert_eq!(events.len(), count, "{text}");
            return events;
        }
        let piece = watch.piece().await.expect("the stream goes on");
        text.push_str(std::str::from_utf8(&piece.bytes).unwrap());
    }
}

fn event(text: &str) -> (String, Value) {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().unwrap().to_owned()
    };
    (
        field("event: "),
        serde_json::from_str(&field("data: ")).unwrap(),
    )
}

pub(crate) async fn watch(app: &TestApp, request: &Request) -> Call {
    let mut call = app.call(request).await;
    let head = call.head().await;
    assert_eq!(
        (head.status, head.headers["content-type"].as_str()),
        (200, "text/event-stream")
    );
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_sees_what_it_asked_for_and_what_was_before() {
    let app = TestApp::spawn(&[("RESUME", "false")]).await;
    let turns = [
        ("a", "a promotion", "ok"),
        ("a", "my team", "slow-first:200"),
        ("b", "a promotion", "cut:3"),
    ];
    let mut ids = Vec::new();
    for (session, words, fault) in turns {
        app.script(&[fault]);
        ids.push(app.say(session, words).await.turn_id);
    }
    app.recorded(3).await;
    let mut watches = Vec::new();
    for (query, expected) in [
        ("replay=1000", vec![0, 1, 2]),
        ("replay=2", vec![1, 2]),
        ("replay=1&session=a", vec![1]),
        ("replay=9&coach=career", vec![0, 2]),
        ("replay=9&outcome=partial_failed", vec![2]),
        ("replay=9&slow_over=150ms", vec![1]),
        ("replay=9&slow_over_ms=150&session=b", vec![]),
        ("replay=9&model=none", vec![]),
        ("", vec![]),
    ] {
        let path = format!("/v1/turns/live?{query}");
        let mut call = watch(&app, &Request::get(&path)).await;
        let seen = events(&mut call, expected.len()).await;
        let seen: Vec<&str> = seen
            .iter()
            .map(|(_, turn)| turn["turn_id"].as_str().unwrap())
            .collect();
        let expected: Vec<&str> = expected
            .iter()
            .map(|at: &usize| ids[*at].as_str())
            .collect();
        assert_eq!(seen, expected, "{query}");
        watches.push((query, call));
    }
    // Two more: the first is nobody's but of those who want all.
    app.say("c", "Hello").await;
    let last = app.say("a", "a promotion, again").await.turn_id;
    for (query, mut call) in watches {
        let all = matches!(query, "replay=1000" | "replay=2" | "");
        let sees = match query {
            _ if all => 2,
            "replay=1&session=a" | "replay=9&coach=career" => 1,
            _ => continue,
        };
        let seen = events(&mut call, sees).await;
        let (name, turn) = seen.last().unwrap();
        assert_eq!(
            (name.as_str(), &turn["turn_id"]),
            ("turn", &json!(last)),
            "{query}"
        );
        assert!(turn["attempts"].is_array());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_watched_by_its_holder_and_by_admins() {
    let app = TestApp::spawn(&[SIGNING, ("ADMIN_API_KEYS", "admin-1")]).await;
    let key = ("authorization", "Bearer admin-1");
    let mint = async |user: &str| {
        let wanted = Request::post("/v1/sessions", &json!({"user_id": user}));
        let minted = app.send(&wanted.header(key.0, key.1)).await.json();
        minted["session_id"].as_str().unwrap().to_owned()
    };
    let (ines, marco) = (mint("ines").await, mint("marco").await);
    app.say(&ines, "Hello").await;
    let list = Request::get("/v1/sessions").header(key.0, key.1);
    let kept = until("the session in the store", async || {
        let listed = app.send(&list).await.json();
        listed["items"][0]["session_id"].as_str().map(str::to_owned)
    })
    .await;
    let events_of = |id: &str| Request::get(&format!("/v1/sessions/{id}/events"));
    let forged = ines.replace("c1.", "c1.A");
    for (request, status) in [
        (events_of(&kept), 401),
        (events_of("plain"), 401),
        // Ids do not belong into query strings.
        (
            Request::get(&format!("/v1/sessions/{kept}/events?session={ines}")),
            401,
        ),
        (events_of(&forged), 401),
        (events_of(&ines).header("x-clm-session", &marco), 401),
        (events_of(&kept).header("x-clm-session", &marco), 401),
        (events_of(&kept).header("x-clm-session", &forged), 401),
    ] {
        refused(&app.send(&request).await, status, "unauthorized");
    }
    let mut watches = Vec::new();
    for request in [
        // A browser's EventSource sends no headers.
        events_of(&ines),
        events_of(&ines).header("x-clm-session", &ines),
        events_of(&kept).header("x-clm-session", &ines),
        events_of(&ines).header(key.0, key.1),
        events_of(&kept).header(key.0, key.1),
    ] {
        watches.push(watch(&app, &request).await);
    }
    app.say(&marco, "Hello").await;
    let turn = app.say(&ines, "Hello again").await.turn_id;
    for call in &mut watches {
        let seen = events(call, 1).await;
        assert_eq!(
            (seen[0].0.as_str(), &seen[0].1["turn_id"]),
            ("turn", &json!(turn))
        );
    }
    // They end well, and nobody has to wait for them.
    app.lifecycle().soft().cancel();
    for call in watches {
        assert_eq!(call.response().await.text(), "");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minted_id_of_before_its_first_turn_can_be_watched() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let session = mint(&app, "ines").await;
    let mut call = watch(
        &app,
        &Request::get(&format!("/v1/sessions/{session}/events")),
    )
    .await;
    let turn = app.say(&session, "Hello").await.turn_id;
    assert_eq!(events(&mut call, 1).await[0].1["turn_id"], json!(turn));
    app.stop().await;
}
