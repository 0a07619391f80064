//! Exchanges next to be written: in order within a thread, threads taking turns.
//!
//! A window on what waits, of bounded size: the keeper fills it, in order, and holds the rest on the
//! disk until there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Exchange, Person};
use crate::spool::Seq;

/// Exchanges in the window, those that are being written among them.
pub(super) const WINDOW: usize = 4096;
/// Exchanges written together at most.
const BATCH: usize = 15;

/// An exchange and where it is kept.
pub(super) struct Item {
    pub(super) exchange: Exchange,
    /// Its place on the disk; none when it is in memory alone.
    pub(super) seq: Option<Seq>,
    /// An earlier process took it in, and may have written it before it ended.
    pub(super) is_old: bool,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
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
    closed: bool,
}

/// Exchanges of one thread, taken out to be written.
pub(super) struct Batch {
    pub(super) who: Person,
    pub(super) items: Vec<Item>,
}

/// See the module's words.
#[derive(Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    changed: Notify,
}

impl Queue {
    /// How many more the window takes.
    pub(super) fn room(&self) -> usize {
        WINDOW.saturating_sub(self.lock().total)
    }

    /// Takes one in. The one that fills the window sees to it that there is room.
    pub(super) fn push(&self, who: &Person, item: Item) {
        let mut inside = self.lock();
        let (_, waiting) = inside
            .threads
            .entry(Arc::clone(&who.thread))
            .or_insert_with(|| (who.clone(), Waiting::default()));
        waiting.items.push_back(item);
        let waits_anew = waiting.busy == 0 && waiting.items.len() == 1;
        inside.total += 1;
        if waits_anew {
            inside.ready.push_back(Arc::clone(&who.thread));
        }
        drop(inside);
        self.changed.notify_one();
    }

    /// Takes out what the longest waiting thread has, as far as one writing goes.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut inside = self.lock();
        let thread = inside.ready.pop_front()?;
        let (who, waiting) = inside.threads.get_mut(&thread)?;
        let many = waiting.items.len().min(BATCH);
        waiting.busy = many;
        Some(Batch {
            who: who.clone(),
            items: waiting.items.drain(..many).collect(),
        })
    }

    /// The batch of this thread that was taken out is done with.
    pub(super) fn finished(&self, thread: &Arc<str>) {
        let mut inside = self.lock();
        let Some((_, waiting)) = inside.threads.get_mut(thread) else {
            return;
        };
        let done = std::mem::take(&mut waiting.busy);
        waiting.forgotten = false;
        if waiting.items.is_empty() {
            inside.threads.remove(thread);
        } else {
            inside.ready.push_back(Arc::clone(thread));
        }
        inside.total = inside.total.saturating_sub(done);
    }

    /// The batch of this thread that was taken out was left: nothing that follows may go before it.
    pub(super) fn leave(&self, thread: &Arc<str>) {
        let mut inside = self.lock();
        if let Some((_, waiting)) = inside.threads.remove(thread) {
            let gone = waiting.busy + waiting.items.len();
            inside.total = inside.total.saturating_sub(gone);
        }
    }

    /// Gives out what waits of this person, in all their threads, and calls off what is being
    /// written.
    pub(super) fn forget(&self, user: &str) -> Vec<Item> {
        let mut inside = self.lock();
        let mut dropped = Vec::new();
        inside.threads.retain(|_, (person, waiting)| {
            if *person.user == *user {
                dropped.extend(waiting.items.drain(..));
                waiting.forgotten = waiting.busy > 0;
            }
            waiting.busy > 0 || !waiting.items.is_empty()
        });
        inside.total = inside.total.saturating_sub(dropped.len());
        let Inside { ready, threads, .. } = &mut *inside;
        ready.retain(|thread| threads.contains_key(thread));
        dropped
    }

    /// Whether what is being written of this thread has been called off.
    pub(super) fn is_forgotten(&self, thread: &str) -> bool {
        let inside = self.lock();
        let found = inside.threads.get(thread);
        found.is_some_and(|(_, waiting)| waiting.forgotten)
    }

    /// No more comes in; what is inside may still be written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
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

    fn item(at_ms: i64) -> Item {
        Item {
            exchange: Exchange {
                user: Some("hello".to_owned()),
                assistant: None,
                at_ms,
            },
            seq: None,
            is_old: false,
        }
    }

    fn times(batch: &Batch) -> Vec<i64> {
        batch.items.iter().map(|i| i.exchange.at_ms).collect()
    }

    fn len(queue: &Queue) -> usize {
        WINDOW - queue.room()
    }

    #[test]
    fn a_thread_is_written_in_order_and_by_one_at_a_time() {
        let queue = Queue::default();
        let (a, b) = (Person::new("a", "1"), Person::new("b", "1"));
        (0..3).for_each(|n| queue.push(&a, item(n)));
        queue.push(&b, item(9));
        let first = queue.next().unwrap();
        assert_eq!(times(&first), [0, 1, 2]);
        queue.push(&a, item(3));
        assert_eq!(times(&queue.next().unwrap()), [9]);
        assert!(queue.next().is_none(), "both are busy");
        queue.finished(&a.thread);
        assert_eq!(times(&queue.next().unwrap()), [3]);
        assert_eq!(len(&queue), 2);
        queue.finished(&a.thread);
        queue.finished(&b.thread);
        assert_eq!(len(&queue), 0);
        assert!(queue.lock().threads.is_empty());
    }

    #[test]
    fn what_follows_what_was_left_is_left_too() {
        let queue = Queue::default();
        let (a, b) = (Person::new("a", "1"), Person::new("b", "1"));
        (0..20).for_each(|n| queue.push(&a, item(n)));
        queue.push(&b, item(9));
        let first = queue.next().unwrap();
        queue.leave(&first.who.thread);
        assert_eq!(times(&queue.next().unwrap()), [9]);
        assert_eq!(len(&queue), 1);
    }

    #[test]
    fn what_waits_of_a_person_can_be_dropped() {
        let queue = Queue::default();
        let (a, b) = (Person::new("a", "1"), Person::new("b", "1"));
        for who in [&a, &Person::new("a", "2"), &b] {
            queue.push(who, item(0));
        }
        let begun = queue.next().unwrap();
        queue.push(&a, item(1));
        assert_eq!(queue.forget(&a.user).len(), 2);
        assert_eq!(len(&queue), 2);
        assert!(queue.is_forgotten(&begun.who.thread));
        queue.finished(&begun.who.thread);
        assert_eq!(&*queue.next().unwrap().who.user, &*b.user);
        assert!(queue.next().is_none());
        assert_eq!(len(&queue), 1);
    }
}
