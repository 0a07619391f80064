//! What turns cost, by the real binary and in PostgreSQL: estimated at once where no bill came, and
//! then what upstream's own books say, to the millionth of a dollar.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::caller::Request;
use crate::service::{Service, until};
use crate::support::postgres::{Database, Postgres, ask};

/// What is promised from a hang-up to the books.
const SETTLED: Duration = Duration::from_secs(5);
/// What the way into the database may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A service whose records are in PostgreSQL, and the simulator that bills it.
struct House {
    service: Service,
    database: Database,
    settings: Vec<(&'static str, String)>,
}

impl House {
    async fn open(settings: &[(&'static str, &str)]) -> Self {
        let database = Database::fresh().await;
        let mut all = vec![("DATABASE_URL", database.url().to_owned())];
        all.extend(settings.iter().map(|(k, v)| (*k, (*v).to_owned())));
        let service = Service::start(&borrowed(&all)).await;
        Self {
            service,
            database,
            settings: all,
        }
    }

    /// Whether upstream's books tell of calls that have ended.
    async fn books(&self, are_open: bool) {
        let lag = if are_open { 0 } else { 3_600_000 };
        let options = json!({ "generation_lag_ms": lag });
        self.service.simulate(&options).await;
    }

    /// What each call was billed, by its id.
    async fn bills(&self) -> BTreeMap<String, i64> {
        let ledger = self.service.ledger().await;
        let chats = ledger["chats"].as_array().unwrap().iter();
        let bill = |c: &Value| (text(&c["id"]), c["bill_microusd"].as_i64().unwrap());
        chats.map(bill).collect()
    }

    /// Says something, hangs up after the first words, and tells which turn it was, and when.
    async fn hang_up(&self, session: &str) -> (String, Instant) {
        let request = Request::hume(session, "I was passed over for a promotion.");
        let mut call = self.service.call(&request).await;
        let turn = call.turn_id().await;
        call.hear_words().await;
        (turn, call.reset())
    }

    /// The cost of a turn as the database has it: of its attempts, of itself, of its session.
    async fn kept(&self, turn: &str) -> Option<Kept> {
        let sql = format!(
            "select json_build_object(
                'attempts', (select json_agg(a.* order by a.position) from attempt a
                             where a.turn_id = t.turn_id),
                'turn', t.*, 'session', s.*)
            from turn t join session s using (session_id) where t.turn_id = '{turn}'"
        );
        // Nothing, where there is no such table yet, or nobody answers.
        let rows = ask(self.database.url(), &sql).await.unwrap_or_default();
        let row: Value = serde_json::from_str(rows.first()?).unwrap();
        (!row["attempts"].is_null()).then_some(Kept(row))
    }

    /// The same, once every attempt is as upstream's books have it.
    async fn corrected(&self, turn: &str) -> Kept {
        until("the turn's cost from upstream's books", async || {
            let kept = self.kept(turn).await?;
            let is_open = |source: &String| matches!(source.as_str(), "estimated" | "unknown");
            (!kept.sources().iter().any(is_open)).then_some(kept)
        })
        .await
    }

    /// What `GET /v1/turns/{id}` tells.
    async fn told(&self, turn: &str) -> Value {
        let request = Request::get(&format!("/v1/turns/{turn}"));
        let response = self.service.send(&request).await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }
}

#[derive(Debug)]
struct Kept(Value);

impl Kept {
    /// Of each attempt that reached a model: an error costs nothing and is in no books.
    fn sources(&self) -> Vec<String> {
        self.reached().map(|a| text(&a["cost_source"])).collect()
    }

    fn costs(&self) -> Vec<Option<i64>> {
        self.reached()
            .map(|a| a["cost_microusd"].as_i64())
            .collect()
    }

    fn reached(&self) -> impl Iterator<Item = &Value> {
        let attempts = self.0["attempts"].as_array().unwrap().iter();
        attempts.filter(|a| a["status"] == 200)
    }

    /// Of the turn and of its session, whose only turn it is, with the turns of unknown cost.
    fn totals(&self) -> (Option<i64>, i64, i64) {
        let session = |field: &str| self.0["session"][field].as_i64().unwrap();
        let turn = self.0["turn"]["cost_microusd"].as_i64();
        (turn, session("cost_microusd"), session("unknown_costs"))
    }

    fn source(&self) -> String {
        text(&self.0["turn"]["cost_source"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(k, v)| (*k, v.as_str())).collect()
}

/// Dollars as the API writes them.
fn dollars(microusd: i64) -> String {
    format!("{}.{:06}", microusd / 1_000_000, microusd % 1_000_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_hang_up_is_estimated_at_once_and_corrected_within_five_seconds() {
    let house = House::open(&[("HEDGING", "false")]).await;
    house.service.simulate(&json!({ "gap_ms": 50 })).await;
    house.books(false).await;
    let (turn, hung_up) = house.hang_up("s").await;
    let estimated = until("the estimate", async || house.kept(&turn).await).await;
    let took = hung_up.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    let [Some(guess)] = estimated.costs()[..] else {
        panic!("{estimated:?}")
    };
    assert!(guess > 0, "{estimated:?}");
    assert_eq!(estimated.sources(), ["estimated"]);
    assert_eq!(estimated.source(), "estimated");
    assert_eq!(estimated.totals(), (Some(guess), guess, 0));
    house.books(true).await;
    let corrected = house.corrected(&turn).await;
    let took = hung_up.elapsed();
    assert!(took < SETTLED, "{took:?}");
    let bills = house.bills().await;
    let [bill] = bills.values().copied().collect::<Vec<_>>()[..] else {
        panic!("one call: {bills:?}")
    };
    assert!(bill > 0 && bill != guess, "{bill} was no guess");
    assert_eq!(corrected.costs(), [Some(bill)]);
    assert_eq!(corrected.sources(), ["corrected"]);
    assert_eq!(corrected.source(), "corrected");
    assert_eq!(corrected.totals(), (Some(bill), bill, 0));
}

/// What the next calls do, and what they are made for.
const ROADS: &[(&[&str], &[&str])] = &[
    (&["slow-first:3000", "ok"], &["first", "hedge"]),
    (&["cut:5", "ok"], &["first", "resume"]),
    (&["503", "ok"], &["first", "fallback"]),
    (
        &["slow-first:3000", "cut:5", "ok"],
        &["first", "hedge", "resume"],
    ),
    (&["slow-first:3000", "no-usage"], &["first", "hedge"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_all_attempts_of_a_turn_are_the_bill_and_are_shown_apart() {
    for (script, causes) in ROADS {
        // A house of its own: a turn in ten is hedged, and a model that broke off is remembered.
        let house = House::open(&[]).await;
        house.service.simulate(&json!({ "script": script })).await;
        let heard = house.service.say("s", "I was passed over.").await;
        let kept = house.corrected(&heard.turn_id).await;
        let bills = house.bills().await;
        assert_eq!(bills.len(), causes.len(), "{script:?}");
        let bill: i64 = bills.values().sum();
        let sum: i64 = kept.costs().iter().map(|cost| cost.unwrap()).sum();
        assert_eq!(sum, bill, "{script:?}: {kept:?}");
        assert_eq!(kept.totals(), (Some(bill), bill, 0), "{script:?}");
        let told = house.told(&heard.turn_id).await;
        assert_eq!(told["cost_usd"], dollars(bill), "{script:?}");
        let attempts = told["attempts"].as_array().unwrap();
        let made_for: Vec<String> = attempts.iter().map(|a| text(&a["cause"])).collect();
        assert_eq!(made_for, *causes, "{script:?}");
        for attempt in attempts {
            match bills.get(&text(&attempt["generation_id"])) {
                Some(bill) => assert_eq!(attempt["cost_usd"], dollars(*bill), "{script:?}"),
                // Refused before it had an id; that costs nothing.
                None => assert_eq!(attempt["status"], 503, "{attempt}"),
            }
        }
    }
}

/// A model that is in nobody's list.
const UNLISTED: &[(&str, &str)] = &[
    ("COACH_MODEL_MASTER", "nobody/knows-this-one"),
    ("COACH_MODEL_CAREER", "nobody/knows-this-one"),
    ("HEDGING", "false"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_an_unknown_price_is_unknown_and_never_zero_until_it_is_known() {
    let house = House::open(UNLISTED).await;
    house.service.simulate(&json!({ "gap_ms": 50 })).await;
    house.books(false).await;
    let (turn, _) = house.hang_up("s").await;
    let unknown = until("the turn", async || house.kept(&turn).await).await;
    assert_eq!(unknown.costs(), [None]);
    assert_eq!(unknown.sources(), ["unknown"]);
    assert_eq!(unknown.source(), "unknown");
    assert_eq!(unknown.totals(), (None, 0, 1));
    let told = house.told(&turn).await;
    for cost in ["/cost_usd", "/attempts/0/cost_usd"] {
        assert_eq!(told.pointer(cost), Some(&Value::Null), "{cost}");
    }
    house.books(true).await;
    let corrected = house.corrected(&turn).await;
    let bill: i64 = house.bills().await.values().sum();
    assert!(bill > 0);
    assert_eq!(corrected.costs(), [Some(bill)]);
    assert_eq!(corrected.totals(), (Some(bill), bill, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_what_a_killed_process_had_no_bill_for_is_corrected_by_the_next() {
    for settings in [UNLISTED, &[("HEDGING", "false")]] {
        let mut house = House::open(settings).await;
        house.service.simulate(&json!({ "gap_ms": 50 })).await;
        house.books(false).await;
        let (turn, _) = house.hang_up("s").await;
        until("the turn", async || house.kept(&turn).await).await;
        let settings = house.settings.clone();
        house.service.kill_and_start(&borrowed(&settings)).await;
        house.books(true).await;
        let corrected = house.corrected(&turn).await;
        let bill: i64 = house.bills().await.values().sum();
        assert_eq!(corrected.costs(), [Some(bill)]);
        assert_eq!(corrected.sources(), ["corrected"]);
        assert_eq!(corrected.totals(), (Some(bill), bill, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_so_is_what_the_store_did_not_have_yet_when_it_was_killed() {
    let mut postgres = Postgres::start().await;
    let database = postgres.database().await;
    let settings = [
        ("DATABASE_URL", database.url().to_owned()),
        ("HEDGING", "false".to_owned()),
    ];
    let service = Service::start(&borrowed(&settings)).await;
    let mut house = House {
        service,
        database,
        settings: settings.to_vec(),
    };
    house.service.simulate(&json!({ "gap_ms": 50 })).await;
    house.books(false).await;
    postgres.kill().await;
    let (turn, _) = house.hang_up("s").await;
    until("the turn is on the disk", async || {
        let ready = house.service.send(&Request::get("/readyz")).await.json();
        (ready["dependencies"]["spool"]["rows"].as_u64()? > 0).then_some(())
    })
    .await;
    postgres.start_again().await;
    house.service.kill_and_start(&borrowed(&settings)).await;
    house.books(true).await;
    let corrected = house.corrected(&turn).await;
    let bill: i64 = house.bills().await.values().sum();
    assert_eq!(corrected.costs(), [Some(bill)]);
    assert_eq!(corrected.totals(), (Some(bill), bill, 0));
}
