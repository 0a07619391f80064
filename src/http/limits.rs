//! How many turns one key and one session may take: so many a minute, and so many open at once. Beyond
//! that a turn is refused with a 429 that names the limit and says when to come again, so that one caller
//! gone wild costs the others nothing. `MAX_TURNS` and the budget bound what all of them may.
//!
//! The minute is a bucket that is full at first and fills again evenly: sixty a minute are sixty at once and
//! then one a second. It is kept as one point in time, the one at which the bucket is full again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::config::{self, TurnLimit};
use crate::telemetry::events::TurnLimited;

use super::auth::KeyId;

const MINUTE: Duration = Duration::from_secs(60);
/// When a turn ends is not known: a caller with too many open ones may ask again after this.
const OPEN_WAIT: Duration = Duration::from_secs(1);
/// Sessions, and keys, that are remembered; beyond it whoever came last longest ago starts anew. Four times
/// `MAX_TURNS` as shipped, so that no session with an open turn is forgotten.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Who is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Key,
    Session,
}

/// Which of its bounds was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    PerMinute,
    Open,
}

/// A turn is refused, because its key or its session has had what it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this {} {}", word(*scope), said(*bound))]
pub struct Limited {
    pub scope: Scope,
    pub bound: Bound,
    /// After so long there is room again, if nobody else takes it.
    pub after: Duration,
}

impl Limited {
    /// What `Retry-After` says: whole seconds, 1 at least.
    #[must_use]
    pub fn retry_after_s(&self) -> u64 {
        let seconds = self.after.as_secs() + u64::from(self.after.subsec_nanos() > 0);
        seconds.max(1)
    }
}

fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Key => "key",
        Scope::Session => "session",
    }
}

fn said(bound: Bound) -> &'static str {
    match bound {
        Bound::PerMinute => "has had as many turns as it may within a minute",
        Bound::Open => "has as many turns open as it may",
    }
}

/// The limits of keys and of sessions; one for the whole process.
#[derive(Debug)]
pub struct TurnLimits {
    keys: Table,
    sessions: Table,
    /// Sessions are kept by a hash that nobody can aim at: an id may have 255 bytes.
    hash: RandomState,
}

impl TurnLimits {
    #[must_use]
    pub fn new(limits: &config::Limits) -> Self {
        Self {
            keys: Table::new(Scope::Key, limits.key),
            sessions: Table::new(Scope::Session, limits.session),
            hash: RandomState::new(),
        }
    }

    /// A turn of this key's.
    ///
    /// # Errors
    /// When it has had what it may.
    pub(super) fn of_key(&self, key: KeyId) -> Result<Slot, Limited> {
        self.keys.take(key.0)
    }

    /// A turn of this session's.
    ///
    /// # Errors
    /// When it has had what it may.
    pub(super) fn of_session(&self, session: &str) -> Result<Slot, Limited> {
        self.sessions.take(self.hash.hash_one(session))
    }
}

/// One turn's place among those of its key or session. Dropping it gives the place back.
#[derive(Debug, Default)]
pub(super) struct Slot(Option<Arc<Bucket>>);

impl Slot {
    /// Gives back what the turn took of its minute: it was none after all.
    pub(super) fn forgive(&self) {
        if let Some(bucket) = &self.0 {
            bucket.forgive();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(bucket) = &self.0 {
            let mut state = bucket.state();
            state.open = state.open.saturating_sub(1);
        }
    }
}

/// Everybody of one scope.
#[derive(Debug)]
struct Table {
    scope: Scope,
    limit: TurnLimit,
    buckets: Mutex<LruCache<u64, Arc<Bucket>>>,
}

impl Table {
    fn new(scope: Scope, limit: TurnLimit) -> Self {
        Self {
            scope,
            limit,
            buckets: Mutex::new(LruCache::unbounded()),
        }
    }

    fn take(&self, who: u64) -> Result<Slot, Limited> {
        if self.limit.per_minute.is_none() && self.limit.open.is_none() {
            return Ok(Slot(None));
        }
        let now = Instant::now();
        let bucket = self.bucket(who, now);
        bucket.take(now).map_err(|(bound, after)| {
            let scope = self.scope;
            TurnLimited { scope: word(scope) }.emit();
            Limited {
                scope,
                bound,
                after,
            }
        })?;
        Ok(Slot(Some(bucket)))
    }

    fn bucket(&self, who: u64, now: Instant) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Bucket::new(self.limit, now));
        let bucket = Arc::clone(buckets.get_or_insert(who, new));
        // Grown to its bound rather than made of it: a table for so many is a mebibyte for a house of one.
        if buckets.len() > REMEMBERED.get() {
            buckets.pop_lru();
        }
        bucket
    }
}

/// What one key or session has left.
#[derive(Debug)]
struct Bucket {
    limit: TurnLimit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: u32,
    /// When the bucket is full again; in the past: it is.
    full_at: Instant,
}

impl Bucket {
    fn new(limit: TurnLimit, now: Instant) -> Self {
        let state = State {
            open: 0,
            full_at: now,
        };
        Self {
            limit,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one turn; or says which bound it met, and when there is room again.
    fn take(&self, now: Instant) -> Result<(), (Bound, Duration)> {
        let mut state = self.state();
        if self.limit.open.is_some_and(|most| state.open >= most.get()) {
            return Err((Bound::Open, OPEN_WAIT));
        }
        if let Some(most) = self.limit.per_minute {
            let full_at = state.full_at.max(now) + each(most);
            let beyond = full_at.saturating_duration_since(now + MINUTE);
            if !beyond.is_zero() {
                return Err((Bound::PerMinute, beyond));
            }
            state.full_at = full_at;
        }
        state.open += 1;
        Ok(())
    }

    fn forgive(&self) {
        if let Some(most) = self.limit.per_minute {
            let mut state = self.state();
            state.full_at = state
                .full_at
                .checked_sub(each(most))
                .unwrap_or(state.full_at);
        }
    }
}

/// What one turn takes of a minute of so many.
fn each(most: NonZeroU32) -> Duration {
    MINUTE / most.get()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn table(per_minute: u32, open: u32) -> Table {
        Table::new(
            Scope::Session,
            TurnLimit {
                per_minute: NonZeroU32::new(per_minute),
                open: NonZeroU32::new(open),
            },
        )
    }

    /// How many turns in a row are taken, each over at once; and what the next is told.
    fn taken(table: &Table, who: u64) -> (u32, Limited) {
        let mut count = 0;
        loop {
            match table.take(who) {
                Ok(_) => count += 1,
                Err(limited) => return (count, limited),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_is_had_at_once_and_then_evenly_and_what_is_told_is_so() {
        for most in [1, 7, 60] {
            let table = table(most, 0);
            let (count, limited) = taken(&table, 1);
            assert_eq!((count, limited.bound), (most, Bound::PerMinute));
            assert!(limited.after <= MINUTE / most, "{limited:?}");
            advance(limited.after - Duration::from_millis(1)).await;
            assert_eq!(taken(&table, 1).0, 0, "not sooner than told");
            advance(Duration::from_secs(limited.retry_after_s())).await;
            assert!(table.take(1).is_ok(), "but by then");
            advance(10 * MINUTE).await;
            assert_eq!(taken(&table, 1).0, most, "no more is saved up");
            assert_eq!(taken(&table, 2).0, most, "nobody else is touched");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_was_none_is_given_back() {
        let table = table(2, 0);
        for _ in 0..10 {
            table.take(1).unwrap().forgive();
        }
        assert_eq!(taken(&table, 1).0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn open_turns_are_counted_until_they_are_dropped() {
        let table = table(0, 2);
        let slots = [table.take(1).unwrap(), table.take(1).unwrap()];
        let limited = table.take(1).unwrap_err();
        assert_eq!((limited.bound, limited.retry_after_s()), (Bound::Open, 1));
        assert!(table.take(2).is_ok());
        drop(slots);
        let again = [table.take(1), table.take(1), table.take(1)];
        assert_eq!(again.iter().filter(|slot| slot.is_ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets_whoever_came_longest_ago() {
        let table = table(1, 1);
        let _open = table.take(0).unwrap();
        let many = u64::try_from(REMEMBERED.get()).unwrap();
        for who in 1..=many {
            assert!(table.take(who).is_ok());
        }
        assert_eq!(table.buckets.lock().unwrap().len(), REMEMBERED.get());
        assert!(table.take(many).is_err() && table.take(0).is_ok());
        assert_eq!(table.buckets.lock().unwrap().len(), REMEMBERED.get());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_is_kept() {
        let table = table(0, 0);
        let slots: Vec<Slot> = (0..1000).map(|_| table.take(1).unwrap()).collect();
        assert_eq!(slots.len(), 1000);
        assert!(table.buckets.lock().unwrap().is_empty());
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_900, 60)] {
            let limited = Limited {
                scope: Scope::Key,
                bound: Bound::PerMinute,
                after: Duration::from_millis(ms),
            };
            assert_eq!(limited.retry_after_s(), seconds, "{ms} ms");
        }
    }
}
