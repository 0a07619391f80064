use proptest::prelude::*;

use super::super::cells::Sums;
use super::super::sketch::{Sketch, bucket};
use super::*;
use crate::turn::MicroUsd;

/// Turns of which some failed, and nothing else known of them.
fn failing(failed: u64, turns: u64) -> Cell {
    let sums = Sums {
        turns,
        failed,
        unknown_costs: turns,
        ..Sums::default()
    };
    Cell {
        sums,
        ..Cell::default()
    }
}

fn rated(mut cell: Cell, ratings: &[(u64, u64)]) -> Cell {
    for (rating, times) in ratings {
        cell.sums.satisfied += times;
        cell.sums.satisfaction_sum += rating * times;
        cell.sums.satisfaction_squares += rating * rating * times;
    }
    cell
}

fn costing(mut cell: Cell, costs: &[(i64, u64)]) -> Cell {
    for (microusd, times) in costs {
        let n = count(*times);
        cell.sums.unknown_costs -= times;
        cell.sums.cost_microusd.0 += microusd * i64::try_from(*times).unwrap();
        cell.sums.cost_squares += micro(MicroUsd(*microusd)).powi(2) * n;
    }
    cell
}

fn waiting(mut cell: Cell, waits: &[(f64, u64)]) -> Cell {
    let mut sketch = Sketch::default();
    waits
        .iter()
        .for_each(|(ms, times)| sketch.add(bucket(*ms), *times));
    cell.first_tokens = sketch;
    cell
}

/// What is said of `b`, against `a`.
fn said(a: &Cell, b: &Cell) -> String {
    let [_, verdict] = &judge(&[("a", a), ("b", b)])[..] else {
        panic!("one verdict an arm")
    };
    assert_eq!(verdict.compared_with.as_deref(), Some("a"));
    verdict.words.clone()
}

/// By the formulas in `interval`, with the two-sided point for 0.05 / 4: 2.497705. Computed apart from
/// this program, in double precision.
#[test]
fn verdicts_are_plain() {
    let thousand = failing(10, 1000);
    let dear: &[_] = &[(1000, 500), (1400, 500)];
    let cheap: &[_] = &[(600, 500), (1000, 500)];
    let fair: &[_] = &[(3, 100), (4, 100)];
    let good: &[_] = &[(3, 100), (5, 100)];
    let rate = |ratings| rated(thousand.clone(), ratings);
    let cost = |costs| costing(thousand.clone(), costs);
    for (a, b, words) in [
        (
            thousand.clone(),
            failing(60, 1000),
            "worse: error rate 5.0 points higher (3.0 to 7.2)",
        ),
        (
            failing(60, 1000),
            thousand.clone(),
            "better: error rate 5.0 points lower (3.0 to 7.2)",
        ),
        (
            rate(fair),
            rate(good),
            "better by 0.50 satisfaction (0.30 to 0.70)",
        ),
        (
            rate(good),
            rate(fair),
            "worse by 0.50 satisfaction (0.30 to 0.70)",
        ),
        (
            cost(dear),
            cost(cheap),
            "cheaper by $0.000400 a turn ($0.000378 to $0.000422)",
        ),
        (
            cost(cheap),
            cost(dear),
            "dearer by $0.000400 a turn ($0.000378 to $0.000422)",
        ),
        (
            rated(cost(dear), good),
            rated(cost(cheap), fair),
            "worse by 0.50 satisfaction (0.30 to 0.70); cheaper by $0.000400 a turn ($0.000378 to $0.000422)",
        ),
        // 605 turns an arm would have shown two points more errors.
        (
            thousand.clone(),
            thousand.clone(),
            "no difference worth having",
        ),
        // It takes 1072 of each, and there are 100.
        (
            failing(1, 100),
            failing(1, 100),
            "no difference yet, about 2000 more turns needed (error rate)",
        ),
        // Of 100 turns each 50 were rated, with a variance of 200/49: 2276 ratings an arm, so 4551 turns.
        (
            rated(failing(1, 100), &[(1, 25), (5, 25)]),
            rated(failing(1, 100), &[(1, 25), (5, 25)]),
            "no difference yet, about 9000 more turns needed (satisfaction)",
        ),
    ] {
        assert_eq!(said(&a, &b), words);
    }
}

#[test]
fn the_first_words_are_compared_to_one_percent() {
    let turns = failing(0, 1000);
    let slow = waiting(turns.clone(), &[(600.0, 500), (800.0, 500)]);
    let quick = waiting(turns, &[(400.0, 500), (600.0, 500)]);
    let verdicts = judge(&[("a", &slow), ("b", &quick)]);
    // Standard error sqrt(2 * 100^2 / 999) = 4.47; 2.4977 of them and a hair.
    let (low, high) = verdicts[1].first_token_ms.unwrap();
    assert!(
        (low + 211.2).abs() < 9.0 && (high + 188.8).abs() < 9.0,
        "{low} {high}"
    );
    assert!(verdicts[1].words.starts_with("faster by "), "{verdicts:?}");
    assert!(said(&quick, &slow).starts_with("slower by "));
}

#[test]
fn an_arm_is_compared_with_the_control() {
    let (a, b) = (failing(10, 1000), failing(60, 1000));
    let words = |arms: &[(&str, &Cell)]| -> Vec<_> {
        let verdicts = judge(arms).into_iter();
        verdicts.map(|v| (v.compared_with, v.words)).collect()
    };
    let told = words(&[("a", &b), ("control", &a), ("z", &b)]);
    assert_eq!(
        told[1],
        (None, "the others are compared with it".to_owned())
    );
    for at in [0, 2] {
        assert_eq!(told[at].0.as_deref(), Some("control"));
        assert!(told[at].1.starts_with("worse: error rate 5.0"), "{told:?}");
    }
    assert_eq!(
        words(&[("b", &a)]),
        [(None, "nothing to compare it with".to_owned())]
    );
    assert_eq!(words(&[]), []);
}

#[test]
fn more_arms_make_each_interval_wider() {
    let (a, b) = (failing(10, 1000), failing(60, 1000));
    let width = |verdicts: &[Verdict]| {
        let (low, high) = verdicts[1].error_rate.unwrap();
        high - low
    };
    let two = width(&judge(&[("a", &a), ("b", &b)]));
    let three = width(&judge(&[("a", &a), ("b", &b), ("c", &a)]));
    // The points for 0.05 / 4 and 0.05 / 8 are 2.498 and 2.734.
    assert!((three / two - 2.734 / 2.498).abs() < 0.01, "{two} {three}");
}

#[test]
fn few_values_are_no_verdict_and_no_fault() {
    let nine = rated(failing(0, 9), &[(1, 9)]);
    let other = rated(failing(0, 9), &[(5, 9)]);
    assert!(said(&nine, &other).starts_with("no difference yet, about "));
    let nothing = failing(0, 0);
    assert!(said(&nothing, &nothing).starts_with("no difference"));
    let columns = judge(&[("a", &nothing), ("b", &nothing)])[1].columns();
    assert_eq!(columns["error_rate_difference_95"], Value::Null);
}

proptest! {
    /// Whatever was counted, something is said, and what is more of one is less of the other.
    #[test]
    fn every_pair_has_a_verdict_and_a_mirror(
        turns in prop::array::uniform2(0_u64..5000),
        failed in prop::array::uniform2(0_u64..=100),
        ratings in prop::array::uniform2(prop::collection::vec((1_u64..=5, 1_u64..100), 0..5)),
        waits in prop::array::uniform2(prop::collection::vec((1.0_f64..5000.0, 1_u64..100), 0..5)),
    ) {
        let arm = |at: usize| {
            let failures = turns[at] * failed[at] / 100;
            waiting(rated(failing(failures, turns[at]), &ratings[at]), &waits[at])
        };
        let (a, b) = (arm(0), arm(1));
        let [there, back] = [(&a, &b), (&b, &a)].map(|(a, b)| judge(&[("a", a), ("b", b)]).remove(1));
        prop_assert!(!there.words.is_empty() && !there.words.contains("NaN"), "{there:?}");
        for (there, back) in [
            (there.error_rate, back.error_rate),
            (there.satisfaction, back.satisfaction),
            (there.first_token_ms, back.first_token_ms),
        ] {
            let mirrored = back.map(|(low, high)| (-high, -low));
            prop_assert_eq!(there.is_some(), mirrored.is_some());
            if let (Some(there), Some(mirrored)) = (there, mirrored) {
                prop_assert!(there.0 <= there.1);
                prop_assert!((there.0 - mirrored.0).abs() < 1e-6 && (there.1 - mirrored.1).abs() < 1e-6);
            }
        }
    }
}
