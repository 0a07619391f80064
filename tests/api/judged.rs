//! What people say of turns, and people who ask to be forgotten.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::errors::refused;
use crate::records::{AWAY, SIGNING, get, mint};

const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "admin-1");
/// A turn that never was.
const NOBODYS: &str = "01800000-0000-7000-8000-000000000000";

fn word(turn: &str, body: &Value) -> Request {
    Request::post(&format!("/v1/turns/{turn}/feedback"), body)
}

fn as_admin(request: Request) -> Request {
    request.header("authorization", "Bearer admin-1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn satisfaction_is_a_whole_number_from_one_to_five() {
    let app = TestApp::spawn(&[]).await;
    let turn = app.say("a", "Hello").await.turn_id;
    let trace = app.record(&turn).await["trace_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for body in [
        json!({"satisfaction": 0}),
        json!({"satisfaction": 6}),
        json!({"satisfaction": -1}),
        json!({"satisfaction": 300}),
        json!({"satisfaction": 2.5}),
        json!({"satisfaction": "5"}),
        json!({"satisfaction": null}),
        json!({"satisfaction": [5]}),
        json!({"satisfaction": 5, "why": "nice"}),
        json!({"Satisfaction": 5}),
        json!({}),
        json!([5]),
        json!(5),
    ] {
        let response = app.send(&word(&turn, &body)).await;
        refused(&response, 400, "invalid_request");
        let message = response.json()["error"]["message"].to_string();
        assert!(message.contains("satisfaction"), "{body}: {message}");
    }
    for body in ["", "{", "{\"satisfaction\":5"] {
        let request = Request::bytes(&format!("/v1/turns/{turn}/feedback"), body);
        refused(&app.send(&request).await, 400, "invalid_request");
    }
    let five = json!({"satisfaction": 5});
    for unknown in [NOBODYS, "nobody", "%00", "4bf92f3577b34da6a3ce929d0e0e4736"] {
        refused(&app.send(&word(unknown, &five)).await, 404, "not_found");
    }
    // By the trace's id too, which a caller may know better.
    let response = app.send(&word(&trace, &five)).await;
    assert_eq!(
        (response.status, &response.json()["turn_id"]),
        (202, &json!(turn))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_can_be_judged_before_it_is_written_down() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let ines = mint(&app, "ines").await;
    let five = json!({"satisfaction": 5});
    // While it speaks, and right behind its last word.
    app.script(&["slow-nth:4:400", "ok"]);
    let mut speaking = app.call(&Request::hume(&ines, "Hello")).await;
    let turn = speaking.turn_id().await;
    let at_once = word(&turn, &five);
    let (judged, _) = tokio::join!(app.send(&at_once), speaking.whole());
    assert_eq!(judged.status, 202);
    let turn = app.say(&ines, "And now?").await.turn_id;
    let own = word(&turn, &five).header("x-clm-session", &ines);
    assert_eq!(app.send(&own).await.status, 202);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_judges_its_own_turns_and_no_others() {
    let app = TestApp::spawn(&[SIGNING, ADMIN]).await;
    let mint = async |user: &str| {
        let wanted = Request::post("/v1/sessions", &json!({"user_id": user}));
        let minted = app.send(&as_admin(wanted)).await.json();
        minted["session_id"].as_str().unwrap().to_owned()
    };
    let (ines, marco) = (mint("ines").await, mint("marco").await);
    let turn = app.hear(&Request::hume(&ines, "Hello")).await.turn_id;
    let plain = app.hear(&Request::hume("plain", "Hello")).await.turn_id;
    until("both are told", async || {
        let list = app.send(&as_admin(Request::get("/v1/turns"))).await.json();
        (list["items"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    let five = json!({"satisfaction": 5});
    let forged = ines.replace("c1.", "c1.A");
    for (turn, session, status) in [
        (&turn, &ines, 202),
        (&turn, &marco, 404),
        (&turn, &forged, 401),
        (&turn, &String::new(), 401),
        (&plain, &"plain".to_owned(), 401),
        (&plain, &ines, 404),
        (&NOBODYS.to_owned(), &ines, 404),
    ] {
        let request = word(turn, &five).header("x-clm-session", session);
        assert_eq!(app.send(&request).await.status, status, "{turn} {session}");
    }
    let both = as_admin(word(&plain, &five)).header("x-clm-session", &marco);
    assert_eq!(app.send(&both).await.status, 202, "a key opens more");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_about_a_turn_waits_with_the_store() {
    let app = TestApp::spawn(&[AWAY, SIGNING, ADMIN]).await;
    let wanted = Request::post("/v1/sessions", &json!({"user_id": "ines"}));
    let minted = app.send(&as_admin(wanted)).await.json();
    let session = minted["session_id"].as_str().unwrap();
    let turn = app.say(session, "Hello").await.turn_id;
    let five = json!({"satisfaction": 5});
    let own = word(&turn, &five).header("x-clm-session", session);
    until("the turn is told", async || {
        (app.send(&own).await.status == 202).then_some(())
    })
    .await;
    for (request, status) in [
        (as_admin(word(NOBODYS, &five)), 202),
        (as_admin(word("nobody", &five)), 503),
        (
            as_admin(word("01800000-0000-4000-8000-000000000000", &five)),
            503,
        ),
        // Whose turn it is cannot be told, so a browser's word is not taken.
        (word(NOBODYS, &five).header("x-clm-session", session), 503),
    ] {
        assert_eq!(app.send(&request).await.status, status, "{request:?}");
    }
    let records = app.stop().await;
    assert_eq!(
        records[0].satisfaction,
        Some(5),
        "kept and applied when the turn is there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_to_be_forgotten_is_and_the_books_stay_right() {
    let app = TestApp::spawn(&[SIGNING]).await;
    let user = "ines/müller";
    let session = mint(&app, user).await;
    let others = mint(&app, "marco").await;
    let turn = app.say(&session, "a promotion").await.turn_id;
    app.say(&others, "my team").await;
    app.recorded(2).await;
    let word = word(&turn, &json!({"satisfaction": 1}));
    assert_eq!(app.send(&word).await.status, 202);
    let before = get(&app, "/v1/analytics/coaches?range=25h").await;
    let hash = app.record(&turn).await["user_hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = "/v1/users/ines%2Fm%C3%BCller";
    let erased = app.send(&Request::method("DELETE", path)).await;
    assert_eq!(
        (erased.status, erased.json()),
        (
            202,
            json!({
                "erased": {"records": "queued", "memory": {"store": "deleted", "dropped": 0}, "recent": 1},
            })
        )
    );
    until("their session is gone", async || {
        let list = get(&app, "/v1/sessions").await;
        (list["items"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    let mine = format!("/v1/sessions?user={}", "ines%2Fm%C3%BCller");
    assert_eq!(get(&app, &mine).await["items"], json!([]));
    refused(
        &app.send(&Request::get(&format!("/v1/sessions/{session}")))
            .await,
        404,
        "not_found",
    );
    let left = get(&app, &format!("/v1/turns/{turn}")).await;
    assert_eq!(
        (&left["user_hash"], &left["session_id"]),
        (&Value::Null, &json!("erased"))
    );
    let everything = get(&app, "/v1/turns").await.to_string();
    assert!(!everything.contains(&hash), "{everything}");
    let after = get(&app, "/v1/analytics/coaches?range=26h").await;
    for field in ["count", "cost_usd", "completion_tokens"] {
        assert_eq!(after["totals"][field], before["totals"][field], "{field}");
    }
    assert_eq!(after["totals"]["rated"], 0);
    for again in [path, "/v1/users/nobody"] {
        let erased = app.send(&Request::method("DELETE", again)).await;
        assert_eq!(
            (erased.status, &erased.json()["erased"]["recent"]),
            (202, &json!(0))
        );
    }
    let odd = app
        .send(&Request::method("DELETE", "/v1/users/a%0Ab"))
        .await;
    refused(&odd, 400, "invalid_request");
    app.stop().await;
}
