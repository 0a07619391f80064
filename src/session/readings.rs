//! Readings of how users sound that come by themselves, seconds after the words they belong to: kept
//! for a session's next turn, in memory alone, for as long as they are news.
//!
//! A turn that is asked again, as it was or longer, has the same history before it and sounds the
//! same; the first request with another history finds the reading spent. One process's own: where
//! several serve, a reading has to reach the one that serves its session.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::turn::{Expression, Reading, smoothed};

/// Sessions with a reading; beyond it the one told of longest ago makes room.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Readings of a session that are averaged.
const MAX_READINGS: usize = 4;

/// See the module's words.
#[derive(Debug)]
pub struct Readings {
    /// In the order in which they were last told of.
    sessions: Mutex<LruCache<String, Told>>,
}

#[derive(Debug, Default)]
struct Told {
    /// Newest first, each with the end of its being news.
    readings: VecDeque<(Reading<'static>, Instant)>,
    /// How many lines the history had of the turn that the newest was used for.
    used_at: Option<usize>,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            sessions: Mutex::new(LruCache::sparse(MAX_SESSIONS)),
        }
    }
}

impl Readings {
    /// Keeps a reading for the session's next turn, for as long as it is news.
    pub fn keep(&self, session: &str, reading: Reading<'_>, left: Duration) {
        let now = Instant::now();
        let mut sessions = self.lock(now);
        let told = sessions.get_or_insert_mut(session.to_owned(), Told::default);
        told.readings.push_front((reading.condensed(), now + left));
        told.readings.truncate(MAX_READINGS);
        told.used_at = None;
    }

    /// How the user sounds in the turn of this session whose history has so many lines.
    #[must_use]
    pub fn heard(&self, session: &str, lines: usize) -> Vec<Expression> {
        let now = Instant::now();
        let mut sessions = self.lock(now);
        // Looked at only: the order is that of telling.
        let Some(told) = sessions.peek_mut(session) else {
            return Vec::new();
        };
        told.readings.retain(|(_, until)| *until > now);
        if *told.used_at.get_or_insert(lines) != lines {
            return Vec::new();
        }
        smoothed(told.readings.iter().map(|(reading, _)| Some(reading)))
    }

    /// Sessions in it, those without news gone.
    fn lock(&self, now: Instant) -> MutexGuard<'_, LruCache<String, Told>> {
        let sessions = self.sessions.lock();
        let mut sessions = sessions.unwrap_or_else(PoisonError::into_inner);
        let is_old = |told: &Told| told.readings.iter().all(|(_, until)| *until <= now);
        while sessions.peek_lru().is_some_and(|(_, told)| is_old(told)) {
            sessions.pop_lru();
        }
        sessions
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use tokio::time::advance;

    use super::*;
    use crate::turn::{NEWS_FOR, Source};

    fn sad() -> Reading<'static> {
        reading("sad", 0.8)
    }

    fn reading(name: &str, score: f64) -> Reading<'_> {
        Reading::of(
            Source::Posted,
            None,
            std::iter::once((Cow::from(name), score)),
        )
        .unwrap()
    }

    fn names(heard: &[Expression]) -> Vec<&str> {
        heard.iter().map(|e| e.name.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_for_one_turn_however_often_that_is_asked() {
        let readings = Readings::default();
        assert!(readings.heard("a", 0).is_empty());
        readings.keep("a", sad(), NEWS_FOR);
        for _ in 0..4 {
            assert_eq!(
                names(&readings.heard("a", 2)),
                ["sad"],
                "speculation, and the turn itself"
            );
        }
        assert!(readings.heard("b", 2).is_empty(), "somebody else");
        assert!(readings.heard("a", 4).is_empty(), "the next turn");
        readings.keep("a", reading("calm", 0.8), NEWS_FOR);
        assert_eq!(
            names(&readings.heard("a", 6)),
            ["calm", "sad"],
            "it stands out from the one before"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_news_is_gone_from_memory() {
        let readings = Readings::default();
        readings.keep("old", sad(), Duration::from_secs(1));
        readings.keep("a", sad(), NEWS_FOR);
        advance(Duration::from_secs(1)).await;
        assert_eq!(readings.lock(Instant::now()).len(), 1);
        assert_eq!(names(&readings.heard("a", 0)), ["sad"]);
        advance(NEWS_FOR).await;
        assert!(readings.heard("a", 0).is_empty());
        assert_eq!(readings.lock(Instant::now()).len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded() {
        let readings = Readings::default();
        for session in 0..=MAX_SESSIONS.get() {
            readings.keep(&session.to_string(), sad(), NEWS_FOR);
        }
        for _ in 0..100 {
            readings.keep("1", sad(), NEWS_FOR);
        }
        let mut sessions = readings.lock(Instant::now());
        assert_eq!(sessions.len(), MAX_SESSIONS.get());
        assert!(sessions.peek("0").is_none());
        assert_eq!(sessions.get("1").unwrap().readings.len(), MAX_READINGS);
    }
}
