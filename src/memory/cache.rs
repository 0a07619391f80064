//! What was recalled lately, and who is being asked about right now.
//!
//! One entry a person, one question in flight a person. Whoever wants a person's context looks here
//! first: it is fresh and given at once, or a question is under way that can be waited for, with the
//! last answer in hand should it come too late. The entry, not the waiting turn, owns the question:
//! turns may leave and the answer still lands.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::watch;
use tokio::time::Instant;

use super::recall::{Answer, Failed, Recall};

/// People remembered at once; the least recently asked about makes room.
const PEOPLE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
/// Younger than this, an answer needs no question.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// Older than this, an answer is no use even in need.
const USABLE: Duration = Duration::from_secs(24 * 3600);

/// When a question is worth asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// When what is at hand is not fresh.
    IfOld,
    /// In any case, unless it is being asked already.
    Anyway,
}

struct Kept {
    context: Option<Arc<str>>,
    at: Instant,
    /// More was said since, and nobody was asked.
    is_behind: bool,
}

struct Flight {
    id: u64,
    answer: watch::Receiver<Option<Answer>>,
}

#[derive(Default)]
struct Entry {
    kept: Option<Kept>,
    flight: Option<Flight>,
}

struct Entries {
    people: LruCache<Arc<str>, Entry>,
    flights: u64,
}

/// See the module's words.
pub(super) struct Cache {
    entries: Mutex<Entries>,
}

impl Cache {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::new(Entries {
                people: LruCache::sparse(PEOPLE),
                flights: 0,
            }),
        })
    }

    /// What there is about `user`, and, when a question has to be asked, where its answer goes.
    pub(super) fn look(
        self: &Arc<Self>,
        user: &Arc<str>,
        ask: Ask,
        now: Instant,
    ) -> (Recall, Option<Landing>) {
        let mut entries = self.lock();
        let id = entries.flights + 1;
        let entry = entries
            .people
            .get_or_insert_mut(Arc::clone(user), Entry::default);
        let age = entry.kept.as_ref().map(|k| now.duration_since(k.at));
        let kept = entry.kept.as_ref().and_then(|k| k.context.clone());
        let is_behind = entry.kept.as_ref().is_some_and(|k| k.is_behind);
        let fresh = !is_behind && age.is_some_and(|age| age < FRESH);
        if fresh && (ask == Ask::IfOld || entry.flight.is_some()) {
            return (Recall::at_hand(kept), None);
        }
        let old = kept.filter(|_| age.is_some_and(|age| age <= USABLE));
        let (answer, landing) = match &entry.flight {
            Some(flight) => (flight.answer.clone(), None),
            None => {
                let (sender, answer) = watch::channel(None);
                entry.flight = Some(Flight {
                    id,
                    answer: answer.clone(),
                });
                entries.flights = id;
                let landing = Landing {
                    cache: Arc::clone(self),
                    user: Arc::clone(user),
                    id,
                    sender,
                };
                (answer, Some(landing))
            }
        };
        (Recall::under_way(answer, old), landing)
    }

    /// Keeps that there is nothing about `user`, unless more is known or being asked.
    pub(super) fn meet(&self, user: &Arc<str>, now: Instant) {
        let mut entries = self.lock();
        let entry = entries
            .people
            .get_or_insert_mut(Arc::clone(user), Entry::default);
        if entry.flight.is_none() {
            entry.kept.get_or_insert(Kept {
                context: None,
                at: now,
                is_behind: false,
            });
        }
    }

    /// What is at hand will not do for the next turn: it asks, with that in hand.
    pub(super) fn fall_behind(&self, user: &str) {
        let mut entries = self.lock();
        let entry = entries.people.peek_mut(user);
        if let Some(kept) = entry.and_then(|entry| entry.kept.as_mut()) {
            kept.is_behind = true;
        }
    }

    /// Drops what is at hand, and keeps an answer under way from being kept.
    pub(super) fn forget(&self, user: &str) {
        self.lock().people.pop(user);
    }

    fn land(&self, user: &str, id: u64, answer: &Answer) {
        let mut entries = self.lock();
        // Not promoted: an answer is no sign that anyone asked.
        let Some(entry) = entries.people.peek_mut(user) else {
            return;
        };
        if entry.flight.as_ref().is_none_or(|flight| flight.id != id) {
            return;
        }
        entry.flight = None;
        if let Ok(context) = answer {
            entry.kept = Some(Kept {
                context: context.clone(),
                at: Instant::now(),
                is_behind: false,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn age(&self, user: &str, by: Duration) {
        if let Some(kept) = self
            .lock()
            .people
            .peek_mut(user)
            .and_then(|e| e.kept.as_mut())
        {
            kept.at -= by;
        }
    }
}

/// Where the one answer about a person goes. Dropped without one, the question has failed: nobody
/// waits for an answer that cannot come.
pub(super) struct Landing {
    cache: Arc<Cache>,
    user: Arc<str>,
    id: u64,
    sender: watch::Sender<Option<Answer>>,
}

impl Landing {
    /// Keeps the answer, then tells those who wait.
    pub(super) fn land(self, answer: Answer) {
        self.settle(answer);
    }

    fn settle(&self, answer: Answer) {
        self.cache.land(&self.user, self.id, &answer);
        self.sender.send_replace(Some(answer));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.settle(Err(Failed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::MemoryOutcome;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn user() -> Arc<str> {
        Arc::from("u")
    }

    fn text(words: &str) -> Answer {
        Ok(Some(Arc::from(words)))
    }

    /// A cache that holds `answer` about the user, as old as this.
    fn holding(answer: Answer, age: Duration) -> Arc<Cache> {
        let cache = Cache::new();
        let (_, landing) = cache.look(&user(), Ask::IfOld, Instant::now());
        landing.unwrap().land(answer);
        cache.age("u", age);
        cache
    }

    /// What a turn gets that cannot wait at all, when the store answers so in time, or never.
    async fn turn(cache: &Arc<Cache>, answer: Option<Answer>) -> (Option<String>, MemoryOutcome) {
        let now = Instant::now();
        let (recall, landing) = cache.look(&user(), Ask::IfOld, now);
        if let (Some(landing), Some(answer)) = (&landing, answer) {
            landing.settle(answer);
        }
        let recalled = recall.within(now).await;
        (recalled.context.map(|c| c.to_string()), recalled.outcome)
    }

    #[tokio::test]
    async fn age_and_answer_decide_the_outcome() {
        use MemoryOutcome::{Error, Hit, Late, Miss, Stale};
        let (young, old, dead) = (Duration::ZERO, FRESH, DAY + FRESH);
        let some = |s: &str| Some(s.to_owned());
        for (kept, age, answer, expected) in [
            (text("a"), young, None, (some("a"), Hit)),
            (Ok(None), young, None, (None, Miss)),
            (text("a"), old, Some(text("b")), (some("b"), Hit)),
            (text("a"), old, Some(Ok(None)), (None, Miss)),
            (text("a"), old, None, (some("a"), Stale)),
            (text("a"), old, Some(Err(Failed)), (some("a"), Stale)),
            (Ok(None), old, None, (None, Late)),
            (Ok(None), old, Some(Err(Failed)), (None, Error)),
            (text("a"), dead, None, (None, Late)),
            (text("a"), dead, Some(Err(Failed)), (None, Error)),
            (Err(Failed), young, None, (None, Late)),
            (Err(Failed), young, Some(text("b")), (some("b"), Hit)),
        ] {
            let case = format!("{kept:?} {age:?} {answer:?}");
            assert_eq!(turn(&holding(kept, age), answer).await, expected, "{case}");
        }
    }

    #[tokio::test]
    async fn a_late_answer_fills_the_cache() {
        let cache = Cache::new();
        let now = Instant::now();
        let (recall, landing) = cache.look(&user(), Ask::IfOld, now);
        assert_eq!(recall.within(now).await.outcome, MemoryOutcome::Late);
        landing.unwrap().land(text("late"));
        let (recall, none) = cache.look(&user(), Ask::IfOld, Instant::now());
        assert!(none.is_none());
        assert_eq!(recall.ready().unwrap().outcome, MemoryOutcome::Hit);
    }

    #[test]
    fn one_question_at_a_time_and_a_refresh_does_not_take_the_fresh_away() {
        let cache = holding(text("a"), Duration::ZERO);
        let now = Instant::now();
        let (_, landing) = cache.look(&user(), Ask::Anyway, now);
        let landing = landing.unwrap();
        for ask in [Ask::Anyway, Ask::IfOld] {
            let (recall, none) = cache.look(&user(), ask, now);
            assert!(none.is_none());
            assert_eq!(recall.ready().unwrap().context.as_deref(), Some("a"));
        }
        landing.land(text("b"));
        let (recall, _) = cache.look(&user(), Ask::IfOld, now);
        assert_eq!(recall.ready().unwrap().context.as_deref(), Some("b"));
    }

    #[test]
    fn whoever_is_met_need_not_be_asked_about_and_whoever_is_known_stays_known() {
        let cache = Cache::new();
        let now = Instant::now();
        cache.meet(&user(), now);
        let (recall, landing) = cache.look(&user(), Ask::IfOld, now);
        assert!(landing.is_none());
        assert_eq!(recall.ready().unwrap().outcome, MemoryOutcome::Miss);
        assert!(cache.look(&user(), Ask::IfOld, now + FRESH).1.is_some());

        let cache = holding(text("a"), Duration::ZERO);
        cache.meet(&user(), Instant::now());
        let (recall, _) = cache.look(&user(), Ask::IfOld, Instant::now());
        assert_eq!(recall.ready().unwrap().context.as_deref(), Some("a"));
    }

    #[test]
    fn a_question_lost_has_failed_and_the_next_may_be_asked() {
        let cache = Cache::new();
        let now = Instant::now();
        let (recall, landing) = cache.look(&user(), Ask::IfOld, now);
        assert!(recall.ready().is_none());
        drop(landing);
        assert_eq!(recall.ready().unwrap().outcome, MemoryOutcome::Error);
        assert!(cache.look(&user(), Ask::IfOld, now).1.is_some());
    }

    #[test]
    fn what_is_forgotten_does_not_come_back_with_a_late_answer() {
        let cache = Cache::new();
        let now = Instant::now();
        let (_, landing) = cache.look(&user(), Ask::IfOld, now);
        cache.forget("u");
        landing.unwrap().land(text("a"));
        assert!(cache.look(&user(), Ask::IfOld, now).1.is_some());
    }
}
