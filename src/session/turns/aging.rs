//! What time does to sessions: a turn held back for long enough counts, and what no repeat may hear any more is
//! let go. Looked at in the order in which it comes due, as the lock is the one that turns begin and end under.

use std::time::Duration;

use tokio::time::Instant;

use super::{COMMIT_AFTER, Committed, Sessions, Spoken, Turns};
use crate::session::speech::REPLAY_FOR;

/// How often those ended turns that are gone are looked for, among all of them.
const SWEEP: Duration = Duration::from_secs(10);

impl<T> Turns<T> {
    /// Turns whose time is up at `now`. Also lets go of what no repeat may hear any more.
    pub fn due(&self, now: Instant) -> Vec<Committed<T>> {
        let mut sessions = self.lock();
        let due = sessions.due(now);
        sessions.let_go(now);
        drop(sessions);
        due.into_iter().filter_map(Spoken::by_itself).collect()
    }
}

impl<T> Sessions<T> {
    /// What was held back for long enough.
    fn due(&mut self, now: Instant) -> Vec<Spoken<T>> {
        let is_due = |held: Instant| now.saturating_duration_since(held) >= COMMIT_AFTER;
        let mut due = Vec::new();
        while let Some((_, id)) = self.held.pop_front_if(|(held, _)| is_due(*held)) {
            // Not promoted: that it grows old is no sign of life.
            if let Some(entry) = self.by_id.peek_mut(&id) {
                let pending = entry.pending.take_if(|(_, held)| is_due(*held));
                due.extend(pending.map(|(spoken, _)| spoken));
            }
        }
        due
    }

    /// Lets go of turns that no repeat may hear any more, as far as a session keeps newer ones.
    fn let_go(&mut self, now: Instant) {
        let is_over = |ended: Instant| now.saturating_duration_since(ended) > REPLAY_FOR;
        while let Some((_, id)) = self.aging.pop_front_if(|(ended, _)| is_over(*ended)) {
            if let Some(entry) = self.by_id.peek_mut(&id) {
                entry.forget(now);
            }
        }
        if now.saturating_duration_since(self.swept) >= SWEEP {
            self.ended.retain(|speech| speech.strong_count() > 0);
            self.swept = now;
        }
    }
}
