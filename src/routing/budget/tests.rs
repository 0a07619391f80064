//! Reservations under every order of events, alone and leased.

use std::collections::BTreeMap;

use super::*;
use futures::FutureExt as _;

const LIMITS: Limits = Limits {
    daily: MicroUsd(50),
    cap: MicroUsd(100),
    user: None,
    session: None,
};
/// Some day's noon.
const NOON: i64 = 20_000 * DAY_MS + DAY_MS / 2;
const PAYER: Payer<'static> = Payer {
    user: Some("u"),
    session: "s",
};

fn alone() -> Budget {
    Budget::new(LIMITS, Sharing::Alone)
}

fn take(budget: &Budget, amount: i64) -> Result<Reservation, Over> {
    take_for(budget, PAYER, amount, NOON)
}

fn take_for(budget: &Budget, payer: Payer<'_>, amount: i64, now: i64) -> Result<Reservation, Over> {
    match budget.reserve(payer, MicroUsd(amount), now)? {
        Asked::Granted(reservation) => Ok(reservation),
        Asked::Waiting(_) => panic!("nobody has to be asked"),
    }
}

fn sums(budget: &Budget) -> (i64, i64) {
    let standing = budget.standing(NOON);
    (standing.spent.0, standing.reserved.0)
}

#[test]
fn what_is_reserved_is_settled_or_given_back() {
    let budget = alone();
    let first = take(&budget, 60).unwrap();
    assert_eq!(take(&budget, 41).unwrap_err(), Over::Day);
    let second = take(&budget, 40).unwrap();
    assert_eq!(sums(&budget), (0, 100));
    drop(second);
    assert_eq!(sums(&budget), (0, 60));
    first.settle(MicroUsd(10));
    assert_eq!(sums(&budget), (10, 0));
    // More than was set aside is spent all the same.
    take(&budget, 5).unwrap().settle(MicroUsd(95));
    assert_eq!(sums(&budget), (105, 0));
    assert_eq!(take(&budget, 0).unwrap_err(), Over::Day);
    assert_eq!(budget.standing(NOON).percent(), 210);
}

#[test]
fn a_day_is_a_utc_day_and_begins_anew() {
    let budget = alone();
    let midnight = NOON + DAY_MS / 2;
    let late = take_for(&budget, PAYER, 100, midnight - 1).unwrap();
    assert_eq!(
        take_for(&budget, PAYER, 1, midnight - 1).unwrap_err(),
        Over::Day
    );
    let next = take_for(&budget, PAYER, 30, midnight).unwrap();
    // What began yesterday is yesterday's.
    late.settle(MicroUsd(70));
    assert_eq!(budget.standing(midnight).spent, MicroUsd(0));
    assert_eq!(budget.standing(midnight).reserved, MicroUsd(30));
    // A clock that goes back brings no day back.
    assert_eq!(budget.standing(NOON).day_ms, midnight);
    next.settle(MicroUsd(20));
    budget.correct(MicroUsd(-5), midnight, midnight);
    budget.correct(MicroUsd(-5), midnight - 1, midnight);
    assert_eq!(budget.standing(midnight).spent, MicroUsd(15));
}

#[test]
fn what_the_records_know_is_taken_over_once() {
    let budget = alone();
    let today = budget.standing(NOON).day_ms;
    budget.rebuild(MicroUsd(40), today, NOON);
    budget.rebuild(MicroUsd(99), today - DAY_MS, NOON);
    assert_eq!(sums(&budget), (40, 0));
    take(&budget, 10).unwrap().settle(MicroUsd(10));
    budget.rebuild(MicroUsd(45), today, NOON);
    assert_eq!(sums(&budget), (50, 0));
}

#[test]
fn low_is_less_than_five_dollars_of_the_budget() {
    let daily = MicroUsd(50_000_000);
    let limits = Limits {
        daily,
        cap: MicroUsd(100_000_000),
        ..LIMITS
    };
    let budget = Budget::new(limits, Sharing::Alone);
    for (spent, is_low) in [(45_000_000, false), (1, true), (60_000_000, true)] {
        budget.reserve(PAYER, MicroUsd(0), NOON).unwrap();
        let more = MicroUsd(spent);
        budget.correct(more, NOON, NOON);
        assert_eq!(budget.standing(NOON).is_low(), is_low, "{spent}");
    }
}

#[test]
fn users_and_sessions_have_caps_of_their_own() {
    let limits = Limits {
        user: Some(MicroUsd(30)),
        session: Some(MicroUsd(20)),
        ..LIMITS
    };
    let budget = Budget::new(limits, Sharing::Alone);
    let of = |user: Option<&'static str>, session| Payer { user, session };
    let first = take_for(&budget, of(Some("a"), "1"), 20, NOON).unwrap();
    let refused = |payer, amount| take_for(&budget, payer, amount, NOON).unwrap_err();
    assert_eq!(refused(of(Some("a"), "1"), 1), Over::Session);
    assert_eq!(refused(of(Some("a"), "2"), 11), Over::User);
    first.settle(MicroUsd(5));
    take_for(&budget, of(Some("a"), "2"), 20, NOON)
        .unwrap()
        .settle(MicroUsd(20));
    assert_eq!(refused(of(Some("a"), "3"), 6), Over::User);
    // Nobody in particular has only a session.
    take_for(&budget, of(None, "4"), 20, NOON)
        .unwrap()
        .settle(MicroUsd(20));
    assert_eq!(refused(of(None, "4"), 1), Over::Session);
    // Tomorrow the user's begins anew, the session's does not.
    let tomorrow = NOON + DAY_MS;
    assert_eq!(
        take_for(&budget, of(None, "4"), 1, tomorrow).unwrap_err(),
        Over::Session
    );
    take_for(&budget, of(Some("a"), "5"), 20, tomorrow).unwrap();
}

#[test]
fn of_strangers_the_records_are_asked_and_believed() {
    let limits = Limits {
        user: Some(MicroUsd(30)),
        ..LIMITS
    };
    let budget = Budget::new(limits, Sharing::Alone);
    take(&budget, 10).unwrap().settle(MicroUsd(10));
    let stranger = Owner::User("u".to_owned());
    assert_eq!(budget.strangers(NOON), std::slice::from_ref(&stranger));
    assert_eq!(budget.strangers(NOON), []);
    budget.know(&stranger, MicroUsd(25), DAY_MS, NOON);
    drop(take(&budget, 20).unwrap());
    let today = budget.standing(NOON).day_ms;
    budget.know(&stranger, MicroUsd(25), today, NOON);
    assert_eq!(take(&budget, 6).unwrap_err(), Over::User);
    drop(take(&budget, 5).unwrap());
    assert_eq!(budget.strangers(NOON), [], "asked a moment ago");
    drop(take_for(&budget, PAYER, 5, NOON + 60_000).unwrap());
    assert_eq!(budget.strangers(NOON), [stranger]);
}

/// What the store does, for machines of one test.
#[derive(Default)]
struct Desk {
    rows: BTreeMap<usize, Lease>,
    recorded: i64,
}

impl Desk {
    fn renew(&mut self, machine: usize, budget: &Budget) {
        let renewal = budget.renewal(NOON).unwrap();
        let others = self.rows.iter().filter(|(m, _)| **m != machine);
        let others: Vec<Lease> = others.map(|(_, lease)| lease.clone()).collect();
        let holding = renew(&renewal, &others, MicroUsd(self.recorded), NOON);
        let row = Lease {
            machine: machine.to_string(),
            held: holding.held,
            taken: renewal.spent + renewal.reserved,
            spent: renewal.spent,
            told_at_ms: NOON,
        };
        self.rows.insert(machine, row);
        let grant = Grant {
            day_ms: renewal.day_ms,
            held: holding.held,
            others: holding.others,
            now_ms: NOON,
        };
        budget.granted(grant, NOON);
    }
}

fn answered(asked: Asked) -> Result<Reservation, Over> {
    match asked {
        Asked::Granted(reservation) => Ok(reservation),
        Asked::Waiting(mut answer) => answer.try_recv().expect("answered"),
    }
}

#[tokio::test]
async fn h1_ten_machines_in_strict_mode_give_exactly_the_limit() {
    let machines: Vec<Budget> = (0..10)
        .map(|_| Budget::new(LIMITS, Sharing::Strict))
        .collect();
    let mut desk = Desk::default();
    let ask = |budget: &Budget| budget.reserve(PAYER, MicroUsd(1), NOON).unwrap();
    let mut granted = Vec::new();
    // A hundred each, all of them at once, answered machine after machine.
    let asked: Vec<Vec<Asked>> = machines
        .iter()
        .map(|budget| (0..100).map(|_| ask(budget)).collect())
        .collect();
    for (at, (budget, asked)) in machines.iter().zip(asked).enumerate() {
        desk.renew(at, budget);
        granted.extend(asked.into_iter().filter_map(|a| answered(a).ok()));
    }
    assert_eq!(granted.len(), 100);
    // Half of it turns out to cost nothing: so many more may come, wherever.
    granted.truncate(50);
    for (at, budget) in machines.iter().enumerate() {
        desk.renew(at, budget);
    }
    let asked: Vec<Asked> = (0..100).map(|_| ask(&machines[7])).collect();
    desk.renew(7, &machines[7]);
    let more = asked.into_iter().filter_map(|a| answered(a).ok());
    assert_eq!(more.count(), 50);
}

#[tokio::test]
async fn a_lease_serves_without_asking_and_is_renewed_in_time() {
    let budget = Budget::new(LIMITS, Sharing::Leased(MicroUsd(10)));
    let mut desk = Desk::default();
    desk.renew(0, &budget);
    let first = take(&budget, 4).unwrap();
    assert!(budget.wanted().now_or_never().is_none());
    let second = take(&budget, 4).unwrap();
    assert!(
        budget.wanted().now_or_never().is_some(),
        "half of it is gone"
    );
    let waiting = budget.reserve(PAYER, MicroUsd(4), NOON).unwrap();
    assert!(matches!(waiting, Asked::Waiting(_)));
    desk.renew(0, &budget);
    let third = answered(waiting).unwrap();
    for reservation in [first, second, third] {
        reservation.settle(MicroUsd(4));
    }
    assert_eq!(sums(&budget), (12, 0));
}

#[tokio::test]
async fn apart_from_the_store_a_machine_goes_one_lease_further_and_a_strict_one_nowhere() {
    let leased = Budget::new(LIMITS, Sharing::Leased(MicroUsd(10)));
    let ask = |budget: &Budget| budget.reserve(PAYER, MicroUsd(4), NOON).unwrap();
    let asked: Vec<Asked> = (0..3).map(|_| ask(&leased)).collect();
    leased.apart(NOON);
    let got: Vec<_> = asked.into_iter().map(answered).collect();
    assert_eq!(got.iter().filter(|r| r.is_ok()).count(), 2);
    assert!(leased.standing(NOON).is_apart);
    let strict = Budget::new(LIMITS, Sharing::Strict);
    let Asked::Waiting(mut asked) = ask(&strict) else {
        panic!("nothing is held ahead");
    };
    // It may only be slow.
    strict.tide_over(NOON);
    assert!(asked.try_recv().is_err());
    strict.apart(NOON);
    assert_eq!(asked.try_recv().unwrap().unwrap_err(), Over::Unknown);
}

#[tokio::test]
async fn a_slow_store_is_gone_without_once_a_day_by_whoever_fits_a_lease() {
    let budget = Budget::new(LIMITS, Sharing::Leased(MicroUsd(10)));
    let ask = |amount| budget.reserve(PAYER, MicroUsd(amount), NOON).unwrap();
    let (first, second) = (ask(8), ask(8));
    budget.tide_over(NOON);
    let first = answered(first).unwrap();
    let Asked::Waiting(mut waits) = second else {
        panic!("nothing is held ahead");
    };
    assert!(waits.try_recv().is_err(), "it may only be slow");
    assert!(
        matches!(ask(2), Asked::Granted(_)),
        "who fits need not wait"
    );
    let mut desk = Desk::default();
    desk.renew(0, &budget);
    let second = waits.try_recv().unwrap().unwrap();
    // From here on it is known: a machine that holds too little waits for it.
    let third = ask(50);
    budget.tide_over(NOON);
    assert!(!budget.standing(NOON).is_apart);
    desk.renew(0, &budget);
    for reservation in [first, second, answered(third).unwrap()] {
        reservation.settle(MicroUsd(1));
    }
}

#[tokio::test]
async fn a_store_that_comes_and_goes_is_good_for_one_lease() {
    for lapse in [Budget::apart, Budget::tide_over] {
        let budget = Budget::new(LIMITS, Sharing::Leased(MicroUsd(10)));
        let mut desk = Desk::default();
        let mut spent = 0;
        for _ in 0..100 {
            let asked = budget.reserve(PAYER, MicroUsd(4), NOON).unwrap();
            lapse(&budget, NOON);
            desk.renew(0, &budget);
            if let Ok(reservation) = answered(asked) {
                reservation.settle(MicroUsd(4));
                spent += 4;
            }
        }
        assert!((96..=110).contains(&spent), "{spent}");
    }
}

#[tokio::test]
async fn whoever_the_others_take_for_dead_goes_one_lease_beyond_what_it_took() {
    let budget = Budget::new(LIMITS, Sharing::Leased(MicroUsd(10)));
    Desk::default().renew(0, &budget);
    let first = take(&budget, 4).unwrap();
    budget.apart(NOON);
    assert_eq!(budget.standing(NOON).at_hand, MicroUsd(16));
    budget.apart(NOON + 60_000);
    assert_eq!(budget.standing(NOON).at_hand, MicroUsd(10));
    first.settle(MicroUsd(4));
    budget.apart(NOON + 61_000);
    assert_eq!(budget.standing(NOON).at_hand, MicroUsd(10));
}

#[tokio::test]
async fn who_comes_while_the_store_is_asked_is_asked_for_next() {
    let budget = Budget::new(LIMITS, Sharing::Strict);
    let mut desk = Desk::default();
    let ask = || budget.reserve(PAYER, MicroUsd(4), NOON).unwrap();
    let first = ask();
    assert!(budget.wanted().now_or_never().is_some());
    let renewal = budget.renewal(NOON).unwrap();
    // Under way to the store and back.
    let second = ask();
    let grant = Grant {
        day_ms: renewal.day_ms,
        held: renewal.needed,
        others: MicroUsd(0),
        now_ms: NOON,
    };
    budget.granted(grant, NOON);
    let first = answered(first).unwrap();
    assert!(budget.wanted().now_or_never().is_some(), "the second waits");
    desk.renew(0, &budget);
    let second = answered(second).unwrap();
    assert_eq!(sums(&budget), (0, 8));
    drop((first, second));
}

#[tokio::test]
async fn a_cap_that_was_reached_while_a_turn_waited_holds() {
    let limits = Limits {
        user: Some(MicroUsd(10)),
        ..LIMITS
    };
    let budget = Budget::new(limits, Sharing::Strict);
    let asked: Vec<Asked> = (0..4)
        .map(|_| budget.reserve(PAYER, MicroUsd(6), NOON).unwrap())
        .collect();
    Desk::default().renew(0, &budget);
    let answers: Vec<_> = asked.into_iter().map(answered).collect();
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|a| matches!(a, Err(Over::User))));
}

#[test]
fn where_the_cap_is_shared_the_leases_tell_what_others_spent() {
    let budget = Budget::new(LIMITS, Sharing::Strict);
    let today = budget.standing(NOON).day_ms;
    budget.rebuild(MicroUsd(40), today, NOON);
    assert_eq!(sums(&budget), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_gets_nothing_and_takes_nothing() {
    let budget = Budget::new(LIMITS, Sharing::Strict);
    let due = tokio::time::Instant::now() + std::time::Duration::from_millis(250);
    let asked = budget.reserve(PAYER, MicroUsd(4), NOON).unwrap();
    assert_eq!(asked.until(due).await.unwrap_err(), Over::Unknown);
    Desk::default().renew(0, &budget);
    assert_eq!(sums(&budget), (0, 0));
}

mod sequences;
