//! The corridor: the only module that knows the order of the rooms.
//!
//! [`prepare`] does everything that waits for nobody, but for a word from other machines: speaker known,
//! coach chosen, models planned, memory asked. [`Prepared::run`] is the rest of the turn as one future, owned by the response body:
//! dropping it cancels upstream, gives the permit back and settles the turn. No task, no channel and
//! no lock lies between upstream's bytes and the caller's.

mod admission;
mod pressure;
mod arm;
mod choose;
mod money;
mod prepare;
mod practice;
mod entering;
mod running;
mod stream;
mod council;
mod consult;
mod relay;
mod ending;
mod asking;
mod lead_in;
mod voice;
mod limit;
mod runway;
mod capture;
mod guard;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Clock;
use crate::coach::Roster;
use crate::config::{Deadlines, SilenceReply};
use crate::council::{Named, State};
use crate::lifecycle::Lifecycle;
use crate::memory::{Exchange, Memory};
use crate::record::{Recorder, Repeats};
use crate::routing::budget::Budget;
use crate::routing::catalog::Catalog;
use crate::routing::experiment::Enrolments;
use crate::routing::flags::Flags;
use crate::session::{Committed, Pseudonyms, Turns, has_signed_form};
use crate::telemetry::events::MemoryWriteDropped;
use crate::turn::{Fault, FinishReason, ToolCall, Usage};
use crate::upstream::{Allowance, Health};

pub use admission::{Admission, Permit};
pub use arm::Owner;
pub use capture::{Captor, Question, Words, unseal};
pub use money::{Bill, Share};
pub use practice::practise;
pub use prepare::{Prepared, Shed, TurnRequest, prepare};
pub use pressure::is_full;
pub use relay::MAX_BACKLOG_BYTES;
pub use running::Running;

/// Everything that turns share, one per process.
pub struct Rooms {
    pub lifecycle: Lifecycle,
    pub clock: Clock,
    pub deadlines: Deadlines,
    /// Whether a turn may try more than one model.
    pub fallback: bool,
    /// What is switched, for which sessions.
    pub flags: Flags,
    /// What may be spent.
    pub budget: Budget,
    /// How fast the voice speaks, words a minute.
    pub speech_wpm: u32,
    /// How a turn without words is answered.
    pub silence: SilenceReply,
    /// How upstream's models fare.
    pub health: Arc<Health>,
    /// Hedges that may be spent.
    pub allowance: Arc<Allowance>,
    pub roster: Arc<Roster>,
    /// What models cost now.
    pub catalog: Catalog,
    pub memory: Memory,
    pub turns: Arc<Turns<Owner>>,
    /// Other machines' turns.
    pub repeats: Repeats,
    pub experiments: Arc<Enrolments>,
    pub pseudonyms: Pseudonyms,
    pub recorder: Recorder,
    /// Who keeps the words of turns where that is switched on.
    pub captor: Captor,
    pub admission: Admission,
}

impl Rooms {
    /// The session id as it is kept: a signed one opens somebody's memory, so only its pseudonym is.
    #[must_use]
    pub fn session_key(&self, session: &str) -> String {
        if has_signed_form(session) {
            self.pseudonyms.session_key(session)
        } else {
            session.to_owned()
        }
    }

    /// Hands committed turns to memory, in order, and tells the records of those of an experiment.
    /// False when memory did not take all of them, which is told and counted here.
    pub fn remember(&self, committed: impl IntoIterator<Item = Committed<Owner>>) -> bool {
        let mut dropped = 0;
        for turn in committed {
            if let Some(id) = turn.owner.trial {
                self.commit(id);
            }
            let Some(person) = turn.owner.person else {
                continue;
            };
            let exchange = Exchange {
                user: turn.user,
                assistant: turn.assistant,
                at_ms: turn.at_ms,
            };
            if !self.memory.remember(&person, exchange) {
                dropped += 1;
            }
        }
        if dropped > 0 {
            MemoryWriteDropped {
                reason: "queue_full",
                exchanges: dropped,
            }
            .emit();
        }
        dropped == 0
    }
}

impl Rooms {
    /// A session is over: what it holds back counts now, so far as it counts by itself. A session that
    /// goes on all the same is none the worse for it.
    pub fn conclude(&self, session: &str) {
        let committed = self.turns.conclude(|place| session_of(place) == session);
        self.remember(committed);
    }

    /// Ends, politely, what speaks in sessions whose id is meant. How many did.
    pub fn silence(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        self.turns.silence(|place| is_meant(session_of(place)))
    }
}

/// The session of a [`prepare::place`].
fn session_of(place: &str) -> &str {
    // No session id has a line's end in it.
    place.split_once('\n').map_or(place, |(session, _)| session)
}

/// How a council gets on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Who is to be heard.
    Plan(&'a [Named]),
    /// What became of one specialist.
    Specialist(&'a str, State),
}

/// Where the words of a turn go: a caller's dialect, as an event stream or as one JSON body. What
/// is said gathers inside and is taken by the response body.
pub trait Mouth {
    fn words(&mut self, words: &str);
    /// The sentence that opens a council: words like any others, unless they are told apart.
    fn opening(&mut self, words: &str) {
        self.words(words);
    }
    /// How a council gets on, for callers who want to know.
    fn progress(&mut self, _progress: Progress<'_>) {}
    fn tool(&mut self, call: &ToolCall);
    /// The proper end, exactly once; nothing is said after it.
    fn end(&mut self, reason: FinishReason, usage: Option<&Usage>);
    /// The other end, for a caller that asked to be told: the fault, and nothing after it.
    fn fault(&mut self, fault: Fault);
    /// The caller has gone: nothing is taken any more, so nothing need be kept.
    fn leave(&mut self);
    fn has_spoken(&self) -> bool;
    fn has_ended(&self) -> bool;
    /// Whether the caller asked for the bill with the answer.
    fn wants_usage(&self) -> bool;
    /// Bytes said but not yet taken.
    fn backlog(&self) -> usize;
}

/// A mouth shared by the turn's future and the body that carries its words away; both live on one
/// thread and never borrow it at the same time.
pub type SharedMouth<M> = Rc<RefCell<M>>;
