//! The hand-off: a bounded queue that a turn never waits for.

use tokio::sync::mpsc;

use crate::telemetry::events::RecordDropped;
use crate::turn::{Correction, TurnRecord};

use super::entry::{Capture, Chat, Commit, Erasure, Feedback, Note};

/// Notes that may wait for the writer. At 20 turns a second this is more than eight minutes.
const QUEUE: usize = 10_000;

/// Hands over what is to be kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Note>,
}

impl Recorder {
    pub(super) fn new() -> (Self, mpsc::Receiver<Note>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        (Self { queue }, receiver)
    }

    /// Hands one turn over, or counts it as lost when the queue is full. Never waits.
    pub fn keep(&self, record: TurnRecord) {
        self.hand_over(Note::Turn(Box::new(record)));
    }

    /// The same for what an upstream call turned out to cost.
    pub fn correct(&self, correction: Correction) {
        self.hand_over(Note::Correction(correction));
    }

    /// The same for what a user thought of a turn; whether it was taken.
    #[must_use]
    pub fn take_feedback(&self, feedback: Feedback) -> bool {
        self.hand_over(Note::Feedback(feedback))
    }

    /// The same for a turn of an experiment that counts; it may come before its turn.
    pub fn commit(&self, commit: Commit) {
        self.hand_over(Note::Commit(commit));
    }

    /// The same for the words of a turn, encrypted.
    pub fn capture(&self, capture: Capture) {
        self.hand_over(Note::Capture(capture));
    }

    /// The same for somebody who asked to be forgotten; whether it was taken.
    #[must_use]
    pub fn erase(&self, erasure: Erasure) -> bool {
        self.hand_over(Note::Erasure(erasure))
    }

    /// The same for what a voice platform told of a chat; whether it was taken.
    #[must_use]
    pub fn take_chat(&self, chat: Chat) -> bool {
        self.hand_over(Note::Chat(chat))
    }

    fn hand_over(&self, note: Note) -> bool {
        let refused = match self.queue.try_send(note) {
            Ok(()) => return true,
            Err(refused) => refused,
        };
        let reason = match refused {
            mpsc::error::TrySendError::Full(_) => "queue_full",
            mpsc::error::TrySendError::Closed(_) => "closed",
        };
        RecordDropped { reason, rows: 1 }.emit();
        false
    }
}
