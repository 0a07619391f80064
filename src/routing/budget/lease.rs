//! Shares of a day's cap: what each machine holds of it. Pure; whoever keeps the table asks [`renew`]
//! under a lock that all machines share.
//!
//! A machine that has told nothing for a while is taken for dead, and holds no more than it had taken
//! when it last told. Should it live it tells again, and what it spent meanwhile counts.

use crate::turn::MicroUsd;

/// After so long without a word a machine is taken for dead.
pub(super) const ALIVE_MS: i64 = 60_000;

/// What a machine tells and asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The day it is about, milliseconds since the Unix epoch.
    pub day_ms: i64,
    pub cap: MicroUsd,
    /// Settled by this machine that day.
    pub spent: MicroUsd,
    /// Set aside for its running turns.
    pub reserved: MicroUsd,
    /// What it would like to hold besides.
    pub ahead: MicroUsd,
    /// What of that turns are waiting for.
    pub needed: MicroUsd,
}

/// What it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub day_ms: i64,
    /// All that it holds now, spent or not.
    pub held: MicroUsd,
    /// What the others have spent.
    pub others: MicroUsd,
    /// The store's clock, which is everybody's.
    pub now_ms: i64,
}

/// A machine's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub machine: String,
    pub held: MicroUsd,
    /// Settled and reserved, as it last told.
    pub taken: MicroUsd,
    pub spent: MicroUsd,
    /// When it last told, by the store's clock.
    pub told_at_ms: i64,
}

/// What a machine holds after a renewal, and what the others spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub held: MicroUsd,
    pub others: MicroUsd,
}

/// Divides the cap anew: a machine gets what it asked for as long as there is so much, and towards the
/// end of it a part, so that the last of it is not held where nobody speaks. What its turns wait for
/// comes first.
///
/// `recorded` is what the records say the day cost, of all machines: more than they told where one
/// died between spending and telling.
#[must_use]
pub fn renew(renewal: &Renewal, others: &[Lease], recorded: MicroUsd, now_ms: i64) -> Holding {
    let is_alive = |lease: &&Lease| now_ms.saturating_sub(lease.told_at_ms) < ALIVE_MS;
    let sum = |of: fn(&Lease) -> i64| others.iter().map(of).fold(0_i64, i64::saturating_add);
    let spent = sum(|lease| lease.spent.0);
    let alive = others.iter().filter(is_alive).count();
    // The dead may have had turns running, and what those cost is in no row yet.
    let unspent = others.iter().fold(0_i64, |sum, lease| {
        let held = match is_alive(&lease) {
            true => lease.held.0.max(lease.taken.0),
            false => lease.taken.0,
        };
        sum.saturating_add(held - lease.spent.0)
    });
    // Untold spending of the dead is in the records, and in nobody's row.
    let untold = recorded
        .0
        .saturating_sub(spent.saturating_add(renewal.spent.0));
    let others_spent = spent.saturating_add(untold.max(0));
    let taken = renewal.spent.0.saturating_add(renewal.reserved.0);
    let committed = others_spent.saturating_add(unspent).saturating_add(taken);
    let room = renewal.cap.0.saturating_sub(committed).max(0);
    let machines = i64::try_from(alive).unwrap_or(i64::MAX).saturating_add(1);
    let fair = (room / machines.saturating_mul(2)).max(renewal.needed.0);
    let ahead = renewal.ahead.0.min(fair).min(room).max(0);
    Holding {
        held: MicroUsd(taken.saturating_add(ahead)),
        others: MicroUsd(others_spent),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn lease(machine: &str, held: i64, spent: i64, told_at_ms: i64) -> Lease {
        Lease {
            machine: machine.to_owned(),
            held: MicroUsd(held),
            taken: MicroUsd(spent),
            spent: MicroUsd(spent),
            told_at_ms,
        }
    }

    fn renewal(spent: i64, reserved: i64, ahead: i64, needed: i64) -> Renewal {
        Renewal {
            day_ms: 0,
            cap: MicroUsd(100),
            spent: MicroUsd(spent),
            reserved: MicroUsd(reserved),
            ahead: MicroUsd(ahead),
            needed: MicroUsd(needed),
        }
    }

    #[test]
    fn a_lease_is_what_there_is_room_for() {
        let now = ALIVE_MS * 10;
        for (what, renewal, others, recorded, held, spent) in [
            ("alone", renewal(0, 0, 5, 0), vec![], 0, 5, 0),
            ("grown", renewal(7, 2, 5, 0), vec![], 7, 14, 0),
            (
                "beside another",
                renewal(0, 0, 5, 0),
                vec![lease("b", 40, 30, now)],
                30,
                5,
                30,
            ),
            (
                "the last of it, in parts",
                renewal(0, 0, 20, 0),
                vec![lease("b", 60, 60, now)],
                60,
                10,
                60,
            ),
            (
                "the last of it, needed",
                renewal(0, 0, 40, 40),
                vec![lease("b", 60, 60, now)],
                60,
                40,
                60,
            ),
            (
                "nothing left",
                renewal(10, 0, 5, 5),
                vec![lease("b", 90, 20, now)],
                30,
                10,
                20,
            ),
            (
                "the dead hold what they spent",
                renewal(10, 0, 5, 5),
                vec![lease("b", 90, 20, 0)],
                30,
                15,
                20,
            ),
            (
                "the dead spent more than they told",
                renewal(0, 0, 40, 40),
                vec![lease("b", 90, 20, 0)],
                70,
                30,
                70,
            ),
            (
                "overspent already",
                renewal(120, 0, 5, 5),
                vec![],
                120,
                120,
                0,
            ),
        ] {
            let holding = renew(&renewal, &others, MicroUsd(recorded), now);
            let expected = Holding {
                held: MicroUsd(held),
                others: MicroUsd(spent),
            };
            assert_eq!(holding, expected, "{what}");
        }
    }

    proptest! {
        /// Whoever asks in whatever order: the living never hold more than the cap together, and where
        /// turns wait for less than there is they get it.
        #[test]
        fn the_cap_is_never_leased_twice(
            steps in prop::collection::vec((0..4_usize, 0..30_i64, 0..30_i64, 0..30_i64), 1..80)
        ) {
            let mut rows: BTreeMap<usize, Lease> = BTreeMap::new();
            let mut spent: BTreeMap<usize, i64> = BTreeMap::new();
            for (machine, spend, ahead, needed) in steps {
                // A machine spends what it holds, at most.
                let held = rows.get(&machine).map_or(0, |l| l.held.0);
                let own = spent.entry(machine).or_default();
                *own += spend.min(held - *own);
                let own = *own;
                let others: Vec<Lease> =
                    rows.iter().filter(|(m, _)| **m != machine).map(|(_, l)| l.clone()).collect();
                let recorded = MicroUsd(spent.values().sum());
                let ask = renewal(own, 0, ahead.max(needed), needed);
                let holding = renew(&ask, &others, recorded, 0);
                let others_held: i64 = others.iter().map(|l| l.held.0).sum();
                prop_assert!(holding.held.0 - own >= needed.min(100 - others_held - own).max(0));
                rows.insert(machine, lease("m", holding.held.0, own, 0));
                let all: i64 = rows.values().map(|l| l.held.0).sum();
                prop_assert!(all <= 100, "{all}");
            }
        }
    }
}
