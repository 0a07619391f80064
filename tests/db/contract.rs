//! What both stores promise: the same turns give the same answers.

use std::time::Duration;

use quest_clm::record::{Commit, ReportKind, SessionFilter, Source, TurnFilter};
use quest_clm::turn::{MicroUsd, Outcome, TurnRecord};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kept::{Kept, MINUTE_MS, NOW_MS, turn};
use crate::support::postgres::{Database, ask};
use crate::support::until;

const TURNS: u32 = 300;

/// Both stores with the same turns in them.
pub(crate) struct Both {
    embedded: Kept,
    postgres: Kept,
    dirs: [TempDir; 2],
    database: Database,
}

impl Both {
    pub(crate) async fn with(turns: &[TurnRecord]) -> Self {
        let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let database = Database::fresh().await;
        let both = Self {
            embedded: Kept::open(dirs[0].path(), None),
            postgres: Kept::open(dirs[1].path(), Some(database.url())),
            dirs,
            database,
        };
        both.embedded.keep(turns).await;
        both.postgres.keep(turns).await;
        both
    }

    pub(crate) fn each(&self) -> [(&'static str, &Kept); 2] {
        [("embedded", &self.embedded), ("postgres", &self.postgres)]
    }

    pub(crate) async fn settled(&self) {
        for (_, kept) in self.each() {
            kept.settled().await;
        }
    }

    /// Makes every summary that there can be. The stores also do so by themselves, after a few seconds,
    /// so how many were left to make here says nothing.
    pub(crate) async fn summarise(&self) {
        for (_, kept) in self.each() {
            let summariser = kept.records.summariser().with_wait(Duration::ZERO);
            until("all is summarised", async || {
                // The store's own summaries may be on their way: what they have marked is theirs.
                summariser.round().await.unwrap().0 == 0
                    && self.marked("not is_ready").await == [0; 2]
            })
            .await;
        }
    }

    /// How many hours each has a summary of.
    pub(crate) async fn hours_summarised(&self) -> [usize; 2] {
        self.marked("grain = 1 and is_ready").await
    }

    async fn marked(&self, how: &str) -> [usize; 2] {
        let marks = format!("select start_at from summarised where {how}");
        let embedded = Connection::open(self.dirs[0].path().join("clm.db")).unwrap();
        let mut statement = embedded.prepare(&marks).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        let embedded = rows.map(Result::unwrap).count();
        let postgres = ask(self.database.url(), &marks).await.unwrap().len();
        [embedded, postgres]
    }

    /// Every report of the last day, which must be the same from both.
    pub(crate) async fn reports(&self) -> Vec<Value> {
        let mut told = Vec::new();
        for (_, kept) in self.each() {
            let mut all = Vec::new();
            for kind in ReportKind::ALL {
                // A reporter of its own, so that no answer of before is given again.
                let report = kept.reporter().report(kind, kept_day()).await.unwrap();
                assert!(!report.is_stale);
                all.push(json!({ "items": report.items, "totals": report.totals }));
            }
            told.push(all);
        }
        let postgres = told.pop().unwrap();
        assert_eq!(told.pop().unwrap(), postgres);
        postgres
    }
}

fn kept_day() -> std::time::Duration {
    std::time::Duration::from_secs(86_400)
}

pub(crate) fn turns() -> Vec<TurnRecord> {
    (0..TURNS).map(turn).collect()
}

pub(crate) async fn walk(kept: &Kept, filter: &TurnFilter) -> Vec<TurnRecord> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let filter = TurnFilter {
            before,
            limit: 17,
            ..filter.clone()
        };
        let page = kept.reader.turns(&filter).await.unwrap();
        assert_eq!(page.source, Source::Store);
        assert!(page.items.len() <= 17);
        all.extend(page.items);
        before = page.next_cursor;
        if before.is_none() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_comes_back_as_it_went_in_and_only_once() {
    let turns = turns();
    let both = Both::with(&turns).await;
    // Delivered again, as after a crash.
    both.embedded.keep(&turns).await;
    both.postgres.keep(&turns).await;
    for (name, kept) in both.each() {
        let all = walk(kept, &TurnFilter::default()).await;
        assert_eq!(all.len(), turns.len(), "{name}");
        for turn in turns.iter().step_by(7) {
            let calls = turn
                .attempts
                .iter()
                .filter_map(|a| a.generation_id.as_ref());
            for id in [&turn.turn_id, &turn.trace_id].into_iter().chain(calls) {
                let found = kept.reader.turn(id).await.unwrap();
                assert_eq!(found.as_ref(), Some(turn), "{name}");
            }
        }
        for nobody in ["", "x", "00000000-0000-7000-8000-000000000000"] {
            assert_eq!(
                kept.reader.turn(nobody).await.unwrap(),
                None,
                "{name} {nobody}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_filter_finds_what_it_names() {
    let turns = turns();
    let both = Both::with(&turns).await;
    let some = |text: &str| Some(text.to_owned());
    let any = TurnFilter::default;
    type Fits = fn(&TurnRecord) -> bool;
    let model = |t: &TurnRecord| t.served_model.clone().unwrap_or(t.planned_model.clone());
    assert!(turns.iter().any(|t| model(t) == "x/y"));
    let cases: Vec<(TurnFilter, Fits)> = vec![
        (any(), |_| true),
        (
            TurnFilter {
                coach: some("career"),
                ..any()
            },
            |t| t.coach == "career",
        ),
        (
            TurnFilter {
                session_id: some("session-3"),
                ..any()
            },
            |t| t.session_id == "session-3",
        ),
        (
            TurnFilter {
                outcome: Some(Outcome::Failed),
                ..any()
            },
            |t| t.outcome == Outcome::Failed,
        ),
        (
            TurnFilter {
                model: some("x/y"),
                ..any()
            },
            |t| t.planned_model == "x/y",
        ),
        (
            TurnFilter {
                slow_over_ms: Some(500.0),
                ..any()
            },
            |t| t.first_speakable_ms.is_some_and(|ms| ms > 500.0),
        ),
        (
            TurnFilter {
                slow_over_ms: Some(1500.0),
                ..any()
            },
            |t| t.first_speakable_ms.is_some_and(|ms| ms > 1500.0),
        ),
        (
            TurnFilter {
                since_ms: Some(NOW_MS - 60 * MINUTE_MS),
                ..any()
            },
            |t| t.created_at >= NOW_MS - 60 * MINUTE_MS,
        ),
        (
            TurnFilter {
                coach: some("master"),
                until_ms: Some(NOW_MS - 60 * MINUTE_MS),
                slow_over_ms: Some(1000.0),
                ..any()
            },
            |t| {
                t.coach == "master"
                    && t.created_at < NOW_MS - 60 * MINUTE_MS
                    && t.first_speakable_ms.is_some_and(|ms| ms > 1000.0)
            },
        ),
        (
            TurnFilter {
                coach: some("nobody' or true --"),
                ..any()
            },
            |_| false,
        ),
        (
            TurnFilter {
                before: some("no id"),
                ..any()
            },
            |_| false,
        ),
    ];
    for (filter, fits) in cases {
        let wanted: Vec<_> = turns
            .iter()
            .filter(|t| fits(t))
            .map(|t| &t.turn_id)
            .collect();
        for (name, kept) in both.each() {
            // A walk sets its own cursor.
            let found = match &filter.before {
                Some(_) => kept.reader.turns(&filter).await.unwrap().items,
                None => walk(kept, &filter).await,
            };
            let found: Vec<_> = found.iter().map(|t| &t.turn_id).collect();
            assert_eq!(found, wanted, "{name} {filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_add_up() {
    let turns = turns();
    let both = Both::with(&turns).await;
    let mut told = Vec::new();
    for (name, kept) in both.each() {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let filter = SessionFilter {
                before,
                limit: 3,
                ..SessionFilter::default()
            };
            let page = kept.reader.sessions(&filter).await.unwrap();
            all.extend(page.items);
            before = page.next_cursor;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), 7, "{name}");
        for session in &all {
            let its: Vec<_> = turns
                .iter()
                .filter(|t| t.session_id == session.session_id)
                .collect();
            assert_eq!(session.turns, its.len() as u64);
            let cost: i64 = its
                .iter()
                .filter_map(|t| t.cost_microusd)
                .map(|c| c.0)
                .sum();
            assert_eq!(session.cost_microusd, MicroUsd(cost));
            let last = its.iter().map(|t| t.created_at).max();
            assert_eq!(Some(session.last_turn_at), last);
            let unknown = its.iter().filter(|t| t.cost_microusd.is_none()).count();
            assert_eq!(session.unknown_costs, unknown as u64);
        }
        let one = kept.reader.session("session-3").await.unwrap().unwrap();
        let its = turns.iter().filter(|t| t.session_id == "session-3");
        let asked = its.flat_map(|t| &t.attempts).filter(|a| a.coach.is_some());
        let counted: u64 = one.1.iter().map(|m| m.turns).sum();
        assert_eq!(counted, one.0.turns + asked.count() as u64);
        // Whoever was asked besides is paid from the same money.
        let paid = one.1.iter().filter_map(|m| m.cost_microusd).map(|c| c.0);
        assert_eq!(paid.sum::<i64>(), one.0.cost_microusd.0);
        let mine = SessionFilter {
            user_hash: Some("user-3".to_owned()),
            limit: 10,
            ..SessionFilter::default()
        };
        assert_eq!(
            kept.reader.sessions(&mine).await.unwrap().items,
            std::slice::from_ref(&one.0)
        );
        assert_eq!(kept.reader.session("nobody").await.unwrap(), None);
        told.push((all, one));
    }
    assert_eq!(told[0], told[1]);
}

/// Every call of the master's turns was a specialist's, which has what it came to and no turn; together it
/// is the bill.
fn specialists_are_told_apart(turns: &[TurnRecord], coaches: &Value) {
    let items = coaches["items"].as_array().unwrap();
    let of = |coach: &str| items.iter().find(|item| item["coach"] == coach).unwrap();
    let councils = || turns.iter().filter(|t| t.coach == "master");
    let sum = |turns: &mut dyn Iterator<Item = &TurnRecord>| {
        let costs = turns.filter_map(|t| t.cost_microusd);
        costs.sum::<MicroUsd>().to_string()
    };
    let tokens: u64 = councils().filter_map(|t| t.prompt_tokens).sum();
    for (coach, count, cost, read) in [
        ("network", 0, sum(&mut councils()), tokens),
        ("master", councils().count(), MicroUsd(0).to_string(), 0),
    ] {
        let item = of(coach);
        assert_eq!(item["count"], count, "{item}");
        assert_eq!(item["cost_usd"], cost, "{item}");
        assert_eq!(item["prompt_tokens"], read, "{item}");
    }
    assert_eq!(coaches["totals"]["cost_usd"], sum(&mut turns.iter()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_the_same_from_both_and_from_summaries() {
    let turns: Vec<_> = (0..1300).map(turn).collect();
    let both = Both::with(&turns).await;
    for (_, kept) in both.each() {
        for turn in turns.iter().filter(|t| t.experiment.is_some()).skip(3) {
            kept.recorder.commit(Commit {
                turn_id: turn.turn_id.clone(),
                created_at: NOW_MS,
            });
        }
        kept.settled().await;
    }
    let before = both.reports().await;
    let in_trial = turns.iter().filter(|t| t.experiment.is_some()).count();
    assert_eq!(before[4]["totals"]["count"], in_trial - 3);
    both.summarise().await;
    let hours = both.hours_summarised().await;
    assert!(hours[0] >= 21, "{hours:?}");
    assert_eq!(hours[1], hours[0]);
    assert_eq!(both.reports().await, before);
    let coaches = &before[1];
    assert_eq!(coaches["totals"]["count"], 1300);
    let day: Vec<_> = turns.iter().filter(|t| t.coach == "career").collect();
    let career = coaches["items"].as_array().unwrap().iter();
    let career = career
        .clone()
        .find(|item| item["coach"] == "career")
        .unwrap();
    assert_eq!(career["count"], day.len());
    let cost: i64 = day
        .iter()
        .filter_map(|t| t.cost_microusd)
        .map(|c| c.0)
        .sum();
    assert_eq!(career["cost_usd"], MicroUsd(cost).to_string());
    specialists_are_told_apart(&turns, coaches);
    // A late row voids the summary of its hour, and of its hour alone.
    let mut late = turn(9_999);
    late.created_at = NOW_MS - 300 * MINUTE_MS;
    for (_, kept) in both.each() {
        kept.keep(std::slice::from_ref(&late)).await;
    }
    for left in both.hours_summarised().await {
        assert!(left + 1 >= hours[0], "{left} of {hours:?}");
    }
    assert_eq!(both.reports().await[1]["totals"]["count"], 1301);
    both.summarise().await;
    assert_eq!(both.hours_summarised().await, hours);
    assert_eq!(both.reports().await[1]["totals"]["count"], 1301);
}
