//! What requests that come to other machines mean for a session's turn here.
//!
//! Each machine notes with all others when a turn of it began, by a clock that is one for all, and is told of newer
//! ones. Notes and messages may overtake one another, so that a turn is ended only by what is known to be newer: of
//! any two, never do both end. Whatever comes to be known late, or not at all, ends nothing.

use std::sync::Arc;

use super::{Key, Session, Speech, Ticket, Turns};

/// Where a session's newest turn here stands among requests that came to other machines.
#[derive(Debug, Default)]
pub(super) struct AmongMachines {
    /// When it was noted, in microseconds by the clock of all machines. Absent until then, and where nobody could note it.
    noted_us: Option<u64>,
    /// When the newest that was told of before that was noted.
    newer_us: u64,
    /// A newer one came elsewhere, and it was told to stop.
    pub(super) is_overtaken: bool,
}

impl<T> Turns<T> {
    /// By what a session is known to every machine that has the data key.
    #[must_use]
    pub fn session_key(&self, session: &str) -> Key {
        self.keys.session(session)
    }

    /// Whether no newer request of the session has come, here or, as far as is known, elsewhere.
    #[must_use]
    pub fn is_newest(&self, session: &str, ticket: Ticket) -> bool {
        let sessions = self.lock();
        let entry = sessions.by_id.peek(session);
        entry.is_some_and(|entry| entry.is_newest(ticket))
    }

    /// This turn was noted at `at_us`, in microseconds by the clock of all machines. Whether it is the session's newest
    /// still: else it ends nobody's turn, and is ended where a newer one came elsewhere.
    #[must_use]
    pub fn noted(&self, session: &str, ticket: Ticket, at_us: u64) -> bool {
        let mut sessions = self.lock();
        let Some(entry) = sessions.by_id.peek_mut(session) else {
            return false;
        };
        if !entry.is_newest(ticket) {
            return false;
        }
        if entry.elsewhere.newer_us <= at_us {
            entry.elsewhere.noted_us = Some(at_us);
            return true;
        }
        let overtaken = entry.overtaken();
        drop(sessions);
        if let Some(speech) = overtaken {
            speech.superseded.cancel();
        }
        false
    }

    /// The request `key` of the session was noted elsewhere at `at_us`: what runs here is superseded, if it is
    /// another request's and known to be older.
    pub fn overtake(&self, session: &str, key: Key, at_us: u64) {
        let mut sessions = self.lock();
        // Not promoted: the session lives elsewhere.
        let Some(entry) = sessions.by_id.peek_mut(session) else {
            return;
        };
        // A repeat that nobody could say is one: both are heard.
        if entry
            .speeches
            .front()
            .is_some_and(|(_, speech)| speech.key == key)
        {
            return;
        }
        let overtaken = match entry.elsewhere.noted_us {
            Some(noted_us) if noted_us < at_us => entry.overtaken(),
            Some(_) => None,
            None => {
                entry.elsewhere.newer_us = entry.elsewhere.newer_us.max(at_us);
                None
            }
        };
        drop(sessions);
        if let Some(speech) = overtaken {
            speech.superseded.cancel();
        }
    }
}

impl<T> Session<T> {
    pub(super) fn is_newest(&self, ticket: Ticket) -> bool {
        self.newest == ticket.0 && !self.elsewhere.is_overtaken
    }

    /// What runs, and is to be superseded. What has ended stays as it was.
    fn overtaken(&mut self) -> Option<Arc<Speech>> {
        let (_, speech) = self.speeches.front()?;
        if speech.has_ended() {
            return None;
        }
        self.elsewhere.is_overtaken = true;
        Some(Arc::clone(speech))
    }
}
