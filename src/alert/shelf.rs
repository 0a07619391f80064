//! Where letters lie until they have arrived: a spool of their own. They hold no word of anybody and
//! lie there as they are.
//!
//! Every call waits for the disk, on a thread of its own kind, and leaves what it did durable.
//! Letters are few.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::lifecycle::Lifecycle;
use crate::spool::{Class, Limits, Row, Seq, Spool};

use super::queue::MOST;
use super::webhook::Letter;

const LIMITS: Limits = Limits {
    segment_bytes: 128 << 10,
    total_bytes: 1 << 20,
    row_bytes: 8 << 10,
    ring_rows: MOST,
    quarantine_bytes: 64 << 10,
};

/// What was found there: letters in their order, how many rows were none, and how many had been
/// there and are not.
#[derive(Default)]
pub(super) struct Found {
    pub(super) letters: Vec<(Letter, Seq)>,
    pub(super) unreadable: usize,
    pub(super) damaged: usize,
}

/// See the module's words.
#[derive(Clone)]
pub(super) struct Shelf {
    dir: PathBuf,
    /// None while another process holds the directory.
    spool: Arc<Mutex<Option<Spool>>>,
    lifecycle: Lifecycle,
}

impl Shelf {
    pub(super) fn new(dir: PathBuf, lifecycle: Lifecycle) -> Self {
        Self {
            dir,
            spool: Arc::default(),
            lifecycle,
        }
    }

    /// Opens it where it is not open, and gives what lies there. `None` while another process holds
    /// it, or when it was open already.
    pub(super) async fn open(&self) -> Option<Found> {
        let dir = self.dir.clone();
        let opened = self.blocking(move |place| {
            if place.is_some() {
                return None;
            }
            let (mut spool, recovered) = Spool::open(&dir, LIMITS).ok()?;
            let mut found = take_up(&mut spool);
            // More never lay there.
            found.damaged = usize::try_from(recovered.lost_rows).map_or(MOST, |n| n.min(MOST));
            *place = Some(spool);
            Some(found)
        });
        opened.await.flatten()
    }

    /// Puts a letter there. `None` where that cannot be done; it is in memory alone then.
    pub(super) async fn keep(&self, letter: &Letter) -> Option<Seq> {
        let payload = serde_json::to_vec(letter).ok()?;
        let at_ms = letter.at_ms;
        let kept = self.blocking(move |place| {
            let spool = place.as_mut()?;
            if spool.is_degraded() {
                spool.retry_disk();
            }
            let seq = spool.append(Class::Essential, &payload, at_ms).ok()?;
            // A failure leaves it in memory, from where the next call tries again.
            let _ = spool.sync();
            Some(seq)
        });
        kept.await.flatten()
    }

    /// A letter is done with.
    pub(super) async fn done(&self, seq: Seq) {
        let done = self.blocking(move |place| {
            if let Some(spool) = place {
                spool.ack(&[seq]);
                // What is lost of it means that the letter is sent again, under the same id.
                let _ = spool.sync();
            }
        });
        done.await.unwrap_or_default();
    }

    /// Makes all durable that can be, once nothing more comes. How many letters are in memory alone.
    pub(super) async fn close(&self) -> usize {
        let closed = self.blocking(move |place| {
            let Some(spool) = place else { return 0 };
            if spool.is_degraded() {
                spool.retry_disk();
            }
            // What is in memory then is told by the number.
            let _ = spool.sync();
            spool.in_memory()
        });
        closed.await.unwrap_or_default()
    }

    /// `None` where the work panicked, which the panic's own line tells.
    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<Spool>) -> R + Send + 'static,
    ) -> Option<R> {
        let spool = Arc::clone(&self.spool);
        let done = self.lifecycle.spawn_blocking(move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut spool)
        });
        done.await.ok()
    }
}

/// Reads what lies there, within the queue's bound; what is beyond it is taken up by a later start.
fn take_up(spool: &mut Spool) -> Found {
    let mut found = Found::default();
    let rows = spool.read(None, MOST, usize::MAX);
    for row in rows {
        match letter(&row) {
            Some(letter) => found.letters.push((letter, row.seq)),
            None => {
                spool.quarantine(&row, "is no letter of an alert");
                found.unreadable += 1;
            }
        }
    }
    found
}

fn letter(row: &Row) -> Option<Letter> {
    serde_json::from_slice(&row.payload).ok()
}
