//! What the operator is told of: looked at as often as it may change, told once by `alert`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use reqwest::Client;
use tokio::time::{Instant, sleep};

use crate::alert::{Alert, Alerts, Claim, Day, Once, Refusal, Threshold};
use crate::coach::Roster;
use crate::config;
use crate::lifecycle::Lifecycle;
use crate::pipeline::Rooms;
use crate::record::{RecordsHealth, Switchboard};
use crate::routing::budget::Budget;
use crate::turn::{MicroUsd, TurnRecord};
use crate::upstream::{Target, TargetState, balance};

/// A record that has waited so long for the store is told of.
const OLD: Duration = Duration::from_secs(300);
/// A model that ends sooner is told of.
const SOON_MS: i64 = 30 * 86_400_000;
/// How often the list of models is compared with what is configured.
const MODELS: Duration = Duration::from_secs(60);
/// How often the key's balance is asked for.
const BALANCE: Duration = Duration::from_secs(600);
/// Less than this on the key, or than a fifth of its limit, whichever is less, is little.
const LITTLE: MicroUsd = MicroUsd(10_000_000);

/// Configured models, each with what stands in for it.
pub(super) type Successors = BTreeMap<String, Option<String>>;

/// Looks at everything that is to be told of.
pub(super) struct Watch {
    pub(super) alerts: Alerts,
    pub(super) rooms: Arc<Rooms>,
    pub(super) records: RecordsHealth,
    models: Successors,
    models_seen: Option<Instant>,
    /// Targets whose breaker was open since the start.
    opened: HashSet<String>,
    waiting: Waiting,
}

/// How long the oldest record waits, look by look.
#[derive(Default)]
struct Waiting {
    was_old: bool,
}

impl Waiting {
    /// Whether it is to be told of: old at this look and at the one before. At one alone the wall clock may have
    /// jumped since the record was written; a store that takes records has taken that one by the next.
    fn is_long(&mut self, age: Duration) -> bool {
        let is_old = age >= OLD;
        std::mem::replace(&mut self.was_old, is_old) && is_old
    }
}

impl Watch {
    /// `others` are models that experiments ask.
    pub(super) fn new(
        alerts: Alerts,
        rooms: Arc<Rooms>,
        records: RecordsHealth,
        others: &[String],
    ) -> Self {
        let mut models = successors(&rooms.roster);
        for model in others {
            let known = || config::successor(model).map(str::to_owned);
            models.entry(model.clone()).or_insert_with(known);
        }
        Self {
            models,
            alerts,
            rooms,
            records,
            models_seen: None,
            opened: HashSet::new(),
            waiting: Waiting::default(),
        }
    }

    /// Once a second.
    pub(super) fn look(&mut self, now: Instant) {
        let now_ms = self.rooms.clock.now_ms();
        self.look_at_money(now_ms);
        self.look_at_breakers(now);
        self.look_at_spool(now_ms);
        let has_list = self.rooms.catalog.age(now).is_some();
        if has_list && self.models_seen.is_none_or(|at| now - at >= MODELS) {
            self.models_seen = Some(now);
            self.look_at_models(now_ms);
        }
    }

    fn look_at_money(&self, now_ms: i64) {
        let standing = self.rooms.budget.standing(now_ms);
        let (spent, budget) = (standing.spent, standing.limits.daily);
        let day = Day::of(standing.day_ms);
        if let Some(percent) = Threshold::reached(spent, budget) {
            self.alerts.raise(Alert::BudgetThreshold {
                percent,
                spent,
                budget,
                day,
            });
        }
    }

    fn look_at_breakers(&mut self, now: Instant) {
        let states = self.rooms.health.states(now);
        let is_open = |state: &TargetState| matches!(state, TargetState::Open);
        let open: HashSet<String> = states
            .into_iter()
            .filter(|(_, state)| is_open(state))
            .map(|(target, _)| target)
            .collect();
        for target in &open {
            let target = target.clone();
            self.alerts.raise(Alert::BreakerOpen { target });
        }
        // Said again each second: a word that was lost must not keep the next opening quiet.
        self.opened.extend(open.iter().cloned());
        for target in self.opened.difference(&open) {
            let target = target.clone();
            self.alerts.over(&Alert::BreakerOpen { target }.key());
        }
    }

    fn look_at_spool(&mut self, now_ms: i64) {
        let standing = self.records.standing();
        match standing.is_degraded {
            true => self.alerts.raise(Alert::SpoolDegraded),
            false => self.alerts.over(&Alert::SpoolDegraded.key()),
        }
        let age = standing
            .oldest_at_ms
            .map_or(0, |at| now_ms.saturating_sub(at));
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let alert = Alert::SpoolAge { age };
        match self.waiting.is_long(age) {
            true => self.alerts.raise(alert),
            false => self.alerts.over(&alert.key()),
        }
    }

    fn look_at_models(&self, now_ms: i64) {
        let catalog = &self.rooms.catalog;
        for (model, successor) in &self.models {
            let (model, successor) = (model.clone(), successor.clone());
            let ends_ms = catalog.ends_ms(&model);
            if catalog.is_listed(&model) == Some(false) {
                self.alerts.raise(Alert::ModelGone { model, successor });
            } else if let Some(at) = ends_ms.filter(|at| at - now_ms < SOON_MS) {
                let ends = Day::of(at);
                self.alerts.raise(Alert::ModelEnding {
                    model,
                    ends,
                    successor,
                });
            }
        }
    }
}

/// Who would stand in for each model: the maker's own successor where the house knows one, else the
/// coach's fallback.
fn successors(roster: &Roster) -> Successors {
    let mut all = Successors::new();
    for coach in roster.iter() {
        let models = &coach.models;
        let own = [
            &models.cost_saving,
            &models.balanced,
            &models.high,
            &models.fallback,
        ];
        for model in own.into_iter().chain(&models.forced) {
            let known = config::successor(model).map(str::to_owned);
            let fallback = (model != &models.fallback).then(|| models.fallback.clone());
            all.entry(model.clone()).or_insert(known.or(fallback));
        }
    }
    all
}

/// What a settled turn tells of the key and of prices.
///
/// `is_refused` remembers that the key was refused, so that only what follows a refusal ends it.
pub(super) fn witness(alerts: &Alerts, is_refused: &AtomicBool, turn: &TurnRecord) {
    for attempt in &turn.attempts {
        let refusal = match attempt.error_kind.as_deref() {
            Some("key_limit") => Refusal::of(403),
            Some("status_401") => Refusal::of(401),
            Some("status_402") => Refusal::of(402),
            _ => None,
        };
        if let Some(status) = refusal {
            is_refused.store(true, Ordering::Relaxed);
            alerts.raise(Alert::KeyRefused { status });
        } else if attempt.status == Some(200) {
            let ends = is_refused.swap(false, Ordering::Relaxed);
            for status in [401, 402, 403]
                .into_iter()
                .filter(|_| ends)
                .filter_map(Refusal::of)
            {
                alerts.over(&Alert::KeyRefused { status }.key());
            }
            if attempt.cost_microusd.is_none() {
                let model = attempt.model.clone();
                alerts.raise(Alert::PriceUnknown { model });
            }
        }
    }
}

/// Tells that the day's cap is reached, when a turn was refused for it.
pub(super) fn witness_cap(alerts: &Alerts, budget: &Budget, turn: &TurnRecord) {
    if turn.model_reason.as_deref() == Some("budget:cap") {
        let standing = budget.standing(turn.created_at);
        alerts.raise(Alert::BudgetCap {
            spent: standing.spent,
            cap: standing.limits.cap,
            day: Day::of(standing.day_ms),
        });
    }
}

/// Asks what is left on the key, now and then, until the soft token.
pub(super) fn watch_balance(alerts: Alerts, target: Target, client: Client, lifecycle: &Lifecycle) {
    let soft = lifecycle.soft().clone();
    let watching = async move {
        loop {
            if let Some(balance) = balance(&target, &client).await {
                let little = LITTLE.0.min(balance.limit.0 / 5);
                let remaining = balance.left;
                let alert = Alert::BalanceLow { remaining };
                match remaining.0 < little {
                    true => alerts.raise(alert),
                    false => alerts.over(&alert.key()),
                }
            }
            sleep(BALANCE).await;
        }
    };
    lifecycle.spawn(async move {
        soft.run_until_cancelled(watching).await;
    });
}

/// Whether an alert is news among all machines on one store, and over restarts.
pub(super) fn once(switchboard: Switchboard) -> Once {
    Box::new(move |Claim { key, quiet }| {
        let switchboard = switchboard.clone();
        // Told twice is better than not at all.
        async move { switchboard.is_news(&key, quiet).await.unwrap_or(true) }.boxed()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_old_at_one_look_alone_is_not_told_of() {
        let mut waiting = Waiting::default();
        let mut is_long = |age_s| waiting.is_long(Duration::from_secs(age_s));
        // An hour's jump of the wall clock, while a record waits.
        assert!(!is_long(3600));
        assert!(!is_long(0));
        let ages = [298, 299, 300, 301, 302, 0, 300];
        let told = ages.map(is_long);
        assert_eq!(told, [false, false, false, true, true, false, false]);
    }
}
