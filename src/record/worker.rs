//! The store's one writer: takes what has gathered, tells it, keeps it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::telemetry::events::{RecordDropped, TurnEnded};
use crate::telemetry::live::Live;
use crate::turn::TurnRecord;

use super::embedded::Embedded;
use super::recorder::Recorder;

/// Rows of one transaction at most.
const BATCH: usize = 256;
/// Under load, how long turns gather before they are written: one transaction and one wake-up for
/// all of them leave the processor to those who speak. An idle store writes at once.
const GATHER: Duration = Duration::from_millis(100);
/// How often a batch that the store refuses is tried, and the pause before each further try.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the last write went well.
#[derive(Clone, Debug)]
pub struct StoreHealth(Arc<AtomicBool>);

impl StoreHealth {
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts the writer on a thread of its own. It ends once every [`Recorder`] is gone and the queue
/// is empty, so a clean stop loses nothing.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(
    mut store: Embedded,
    lifecycle: &Lifecycle,
    live: Live,
) -> io::Result<(Recorder, StoreHealth)> {
    let (recorder, mut queue) = Recorder::new();
    let health = StoreHealth(Arc::new(AtomicBool::new(true)));
    let written = health.clone();
    lifecycle.spawn_thread("record", move || {
        run(&mut store, &mut queue, &written, &live);
    })?;
    Ok((recorder, health))
}

/// Between two rows: on a machine with no processor to spare, a batch would else hold up whoever
/// speaks for as long as all of it takes.
pub(super) fn step_aside() {
    thread::yield_now();
}

fn run(
    store: &mut Embedded,
    queue: &mut mpsc::Receiver<TurnRecord>,
    health: &StoreHealth,
    live: &Live,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut last_write = Instant::now();
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        if batch.len() < BATCH && last_write.elapsed() < GATHER {
            thread::sleep(GATHER);
            while batch.len() < BATCH
                && let Ok(record) = queue.try_recv()
            {
                batch.push(record);
            }
        }
        let is_kept = (0..TRIES).any(|n| {
            thread::sleep(PAUSE * n);
            match store.keep(&batch) {
                Ok(()) => true,
                Err(e) => {
                    tracing::warn!(target: "clm::record", error = %e, "the store refused a batch");
                    false
                }
            }
        });
        health.0.store(is_kept, Ordering::Relaxed);
        last_write = Instant::now();
        for record in batch.drain(..) {
            TurnEnded(&record).emit();
            live.announce(&record);
            step_aside();
            if !is_kept {
                RecordDropped { reason: "store" }.emit();
            }
        }
    }
}
