//! What upstream bills is what the records say, to the micro-dollar, over many turns at once: plain
//! ones, hedged ones, ones that another model went on with, ones that the caller dropped in mid-word,
//! ones that failed over, and ones that brought no bill.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use quest_clm::simulate::{CallEnd, ChatCall};
use quest_clm::turn::{Cause, CostSource, MicroUsd, Outcome, TurnRecord};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::is_wanted;

const WHOLE: usize = 10_000;
/// Turns after which it is waited until upstream's books have told all they can: four calls a second
/// are asked about, and the simulator remembers four thousand.
const STRETCH: usize = 1_000;
const AT_ONCE: usize = 16;
/// What the books of one stretch may take.
const SETTLED: Duration = Duration::from_secs(90);

/// What goes wrong with the calls, one after the other, over and over: so many that are well, and one
/// that is not. Two hundred calls in all, of which seven bring no bill.
const FAULTS: &[(usize, &str)] = &[
    (12, "slow-first:2000"),
    (25, "503"),
    (17, "cut:5"),
    (20, "429:1"),
    (15, "no-usage"),
    (13, "err-a:9"),
    (22, "empty"),
    (14, "500"),
    (19, "slow-first:2000"),
    (20, "fin:20"),
    (12, "html"),
];

/// One caller in a hundred is gone after the first words.
const GONE: usize = 100;

/// Each for another coach, and with that for another model and another provider.
const WORDS: &[&str] = &[
    "Hello there.",
    "I was passed over for a promotion.",
    "I want to learn the cello.",
    "Nobody in my team speaks up.",
    "Whom should I ask for a referral?",
];

fn script() -> Vec<&'static str> {
    let once = FAULTS.iter().flat_map(|(well, fault)| {
        let fault = std::iter::once(*fault);
        std::iter::repeat_n("ok", *well).chain(fault)
    });
    let once: Vec<&str> = once.collect();
    // A turn makes two calls at most times, and seldom a third.
    once.iter().cycle().take(STRETCH * 3).copied().collect()
}

/// One turn, heard to its end or not.
async fn turn(app: &TestApp, number: usize) {
    let words = WORDS[number % WORDS.len()];
    let request = Request::hume(&format!("s-{number}"), words);
    if number % GONE == GONE / 2 {
        let mut call = app.call(&request).await;
        call.turn_id().await;
        call.hear_words().await;
        call.reset();
        return;
    }
    let response = app.send(&request).await;
    assert!(response.text().ends_with("data: [DONE]\n\n"));
}

/// Waits until all turns since then are recorded and none holds a guess that the books can better.
pub(crate) async fn settled(app: &TestApp, since_ms: i64, count: usize) {
    let path = format!("/v1/export/turns?format=jsonl&since={since_ms}");
    let began = Instant::now();
    loop {
        let lines = app.send(&Request::get(&path)).await.text();
        let turns: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(turns.len() <= count, "{} turns of {count}", turns.len());
        let mut open = 0;
        for turn in turns.iter().filter(|turn| is_guess(turn)) {
            let turn = app.settled(turn["turn_id"].as_str().unwrap()).await;
            let attempts = turn["attempts"].as_array().unwrap();
            let is_open = |a: &&Value| is_guess(a) && a["generation_id"].is_string();
            open += attempts.iter().filter(is_open).count();
        }
        if (turns.len(), open) == (count, 0) {
            return;
        }
        let took = began.elapsed();
        assert!(took < SETTLED, "{open} guesses in {} turns", turns.len());
        sleep(Duration::from_millis(250)).await;
    }
}

fn is_guess(row: &Value) -> bool {
    matches!(row["cost_source"].as_str(), Some("estimated" | "unknown"))
}

/// What upstream's books say of all calls so far.
#[derive(Default)]
struct Books(BTreeMap<String, ChatCall>);

impl Books {
    /// Takes over all there is, and makes room for more.
    async fn close(&mut self, app: &TestApp) {
        until("no call is open", async || {
            app.chats().iter().all(|c| c.end.is_some()).then_some(())
        })
        .await;
        for mut call in app.chats() {
            call.body = Value::Null;
            let twice = self.0.insert(call.id.clone(), call);
            assert!(twice.is_none());
        }
        app.simulator().ledger().reset();
    }

    fn total(&self) -> i64 {
        self.0.values().map(ChatCall::bill_microusd).sum()
    }

    fn ended(&self, how: CallEnd) -> usize {
        let ends = self.0.values().filter_map(|call| call.end);
        ends.filter(|(end, _)| *end == how).count()
    }

    /// Each attempt's cost is its call's bill, and each call that was billed has an attempt.
    fn compare(&self, turns: &[TurnRecord]) {
        let mut told = BTreeSet::new();
        for attempt in turns.iter().flat_map(|turn| &turn.attempts) {
            let cost = attempt.cost_microusd.map_or(0, |cost| cost.0);
            let Some(id) = &attempt.generation_id else {
                assert_eq!(cost, 0, "refused, and yet paid: {attempt:?}");
                assert!(!attempt.cancelled, "nobody knows its cost: {attempt:?}");
                continue;
            };
            let call = &self.0[id];
            assert_eq!(cost, call.bill_microusd(), "{attempt:?}: {call:?}");
            assert!(told.insert(id), "{id} twice");
        }
        for (id, call) in &self.0 {
            let is_told = told.contains(id) || call.bill_microusd() == 0;
            assert!(is_told, "no attempt of {call:?}");
        }
    }
}

fn attempts(turns: &[TurnRecord], cause: Cause) -> usize {
    let attempts = turns.iter().flat_map(|turn| &turn.attempts);
    attempts.filter(|attempt| attempt.cause == cause).count()
}

fn ended(turns: &[TurnRecord], how: Outcome) -> usize {
    turns.iter().filter(|turn| turn.outcome == how).count()
}

fn corrected(turns: &[TurnRecord]) -> usize {
    let attempts = turns.iter().flat_map(|turn| &turn.attempts);
    attempts
        .filter(|attempt| attempt.cost_source == CostSource::Corrected)
        .count()
}

/// What the reports make of it.
async fn reported(app: &TestApp, total: i64, count: usize) {
    let total = MicroUsd(total).to_string();
    for kind in ["spend", "coaches", "models", "savings"] {
        let path = format!("/v1/analytics/{kind}");
        let totals = app.send(&Request::get(&path)).await.json()["totals"].clone();
        assert_eq!(totals["cost_usd"], total.as_str(), "{kind}: {totals}");
        assert_eq!(totals["unknown_costs"], 0, "{kind}: {totals}");
        assert_eq!(totals["count"], count, "{kind}: {totals}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bill_is_what_the_records_say_to_the_micro_dollar() {
    let count = match is_wanted("CLM_TEST_WHOLE_BILL") {
        true => WHOLE,
        false => WHOLE / 10,
    };
    let settings = [("ZEP_API_KEY", ""), ("DAILY_BUDGET_USD", "100000")];
    let app = TestApp::spawn_alone(&settings).await;
    app.options(|o| o.first_token = Duration::from_millis(1));
    let mut books = Books::default();
    let began = Instant::now();
    for first in (0..count).step_by(STRETCH) {
        let since_ms = quest_clm::clock::Clock::System.now_ms();
        app.script(&script());
        let numbers = first..count.min(first + STRETCH);
        let told = numbers.len();
        stream::iter(numbers)
            .for_each_concurrent(AT_ONCE, |number| turn(&app, number))
            .await;
        settled(&app, since_ms, told).await;
        books.close(&app).await;
    }
    let took = began.elapsed();
    reported(&app, books.total(), count).await;
    let turns = app.stop().await;
    books.compare(&turns);
    let cost = |turn: &TurnRecord| turn.cost_microusd.map_or(0, |cost| cost.0);
    let by_turn: i64 = turns.iter().map(cost).sum();
    assert_eq!((by_turn, turns.len()), (books.total(), count));
    let calls = books.0.len();
    let made = [Cause::Hedge, Cause::Resume, Cause::Fallback].map(|c| attempts(&turns, c));
    let gone = ended(&turns, Outcome::Interrupted);
    let aborted = books.ended(CallEnd::Aborted);
    let corrected = corrected(&turns);
    println!(
        "{count} turns, {calls} calls, {} dollars in {took:.1?}; hedged, resumed, failed over: \
         {made:?}; dropped by callers: {gone}; hung up on: {aborted}; corrected: {corrected}",
        MicroUsd(books.total()),
    );
    // None of the roads is left out.
    let few = count / 1_000;
    assert!(made.iter().all(|n| *n >= 2 * few), "{made:?}");
    assert!(gone >= 5 * few && aborted > gone, "{gone}, {aborted}");
    assert!(corrected >= 20 * few, "{corrected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_dropped_before_its_head_is_estimated_and_not_free() {
    let app = TestApp::spawn(&[("ZEP_API_KEY", ""), ("HEDGING", "false")]).await;
    app.script(&["slow-headers:2000"]);
    let mut call = app.call(&Request::hume("s", "Hello there.")).await;
    let id = call.turn_id().await;
    until("a model is asked", async || app.chats().pop()).await;
    call.reset();
    let turn = app.record(&id).await;
    assert_eq!(turn["outcome"], "interrupted", "{turn}");
    assert_eq!(turn["cost_source"], "estimated", "{turn}");
    assert_eq!(turn["attempts"][0]["status"], Value::Null, "{turn}");
    let cost: f64 = turn["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(cost > 0.0, "{turn}");
    app.stop().await;
}
