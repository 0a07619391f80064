//! What machines share by way of Redis, live numbers and turns, with a real one and what can befall it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, also where a function has no #[test] on it"
)]

mod newer;
mod repeats;
mod server;

use std::cell::Cell;
use std::time::Duration;

use quest_clm::clock::Clock;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::counters::{Counters, Now, RedisHealth, Scope, Sharing};
use quest_clm::turn::TurnRecord;
use serde_json::json;
use tokio::time::{Instant, sleep};

use server::Redis;

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// As long as a breaker rests here: a minute is too long for a test.
const REST: Duration = Duration::from_secs(2);

/// Asks again every few milliseconds until it is so; fails when it never is.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        sleep(Duration::from_millis(3)).await;
    }
}

/// One instance of the service, as far as it counts.
struct Machine {
    counters: Counters,
    lifecycle: Lifecycle,
}

impl Machine {
    /// With so many turns open.
    fn start(redis: &Redis, open: usize) -> Self {
        let lifecycle = Lifecycle::new();
        let sharing = Sharing {
            url: redis.url().into(),
            rest: REST,
        };
        let counters = Counters::start(Some(sharing), move || open, Clock::System, &lifecycle);
        Self {
            counters: counters.unwrap(),
            lifecycle,
        }
    }

    fn settle(&self, turns: usize) {
        let turn: TurnRecord = serde_json::from_value(json!({
            "turn_id": "turn-1", "session_id": "session-1", "user_hash": "user-1",
            "profile": "hume", "identity": "signed", "coach": "master", "coach_reason": "default",
            "tier": "free", "planned_model": "some-model", "outcome": "interrupted",
            "first_speakable_ms": 300.0, "total_ms": 900.0, "memory_outcome": "off",
            "completion_tokens": 20, "cost_microusd": 1500, "cost_source": "reported",
            "hedged": false, "continued": false, "lead_in": false, "trace_id": "trace-1",
            "created_at": 0
        }))
        .unwrap();
        (0..turns).for_each(|_| self.counters.note(&turn));
    }

    fn now(&self) -> Now {
        self.counters.snapshot()
    }

    /// Whose numbers; machines, open turns, turns of the minute and of the day.
    fn seen(&self) -> (Scope, [u64; 4]) {
        let now = self.now();
        let turns = [now.last_minute.turns, now.today.turns];
        (
            now.scope,
            [now.machines, now.open_turns, turns[0], turns[1]],
        )
    }

    async fn sees(&self, numbers: [u64; 4]) {
        let expected = (Scope::Shared, numbers);
        until(&format!("{expected:?}"), async || self.seen() == expected).await;
    }

    async fn stop(self) {
        self.lifecycle.hard().cancel();
        self.lifecycle.drained().await;
    }
}

/// Two machines with five turns and three open ones between them, which both know of.
async fn two(redis: &Redis) -> (Machine, Machine) {
    let (a, b) = (Machine::start(redis, 1), Machine::start(redis, 2));
    a.settle(3);
    b.settle(2);
    a.sees([2, 3, 5, 5]).await;
    b.sees([2, 3, 5, 5]).await;
    (a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_see_what_both_do() {
    let redis = Redis::start().await;
    let (a, b) = two(&redis).await;
    let now = a.now();
    assert_eq!((now.reason, a.counters.redis()), (None, RedisHealth::Up));
    assert_eq!(now.last_minute.outcomes["interrupted"], 5);
    assert_eq!(now.last_minute.tokens, 100);
    assert_eq!(now.last_minute.cost_usd.to_string(), "0.007500");
    assert_eq!(now.today.cost_usd.to_string(), "0.007500");
    let p50 = now.last_minute.first_speakable_p50_ms.unwrap();
    assert!((p50 / 300.0 - 1.0).abs() < 0.08, "{p50}");
    // Told again every second, nothing counts twice.
    sleep(Duration::from_secs(3)).await;
    until("told again", async || a.now().as_of > now.as_of).await;
    assert_eq!(a.seen(), (Scope::Shared, [2, 3, 5, 5]));
    b.stop().await;
    a.stop().await;
}

/// A hash of machines, and one that is always there.
const MACHINES: &str = "clm:{1}:machines";
const ETERNAL: &str = r#"99999999999999 {"open":1,"slices":[]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_hundred_machines_tells_each_second_and_reads_each_fourth() {
    let redis = Redis::start().await;
    for n in 0..99 {
        redis.ask::<u64>(&["HSET", MACHINES, &format!("other-{n}"), ETERNAL]);
    }
    let machine = Machine::start(&redis, 1);
    machine.sees([100, 100, 0, 0]).await;
    let calls = |command: &str| {
        let told: String = redis.ask(&["INFO", "commandstats"]);
        let line = told.split(&format!("cmdstat_{command}:calls=")).nth(1);
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse::<u64>().unwrap())
    };
    let before = (calls("evalsha"), calls("hgetall"));
    let alone = Cell::new(0);
    until("nine more are told", async || {
        alone.set(alone.get() + u32::from(machine.now().scope != Scope::Shared));
        calls("evalsha") >= before.0 + 9
    })
    .await;
    let read = calls("hgetall") - before.1;
    assert!((2..=3).contains(&read), "{read}");
    assert_eq!(
        alone.get(),
        0,
        "numbers that were read are shown until the next are"
    );
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_numbers_for_a_while_and_nobody() {
    let redis = Redis::start().await;
    let (a, _b) = two(&redis).await;
    let mut keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    keys.sort();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].starts_with("clm:{1}:day:"), "{keys:?}");
    assert_eq!(keys[1], "clm:{1}:machines");
    for (key, seconds) in keys.iter().zip([172_800, 120]) {
        let left: i64 = redis.ask(&["TTL", key]);
        assert!((seconds - 30..=seconds).contains(&left), "{key}: {left}");
        let held: Vec<String> = redis.ask(&["HGETALL", key]);
        let held = held.join(" ");
        for word in [
            "session-1",
            "user-1",
            "turn-1",
            "trace-1",
            "master",
            "some-model",
        ] {
            assert!(!held.contains(word), "{held}");
        }
    }
    a.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_machine_is_alone_within_three_seconds_and_says_so() {
    let mut redis = Redis::start().await;
    let (a, b) = two(&redis).await;
    redis.kill();
    let gone = Instant::now();
    until("alone", async || a.now().scope == Scope::Local).await;
    assert!(
        gone.elapsed() < Duration::from_millis(3100),
        "{:?}",
        gone.elapsed()
    );
    let now = a.now();
    assert_eq!(now.reason, Some("redis does not answer"));
    assert_eq!(a.seen(), (Scope::Local, [1, 1, 3, 3]));
    assert_eq!(a.counters.redis(), RedisHealth::Down);
    a.settle(1);
    // Long enough for the breaker to open; it comes back with nothing in it.
    sleep(Duration::from_secs(4)).await;
    redis.start_again().await;
    a.sees([2, 3, 6, 6]).await;
    b.sees([2, 3, 6, 6]).await;
    assert_eq!(a.counters.redis(), RedisHealth::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_redis_that_hangs() {
    let redis = Redis::start().await;
    let (a, b) = two(&redis).await;
    redis.pause();
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(4) {
        let before = Instant::now();
        let _ = (a.settle(1), a.now(), a.counters.redis());
        longest = longest.max(before.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    assert!(longest < Duration::from_millis(20), "{longest:?}");
    assert_eq!(a.now().scope, Scope::Local);
    let turns = a.now().today.turns;
    // What was sent meanwhile is carried out now, its answers lost: it must not count twice.
    redis.resume();
    a.sees([2, 3, turns + 2, turns + 2]).await;
    b.sees([2, 3, turns + 2, turns + 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_is_right_again_within_two_seconds() {
    let redis = Redis::start().await;
    let (a, b) = two(&redis).await;
    for with_scripts in [false, true] {
        if with_scripts {
            redis.ask::<()>(&["SCRIPT", "FLUSH"]);
        }
        redis.flush();
        let flushed = Instant::now();
        // What is shown by then was read after both had told again.
        sleep(Duration::from_secs(2)).await;
        for machine in [&a, &b] {
            machine.sees([2, 3, 5, 5]).await;
        }
        // A second more, for a call that a busy machine was too late with.
        assert!(flushed.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_did_outlives_it() {
    let redis = Redis::start().await;
    let (a, b) = two(&redis).await;
    b.settle(4);
    // Told as it leaves, without waiting for the next second.
    b.stop().await;
    a.sees([1, 1, 9, 9]).await;
    let again = Machine::start(&redis, 5);
    again.settle(1);
    a.sees([2, 6, 10, 10]).await;
}
