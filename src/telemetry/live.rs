//! Settled turns as they happen, for whoever watches. Nobody waits for a watcher: one that falls
//! behind misses turns and is told how many.

use std::sync::Arc;

use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use crate::turn::TurnRecord;

/// Turns that a slow watcher may be behind.
const RING: usize = 1000;

/// Where settled turns are announced. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    ring: broadcast::Sender<Arc<TurnRecord>>,
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Turn(Arc<TurnRecord>),
    /// So many turns were missed.
    Missed(u64),
}

/// One watcher's place in the ring.
#[derive(Debug)]
pub struct Watch(Receiver<Arc<TurnRecord>>);

impl Default for Live {
    fn default() -> Self {
        Self {
            ring: broadcast::Sender::new(RING),
        }
    }
}

impl Live {
    /// Announces a turn; without watchers it is not even cloned.
    pub fn announce(&self, turn: &TurnRecord) {
        if self.ring.receiver_count() > 0 {
            // The last watcher may have left in between: nobody misses anything.
            let _ = self.ring.send(Arc::new(turn.clone()));
        }
    }

    /// Sees every turn from now on.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.ring.subscribe())
    }
}

impl Watch {
    /// The next turn, or `None` when the service ends.
    ///
    /// # Cancellation
    /// Safe: no turn is lost when the wait is dropped.
    pub async fn next(&mut self) -> Option<Seen> {
        match self.0.recv().await {
            Ok(turn) => Some(Seen::Turn(turn)),
            Err(RecvError::Lagged(missed)) => Some(Seen::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
