//! The spool between those who write into it and the one who empties it, and how it stands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::spool::{Counts, Seq, Spool};

/// The spool, shared. Cheap to clone. Its lock is held for a disk's time: on blocking threads only.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    spool: Arc<Mutex<Spool>>,
    filled: Arc<Notify>,
    closed: CancellationToken,
    standing: Arc<Mutex<Standing>>,
}

/// Tells how the records stand, from what was last seen: nothing is asked. It does not hold the spool,
/// so that whoever only looks keeps no directory from the next process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RecordsHealth {
    spool: Weak<Mutex<Spool>>,
    standing: Arc<Mutex<Standing>>,
}

impl RecordsHealth {
    #[must_use]
    pub fn standing(&self) -> Standing {
        noted(&self.standing).clone()
    }

    /// Whether nothing waits for the store. Looks at the spool, so it may wait for a disk. One that has
    /// ended is waited for by nobody.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let spool = self.spool.upgrade();
        spool.is_none_or(|spool| held(&spool).is_empty())
    }
}

/// What lay in the spool when it was opened: left by the process before.
#[derive(Clone, Debug)]
pub struct Backlog {
    outbox: Outbox,
    newest: Option<Seq>,
}

impl Backlog {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// Whether the store has all of it, as far as it ever will. Looks at the spool, so it may wait for
    /// a disk.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        // Not until it is empty: where ever more rows come it may never be.
        let oldest = self.outbox.spool().oldest();
        oldest.is_none_or(|oldest| Some(oldest) > self.newest)
    }
}

/// How the records stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why the store does not take rows; `None` while it does.
    pub refused: Option<&'static str>,
    /// Rows that wait.
    pub rows: u64,
    /// Bytes of the spool on disk.
    pub bytes: u64,
    /// When the oldest row that waits was written, milliseconds since the Unix epoch.
    pub oldest_at_ms: Option<i64>,
    /// The disk does not take rows: they wait in memory.
    pub is_degraded: bool,
    /// Rows that no store takes, set aside.
    pub quarantined: u64,
}

impl Outbox {
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool: Arc::new(Mutex::new(spool)),
            filled: Arc::default(),
            closed: CancellationToken::new(),
            standing: Arc::default(),
        }
    }

    /// What is in it now.
    pub(super) fn backlog(&self) -> Backlog {
        let newest = self.spool().newest();
        Backlog {
            outbox: self.clone(),
            newest,
        }
    }

    pub(super) fn spool(&self) -> MutexGuard<'_, Spool> {
        held(&self.spool)
    }

    pub(super) fn health(&self) -> RecordsHealth {
        RecordsHealth {
            spool: Arc::downgrade(&self.spool),
            standing: Arc::clone(&self.standing),
        }
    }

    /// Something was put in.
    pub(super) fn wake(&self) {
        self.filled.notify_one();
    }

    /// Resolves when something was put in since the last time.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Nothing more will be put in.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Notes whether the store takes rows, and why not.
    pub(super) fn note(&self, refused: Option<&'static str>) {
        noted(&self.standing).refused = refused;
    }

    /// Looks at the spool and notes how it stands; what was lost since the last look.
    pub(super) fn look(&self) -> (Standing, Counts) {
        let mut spool = self.spool();
        let (rows, bytes) = (spool.len(), spool.bytes());
        let (oldest_at_ms, is_degraded) = (spool.oldest_at_ms(), spool.is_degraded());
        let (quarantined, counts) = (spool.quarantined(), spool.take_counts());
        drop(spool);
        let mut noted = noted(&self.standing);
        *noted = Standing {
            refused: noted.refused,
            rows,
            bytes,
            oldest_at_ms,
            is_degraded,
            quarantined,
        };
        (noted.clone(), counts)
    }
}

fn held(spool: &Mutex<Spool>) -> MutexGuard<'_, Spool> {
    spool.lock().unwrap_or_else(PoisonError::into_inner)
}

fn noted(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}
