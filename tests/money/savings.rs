//! What a day costs, and what the same tokens would have cost on one model for everything: the day is
//! spoken through the service's own door, and the service's own report says it.
//!
//! `docs/SAVINGS.md` has the figures. The whole day writes them there; a tenth of it, which always
//! runs, holds the document to them.

use std::fs;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use quest_clm::turn::Tier;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::{TestApp, until};
use crate::bill::settled;
use crate::caller::{Call, Request, Seen};
use crate::day::{self, FAULTS, SESSIONS, Session};
use crate::document::{self, Figures};
use crate::heard::Heard;
use crate::is_wanted;

/// What must be saved at least, per cent.
const PROMISED: f64 = 60.0;
/// How far a tenth of the day may be from all of it, in points: of the day, and of one coach's one tier.
const OFF: f64 = 1.0;
const OFF_IN_A_ROW: f64 = 6.0;
/// Sessions after which it is waited until upstream's books have told all they can.
const STRETCH: usize = 100;
const AT_ONCE: usize = 16;

const SETTINGS: &[(&str, &str)] = &[("SESSION_SIGNING_KEYS", "signing-key-0123456789")];

async fn mint(app: &TestApp, session: &Session) -> String {
    let wanted = json!({"user_id": format!("u-{}", session.number), "tier": session.tier});
    let minted = app.send(&Request::post("/v1/sessions", &wanted)).await;
    minted.json()["session_id"].as_str().unwrap().to_owned()
}

/// Holds a session: each turn brings along all that was said before.
async fn hold(app: &TestApp, session: &Session) {
    let id = mint(app, session).await;
    let mut said: Vec<Value> = Vec::new();
    for (turn, words) in session.lines.iter().enumerate() {
        said.push(json!({"role": "user", "content": words}));
        let request = Request::talk(&id, &json!(said));
        if session.is_left && turn + 1 == session.lines.len() {
            let mut call = app.call(&request).await;
            call.hear_words().await;
            call.reset();
            return;
        }
        let heard = Heard::strictly(app.send(&request).await);
        said.push(json!({"role": "assistant", "content": heard.text}));
    }
}

/// The faults of so many calls, each as often as it is.
fn script(calls: usize) -> Vec<&'static str> {
    let every = |at: usize| {
        let hit = FAULTS.iter().enumerate().find(|(place, (times, ..))| {
            let step = 1_000 / times;
            at % step == (place + 1) * step / (FAULTS.len() + 1)
        });
        hit.map_or("ok", |(_, (_, fault, _))| *fault)
    };
    (0..calls).map(every).collect()
}

/// Speaks the day, or the beginning of it, and reads what it came to.
async fn spoken(sessions: &[Session]) -> Figures {
    let app = TestApp::spawn_alone(SETTINGS).await;
    for stretch in sessions.chunks(STRETCH) {
        let since_ms = quest_clm::clock::Clock::System.now_ms();
        let turns = stretch.iter().map(|s| s.lines.len()).sum();
        app.script(&script(turns));
        stream::iter(stretch)
            .for_each_concurrent(AT_ONCE, |session| hold(&app, session))
            .await;
        settled(&app, since_ms, turns).await;
    }
    let report = app.send(&Request::get("/v1/analytics/savings")).await;
    let listed = Request::get("/api/v1/models");
    let listed = Call::begin(app.simulator().addr(), &listed, Seen::default()).await;
    let prices = listed.response().await.json();
    until("nothing is open", async || {
        app.chats().iter().all(|c| c.end.is_some()).then_some(())
    })
    .await;
    Figures {
        report: report.json(),
        prices,
        turns: app.stop().await,
    }
}

/// The day is as it says it is: who spoke to whom.
fn is_as_planned(figures: &Figures, sessions: &[Session]) {
    for (coach, _) in day::COACHES {
        for (tier, _) in day::TIERS {
            let planned = sessions
                .iter()
                .filter(|s| s.coach == *coach && s.tier == *tier);
            let planned: usize = planned.map(|s| s.lines.len()).sum();
            let spoken = figures
                .turns
                .iter()
                .filter(|t| t.coach == *coach && t.tier == *tier);
            assert_eq!(spoken.count(), planned, "{coach}, {tier}");
        }
    }
    let is_forced = |reason: &Option<String>| reason.as_deref() == Some("budget:low");
    assert!(!figures.turns.iter().any(|t| is_forced(&t.model_reason)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_costs_less_than_two_fifths_of_one_model_for_everything() {
    let is_whole = is_wanted("CLM_TEST_WHOLE_DAY");
    let count = if is_whole { SESSIONS } else { SESSIONS / 10 };
    let sessions: Vec<Session> = day::sessions().take(count).collect();
    let began = Instant::now();
    let figures = spoken(&sessions).await;
    let took: Duration = began.elapsed();
    is_as_planned(&figures, &sessions);
    let saved = figures.saved();
    println!(
        "{count} sessions in {took:.1?}: {saved} % saved\n{}",
        figures.result()
    );
    assert!(saved >= PROMISED, "{saved} %");
    assert_eq!(figures.report["totals"]["unknown_costs"], 0);
    let file = document::file();
    let written = fs::read_to_string(&file).unwrap();
    if is_whole {
        fs::write(&file, document::filled(&written, &figures)).unwrap();
        return;
    }
    let inputs = document::part(&written, "inputs");
    assert_eq!(
        inputs,
        figures.inputs(),
        "what goes in is not what is written"
    );
    let (known, found) = (document::part(&written, "result"), figures.result());
    let (known, found) = (document::shares(known), document::shares(&found));
    // Few are leadership's on the dearest tier: a tenth of the day may be without.
    assert!(found.len() > 20 && found.contains_key("all, all"));
    for (row, share) in found {
        let off = if row == "all, all" { OFF } else { OFF_IN_A_ROW };
        let known = known[&row];
        assert!(
            (known - share).abs() <= off,
            "{row}: {known} %, and {share} %"
        );
    }
}

#[test]
fn the_day_has_the_shares_that_it_says() {
    let all: Vec<Session> = day::sessions().collect();
    let turns: usize = all.iter().map(|s| s.lines.len()).sum();
    assert_eq!((all.len(), turns), (SESSIONS, SESSIONS * 8));
    for (coach, share) in day::COACHES {
        let of_coach = all.iter().filter(|s| s.coach == *coach);
        assert_eq!(
            of_coach.map(|s| s.lines.len()).sum::<usize>(),
            turns * share / 20
        );
    }
    for (tier, share) in day::TIERS {
        let of_tier = all.iter().filter(|s| s.tier == *tier);
        assert_eq!(
            of_tier.map(|s| s.lines.len()).sum::<usize>(),
            turns * share / 10
        );
    }
    assert!(all.iter().any(|s| s.tier == Tier::Enterprise && s.is_left));
    for (times, fault, _) in FAULTS {
        let script = script(1_000);
        let found = script.iter().filter(|name| *name == fault).count();
        assert_eq!(found, *times, "{fault}");
    }
}
