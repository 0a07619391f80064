//! The corridor: the only module that knows the order of the rooms.
//!
//! [`prepare`] does everything that waits for nobody: speaker known, coach chosen, models planned,
//! memory asked. [`Prepared::run`] is the rest of the turn as one future, owned by the response body:
//! dropping it cancels upstream, gives the permit back and settles the turn. No task, no channel and
//! no lock lies between upstream's bytes and the caller's.

mod admission;
mod guard;
mod prepare;
mod stream;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Clock;
use crate::coach::Roster;
use crate::config::Deadlines;
use crate::lifecycle::Lifecycle;
use crate::memory::{Exchange, Memory, Person};
use crate::record::Recorder;
use crate::session::{Committed, Pseudonyms, Turns};
use crate::telemetry::events::MemoryWriteDropped;
use crate::turn::{FinishReason, ToolCall, Usage};

pub use admission::{Admission, Permit};
pub use prepare::{Prepared, TurnRequest, prepare};

/// Everything that turns share, one per process. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    pub lifecycle: Lifecycle,
    pub clock: Clock,
    pub deadlines: Deadlines,
    /// Whether a turn may try more than one model.
    pub fallback: bool,
    pub roster: Arc<Roster>,
    pub memory: Memory,
    pub turns: Arc<Turns<Person>>,
    pub pseudonyms: Pseudonyms,
    pub recorder: Recorder,
    pub admission: Admission,
}

impl Rooms {
    /// Hands committed turns to memory, in order. False when it did not take all of them, which is
    /// told and counted here.
    pub fn remember(&self, committed: impl IntoIterator<Item = Committed<Person>>) -> bool {
        let mut taken = true;
        for turn in committed {
            let exchange = Exchange {
                user: turn.user,
                assistant: turn.assistant,
                at_ms: turn.at_ms,
            };
            if !self.memory.remember(&turn.owner, exchange) {
                MemoryWriteDropped {
                    reason: "queue_full",
                    exchanges: 1,
                }
                .emit();
                taken = false;
            }
        }
        taken
    }
}

/// Where the words of a turn go: a caller's dialect, as an event stream or as one JSON body. What
/// is said gathers inside and is taken by the response body.
pub trait Mouth {
    fn words(&mut self, words: &str);
    fn tool(&mut self, call: &ToolCall);
    /// The proper end, exactly once; nothing is said after it.
    fn end(&mut self, reason: FinishReason, usage: Option<&Usage>);
    /// Whether the caller asked for the bill with the answer.
    fn wants_usage(&self) -> bool;
    /// Bytes said but not yet taken.
    fn backlog(&self) -> usize;
}

/// A mouth shared by the turn's future and the body that carries its words away; both live on one
/// thread and never borrow it at the same time.
pub type SharedMouth<M> = Rc<RefCell<M>>;
