//! Settled turns as they happen, for whoever watches, and the last of them, for whoever asks while the
//! store does not answer. Nobody waits for a watcher: one that falls behind misses turns and is told
//! how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use crate::turn::TurnRecord;

/// Turns that a slow watcher may be behind, and that are remembered.
const RING: usize = 1000;
/// Watchers at once. Each is woken for every turn, also for those that its filter leaves out.
const WATCHERS: usize = 1000;

/// Where settled turns are announced. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    ring: broadcast::Sender<News>,
    recent: Arc<Mutex<VecDeque<Arc<TurnRecord>>>>,
}

/// What is announced.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Turn(Arc<TurnRecord>),
    /// A flag was changed; without words of anybody.
    Switched(Arc<Switched>),
}

/// A flag and what it says now, `unset` where it was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switched {
    pub name: String,
    pub value: String,
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    News(News),
    /// So many of them were missed.
    Missed(u64),
}

/// One watcher's place in the ring.
#[derive(Debug)]
pub struct Watch(Receiver<News>);

impl Default for Live {
    fn default() -> Self {
        Self {
            ring: broadcast::Sender::new(RING),
            recent: Arc::default(),
        }
    }
}

impl Live {
    /// Announces a turn and remembers it.
    pub fn announce(&self, turn: &TurnRecord) {
        let turn = Arc::new(turn.clone());
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RING {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&turn));
        // While remembering is locked, so that whoever begins to watch sees a turn in one of the two
        // and in one alone. Without watchers nobody misses anything.
        let _ = self.ring.send(News::Turn(turn));
    }

    /// Announces that a flag was changed.
    pub fn switched(&self, name: &str, value: &str) {
        let switched = Switched {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        // Without watchers nobody misses anything.
        let _ = self.ring.send(News::Switched(Arc::new(switched)));
    }

    /// The last turns, newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Arc<TurnRecord>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().cloned().collect()
    }

    /// Forgets a person's turns; how many were remembered.
    pub fn erase(&self, user_hash: &str) -> usize {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recent.len();
        recent.retain(|turn| turn.user_hash.as_deref() != Some(user_hash));
        before - recent.len()
    }

    /// The last turns, oldest first, and a place from which every later one is seen: none twice, none
    /// left out. `None` while as many watch as may.
    #[must_use]
    pub fn watch(&self) -> Option<(Vec<Arc<TurnRecord>>, Watch)> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ring.receiver_count() >= WATCHERS {
            return None;
        }
        let watch = Watch(self.ring.subscribe());
        Some((recent.iter().cloned().collect(), watch))
    }
}

impl Watch {
    /// The next news, or `None` when the service ends.
    ///
    /// # Cancellation
    /// Safe: nothing is lost when the wait is dropped.
    pub async fn next(&mut self) -> Option<Seen> {
        match self.0.recv().await {
            Ok(news) => Some(Seen::News(news)),
            Err(RecvError::Lagged(missed)) => Some(Seen::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
