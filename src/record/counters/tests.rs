use serde_json::json;
use tokio::time::advance;

use super::*;

/// A settled turn with this outcome.
pub(super) fn turn(outcome: &str) -> TurnRecord {
    serde_json::from_value(json!({
        "turn_id": "turn-1", "session_id": "session-1", "user_hash": "user-1", "profile": "hume",
        "identity": "signed", "coach": "master", "coach_reason": "default", "tier": "free",
        "planned_model": "a", "outcome": outcome, "first_speakable_ms": 300.0, "total_ms": 900.0,
        "memory_outcome": "off", "completion_tokens": 20, "cost_microusd": 1500,
        "cost_source": "reported", "hedged": false, "continued": false, "lead_in": false,
        "trace_id": "trace-1", "created_at": 0
    }))
    .unwrap()
}

fn counters(sharing: Option<Sharing>) -> Counters {
    let clock = Clock::Fixed(1_795_338_902_000);
    Counters::start(sharing, || 3, clock, &Lifecycle::new()).unwrap()
}

/// An address at which nobody listens.
fn nowhere() -> Option<Sharing> {
    Some(Sharing::new("redis://127.0.0.1:1".into()))
}

#[tokio::test(start_paused = true)]
async fn alone_it_tells_its_own_numbers_and_says_so() {
    let counters = counters(None);
    counters.note(&turn("complete"));
    counters.note(&TurnRecord {
        cost_microusd: None,
        completion_tokens: None,
        first_speakable_ms: None,
        ..turn("failed")
    });
    let now = serde_json::to_value(counters.snapshot()).unwrap();
    let expected = json!({
        "scope": "local", "reason": "redis is not configured", "machines": 1, "open_turns": 3,
        "last_minute": {
            "turns": 2, "complete": 1, "failed": 1, "interrupted": 0, "superseded": 0,
            "partial_recovered": 0, "partial_failed": 0, "shed": 0,
            "tokens": 20, "cost_usd": "0.001500", "cost_unknown": 1,
            "first_speakable_p50_ms": now["last_minute"]["first_speakable_p50_ms"],
            "first_speakable_p95_ms": now["last_minute"]["first_speakable_p50_ms"],
        },
        "today": { "turns": 2, "cost_usd": "0.001500", "cost_unknown": 1 },
        "as_of": "2026-11-22T09:15:02.000Z",
    });
    assert_eq!(now, expected);
    assert_eq!(counters.redis(), RedisHealth::Off);
    advance(Duration::from_secs(60)).await;
    let later = counters.snapshot();
    assert_eq!((later.last_minute.turns, later.today.turns), (0, 2));
    assert_eq!(later.last_minute.first_speakable_p50_ms, None);
}

#[tokio::test(start_paused = true)]
async fn shared_numbers_are_shown_for_three_seconds() {
    let counters = counters(nowhere());
    assert_eq!(counters.snapshot().reason, Some("redis was not read yet"));
    assert_eq!(counters.redis(), RedisHealth::Up, "it was just asked");
    counters.heard(Some(Sum {
        machines: 2,
        open: 9,
        ..Sum::default()
    }));
    advance(Duration::from_millis(2999)).await;
    let now = counters.snapshot();
    assert_eq!(
        (now.scope, now.reason, now.machines, now.open_turns),
        (Scope::Shared, None, 2, 9)
    );
    assert_eq!(counters.redis(), RedisHealth::Up);
    // Redis answered, and was not asked what others told.
    counters.heard(None);
    advance(Duration::from_millis(2999)).await;
    assert_eq!(counters.snapshot(), now, "as of when it was read");
    advance(Duration::from_millis(1)).await;
    let now = counters.snapshot();
    assert_eq!(
        (now.scope, now.machines, now.open_turns),
        (Scope::Local, 1, 3)
    );
    assert_eq!(now.reason, Some("redis does not answer"));
    assert_eq!(counters.redis(), RedisHealth::Down);
    // It answers again: what was read before is not shown for that.
    counters.heard(None);
    assert_eq!(counters.redis(), RedisHealth::Up);
    let now = counters.snapshot();
    assert_eq!(
        (now.scope, now.reason),
        (Scope::Local, Some("redis was not read yet"))
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_its_password() {
    let url = "redis://:hunter2@host/not-a-number";
    let lifecycle = Lifecycle::new();
    let refused = Counters::start(
        Some(Sharing::new(url.into())),
        || 0,
        Clock::System,
        &lifecycle,
    );
    let text = format!("{:?}", refused.err().unwrap());
    assert!(!text.contains("hunter2"), "{text}");
}
