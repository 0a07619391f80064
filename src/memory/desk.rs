//! Where turns, the writer and the keeper of the spool meet: what came in, what is done with, who
//! shall be forgotten, and how much waits in all. Every hold is short; nobody waits here but the keeper.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::queue::Item;
use super::{Exchange, Person};
use crate::spool::Seq;
use crate::telemetry::events::MemoryWriteDropped;
use crate::telemetry::metrics;

/// Exchanges that came in and are not on the disk yet.
pub(super) const INBOX: usize = 4096;
/// People whose erasure is remembered, so that nothing begun before it brings them back.
const ERASED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// What became of exchanges that were taken out to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Written,
    /// Refused, or it may have been applied: never tried again.
    GivenUp,
    /// Their person is forgotten.
    Dropped,
    /// The process ends; they wait on for the next one.
    Left,
}

/// What waits to be written to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub exchanges: usize,
    /// Those of them that outlive the process.
    pub on_disk: usize,
    /// When the oldest of these was put there, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// They wait in memory alone: the disk takes nothing, and a killed process would lose them.
    pub is_degraded: bool,
}

/// Drops what is on the disk of a person, and tells how much waited, here and there.
pub(super) struct Order {
    pub(super) user: Arc<str>,
    pub(super) dropped: usize,
    pub(super) told: oneshot::Sender<usize>,
}

struct Erasure {
    at_ms: i64,
    at: Instant,
}

struct State {
    inbox: VecDeque<(Person, Exchange)>,
    done: Vec<Seq>,
    orders: Vec<Order>,
    erased: LruCache<Arc<str>, Erasure>,
    waiting: Waiting,
    /// Exchanges in the queue that no disk holds.
    unkept: usize,
    lost: u64,
    /// Nothing more comes in.
    closed: bool,
    /// The writer has ended.
    over: bool,
    /// Something changed since the keeper looked.
    rung: bool,
}

/// What the keeper takes up at once.
pub(super) struct Work {
    pub(super) inbox: VecDeque<(Person, Exchange)>,
    pub(super) done: Vec<Seq>,
    pub(super) orders: Vec<Order>,
    /// Nothing more comes in, and `inbox` was the last of it.
    pub(super) is_last: bool,
    /// The writer has ended.
    pub(super) is_over: bool,
}

/// See the module's words.
pub(super) struct Desk {
    state: Mutex<State>,
    bell: Condvar,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                inbox: VecDeque::new(),
                done: Vec::new(),
                orders: Vec::new(),
                erased: LruCache::sparse(ERASED),
                waiting: Waiting::default(),
                unkept: 0,
                lost: 0,
                closed: false,
                over: false,
                rung: false,
            }),
            bell: Condvar::new(),
        }
    }

    /// Takes an exchange in; false when full or closed. What an erased person said before it is
    /// taken in and dropped.
    pub(super) fn put(&self, who: &Person, exchange: Exchange) -> bool {
        let mut state = self.lock();
        let erased = state.erased.peek(&who.user);
        if erased.is_some_and(|erasure| exchange.at_ms <= erasure.at_ms) {
            return true;
        }
        if state.closed || state.inbox.len() >= INBOX {
            return false;
        }
        state.inbox.push_back((who.clone(), exchange));
        state.waiting.exchanges += 1;
        self.ring(state);
        true
    }

    /// How many exchanges more would be taken in now; none once it is closed.
    pub(super) fn room(&self) -> Option<usize> {
        let state = self.lock();
        (!state.closed).then(|| INBOX.saturating_sub(state.inbox.len()))
    }

    /// Drops what of this person has come in, and what will come in that was said until `at_ms`;
    /// has the disk searched. The receiver learns how many exchanges that was.
    pub(super) fn forget(&self, user: &Arc<str>, at_ms: i64) -> oneshot::Receiver<usize> {
        let (told, heard) = oneshot::channel();
        let mut state = self.lock();
        let at = Instant::now();
        state.erased.put(Arc::clone(user), Erasure { at_ms, at });
        let before = state.inbox.len();
        state.inbox.retain(|(who, _)| who.user != *user);
        let dropped = before - state.inbox.len();
        state.waiting.exchanges = state.waiting.exchanges.saturating_sub(dropped);
        state.orders.push(Order {
            user: Arc::clone(user),
            dropped,
            told,
        });
        self.ring(state);
        heard
    }

    /// Whether this person was erased, ever or after `since`.
    pub(super) fn is_erased(&self, user: &str, since: Option<Instant>) -> bool {
        let state = self.lock();
        let erasure = state.erased.peek(user);
        erasure.is_some_and(|erasure| since.is_none_or(|since| erasure.at >= since))
    }

    /// These have come to their end.
    pub(super) fn finish(&self, items: &[Item], end: End) {
        if items.is_empty() || end == End::Left {
            return;
        }
        let mut state = self.lock();
        let before = state.done.len();
        state.done.extend(items.iter().filter_map(|item| item.seq));
        // They do not wait any more, though the disk is told a moment later.
        let done = state.done.len() - before;
        state.waiting.on_disk = state.waiting.on_disk.saturating_sub(done);
        let unkept = items.iter().filter(|item| item.seq.is_none()).count();
        state.unkept = state.unkept.saturating_sub(unkept);
        state.waiting.exchanges = state.waiting.exchanges.saturating_sub(items.len());
        if end == End::GivenUp {
            state.lose("given_up", items.len());
        }
        self.ring(state);
    }

    /// So many were found on the disk of what an earlier process left.
    pub(super) fn found(&self, exchanges: usize) {
        self.lock().waiting.exchanges += exchanges;
    }

    /// One goes into the queue that no disk holds.
    pub(super) fn unkept(&self) {
        self.lock().unkept += 1;
    }

    /// So many that waited will not be written, and nobody misses them.
    pub(super) fn dropped(&self, exchanges: usize) {
        let mut state = self.lock();
        state.waiting.exchanges = state.waiting.exchanges.saturating_sub(exchanges);
    }

    /// So many that waited are lost, for a reason that the metric knows.
    pub(super) fn lose(&self, reason: &'static str, exchanges: usize) {
        let mut state = self.lock();
        state.waiting.exchanges = state.waiting.exchanges.saturating_sub(exchanges);
        state.lose(reason, exchanges);
    }

    /// At the end: what no disk holds is lost. Says how much waits on.
    pub(super) fn settle(&self) -> usize {
        let mut state = self.lock();
        let unkept = std::mem::take(&mut state.unkept);
        state.waiting.exchanges = state.waiting.exchanges.saturating_sub(unkept);
        state.lose("stopped", unkept);
        state.waiting.exchanges
    }

    /// How the disk is, for [`Desk::waiting`]; how many wait is known here. Moves the gauge.
    pub(super) fn show(&self, disk: Waiting) {
        let mut state = self.lock();
        let exchanges = state.waiting.exchanges;
        // What came to its end since the disk was looked at is still counted there.
        let on_disk = disk.on_disk.saturating_sub(state.done.len());
        state.waiting = Waiting {
            exchanges,
            on_disk,
            ..disk
        };
        drop(state);
        metrics::set_memory_backlog(exchanges);
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.ring(state);
    }

    /// The writer has ended: nothing is finished any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.over = true;
        self.ring(state);
    }

    /// Waits for work, at most for so long, and takes it: of what came in, at most `most`.
    pub(super) fn take(&self, most: usize, wait: Option<Duration>) -> Work {
        let idle = |state: &mut State| !state.rung;
        let state = self.lock();
        // What a thread that panicked left behind is still a desk.
        let mut state = match wait {
            None => {
                let woken = self.bell.wait_while(state, idle);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
            Some(wait) => {
                let woken = self.bell.wait_timeout_while(state, wait, idle);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.rung = false;
        let many = state.inbox.len().min(most);
        Work {
            inbox: state.inbox.drain(..many).collect(),
            done: std::mem::take(&mut state.done),
            orders: std::mem::take(&mut state.orders),
            is_last: state.closed && state.inbox.is_empty(),
            is_over: state.over,
        }
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.lock().waiting
    }

    /// Exchanges taken in, or found, and given up since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    #[cfg(test)]
    pub(super) fn inbox(&self) -> usize {
        self.lock().inbox.len()
    }

    /// Wakes the keeper, who was woken already where it has not looked since.
    fn ring(&self, mut state: MutexGuard<'_, State>) {
        let was_rung = std::mem::replace(&mut state.rung, true);
        drop(state);
        if !was_rung {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self, reason: &'static str, exchanges: usize) {
        if exchanges > 0 {
            self.lost += exchanges as u64;
            MemoryWriteDropped { reason, exchanges }.emit();
        }
    }
}
