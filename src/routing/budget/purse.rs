//! Caps beside the day's: what a user may cost a day, or a session in its life.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::turn::MicroUsd;

/// Purses kept; beyond, the one untouched for longest is forgotten, and known again from the records.
const MOST: NonZeroUsize = match NonZeroUsize::new(100_000) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// How old what the records said may be of somebody who speaks.
const FRESH_MS: i64 = 60_000;
/// Owners the records are asked of at once.
const AT_ONCE: usize = 64;

/// Whose purse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// By pseudonym.
    User(String),
    /// As records name it.
    Session(String),
}

/// What owners of one kind spent; nothing is kept where there is no cap.
#[derive(Debug)]
pub(super) struct Purses {
    cap: Option<MicroUsd>,
    purses: LruCache<String, Purse>,
    /// Of whom the records are to be asked.
    strangers: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Purse {
    /// By this process.
    settled: i64,
    reserved: i64,
    /// By everybody, as the records said when they were asked; what this process spent until then may be
    /// in it or not yet.
    recorded: i64,
    /// Settled by this process when they were asked.
    settled_then: i64,
    /// When they were last asked, by the clock of whoever asks.
    asked_at_ms: Option<i64>,
}

impl Purse {
    fn taken(&self) -> i64 {
        let since = self.settled.saturating_sub(self.settled_then);
        let then = self.settled_then.max(self.recorded);
        then.saturating_add(since).saturating_add(self.reserved)
    }
}

impl Purses {
    pub(super) fn new(cap: Option<MicroUsd>) -> Self {
        Self {
            cap,
            purses: LruCache::new(MOST),
            strangers: Vec::new(),
        }
    }

    pub(super) fn has_room(&mut self, owner: Option<&str>, amount: MicroUsd) -> bool {
        let (Some(owner), Some(cap)) = (owner, self.cap) else {
            return true;
        };
        let taken = self.purses.get(owner).map_or(0, Purse::taken);
        amount.0 <= cap.0.saturating_sub(taken)
    }

    /// Sets aside for `owner`; gives its name where it has a purse.
    pub(super) fn reserve(
        &mut self,
        owner: Option<&str>,
        amount: MicroUsd,
        now_ms: i64,
    ) -> Option<String> {
        let owner = owner.filter(|_| self.cap.is_some())?;
        let purse = self.purses.get_or_insert_mut_ref(owner, Purse::default);
        purse.reserved = purse.reserved.saturating_add(amount.0);
        let asked = purse.asked_at_ms;
        let is_fresh = asked.is_some_and(|at| now_ms.saturating_sub(at) < FRESH_MS);
        if !is_fresh && self.strangers.len() < MOST.get() {
            purse.asked_at_ms = Some(now_ms);
            self.strangers.push(owner.to_owned());
        }
        Some(owner.to_owned())
    }

    pub(super) fn settle(&mut self, owner: Option<&str>, amount: MicroUsd, cost: MicroUsd) {
        if let Some(purse) = owner.and_then(|owner| self.purses.get_mut(owner)) {
            purse.reserved = purse.reserved.saturating_sub(amount.0).max(0);
            purse.settled = purse.settled.saturating_add(cost.0);
        }
    }

    pub(super) fn strangers(&mut self) -> Vec<String> {
        let left = self.strangers.split_off(self.strangers.len().min(AT_ONCE));
        std::mem::replace(&mut self.strangers, left)
    }

    pub(super) fn know(&mut self, owner: &str, spent: MicroUsd) {
        if let Some(purse) = self.purses.get_mut(owner) {
            purse.recorded = spent.0;
            purse.settled_then = purse.settled;
        }
    }

    /// Everybody begins anew.
    pub(super) fn begin_day(&mut self) {
        self.purses.clear();
        self.strangers.clear();
    }
}
