//! Sessions that are over, by somebody else's word.

use std::sync::Arc;

use super::{Committed, Spoken, Turns};

impl<T> Turns<T> {
    /// What counts by itself of the turns held back in these sessions: no request will come that shows
    /// what was heard of them.
    pub fn conclude(&self, is_meant: impl Fn(&str) -> bool) -> Vec<Committed<T>> {
        let mut sessions = self.lock();
        let meant = sessions.by_id.iter_mut().filter(|(id, _)| is_meant(id));
        let held: Vec<Spoken<T>> = meant
            .filter_map(|(_, entry)| entry.pending.take())
            .map(|(spoken, _)| spoken)
            .collect();
        drop(sessions);
        held.into_iter().filter_map(Spoken::by_itself).collect()
    }

    /// Has what speaks now in these sessions end as if a newer request had come. How many did.
    pub fn silence(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let sessions = self.lock();
        let speaking = sessions.by_id.iter().filter_map(|(id, entry)| {
            let (_, newest) = entry.speeches.front()?;
            (!newest.has_ended()).then(|| (Arc::clone(id), Arc::clone(newest)))
        });
        let speaking: Vec<_> = speaking.collect();
        drop(sessions);
        // Whether one is meant may cost a hash: nobody waits for it.
        let meant = speaking.into_iter().filter(|(id, _)| is_meant(id));
        meant.map(|(_, speech)| speech.superseded.cancel()).count()
    }
}
