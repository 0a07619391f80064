//! What sessions need beside their turns, in both stores and over several machines: ids that are taken
//! back, and what platforms call their chats.

use std::time::Duration;

use quest_clm::record::{Chat, Erasure, Revocation};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::arrivals::{serving_as, within};
use crate::caller::Request;
use crate::contract::Both;
use crate::kept::{NOW_MS, turn};
use crate::service::Service;
use crate::support::postgres::Postgres;

const SETTINGS: &[(&str, &str)] = &[
    ("SESSION_SIGNING_KEYS", "signing-key-0123456789"),
    ("DATA_KEY", "a-data-key-for-all-machines"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_revoked_once_and_read_until_it_is_over() {
    let both = Both::with(&[]).await;
    let row = |id: &str, expires_at| Revocation {
        session_id: id.to_owned(),
        expires_at,
    };
    for (name, kept) in both.each() {
        let revocations = kept.records.revocations();
        for revocation in [
            row("s_a", NOW_MS + 1_000),
            row("s_b", NOW_MS + 9_000),
            row("s_a", NOW_MS + 2_000),
            // Told again by whoever knows less of it.
            row("s_b", NOW_MS + 1),
            row("s_over", NOW_MS),
        ] {
            revocations.revoke(&revocation, "key-1").await.unwrap();
        }
        let mut all = revocations.since(0).await.unwrap();
        all.sort_by(|a, b| a.session_id.cmp(&b.session_id));
        let expected = [row("s_a", NOW_MS + 2_000), row("s_b", NOW_MS + 9_000)];
        assert_eq!(all, expected, "{name}");
        assert_eq!(revocations.since(NOW_MS).await.unwrap().len(), 2, "{name}");
        assert!(
            revocations.since(NOW_MS + 1).await.unwrap().is_empty(),
            "{name}"
        );
    }
}

fn told(chat: &str, session: &str) -> Chat {
    Chat {
        chat_id: chat.to_owned(),
        session_id: session.to_owned(),
        user_hash: None,
        platform: "hume".to_owned(),
        chat_group_id: None,
        started_at: None,
        ended_at: None,
        end_reason: None,
        told_at: NOW_MS,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_told_of_in_any_order_and_goes_with_its_person() {
    let turns = [turn(1)];
    let both = Both::with(&turns).await;
    let session = turns[0].session_id.as_str();
    let ended = Chat {
        ended_at: Some(NOW_MS - 10),
        end_reason: Some("USER_ENDED".to_owned()),
        ..told("c-1", session)
    };
    let started = Chat {
        started_at: Some(NOW_MS - 20),
        chat_group_id: Some("g".to_owned()),
        ..told("c-1", session)
    };
    let foreign = Chat {
        platform: "elevenlabs".to_owned(),
        ..told("c-1", "another")
    };
    let silent = Chat {
        user_hash: turns[0].user_hash.clone(),
        ..told("c-2", "without-turns")
    };
    for (name, kept) in both.each() {
        for chat in [&ended, &started, &started, &silent] {
            assert!(kept.recorder.take_chat(chat.clone()));
        }
        kept.settled().await;
        // Another platform's chat of the same name takes nothing over.
        assert!(kept.recorder.take_chat(foreign.clone()));
        kept.settled().await;
        let chats = kept.reader.chats(session).await.unwrap();
        let [chat] = chats.as_slice() else {
            panic!("{name}: {chats:?}")
        };
        assert_eq!(
            (chat.started_at, chat.ended_at, chat.told_at),
            (Some(NOW_MS - 20), Some(NOW_MS - 10), NOW_MS),
            "{name}"
        );
        assert_eq!(chat.chat_group_id.as_deref(), Some("g"));
        assert_eq!(chat.end_reason.as_deref(), Some("USER_ENDED"));
        let linked = async |chat| kept.reader.session_of_chat(chat).await.unwrap();
        assert_eq!(linked("c-1").await.as_deref(), Some(session), "{name}");
        assert_eq!(linked("c-2").await.as_deref(), Some("without-turns"));
        assert_eq!(linked("c-3").await, None);
        assert!(kept.recorder.erase(Erasure {
            user_hash: turns[0].user_hash.clone().unwrap(),
            erased_at: NOW_MS,
        }));
        within("both are forgotten", Duration::from_secs(20), async || {
            linked("c-1").await.is_none() && linked("c-2").await.is_none()
        })
        .await;
    }
}

async fn mint(service: &Service) -> String {
    let wanted = json!({"user_id": "ines"});
    let minted = service.send(&Request::post("/v1/sessions", &wanted)).await;
    minted.json()["session_id"].as_str().unwrap().to_owned()
}

fn delete(session: &str) -> Request {
    Request::method("DELETE", &format!("/v1/sessions/{session}"))
}

async fn identity(service: &Service, session: &str, words: &str) -> Value {
    let heard = service.say(session, words).await;
    let request = Request::get(&format!("/v1/turns/{}", heard.turn_id));
    crate::service::until("the turn's record", async || {
        let response = service.send(&request).await;
        (response.status == 200).then(|| response.json()["identity"].clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_machine_takes_back_all_do_and_an_outage_changes_nothing() {
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    let one = serving_as("exec \"$0\" serve", &url, SETTINGS).await;
    let own = [("DATABASE_URL", url.as_str()), ("ZEP_API_KEY", "zep-test")];
    let other = one.another(&[&own[..], SETTINGS].concat()).await;
    let (leaked, kept) = (mint(&one).await, mint(&one).await);
    assert_eq!(identity(&other, &leaked, "Hello").await, "signed");
    // Once the schema is there.
    within("it is taken back", Duration::from_secs(20), async || {
        one.send(&delete(&leaked)).await.status == 200
    })
    .await;
    let began = Instant::now();
    assert_eq!(identity(&one, &leaked, "Hello again").await, "none");
    let mut n = 0;
    while identity(&other, &leaked, &format!("Hello, {n}")).await != "none" {
        assert!(began.elapsed() < Duration::from_secs(10), "never there");
        n += 1;
    }
    let took = began.elapsed();
    postgres.stop().await;
    assert_eq!(one.send(&delete(&kept)).await.status, 503);
    assert_eq!(
        identity(&one, &kept, "Hello").await,
        "signed",
        "nothing is changed"
    );
    assert_eq!(
        identity(&other, &leaked, "Still").await,
        "none",
        "it is at hand"
    );
    println!("an id that one machine took back was the other's {took:?} later");
}
