//! Turns that are not real yet.
//!
//! Callers speculate, repeat, and cut off. A turn counts for memory only once it is *committed*:
//! seen in the session's next request (then as it was heard), or read to its end with no newer
//! request for [`COMMIT_AFTER`], or when the session or the service ends.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::turn::Conversation;

use super::spoken::{Committed, Evidence, Spoken};

/// A turn read to its end counts after this long without a newer request.
pub const COMMIT_AFTER: Duration = Duration::from_secs(60);
/// Sessions held at once; beyond it the longest untouched is settled early.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// One request's place in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Session<T> {
    /// The newest request seen.
    newest: u64,
    /// Requests whose turn has not ended yet.
    running: u32,
    pending: Option<(Spoken<T>, Instant)>,
    /// Held only while the turn it speaks of runs.
    evidence: Option<Evidence>,
}

impl<T> Default for Session<T> {
    fn default() -> Self {
        Self {
            newest: 0,
            running: 0,
            pending: None,
            evidence: None,
        }
    }
}

/// The last turn of every session, until it is confirmed or overtaken.
#[derive(Debug)]
pub struct Turns<T> {
    sessions: Mutex<LruCache<String, Session<T>>>,
    /// One count for all sessions: a session that was evicted and came back cannot take an old
    /// turn for its newest.
    tickets: AtomicU64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            sessions: Mutex::new(LruCache::new(MAX_SESSIONS)),
            tickets: AtomicU64::new(0),
        }
    }
}

impl<T> Turns<T> {
    /// A new request of the session: its place, and the turn before it, if this request shows that
    /// it counts.
    pub fn begin(&self, session: &str, next: &Conversation) -> (Ticket, Vec<Committed<T>>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut committed = Vec::new();
        if !sessions.contains(session) {
            let evicted = sessions.push(session.to_owned(), Session::default());
            committed.extend(
                evicted
                    .and_then(|(_, old)| old.pending)
                    .and_then(|(s, _)| s.by_itself()),
            );
        }
        let Some(entry) = sessions.get_mut(session) else {
            return (Ticket(0), committed);
        };
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed) + 1;
        let before = std::mem::replace(&mut entry.newest, ticket);
        committed.extend(
            entry
                .pending
                .take()
                .and_then(|(spoken, _)| spoken.judge(&next.history, next.ask.words())),
        );
        entry.evidence = (entry.running > 0).then(|| Evidence::of(before, next));
        entry.running += 1;
        (Ticket(ticket), committed)
    }

    /// The request's turn has ended, with something that may count or with nothing. A turn that was
    /// overtaken while it ran counts only as far as the newer request's history holds it.
    pub fn end(
        &self,
        session: &str,
        ticket: Ticket,
        spoken: Option<Spoken<T>>,
    ) -> Option<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sessions.get_mut(session)?;
        entry.running = entry.running.saturating_sub(1);
        let evidence = entry.evidence.take_if(|e| e.of == ticket.0);
        if entry.running == 0 {
            entry.evidence = None;
        }
        let spoken = spoken?;
        if entry.newest == ticket.0 {
            entry.pending = Some((spoken, Instant::now()));
            return None;
        }
        evidence?.judge(spoken)
    }

    /// Turns whose time is up at `now`.
    pub fn due(&self, now: Instant) -> Vec<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |held: &Instant| now.duration_since(*held) >= COMMIT_AFTER;
        sessions
            .iter_mut()
            .filter_map(|(_, entry)| entry.pending.take_if(|(_, held)| is_due(held)))
            .filter_map(|(spoken, _)| spoken.by_itself())
            .collect()
    }

    /// Everything that counts without further proof: the service is leaving.
    pub fn drain(&self) -> Vec<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .iter_mut()
            .filter_map(|(_, entry)| entry.pending.take())
            .filter_map(|(spoken, _)| spoken.by_itself())
            .collect()
    }
}

#[cfg(test)]
mod tests;
