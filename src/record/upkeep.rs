//! What the store needs now and then: what is too old goes, and reports get their summaries.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};

use crate::clock::Clock;
use crate::config;
use crate::lifecycle::Lifecycle;

use super::report::Summariser;
use super::sql::{Arg, Question};
use super::store::{Store, StoreError};

/// How often summaries are looked after. The first time comes sooner.
const SUMMARIES: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_secs(5);
/// How often what is too old is looked for.
const RETENTION: Duration = Duration::from_secs(600);
/// Rows deleted at once: a transaction that a batch of new rows does not wait long for.
const SLICE: i64 = 5_000;
/// Turns that lose their names at once: each touches every index of theirs.
const ERASED_AT_ONCE: i64 = 500;
/// Rounds of summaries before what is too old is looked for again.
const ROUNDS: usize = 8;
/// Between two slices.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks after the store until the service stops.
pub(super) struct Upkeep {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) retention: Option<Duration>,
    /// Somebody who asked to be forgotten is in the store now.
    pub(super) erased: Arc<Notify>,
}

impl Upkeep {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        settings: &config::Store,
        erased: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            clock,
            retention: settings.retention,
            erased,
        }
    }

    pub(super) fn start(self, lifecycle: &Lifecycle) {
        let soft = lifecycle.soft().clone();
        lifecycle.spawn(async move {
            soft.run_until_cancelled(self.run()).await;
        });
    }

    async fn run(self) {
        let summariser = Summariser::new(self.store.clone(), self.clock);
        let mut tick = interval_at(Instant::now() + FIRST, SUMMARIES);
        let mut last_clean: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                // A row of theirs may come from another machine meanwhile: each tick looks again.
                () = self.erased.notified() => {
                    let _ = self.erase().await;
                    continue;
                }
            }
            // Failures are the shipper's to tell: the store is the same.
            let _ = self.erase().await;
            for _ in 0..ROUNDS {
                if !matches!(summariser.round().await, Ok((_, true))) {
                    break;
                }
            }
            if last_clean.is_none_or(|at| at.elapsed() >= RETENTION) {
                last_clean = Some(Instant::now());
                let _ = self.clean().await;
            }
        }
    }

    /// Takes the names off everything that is theirs who asked for it, in slices.
    ///
    /// # Errors
    /// When the store cannot be asked; the rest is done the next time.
    async fn erase(&self) -> Result<(), StoreError> {
        let slice = |text| Question::new(text, vec![("limit", Arg::Int(ERASED_AT_ONCE))]);
        loop {
            let counts = self.store.change(vec![
                slice(include_str!("../../sql/upkeep/erase_feedback.sql")),
                slice(include_str!("../../sql/upkeep/erase_turns.sql")),
            ]);
            if counts.await?.get(1).is_none_or(|turns| *turns == 0) {
                break;
            }
            sleep(PAUSE).await;
        }
        let rest = vec![
            slice(include_str!("../../sql/upkeep/erase_chats.sql")),
            slice(include_str!("../../sql/upkeep/erase_sessions.sql")),
            slice(include_str!("../../sql/upkeep/erase_captures.sql")),
        ];
        self.store.change(rest).await.map(|_| ())
    }

    /// Deletes what is older than it may be; how many rows.
    ///
    /// # Errors
    /// When the store cannot be asked; what was deleted until then stays deleted.
    pub(super) async fn clean(&self) -> Result<u64, StoreError> {
        let now = self.clock.now_ms();
        let mut deleted = self
            .delete(include_str!("../../sql/upkeep/captures.sql"), now)
            .await?;
        deleted += self
            .delete(include_str!("../../sql/upkeep/revocations.sql"), now)
            .await?;
        let Some(retention) = self.retention else {
            return Ok(deleted);
        };
        let before = now - i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        for text in [
            include_str!("../../sql/upkeep/attempts.sql"),
            include_str!("../../sql/upkeep/turns.sql"),
            include_str!("../../sql/upkeep/feedback.sql"),
            include_str!("../../sql/upkeep/commits.sql"),
            include_str!("../../sql/upkeep/sessions.sql"),
            include_str!("../../sql/upkeep/summaries.sql"),
            include_str!("../../sql/upkeep/call_summaries.sql"),
            include_str!("../../sql/upkeep/marks.sql"),
            include_str!("../../sql/upkeep/erasures.sql"),
            include_str!("../../sql/upkeep/leases.sql"),
            include_str!("../../sql/upkeep/alerts.sql"),
            include_str!("../../sql/upkeep/chats.sql"),
        ] {
            deleted += self.delete(text, before).await?;
        }
        Ok(deleted)
    }

    async fn delete(&self, text: &'static str, before: i64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let args = vec![("before", Arg::At(before)), ("limit", Arg::Int(SLICE))];
            let counts = self.store.change(vec![Question::new(text, args)]).await?;
            let count = counts.first().copied().unwrap_or_default();
            deleted += count;
            if count < SLICE.unsigned_abs() {
                return Ok(deleted);
            }
            sleep(PAUSE).await;
        }
    }
}
