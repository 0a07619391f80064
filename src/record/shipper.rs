//! Empties the spool into the store: in order, in batches, again and again until it arrives. A row
//! that the store refuses for its own fault is found by halving, tried three times and set aside.
//!
//! After an outage it goes slowly and begins at a random moment, so that many machines that come back
//! together do not bring the database down again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::spool::{Row, Seq};
use crate::telemetry::events::{
    LogUnwritten, LogWritten, RecordDropped, RecordsDelayed, RecordsFlow, RowQuarantined, SpoolSeen,
};

use super::entry::{Entry, Kind};
use super::outbox::Outbox;
use super::store::{Store, StoreError};

/// Rows of one batch at most, and about how many bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
/// How often what waits is made durable.
const SYNC: Duration = Duration::from_millis(200);
/// How often the spool is looked at, whatever happens.
const LOOK: Duration = Duration::from_secs(1);
/// Pause after a failure, doubled up to the longest. The longest bounds how late a database that is
/// well again is noticed.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The shortest time between two full batches after an outage: a thousand rows a second.
const PACE: Duration = Duration::from_millis(500);
/// How often a row that the store refuses by itself is tried.
const TRIES: u32 = 3;
/// So many rows refused one after the other are the store's fault: they wait.
const SYSTEMIC: u32 = 20;
/// How long the last delivery may take once nothing more comes.
const LAST: Duration = Duration::from_secs(2);
/// When nothing has waited for so long, what was delivered is removed from the disk.
const IDLE: Duration = Duration::from_secs(10);

/// What the shipper works with.
#[derive(Clone)]
pub(super) struct Shipper {
    /// Told when somebody who asked to be forgotten has arrived.
    pub(super) erased: Arc<Notify>,
    pub(super) outbox: Outbox,
    pub(super) store: Store,
    pub(super) lifecycle: Lifecycle,
    pub(super) clock: Clock,
}

impl Shipper {
    /// Starts it, and the one who looks after the spool. Both end once the outbox is closed: the
    /// shipper when it is empty or at the first failure, for what is left lies on disk.
    pub(super) fn start(self) {
        let keeper = self.clone();
        self.lifecycle.clone().spawn(keeper.look_after());
        self.lifecycle.clone().spawn(self.run());
    }

    async fn look_after(self) {
        let mut tick = interval(SYNC);
        let mut last_look: Option<Instant> = None;
        let mut last_filled = Instant::now();
        let mut was_written = true;
        let closed = self.outbox.closed().clone();
        while closed.run_until_cancelled(tick.tick()).await.is_some() {
            let outbox = self.outbox.clone();
            let is_idle = last_filled.elapsed() >= IDLE;
            let is_filled = self.blocking(move || {
                let mut spool = outbox.spool();
                // A failure shows as degraded, at the next look.
                if spool.is_empty() {
                    if is_idle {
                        let _ = spool.turn_page();
                    }
                } else if spool.is_unsynced() {
                    // What is acknowledged and not yet durable as such is only sent again.
                    let _ = spool.sync();
                }
                !spool.is_empty()
            });
            if is_filled.await == Some(true) {
                last_filled = Instant::now();
            }
            let written = self.store.write_out().await;
            match &written {
                // What failed stays due, so that this is no look that had nothing to do.
                Ok(()) if !was_written => LogWritten.emit(),
                Err(error) if was_written => {
                    let why = &error.to_string();
                    LogUnwritten { why }.emit();
                }
                _ => {}
            }
            was_written = written.is_ok();
            if last_look.is_none_or(|at| at.elapsed() >= LOOK) {
                last_look = Some(Instant::now());
                self.look().await;
            }
        }
    }

    async fn run(self) {
        let mut failures = 0;
        // What a process left behind is a replay too.
        let mut is_replaying = true;
        let mut batch = BATCH;
        let mut set_aside = 0;
        loop {
            let begun = Instant::now();
            let is_last = self.outbox.closed().is_cancelled();
            if is_last {
                // Whatever the store does now, what is left is safe.
                self.sync().await;
            }
            let rows = self.next(batch).await;
            if rows.is_empty() {
                is_replaying = false;
                if self.outbox.closed().is_cancelled() {
                    break;
                }
                self.wait().await;
                continue;
            }
            let is_full = rows.len() == batch;
            let delivery = self.deliver(rows, &mut set_aside);
            let delivered = if is_last {
                let bounded = timeout(LAST, delivery).await;
                bounded.unwrap_or(Err(StoreError::Timeout))
            } else {
                delivery.await
            };
            match delivered {
                Ok(()) => {
                    if failures > 0 {
                        RecordsFlow.emit();
                        self.outbox.note(None);
                        is_replaying = true;
                    }
                    failures = 0;
                    batch = BATCH.min(batch * 2);
                    if is_replaying && is_full && self.is_shared() {
                        sleep_until(begun + jittered(PACE)).await;
                    }
                }
                Err(error) => {
                    failures += 1;
                    if error.is_too_much() {
                        batch = (batch / 2).max(1);
                    }
                    self.refused(&error, failures);
                    if self.outbox.closed().is_cancelled() {
                        break;
                    }
                    self.pause(failures).await;
                }
            }
        }
        self.sync().await;
    }

    async fn sync(&self) {
        let outbox = self.outbox.clone();
        // A failure shows as degraded, at the next look.
        self.blocking(move || outbox.spool().sync().is_ok()).await;
    }

    /// Whether other machines bring their rows to the same store.
    fn is_shared(&self) -> bool {
        matches!(self.store, Store::Postgres(_))
    }

    async fn next(&self, rows: usize) -> Vec<Row> {
        let outbox = self.outbox.clone();
        self.blocking(move || outbox.spool().read(None, rows, BATCH_BYTES))
            .await
            .unwrap_or_default()
    }

    /// Delivers rows, halving what is refused for one row's fault. On an error the rest waits.
    ///
    /// `set_aside` counts rows refused one after the other: where nothing at all is taken any more, it is
    /// not the rows that are at fault, and they wait.
    async fn deliver(&self, rows: Vec<Row>, set_aside: &mut u32) -> Result<(), StoreError> {
        let mut parts = vec![rows];
        let mut left = Ok(());
        while let Some(part) = parts.pop() {
            match self.keep(&part).await {
                Ok(()) => {
                    *set_aside = 0;
                    self.done(part.iter().map(|row| row.seq).collect()).await;
                }
                Err(error) if !error.is_poison() => return Err(error),
                Err(error) => match <[Row; 1]>::try_from(part) {
                    Ok(_) if *set_aside >= SYSTEMIC => left = Err(error),
                    Ok([row]) => *set_aside += u32::from(!self.isolate(row, &error).await?),
                    Err(mut first) => {
                        let second = first.split_off(first.len() / 2);
                        parts.push(second);
                        parts.push(first);
                    }
                },
            }
        }
        left
    }

    async fn keep(&self, rows: &[Row]) -> Result<(), StoreError> {
        let entries = rows.iter().filter_map(|row| Entry::decode(&row.payload));
        let entries: Vec<_> = entries.collect();
        if entries.len() < rows.len() {
            // Halving finds the one that this program does not know.
            return Err(StoreError::Row(serde::de::Error::custom("unknown kind")));
        }
        let is_erased = entries.iter().any(|entry| entry.kind == Kind::Erasure);
        self.store.keep(Arc::new(entries)).await?;
        if is_erased {
            self.erased.notify_one();
        }
        Ok(())
    }

    /// Tries a refused row again, alone; refused for good it is set aside. Whether it was taken.
    async fn isolate(&self, row: Row, refusal: &StoreError) -> Result<bool, StoreError> {
        let mut why = refusal.to_string();
        for tries in 1..TRIES {
            sleep(PAUSE * tries).await;
            match self.keep(std::slice::from_ref(&row)).await {
                Ok(()) => {
                    self.done(vec![row.seq]).await;
                    return Ok(true);
                }
                Err(error) if error.is_poison() => why = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        RowQuarantined { why: &why }.emit();
        let outbox = self.outbox.clone();
        self.blocking(move || outbox.spool().quarantine(&row, &why))
            .await;
        Ok(false)
    }

    async fn done(&self, rows: Vec<Seq>) {
        let outbox = self.outbox.clone();
        self.blocking(move || outbox.spool().ack(&rows)).await;
    }

    fn refused(&self, error: &StoreError, failures: u32) {
        let kind = error.kind();
        if failures == 1 {
            let why = &error.to_string();
            RecordsDelayed { kind, why }.emit();
        }
        self.outbox.note(Some(kind));
    }

    /// Notes and tells how the spool stands; tries the disk again. An outage of the store is when that
    /// matters, so it is not the one who waits for the store that does it.
    async fn look(&self) {
        let (outbox, now_ms) = (self.outbox.clone(), self.clock.now_ms());
        self.blocking(move || {
            outbox.spool().retry_disk();
            let (standing, counts) = outbox.look();
            let age = standing.oldest_at_ms.map_or(0, |at| now_ms - at);
            SpoolSeen {
                rows: standing.rows,
                bytes: standing.bytes,
                age_ms: age,
                is_degraded: standing.is_degraded,
                quarantined: standing.quarantined,
            }
            .emit();
            for (reason, rows) in [
                ("spool_full", counts.dropped_detail),
                ("damaged", counts.damaged),
            ] {
                RecordDropped { reason, rows }.emit();
            }
        })
        .await;
    }

    /// Until something was put in. A row that the disk hides for a moment is put in by nobody.
    async fn wait(&self) {
        tokio::select! {
            () = self.outbox.filled() => {}
            () = self.outbox.closed().cancelled() => {}
            () = sleep(LOOK) => {}
        }
    }

    async fn pause(&self, failures: u32) {
        let pause = PAUSE.saturating_mul(1_u32 << failures.saturating_sub(1).min(16));
        tokio::select! {
            () = sleep(jittered(pause.min(LONGEST_PAUSE))) => {}
            // A last try before the process ends.
            () = self.outbox.closed().cancelled() => {}
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.lifecycle.spawn_blocking(work).await.ok()
    }
}

/// Between the whole and a half more.
fn jittered(pause: Duration) -> Duration {
    pause + pause / 2 * rand::random_range(0..1000) / 1000
}
