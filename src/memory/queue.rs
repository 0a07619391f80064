//! Exchanges waiting to be written: in order within a thread, threads taking turns.
//!
//! Bounded twice. Overall, what is too much is refused at the door, where the caller counts it. In
//! one thread, the oldest that nobody has begun to write makes room: the latest words are worth
//! most, and one stuck thread must not fill the house.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Exchange, Person};
use crate::telemetry::events::MemoryWriteDropped;

/// Exchanges waiting or being written.
pub(super) const TOTAL: usize = 4096;
/// Exchanges waiting in one thread.
const PER_THREAD: usize = 256;
/// Exchanges written together at most.
const BATCH: usize = 15;

#[derive(Default)]
struct Waiting {
    exchanges: VecDeque<Exchange>,
    /// Exchanges of this thread being written now.
    busy: usize,
    /// What is being written now is not wanted any more.
    forgotten: bool,
}

#[derive(Default)]
struct Inside {
    threads: HashMap<Arc<str>, (Person, Waiting)>,
    /// Threads with something to write that is not being written, longest waiting first.
    ready: VecDeque<Arc<str>>,
    total: usize,
    lost: u64,
    closed: bool,
}

/// Exchanges of one thread, taken out to be written.
pub(super) struct Batch {
    pub(super) who: Person,
    pub(super) exchanges: Vec<Exchange>,
}

/// See the module's words.
#[derive(Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    changed: Notify,
}

impl Queue {
    /// Takes an exchange in; false when full or closed.
    pub(super) fn push(&self, who: &Person, exchange: Exchange) -> bool {
        let mut inside = self.lock();
        if inside.closed || inside.total >= TOTAL {
            return false;
        }
        let (_, waiting) = inside
            .threads
            .entry(Arc::clone(&who.thread))
            .or_insert_with(|| (who.clone(), Waiting::default()));
        waiting.exchanges.push_back(exchange);
        let waits_anew = waiting.busy == 0 && waiting.exchanges.len() == 1;
        if waiting.exchanges.len() > PER_THREAD {
            waiting.exchanges.pop_front();
            inside.lost += 1;
            MemoryWriteDropped {
                reason: "thread_full",
                exchanges: 1,
            }
            .emit();
        } else {
            inside.total += 1;
        }
        if waits_anew {
            inside.ready.push_back(Arc::clone(&who.thread));
        }
        drop(inside);
        self.changed.notify_one();
        true
    }

    /// Takes out what the longest waiting thread has, as far as one writing goes.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut inside = self.lock();
        let thread = inside.ready.pop_front()?;
        let (who, waiting) = inside.threads.get_mut(&thread)?;
        let many = waiting.exchanges.len().min(BATCH);
        waiting.busy = many;
        Some(Batch {
            who: who.clone(),
            exchanges: waiting.exchanges.drain(..many).collect(),
        })
    }

    /// A batch of this thread is written, or, as far as `lost` says, given up.
    pub(super) fn finished(&self, thread: &Arc<str>, lost: usize) {
        let mut inside = self.lock();
        inside.lost += lost as u64;
        if lost > 0 {
            MemoryWriteDropped {
                reason: "given_up",
                exchanges: lost,
            }
            .emit();
        }
        let Some((_, waiting)) = inside.threads.get_mut(thread) else {
            return;
        };
        let done = std::mem::take(&mut waiting.busy);
        waiting.forgotten = false;
        if waiting.exchanges.is_empty() {
            inside.threads.remove(thread);
        } else {
            inside.ready.push_back(Arc::clone(thread));
        }
        inside.total = inside.total.saturating_sub(done);
    }

    /// Drops what waits of this person, in all their threads, and calls off what is being written.
    pub(super) fn forget(&self, who: &Person) {
        let mut inside = self.lock();
        let mut dropped = 0;
        inside.threads.retain(|_, (person, waiting)| {
            if person.user == who.user {
                dropped += waiting.exchanges.len();
                waiting.exchanges.clear();
                waiting.forgotten = waiting.busy > 0;
            }
            waiting.busy > 0 || !waiting.exchanges.is_empty()
        });
        inside.total = inside.total.saturating_sub(dropped);
        let Inside { ready, threads, .. } = &mut *inside;
        ready.retain(|thread| threads.contains_key(thread));
    }

    /// Whether what is being written of this thread has been called off.
    pub(super) fn is_forgotten(&self, thread: &str) -> bool {
        let inside = self.lock();
        let found = inside.threads.get(thread);
        found.is_some_and(|(_, waiting)| waiting.forgotten)
    }

    /// Takes nothing more in; what is inside may still be written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Closes, and counts as lost whatever is still inside; says how much that is.
    pub(super) fn abandon(&self) -> usize {
        let mut inside = self.lock();
        let left = inside.total;
        if left > 0 {
            MemoryWriteDropped {
                reason: "stopped",
                exchanges: left,
            }
            .emit();
        }
        let lost = inside.lost + left as u64;
        *inside = Inside {
            lost,
            closed: true,
            ..Inside::default()
        };
        left
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Exchanges waiting or being written.
    pub(super) fn len(&self) -> usize {
        self.lock().total
    }

    /// Exchanges taken in and given up since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Resolves when something came in, or the queue was closed, since the last time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(at_ms: i64) -> Exchange {
        Exchange {
            user: Some("hello".to_owned()),
            assistant: None,
            at_ms,
        }
    }

    fn times(batch: &Batch) -> Vec<i64> {
        batch.exchanges.iter().map(|e| e.at_ms).collect()
    }

    #[test]
    fn a_thread_is_written_in_order_and_by_one_at_a_time() {
        let queue = Queue::default();
        let (a, b) = (Person::new("a", "1"), Person::new("b", "1"));
        (0..3).for_each(|n| assert!(queue.push(&a, exchange(n))));
        assert!(queue.push(&b, exchange(9)));
        let first = queue.next().unwrap();
        assert_eq!(times(&first), [0, 1, 2]);
        assert!(queue.push(&a, exchange(3)));
        assert_eq!(times(&queue.next().unwrap()), [9]);
        assert!(queue.next().is_none(), "both are busy");
        queue.finished(&a.thread, 0);
        assert_eq!(times(&queue.next().unwrap()), [3]);
        assert_eq!(queue.len(), 2);
        queue.finished(&a.thread, 1);
        queue.finished(&b.thread, 0);
        assert_eq!((queue.len(), queue.lost()), (0, 1));
        assert!(queue.lock().threads.is_empty());
    }

    #[test]
    fn the_house_is_bounded_and_so_is_each_thread() {
        let queue = Queue::default();
        let stuck = Person::new("stuck", "1");
        (0..300).for_each(|n| assert!(queue.push(&stuck, exchange(n))));
        assert_eq!((queue.len(), queue.lost()), (256, 44));
        assert_eq!(queue.next().unwrap().exchanges[0].at_ms, 44);
        for n in 256..TOTAL {
            assert!(queue.push(&Person::new(&n.to_string(), "1"), exchange(0)));
        }
        assert!(!queue.push(&Person::new("one more", "1"), exchange(0)));
        assert_eq!(queue.abandon(), TOTAL);
        assert!(!queue.push(&stuck, exchange(0)));
    }

    #[test]
    fn what_waits_of_a_person_can_be_dropped() {
        let queue = Queue::default();
        let (a, b) = (Person::new("a", "1"), Person::new("b", "1"));
        for who in [&a, &Person::new("a", "2"), &b] {
            queue.push(who, exchange(0));
        }
        let begun = queue.next().unwrap();
        queue.push(&a, exchange(1));
        queue.forget(&a);
        assert_eq!(queue.len(), 2);
        assert!(queue.is_forgotten(&begun.who.thread));
        queue.finished(&begun.who.thread, 0);
        assert_eq!(&*queue.next().unwrap().who.user, &*b.user);
        assert!(queue.next().is_none());
        assert_eq!(queue.len(), 1);
    }
}
