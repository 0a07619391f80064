mod properties;

use super::*;

const MODEL: &str = "openai/gpt-6.1-terra";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How [`MODEL`] stands; it is the only one known.
fn state(health: &Health, now: Instant) -> TargetState {
    let states = health.states(now);
    assert_eq!(states.len(), 1);
    states[0].1
}

fn pass(health: &Arc<Health>, now: Instant) -> Pass {
    health.admit(MODEL, now).unwrap()
}

/// With [`MODEL`] open since `at`.
fn open(at: Instant) -> Arc<Health> {
    let health = Arc::new(Health::default());
    (0..3).for_each(|_| pass(&health, at).failed(at));
    assert_eq!(state(&health, at), TargetState::Open);
    health
}

#[test]
fn one_never_heard_of_is_well_and_has_nothing_usual() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    assert!(health.is_well(MODEL, now));
    assert_eq!(health.usual_first_token(MODEL, now), None);
    health.broke(MODEL, now);
    assert_eq!(health.states(now), [], "asking makes nothing known");
    drop(pass(&health, now));
    assert_eq!(state(&health, now), TargetState::Closed);
}

#[test]
fn targets_fail_each_for_themselves() {
    let now = Instant::now();
    let health = open(now);
    assert!(health.admit(MODEL, now).is_none());
    assert!(health.admit("other", now).is_some());
    assert!(!health.is_well(MODEL, now));
    assert!(health.is_well("other", now));
    let states = health.states(now);
    assert_eq!(
        states,
        [
            (MODEL.to_owned(), TargetState::Open),
            ("other".to_owned(), TargetState::Closed),
        ]
    );
}

/// Every way for an attempt to end, what it counts as, and what a probe that ends so leaves behind.
#[test]
fn every_verdict_counts_as_it_says() {
    use TargetState::{Closed, Cooling, HalfOpen, Open};
    type End = fn(Pass, Instant);
    let table: &[(&str, End, TargetState, TargetState)] = &[
        ("spoke", |p, now| p.spoke(millis(300), now), Closed, Closed),
        ("failed", Pass::failed, Open, Open),
        (
            "timed out",
            |p, now| p.timed_out(seconds(2), now),
            Open,
            Open,
        ),
        (
            "cool",
            |p, now| p.cool_down(seconds(9), now),
            Cooling,
            Cooling,
        ),
        ("gone", Pass::gone, Cooling, Cooling),
        ("neutral", |p, _| p.neutral(), Closed, HalfOpen),
        ("dropped", |p, _| drop(p), Closed, HalfOpen),
    ];
    let start = Instant::now();
    for (name, end, thrice, as_probe) in table {
        let health = Arc::new(Health::default());
        let passes: Vec<_> = (0..3).map(|_| pass(&health, start)).collect();
        passes.into_iter().for_each(|pass| end(pass, start));
        assert_eq!(state(&health, start), *thrice, "{name}");

        let (health, due) = (open(start), start + seconds(5));
        end(pass(&health, due), due);
        assert_eq!(state(&health, due), *as_probe, "{name}");
        let free = matches!(as_probe, Closed | HalfOpen);
        assert_eq!(health.admit(MODEL, due).is_some(), free, "{name}");
    }
}

#[test]
fn a_probe_that_is_told_to_wait_gives_its_place_back() {
    let start = Instant::now();
    let (health, due) = (open(start), start + seconds(5));
    let probe = pass(&health, due);
    assert!(health.admit(MODEL, due).is_none());
    probe.cool_down(seconds(7), due);
    assert!(health.admit(MODEL, due + millis(6_999)).is_none());
    let later = due + seconds(7);
    assert_eq!(state(&health, later), TargetState::HalfOpen);
    let probe = pass(&health, later);
    assert!(health.admit(MODEL, later).is_none(), "still one at a time");
    probe.spoke(millis(300), later);
    assert!(health.is_well(MODEL, later));
}

#[test]
fn a_hint_is_held_within_bounds() {
    let table = [(0, 1), (1, 1), (17, 17), (60, 60), (61, 60), (u64::MAX, 60)];
    for (hint, expected) in table {
        let (health, now) = (Arc::new(Health::default()), Instant::now());
        pass(&health, now).cool_down(seconds(hint), now);
        let almost = now + seconds(expected) - Duration::from_nanos(1);
        assert!(health.admit(MODEL, almost).is_none(), "{hint}");
        assert!(!health.is_well(MODEL, almost));
        assert!(health.is_well(MODEL, now + seconds(expected)), "{hint}");
        assert!(health.admit(MODEL, now + seconds(expected)).is_some());
    }
}

#[test]
fn a_longer_cooldown_is_never_shortened() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    let passes: Vec<_> = (0..3).map(|_| pass(&health, now)).collect();
    let [gone, cool, spoke] = passes.try_into().unwrap();
    gone.gone(now);
    cool.cool_down(seconds(2), now + seconds(1));
    spoke.spoke(millis(300), now + seconds(2));
    assert!(health.admit(MODEL, now + millis(299_999)).is_none());
    assert!(health.admit(MODEL, now + seconds(300)).is_some());
}

#[test]
fn one_that_is_not_there_is_looked_for_once_a_second_where_nobody_else_is_left() {
    let (health, start) = (Arc::new(Health::default()), Instant::now());
    let late = pass(&health, start);
    pass(&health, start).gone(start);
    assert!(health.admit_anyway(MODEL, start + millis(999)).is_none());
    let due = start + seconds(1);
    assert!(health.admit(MODEL, due).is_none(), "others are asked first");
    let look = health.admit_anyway(MODEL, due).unwrap();
    assert!(health.admit_anyway(MODEL, due + millis(999)).is_none());
    // Still not there: the five minutes begin anew.
    look.gone(due);
    assert!(health.admit(MODEL, start + seconds(300)).is_none());
    // An answer from before is none that it is back; the next one is.
    late.spoke(millis(300), due);
    assert_eq!(state(&health, due), TargetState::Cooling);
    let later = start + seconds(2);
    let look = health.admit_anyway(MODEL, later).unwrap();
    look.spoke(millis(300), later);
    assert!(health.is_well(MODEL, later));
    // What it asks for itself holds all the same.
    let (gone, cool) = (pass(&health, later), pass(&health, later));
    gone.gone(later);
    cool.cool_down(seconds(9), later);
    assert!(health.admit_anyway(MODEL, later + seconds(8)).is_none());
    assert!(health.admit_anyway(MODEL, later + seconds(9)).is_some());
}

#[test]
fn a_cooldown_and_an_open_breaker_end_each_in_its_time() {
    let start = Instant::now();
    let health = Arc::new(Health::default());
    let late = pass(&health, start);
    (0..3).for_each(|_| pass(&health, start).failed(start));
    late.cool_down(seconds(2), start);
    assert_eq!(state(&health, start), TargetState::Cooling);
    let over = start + seconds(2);
    assert_eq!(state(&health, over), TargetState::Open);
    assert_eq!(state(&health, start + seconds(5)), TargetState::HalfOpen);
}

#[test]
fn streams_that_die_after_their_first_words_open_it_too() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    for _ in 0..3 {
        assert!(health.is_well(MODEL, now));
        pass(&health, now).spoke(millis(300), now);
        health.broke(MODEL, now);
    }
    assert_eq!(state(&health, now), TargetState::Open);
}

#[test]
fn what_is_usual_is_what_nine_of_ten_kept_to() {
    // How many milliseconds each sample took, and what is usual then.
    let table: &[(Vec<u64>, Option<u64>)] = &[
        (vec![], None),
        (vec![1; 4], None),
        (vec![5, 3, 1, 4, 2], Some(5)),
        ((1..=10).rev().collect(), Some(9)),
        ((1..=100).collect(), Some(90)),
        // Only the newest 128.
        ((1..=228).collect(), Some(216)),
        ([vec![9_000; 200], vec![1; 128]].concat(), Some(1)),
    ];
    for (samples, usual) in table {
        let (health, now) = (Arc::new(Health::default()), Instant::now());
        for sample in samples {
            pass(&health, now).spoke(millis(*sample), now);
        }
        assert_eq!(health.usual_first_token(MODEL, now), usual.map(millis));
    }
}

#[test]
fn a_sample_counts_for_five_minutes() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    for second in 0..6 {
        pass(&health, now).spoke(millis(300), now + seconds(second));
    }
    let usual = |after| health.usual_first_token(MODEL, now + after);
    assert_eq!(usual(seconds(301)), Some(millis(300)), "five are left");
    assert_eq!(usual(seconds(301) + Duration::from_nanos(1)), None);
}

#[test]
fn an_attempt_that_was_given_up_is_a_sample_even_when_late() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    let passes: Vec<_> = (0..6).map(|_| pass(&health, now)).collect();
    for pass in passes {
        pass.timed_out(millis(2_500), now);
    }
    assert_eq!(state(&health, now), TargetState::Open);
    let usual = health.usual_first_token(MODEL, now);
    assert_eq!(usual, Some(millis(2_500)));
    let failed = open(now);
    assert_eq!(failed.usual_first_token(MODEL, now), None);
}

#[test]
fn the_target_longest_untouched_makes_room() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    let forgotten = health.admit("0", now).unwrap();
    for n in 1..=1_023 {
        drop(health.admit(&n.to_string(), now));
    }
    forgotten.failed(now);
    drop(health.admit("new", now));
    let known = health.states(now);
    assert_eq!(known.len(), 1_024);
    let knows = |name: &str| known.iter().any(|(target, _)| target == name);
    assert!(knows("0") && knows("new") && !knows("1"));
}

#[test]
fn a_verdict_on_one_that_made_room_is_lost_even_if_it_is_met_again() {
    let start = Instant::now();
    let (health, due) = (open(start), start + seconds(5));
    let probe = pass(&health, due);
    for n in 0..1_024 {
        drop(health.admit(&n.to_string(), due));
    }
    let known = health.states(due).len();
    probe.failed(due);
    assert_eq!(health.states(due).len(), known);
    assert!(health.is_well(MODEL, due));
}

#[test]
fn of_many_threads_one_has_the_probe() {
    let start = Instant::now();
    for _ in 0..50 {
        let (health, due) = (open(start), start + seconds(5));
        let passes: Vec<Option<Pass>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| health.admit(MODEL, due)))
                .collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        assert_eq!(passes.iter().flatten().count(), 1);
    }
}

#[test]
fn a_panic_elsewhere_does_not_make_it_useless() {
    let (health, now) = (Arc::new(Health::default()), Instant::now());
    let poisoned = std::thread::scope(|scope| {
        let panics = || {
            let _guard = health.lock();
            panic!("poisons the lock");
        };
        scope.spawn(panics).join()
    });
    assert!(poisoned.is_err());
    assert!(health.admit(MODEL, now).is_some());
}
