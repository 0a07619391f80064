//! Any order of what may happen on several machines.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize, i64),
    /// The oldest running turn of a machine ends, at this share of what was set aside.
    Settle(usize, i64),
    Drop(usize),
    Renew(usize),
    /// The machine is killed and started again: what it held and had not settled is nobody's.
    Kill(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let machine = 0..3_usize;
    let step = prop_oneof![
        4 => (machine.clone(), 1..15_i64).prop_map(|(m, amount)| Step::Reserve(m, amount)),
        3 => (machine.clone(), 0..=100_i64).prop_map(|(m, share)| Step::Settle(m, share)),
        1 => machine.clone().prop_map(Step::Drop),
        3 => machine.clone().prop_map(Step::Renew),
        1 => machine.prop_map(Step::Kill),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever happens in whatever order: nobody is granted what is not there, and once everything has
    /// ended nothing is reserved.
    #[test]
    fn the_cap_holds_over_drops_and_crashes(steps in steps(), is_strict: bool) {
        let sharing = if is_strict { Sharing::Strict } else { Sharing::Leased(MicroUsd(10)) };
        let mut desk = Desk::default();
        let mut names: Vec<usize> = vec![0, 1, 2];
        let mut machines: Vec<Budget> = (0..3).map(|_| Budget::new(LIMITS, sharing)).collect();
        let mut running: Vec<Vec<Reservation>> = vec![Vec::new(), Vec::new(), Vec::new()];
        let mut waiting: Vec<Vec<Asked>> = vec![Vec::new(), Vec::new(), Vec::new()];
        let mut spent = 0;
        for step in steps {
            match step {
                Step::Reserve(m, amount) => {
                    match machines[m].reserve(PAYER, MicroUsd(amount), NOON) {
                        Ok(Asked::Granted(reservation)) => running[m].push(reservation),
                        Ok(asked) => waiting[m].push(asked),
                        Err(over) => prop_assert_eq!(over, Over::Day),
                    }
                }
                Step::Settle(m, share) if !running[m].is_empty() => {
                    let reservation = running[m].remove(0);
                    let cost = reservation.amount().0 * share / 100;
                    spent += cost;
                    desk.recorded += cost;
                    reservation.settle(MicroUsd(cost));
                }
                Step::Drop(m) => {
                    running[m].pop();
                }
                Step::Renew(m) => {
                    desk.renew(names[m], &machines[m]);
                    let answers = waiting[m].drain(..).map(answered);
                    running[m].extend(answers.filter_map(Result::ok));
                }
                Step::Kill(m) => {
                    // Its turns are cut, and upstream bills what it bills: here, nothing.
                    running[m].clear();
                    waiting[m].clear();
                    machines[m] = Budget::new(LIMITS, sharing);
                    names[m] = names.iter().max().unwrap() + 1;
                }
                Step::Settle(..) => {}
            }
            let reserved: i64 = machines.iter().map(|b| b.standing(NOON).reserved.0).sum();
            prop_assert!(spent + reserved <= LIMITS.cap.0, "{spent} + {reserved}");
        }
        running.clear();
        waiting.clear();
        for budget in &machines {
            prop_assert_eq!(budget.standing(NOON).reserved, MicroUsd(0));
        }
    }
}
