//! Erasing a person: what waits, what is at hand, and what the store holds of them.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::desk::End;
use super::gate::Way;
use super::person;
use super::{Memory, Room};

/// People share so many locks.
const LOCKS: usize = 64;

/// What was done to erase a person. Their context is no longer at hand in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Exchanges that waited to be written and never will be.
    pub dropped: usize,
    pub store: StoreErased,
}

/// What the store did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErased {
    /// Memory is off; nobody was asked.
    Off,
    Deleted,
    /// It did not know the person.
    NotThere,
    /// It holds them still, as far as is known: ask again. The [`super::MemoryError::kind`].
    Failed(&'static str),
}

/// Keeps calls that could create a person apart from the one that erases them.
pub(super) struct Turnstile {
    locks: [RwLock<()>; LOCKS],
}

impl Turnstile {
    pub(super) fn new() -> Self {
        Self {
            locks: std::array::from_fn(|_| RwLock::new(())),
        }
    }

    /// For a call about this person, beside others.
    pub(super) async fn enter(&self, user: &str) -> Option<RwLockReadGuard<'_, ()>> {
        Some(self.lock(user)?.read().await)
    }

    /// Waits until no call about this person is under way, and keeps new ones waiting.
    async fn alone(&self, user: &str) -> Option<RwLockWriteGuard<'_, ()>> {
        Some(self.lock(user)?.write().await)
    }

    fn lock(&self, user: &str) -> Option<&RwLock<()>> {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one(user);
        let at = usize::try_from(hash % LOCKS as u64).ok()?;
        self.locks.get(at)
    }
}

impl Memory {
    /// Erases a person, by the user id that they were authenticated with: drops what waits to be
    /// written, on the disk too, and what is cached, and has the store delete them with all threads.
    ///
    /// Calls about them that are under way are waited for, so this may take as long as the store
    /// does: tens of seconds when it hangs. What they said before it, and is only committed later,
    /// is dropped as it comes in, for as long as this process lives; what they say afterwards is
    /// remembered as anybody's.
    ///
    /// # Cancellation
    /// Safe, but then it may be half done; it can be asked for again.
    pub async fn erase(&self, user: &str) -> Erased {
        match &self.room {
            Some(room) => room.erase(user).await,
            None => Erased {
                dropped: 0,
                store: StoreErased::Off,
            },
        }
    }
}

impl Room {
    async fn erase(&self, user: &str) -> Erased {
        let user = person::user_id(user);
        let dropped = self.desk.forget(&user, self.clock.now_ms());
        let items = self.queue.forget(&user);
        self.desk.finish(&items, End::Dropped);
        let _alone = self.turnstile.alone(&user).await;
        // The keeper tells, unless it has ended: then the disk is the next process's.
        let dropped = items.len() + dropped.await.unwrap_or(0);
        let outcome = self.store.erase(&user).await;
        let report = outcome.as_ref().map(|_| ());
        self.gate.report(Way::Write, report, Instant::now());
        // Last, so that no answer from before is kept.
        self.cache.forget(&user);
        let store = match outcome {
            Ok(true) => StoreErased::Deleted,
            Ok(false) => StoreErased::NotThere,
            Err(error) => StoreErased::Failed(error.kind()),
        };
        Erased { dropped, store }
    }
}
