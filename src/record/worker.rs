//! The one who takes what turns hand over: tells it (one line, all metrics, whoever watches) and puts
//! it into the spool. On a thread of its own, because both may wait for a disk.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::lifecycle::{Lifecycle, give_way, leave_real_time};
use crate::spool::Refused;
use crate::telemetry::events::{RecordDropped, TurnEnded, TurnPanicked};
use crate::telemetry::live::Live;
use crate::turn::TurnRecord;

use super::entry::{Entry, Note};
use super::outbox::Outbox;

/// Notes taken at once.
const BATCH: usize = 256;
/// Under load, how long notes gather before they are written: one write and one wake-up for all of
/// them leave the processor to those who speak.
const GATHER: Duration = Duration::from_millis(100);
/// How long turns wait where the writer is idle. Where one ends another often begins, at that moment and on the same
/// processor, and whoever waits for its first word comes first. What somebody was told of as taken does not wait.
const LET_BEGIN: Duration = Duration::from_millis(20);

/// Says that nothing more will come, whichever way the writer ends.
struct Closing(Outbox);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Whoever else wants to see settled turns.
pub(super) type Witness = Box<dyn Fn(&TurnRecord) + Send>;

/// What the writer works with.
pub(super) struct Worker {
    pub(super) queue: mpsc::Receiver<Note>,
    pub(super) outbox: Outbox,
    pub(super) live: Live,
    pub(super) witness: Witness,
    pub(super) clock: Clock,
}

impl Worker {
    /// Starts the writer. It ends once every recorder is gone and the queue is empty, so a clean stop
    /// loses nothing.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(self, lifecycle: &Lifecycle) -> io::Result<()> {
        lifecycle.spawn_thread("record", move || self.run())
    }

    fn run(mut self) {
        let _closing = Closing(self.outbox.clone());
        let mut batch = Vec::with_capacity(BATCH);
        let mut last_write = Instant::now();
        while self.queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            leave_real_time();
            let are_turns = batch.iter().all(|note| matches!(note, Note::Turn(_)));
            let wait = match last_write.elapsed() < GATHER {
                true => Some(GATHER),
                false => are_turns.then_some(LET_BEGIN),
            };
            if let Some(wait) = wait.filter(|_| batch.len() < BATCH) {
                thread::sleep(wait);
                while batch.len() < BATCH
                    && let Ok(note) = self.queue.try_recv()
                {
                    batch.push(note);
                }
            }
            last_write = Instant::now();
            for note in batch.drain(..) {
                self.write(&note);
                // One note that nobody could tell of is no reason to keep no other.
                let told = catch_unwind(AssertUnwindSafe(|| self.tell(&note)));
                if told.is_err() {
                    TurnPanicked.emit();
                }
                give_way();
            }
            self.outbox.wake();
        }
    }

    fn write(&self, note: &Note) {
        let at_ms = self.clock.now_ms();
        let mut spool = self.outbox.spool();
        for entry in Entry::of(note) {
            let class = entry.class();
            if let Err(refused) = spool.append(class, &entry.encode(), at_ms) {
                let reason = match refused {
                    Refused::Full => "spool_full",
                    Refused::TooLarge => "too_large",
                };
                RecordDropped { reason, rows: 1 }.emit();
            }
        }
    }

    fn tell(&self, note: &Note) {
        match note {
            Note::Turn(turn) => {
                TurnEnded(turn).emit();
                self.live.announce(turn);
                (self.witness)(turn);
            }
            // Once more: turns that were on their way here when it was asked are announced by now.
            Note::Erasure(erasure) => {
                self.live.erase(&erasure.user_hash);
            }
            _ => {}
        }
    }
}
