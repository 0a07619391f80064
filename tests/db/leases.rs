//! One day's cap over several machines on one PostgreSQL.

use std::time::Duration;

use futures::future::join_all;
use quest_clm::clock::Clock;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Leases, Records};
use quest_clm::routing::budget::{Budget, Limits, Payer, Reservation, Sharing};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::MicroUsd;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::caller::Request;
use crate::kept::settings;
use crate::service::Service;
use crate::support::postgres::{Database, ask};
use crate::support::until;

const LIMITS: Limits = Limits {
    daily: MicroUsd(200),
    cap: MicroUsd(400),
    user: None,
    session: None,
};
const PAYER: Payer<'static> = Payer {
    user: None,
    session: "s",
};

/// One machine: its books and its place among the others.
struct Machine {
    budget: Budget,
    leases: Leases,
    _data: TempDir,
    _records: Records,
}

impl Machine {
    async fn start(url: &str, sharing: Sharing) -> Self {
        let data = tempfile::tempdir().unwrap();
        let lifecycle = Lifecycle::new();
        let settings = settings(data.path(), Some(url));
        let records = Records::open(&settings, &lifecycle, Clock::System, Live::default()).unwrap();
        quest_clm::record::migrate(&settings, &lifecycle)
            .await
            .unwrap();
        Self {
            budget: Budget::new(LIMITS, sharing),
            leases: records.leases().unwrap(),
            _data: data,
            _records: records,
        }
    }

    async fn renew(&self) {
        let renewal = self.budget.renewal(now()).unwrap();
        let grant = self.leases.renew(renewal, MicroUsd(0)).await.unwrap();
        self.budget.granted(grant, now());
    }

    /// Asks for so many turns of a micro-dollar each, all of them at once.
    async fn ask(&self, turns: usize) -> Vec<Reservation> {
        let due = Instant::now() + Duration::from_secs(20);
        let asked = (0..turns).map(|_| self.budget.reserve(PAYER, MicroUsd(1), now()));
        let asked: Vec<_> = asked.filter_map(Result::ok).collect();
        // What waits is asked for until it is answered, as the service does.
        let renewing = async {
            loop {
                self.renew().await;
                self.budget.wanted().await;
            }
        };
        let answered = join_all(asked.into_iter().map(|asked| asked.until(due)));
        tokio::select! {
            answered = answered => answered.into_iter().filter_map(Result::ok).collect(),
            () = renewing => Vec::new(),
        }
    }
}

fn now() -> i64 {
    Clock::System.now_ms()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_ten_machines_and_a_hundred_turns_each_get_exactly_the_limit_in_strict_mode() {
    let database = Database::fresh().await;
    let machines = join_all((0..10).map(|_| Machine::start(database.url(), Sharing::Strict))).await;
    let granted = join_all(machines.iter().map(|machine| machine.ask(100))).await;
    let all: usize = granted.iter().map(Vec::len).sum();
    assert_eq!(all, 400, "the cap is 400 and a thousand were asked for");
    // A quarter turns out to have cost nothing: as many more, on whichever machine asks.
    let settled = granted.into_iter().flatten().enumerate();
    settled.for_each(|(n, r)| r.settle(MicroUsd(i64::from(n % 4 != 0))));
    for machine in &machines {
        machine.renew().await;
    }
    assert_eq!(machines[3].ask(1000).await.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_never_more_than_the_cap_together() {
    let database = Database::fresh().await;
    let leased = Sharing::Leased(MicroUsd(50));
    let machines = join_all((0..4).map(|_| Machine::start(database.url(), leased))).await;
    let granted = join_all(machines.iter().map(|machine| machine.ask(300))).await;
    let all: usize = granted.iter().map(Vec::len).sum();
    // Room that the others hold ahead is the price of not asking for every turn.
    assert!((200..=400).contains(&all), "{all}");
    let held = "select sum(held_microusd)::bigint::text from lease";
    let held: i64 = ask(database.url(), held).await.unwrap()[0].parse().unwrap();
    assert!(held <= 400, "{held}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_for_one_cap_and_a_third_takes_up_what_they_spent() {
    let database = Database::fresh().await;
    let url = database.url();
    let set = |strict: &'static str| {
        [
            ("DATABASE_URL", url.to_owned()),
            ("DAILY_BUDGET_USD", "0".to_owned()),
            ("DAILY_HARD_CAP_USD", "0.02".to_owned()),
            ("BUDGET_STRICT", strict.to_owned()),
            // A busy machine is no reason to refuse a turn here.
            ("MEMORY_DEADLINE_MS", "5000".to_owned()),
            ("OPENROUTER_FALLBACK_ENABLED", "false".to_owned()),
        ]
    };
    let set = set("true");
    let set: Vec<(&str, &str)> = set.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let first = Service::start(&set).await;
    let second = first.another(&set).await;
    for service in [&first, &second] {
        until("the store is there", async || {
            let ready = service.readiness().await;
            ready["dependencies"]["store"]["status"] == "ok"
        })
        .await;
    }
    // Far more than there is money for.
    let mut spoken = 0;
    for round in 0..6 {
        let turns = (0..10).flat_map(|n| [(&first, n), (&second, n)]);
        let turns = turns.map(|(service, n)| async move {
            let session = format!("s-{round}-{n}");
            service.say(&session, "Hello").await.turn_id
        });
        spoken += join_all(turns).await.len();
    }
    assert_eq!(spoken, 120);
    let costs = "select coalesce(sum(cost_microusd), 0)::bigint::text from turn";
    let outcomes = "select outcome || ' ' || count(*) from turn group by outcome order by 1";
    let all = "select count(*)::text from turn";
    until("every turn is recorded", async || {
        ask(url, all).await.is_ok_and(|count| count == ["120"])
    })
    .await;
    let spent: i64 = ask(url, costs).await.unwrap()[0].parse().unwrap();
    let outcomes = ask(url, outcomes).await.unwrap();
    // Each turn costs far less than what is set aside for it, so most of the cap gets spent.
    assert!((10_000..=20_000).contains(&spent), "{spent} {outcomes:?}");
    assert!(
        outcomes.iter().any(|o| o.starts_with("shed")),
        "{outcomes:?}"
    );
    // One that starts now knows what was spent.
    let third = first.another(&set).await;
    until("what was spent is known", async || {
        let request = Request::get("/v1/budget");
        let standing: Value = third.send(&request).await.json();
        let told: f64 = standing["spent_usd"].as_str().unwrap().parse().unwrap();
        (told * 1e6).round() == spent as f64 && standing["sharing"] == json!("strict")
    })
    .await;
}
