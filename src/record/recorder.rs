//! The hand-off: a bounded queue that a turn never waits for.

use tokio::sync::mpsc;

use crate::telemetry::events::RecordDropped;
use crate::turn::TurnRecord;

/// Settled turns that may wait for the store. At 20 turns a second this is more than eight minutes.
const QUEUE_TURNS: usize = 10_000;

/// Hands settled turns to the worker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<TurnRecord>,
}

impl Recorder {
    pub(super) fn new() -> (Self, mpsc::Receiver<TurnRecord>) {
        let (queue, receiver) = mpsc::channel(QUEUE_TURNS);
        (Self { queue }, receiver)
    }

    /// Hands one turn over, or counts it as lost when the queue is full. Never waits.
    pub fn keep(&self, record: TurnRecord) {
        if let Err(refused) = self.queue.try_send(record) {
            let reason = match refused {
                mpsc::error::TrySendError::Full(_) => "queue_full",
                mpsc::error::TrySendError::Closed(_) => "closed",
            };
            RecordDropped { reason }.emit();
        }
    }
}
