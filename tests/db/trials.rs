//! Turns of experiments, in both stores: they count once they are known to, whatever comes first.

use quest_clm::record::Commit;
use quest_clm::turn::{CostSource, MicroUsd, Outcome, TurnRecord};
use serde_json::Value;

use crate::contract::Both;
use crate::kept::{Kept, MINUTE_MS, NOW_MS, turn};

/// One turn of an arm, answered.
fn trial(n: u32, variant: &str) -> TurnRecord {
    TurnRecord {
        experiment: Some("warmth".to_owned()),
        variant: Some(variant.to_owned()),
        outcome: Outcome::Complete,
        cost_microusd: Some(MicroUsd(match variant {
            "b" => 400 + i64::from(n % 2),
            _ => 800 + i64::from(n % 2),
        })),
        cost_source: CostSource::Reported,
        first_speakable_ms: Some(400.0),
        ..turn(n)
    }
}

fn commit(kept: &Kept, turn: &TurnRecord) {
    kept.recorder.commit(Commit {
        turn_id: turn.turn_id.clone(),
        created_at: NOW_MS,
    });
}

/// The turns of each arm that are told of, and what is said of the arm; both stores say the same.
async fn told(both: &Both) -> Vec<(String, u64, String)> {
    let reports = both.reports().await;
    let items = reports[4]["items"].as_array().unwrap().iter();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    items
        .map(|item| {
            let count = item["count"].as_u64().unwrap();
            (text(item, "variant"), count, text(item, "verdict"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_counts_once_it_is_committed_whichever_is_told_first() {
    let turns: Vec<_> = (0..40)
        .map(|n| trial(n, ["a", "b"][n as usize % 2]))
        .collect();
    let both = Both::with(&[]).await;
    for (_, kept) in both.each() {
        // Told before the turn is there.
        turns[..10].iter().for_each(|turn| commit(kept, turn));
        kept.settled().await;
        kept.keep(&turns).await;
    }
    let early = told(&both).await;
    let counts: Vec<_> = early.iter().map(|arm| (arm.0.as_str(), arm.1)).collect();
    assert_eq!(counts, [("a", 5), ("b", 5)]);
    for (_, kept) in both.each() {
        // In two batches, and some twice.
        turns[5..20].iter().for_each(|turn| commit(kept, turn));
        kept.settled().await;
        turns[20..30].iter().for_each(|turn| commit(kept, turn));
        kept.settled().await;
        kept.keep(&turns).await;
    }
    let later = told(&both).await;
    let counts: Vec<_> = later.iter().map(|arm| (arm.0.as_str(), arm.1)).collect();
    assert_eq!(counts, [("a", 15), ("b", 15)]);
    assert_eq!(later[0].2, "the others are compared with it");
    // Half a micro-dollar's spread around 400 less.
    assert!(
        later[1].2.starts_with("cheaper by $0.000399 a turn"),
        "{later:?}"
    );
    // What counts for no experiment is in all other reports all the same.
    let reports = both.reports().await;
    assert_eq!(reports[1]["totals"]["count"], 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_makes_the_summary_of_its_hour_anew() {
    let mut old = trial(0, "a");
    old.created_at = NOW_MS - 200 * MINUTE_MS;
    let plain = turn(1);
    assert_eq!(plain.experiment, None);
    let both = Both::with(&[old.clone(), plain.clone()]).await;
    both.summarise().await;
    let hours = both.hours_summarised().await;
    assert!(hours[0] > 0 && hours[1] == hours[0], "{hours:?}");
    assert_eq!(told(&both).await, []);
    for (_, kept) in both.each() {
        commit(kept, &old);
        // It is in no experiment, and does not become part of one.
        commit(kept, &plain);
        kept.settled().await;
    }
    let counted = [("a".to_owned(), 1, "nothing to compare it with".to_owned())];
    assert_eq!(told(&both).await, counted);
    both.summarise().await;
    assert_eq!(both.hours_summarised().await, hours);
    assert_eq!(told(&both).await, counted);
}
