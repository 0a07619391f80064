//! Keeps the budget's books true: with what the records say, and with the other machines.

mod hours;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::clock::Clock;
use crate::config;
use crate::lifecycle::Lifecycle;
use crate::record::{Backlog, Leases, Reader};
use crate::routing::budget::{Budget, Limits, Owner, Sharing};
use crate::telemetry::events::LeaseRefused;
use crate::turn::MicroUsd;

use self::hours::Hours;

/// How often strangers are looked up.
const LOOK: Duration = Duration::from_secs(1);
/// How often a machine tells what it spent, whatever happens.
const TELL: Duration = Duration::from_secs(5);
/// Between two renewals that no turn waits for.
const CALM: Duration = Duration::from_millis(200);
/// A store that takes longer is away.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// How long turns wait for the day's first lease, less than memory is waited for as it is shipped: who waits gets
/// what is at hand without it.
const SOON: Duration = Duration::from_millis(100);
/// How often the records are added up.
const ADD_UP: Duration = Duration::from_secs(60);

/// What may be spent: from a cap of this machine's own, or one shared with others.
pub(super) fn budget(settings: &config::Budget, is_shared: bool) -> Budget {
    let sharing = match (is_shared, settings.strict) {
        (false, _) => Sharing::Alone,
        (true, false) => Sharing::Leased(settings.lease),
        (true, true) => Sharing::Strict,
    };
    let limits = Limits {
        daily: settings.daily,
        cap: settings.cap,
        user: settings.user,
        session: settings.session,
    };
    Budget::new(limits, sharing)
}

/// What the books are kept with.
#[derive(Clone)]
pub(super) struct Purse {
    pub(super) budget: Budget,
    pub(super) reader: Reader,
    pub(super) clock: Clock,
    /// A day, and what the records last said it cost.
    pub(super) recorded: Arc<Mutex<(i64, MicroUsd)>>,
}

impl Purse {
    /// Starts the tasks; they end with the soft token, the leases' once no turn can wait for them any
    /// more: with the hard one.
    pub(super) fn start(self, backlog: Backlog, leases: Option<Leases>, lifecycle: &Lifecycle) {
        let (soft, hard) = (lifecycle.soft().clone(), lifecycle.hard().clone());
        let looking = self.clone();
        let (spawner, is_shared) = (lifecycle.clone(), leases.is_some());
        lifecycle.spawn(async move {
            let work = looking.look_up(backlog, is_shared, spawner);
            soft.run_until_cancelled(work).await;
        });
        if let Some(leases) = leases {
            let (soft, adding) = (lifecycle.soft().clone(), self.clone());
            lifecycle.spawn(async move {
                soft.run_until_cancelled(adding.add_up()).await;
            });
            lifecycle.spawn(async move {
                hard.run_until_cancelled(self.clone().share(&leases)).await;
                // What is not spent is the others'.
                let _ = timeout(PATIENCE, self.give_back(&leases)).await;
            });
        }
    }

    /// Learns from the records: once what the day cost before this process, again when what was on its
    /// way has arrived, and whoever speaks and is not known. Where the cap is shared the leases tell of the day.
    async fn look_up(self, backlog: Backlog, is_shared: bool, lifecycle: Lifecycle) {
        let mut is_rebuilt = is_shared;
        let mut is_settled = backlog.is_empty();
        loop {
            let now_ms = self.clock.now_ms();
            if !is_rebuilt {
                is_rebuilt = self.rebuild(now_ms).await;
            }
            if !is_settled {
                let backlog = backlog.clone();
                let look = lifecycle.spawn_blocking(move || backlog.is_delivered());
                if look.await.unwrap_or(true) {
                    (is_settled, is_rebuilt) = (true, is_shared);
                }
            }
            let strangers = self.budget.strangers(now_ms);
            let is_quiet = strangers.is_empty();
            for owner in strangers {
                let day_ms = self.budget.standing(self.clock.now_ms()).day_ms;
                let since_ms = match owner {
                    Owner::User(_) => day_ms,
                    Owner::Session(_) => 0,
                };
                // A store that is away is asked again when they speak again.
                if let Ok(spent) = self.reader.spent(since_ms, None, Some(&owner)).await {
                    let now_ms = self.clock.now_ms();
                    self.budget.know(&owner, spent, day_ms, now_ms);
                }
            }
            if is_quiet {
                sleep(LOOK).await;
            }
        }
    }

    async fn rebuild(&self, now_ms: i64) -> bool {
        let day_ms = self.budget.standing(now_ms).day_ms;
        match self.reader.spent(day_ms, None, None).await {
            Ok(spent) => {
                self.budget.rebuild(spent, day_ms, now_ms);
                true
            }
            Err(_) => false,
        }
    }

    /// Adds up now and then what the records say the day cost: a question that may take its time, and
    /// that no turn waits for.
    async fn add_up(self) {
        let mut hours = Hours::default();
        loop {
            let now_ms = self.clock.now_ms();
            let day_ms = self.budget.standing(now_ms).day_ms;
            for (from_ms, to_ms) in hours.due(day_ms, now_ms) {
                if let Ok(spent) = self.reader.spent(from_ms, Some(to_ms), None).await {
                    hours.know(from_ms, spent, now_ms);
                }
            }
            *self.recorded() = (day_ms, hours.total());
            sleep(ADD_UP).await;
        }
    }

    /// Shares the cap with other machines.
    async fn share(self, leases: &Leases) {
        let mut is_apart = false;
        let mut told = Instant::now();
        loop {
            let Some(renewal) = self.budget.renewal(self.clock.now_ms()) else {
                return;
            };
            let (day_ms, spent) = *self.recorded();
            // Yesterday's says nothing of today.
            let recorded = match day_ms == renewal.day_ms {
                true => spent,
                false => MicroUsd::default(),
            };
            let mut renewing = pin!(timeout(PATIENCE, leases.renew(renewal, recorded)));
            let renewed = match timeout(SOON, &mut renewing).await {
                Ok(renewed) => renewed,
                Err(_) => {
                    self.budget.tide_over(self.clock.now_ms());
                    renewing.await
                }
            };
            let now_ms = self.clock.now_ms();
            match renewed {
                Ok(Ok(grant)) => {
                    is_apart = false;
                    self.budget.granted(grant, now_ms);
                }
                failed => {
                    let kind = match failed {
                        Ok(Err(error)) => error.kind(),
                        _ => "timeout",
                    };
                    if !std::mem::replace(&mut is_apart, true) {
                        LeaseRefused { kind }.emit();
                    }
                    self.budget.apart(now_ms);
                }
            }
            let calm = match renewal.needed {
                MicroUsd(0) => CALM,
                _ => Duration::ZERO,
            };
            sleep_until(told + calm).await;
            // Whoever waits is served at once; a machine in peace tells now and then.
            let _ = timeout(TELL, self.budget.wanted()).await;
            told = Instant::now();
        }
    }

    fn recorded(&self) -> MutexGuard<'_, (i64, MicroUsd)> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is spent and set aside, and nothing ahead.
    async fn give_back(&self, leases: &Leases) {
        if let Some(mut renewal) = self.budget.renewal(self.clock.now_ms()) {
            (renewal.ahead, renewal.needed) = (MicroUsd::default(), MicroUsd::default());
            // Whoever does not hear of it takes it for dead after a minute.
            let _ = leases.renew(renewal, MicroUsd::default()).await;
        }
    }
}
