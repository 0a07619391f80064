//! What turns cost, as both stores add it up for the budget.

use quest_clm::routing::budget::Owner;
use quest_clm::turn::{MicroUsd, TurnRecord};

use crate::contract::Both;
use crate::kept::{MINUTE_MS, NOW_MS, id_at, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spent_is_told_of_any_time_and_of_one_owner() {
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    let spent = |n: u32, age_ms: i64, cost: Option<i64>, ceiling: Option<i64>| TurnRecord {
        turn_id: id_at(NOW_MS - age_ms, n),
        session_id: format!("session-{n}"),
        user_hash: (n == 1).then(|| "somebody".to_owned()),
        created_at: NOW_MS - age_ms,
        cost_microusd: cost.map(MicroUsd),
        ceiling_microusd: ceiling.map(MicroUsd),
        ..turn(n)
    };
    let both = Both::with(&[
        spent(1, 0, Some(1), None),
        spent(2, HOUR_MS, Some(10), Some(500)),
        // Nobody knows what it cost: what it was at most.
        spent(3, HOUR_MS + 1, None, Some(100)),
        spent(4, 2 * HOUR_MS, None, None),
        spent(1, 30 * HOUR_MS, Some(1000), None),
    ])
    .await;
    for (store, kept) in both.each() {
        let ago = |hours: i64| NOW_MS - hours * HOUR_MS;
        let asked = async |since: i64, until: Option<i64>, owner: Option<Owner>| {
            let spent = kept.reader.spent(since, until, owner.as_ref()).await;
            spent.unwrap().0
        };
        let told = [
            asked(ago(24), None, None).await,
            asked(ago(1), None, None).await,
            // From a moment on, and before another.
            asked(ago(1), Some(ago(0)), None).await,
            asked(ago(2), Some(ago(1)), None).await,
            asked(ago(24), None, Some(Owner::User("somebody".to_owned()))).await,
            asked(0, None, Some(Owner::Session("session-1".to_owned()))).await,
        ];
        assert_eq!(told, [111, 11, 10, 100, 1, 1001], "{store}");
    }
}
