//! What has to be looked after once a second: turns whose time is up, memory, breakers, money.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::pipeline::{Rooms, is_full};
use crate::telemetry::events::{BreakerMoved, BudgetSeen};
use crate::telemetry::metrics;
use crate::upstream::{Health, TargetState};

use super::watch::Watch;

/// Starts it; it ends with the soft token.
pub(super) fn keep(rooms: &Rooms, mut watch: Watch) {
    let rooms = rooms.clone();
    let soft = rooms.lifecycle.soft().clone();
    rooms.lifecycle.clone().spawn(async move {
        let mut breakers = Breakers::default();
        let mut tick = interval(Duration::from_secs(1));
        while soft.run_until_cancelled(tick.tick()).await.is_some() {
            let now = Instant::now();
            rooms.remember(rooms.turns.due(now));
            rooms.admission.press(is_full(Path::new("/")));
            breakers.watch(&rooms.health, now);
            let standing = rooms.budget.standing(rooms.clock.now_ms());
            let (spent, daily) = (standing.spent.0, standing.limits.daily.0);
            BudgetSeen { spent, daily }.emit();
            watch.look(now);
            metrics::upkeep();
        }
    });
}

/// Tells when a breaker moves.
#[derive(Default)]
struct Breakers(HashMap<String, TargetState>);

impl Breakers {
    fn watch(&mut self, health: &Health, now: Instant) {
        let states = health.states(now);
        let before = std::mem::take(&mut self.0);
        self.0 = states.iter().cloned().collect();
        for (target, state) in states {
            if before.get(&target).copied().unwrap_or(TargetState::Closed) == state {
                continue;
            }
            BreakerMoved {
                target: &target,
                state: state.as_str(),
            }
            .emit();
        }
    }
}
