//! Every kind, as it goes out.

use super::*;

const NOON_MS: i64 = 1_795_867_200_000;

fn each() -> Vec<Alert> {
    let day = Day::of(NOON_MS);
    let (spent, model) = (MicroUsd(40_100_000), "a/b".to_owned());
    vec![
        Alert::BudgetThreshold {
            percent: Threshold::Most,
            spent,
            budget: MicroUsd(50_000_000),
            day: day.clone(),
        },
        Alert::BudgetCap {
            spent,
            cap: spent,
            day: day.clone(),
        },
        Alert::KeyRefused {
            status: Refusal::NoCredits,
        },
        Alert::BalanceLow { remaining: spent },
        Alert::ModelGone {
            model: model.clone(),
            successor: Some("a/c".to_owned()),
        },
        Alert::ModelEnding {
            model: model.clone(),
            ends: day,
            successor: None,
        },
        Alert::PriceUnknown { model },
        Alert::BreakerOpen {
            target: "zep".to_owned(),
        },
        Alert::SpoolAge {
            age: Duration::from_secs(600),
        },
        Alert::SpoolDegraded,
        Alert::Test,
    ]
}

#[test]
fn every_kind_has_its_type_and_its_key() {
    let named: Vec<(&str, String)> = each().iter().map(|a| (a.kind(), a.key())).collect();
    let expected = [
        ("budget.threshold", "budget:2026-11-28:80"),
        ("budget.cap", "budget:2026-11-28:cap"),
        ("upstream.key_refused", "key:402"),
        ("upstream.balance_low", "balance"),
        ("model.gone", "model:a/b:gone"),
        ("model.ending", "model:a/b:ending:2026-11-28"),
        ("model.unpriced", "model:a/b:unpriced"),
        ("breaker.open", "breaker:zep"),
        ("spool.age", "spool"),
        ("spool.degraded", "spool:degraded"),
        ("test", "test"),
    ];
    assert_eq!(named, expected.map(|(kind, key)| (kind, key.to_owned())));
}

#[test]
fn every_body_has_a_type_a_time_and_words_for_a_person() {
    for alert in each() {
        let body: Value = serde_json::from_str(&alert.body(NOON_MS)).unwrap();
        assert_eq!(body["type"], alert.kind());
        assert_eq!(body["timestamp"], "2026-11-28T12:00:00.000Z");
        assert_eq!(body["data"]["message"], alert.message(), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 3);
    }
    let body: Value = serde_json::from_str(&each()[0].body(NOON_MS)).unwrap();
    let message = "80 % of the budget of 2026-11-28 is spent: 40.100000 of 50.000000 dollars";
    let data = json!({
        "percent": 80,
        "spent_usd": "40.100000",
        "budget_usd": "50.000000",
        "day": "2026-11-28",
        "message": message,
    });
    assert_eq!(body["data"], data);
}

#[test]
fn the_highest_threshold_counts_and_covers_the_lower_ones() {
    use Threshold::{All, Half, Most};
    for (spent, budget, expected) in [
        (0, 100, None),
        (49, 100, None),
        (50, 100, Some(Half)),
        (79, 100, Some(Half)),
        (80, 100, Some(Most)),
        (99, 100, Some(Most)),
        (100, 100, Some(All)),
        (i64::MAX, 1, Some(All)),
        (i64::MAX, i64::MAX, Some(All)),
        (0, 0, None),
        (5, 0, None),
    ] {
        let reached = Threshold::reached(MicroUsd(spent), MicroUsd(budget));
        assert_eq!(reached, expected, "{spent} of {budget}");
    }
    assert_eq!(each()[0].covers(), ["budget:2026-11-28:50"]);
    assert!(each()[1..].iter().all(|alert| alert.covers().is_empty()));
}

#[test]
fn only_three_statuses_speak_of_the_key() {
    let of: Vec<u16> = (100..600).filter(|s| Refusal::of(*s).is_some()).collect();
    assert_eq!(of, [401, 402, 403]);
}
