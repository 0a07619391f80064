//! What has to be looked after from time to time: turns whose time is up, memory, breakers, money.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::lifecycle::leave_real_time;
use crate::pipeline::{Rooms, is_full};
use crate::telemetry::events::{BreakerMoved, BudgetSeen};
use crate::telemetry::metrics;
use crate::upstream::{Health, TargetState};

use super::watch::Watch;

/// How often it is looked whose time is up. What is due then goes on its way at once, and who speaks on the
/// same processor waits for that: a second's worth of a busy service is milliseconds.
const DUE: Duration = Duration::from_millis(100);
/// How often everything else is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts it; it ends with the soft token.
pub(super) fn keep(rooms: &Arc<Rooms>, watch: Watch) {
    rooms.lifecycle.spawn(commit(Arc::clone(rooms)));
    rooms.lifecycle.spawn(look(Arc::clone(rooms), watch));
}

async fn commit(rooms: Arc<Rooms>) {
    let soft = rooms.lifecycle.soft().clone();
    let mut tick = interval(DUE);
    while soft.run_until_cancelled(tick.tick()).await.is_some() {
        rooms.remember(rooms.turns.due(Instant::now()));
    }
}

async fn look(rooms: Arc<Rooms>, mut watch: Watch) {
    let soft = rooms.lifecycle.soft().clone();
    let mut breakers = Breakers::default();
    let mut tick = interval(LOOK);
    while soft.run_until_cancelled(tick.tick()).await.is_some() {
        // The background runtime has one thread, and this is it.
        leave_real_time();
        let now = Instant::now();
        rooms.admission.press(is_full(Path::new("/")));
        breakers.watch(&rooms.health, now);
        let standing = rooms.budget.standing(rooms.clock.now_ms());
        let (spent, daily) = (standing.spent.0, standing.limits.daily.0);
        BudgetSeen { spent, daily }.emit();
        watch.look(now);
        metrics::upkeep();
    }
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
