//! Experiments in the corridor: which arm a turn's session has, what that changes, and whether the turn
//! counts.
//!
//! Only committed turns count (see `session/turns.rs`), and of those that failed each, at once: an arm
//! must not look better for the turns it lost. Which model answered in the end makes no difference: a
//! turn is its arm's, whoever stood in for its model.

use std::borrow::Cow;
use std::sync::Arc;

use crate::coach::Coach;
use crate::memory::Person;
use crate::record::Commit;
use crate::routing::Plan;
use crate::routing::experiment::{Arm, Asked};
use crate::turn::{Identity, Outcome};

use super::Rooms;
use super::entering::place;
use super::guard::Guard;
use super::prepare::TurnRequest;

/// Who wants to know whether a turn counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Whose memory it is to enter.
    pub person: Option<Person>,
    /// The turn's id, if an experiment counts it.
    pub trial: Option<String>,
}

impl Owner {
    pub(super) fn is_anybody(&self) -> bool {
        self.person.is_some() || self.trial.is_some()
    }
}

/// The arm of the turn's session, if it is in an experiment.
pub(super) fn enrol(rooms: &Rooms, request: &TurnRequest, coach: &Coach) -> Option<Arc<Arm>> {
    let speaker = &request.speaker;
    // No turn of theirs is ever known to count.
    if speaker.identity == Identity::None {
        return None;
    }
    rooms.experiments.arm(&Asked {
        coach: &coach.id,
        session: &place(speaker),
        now_ms: rooms.clock.now_ms(),
        is_adrift: speaker.is_new && !request.conversation.history.is_empty(),
    })
}

/// Puts the arm's model first, and says why.
pub(super) fn ask_first(arm: &Arm, plan: &mut Plan, fallback: bool) {
    if let Some(model) = &arm.changes.model {
        plan.candidates.retain(|other| fallback && other != model);
        plan.candidates.insert(0, model.clone());
    }
    plan.reason = format!("experiment:{}/{}", arm.experiment, arm.variant);
}

/// The coach as the arm has it.
pub(super) fn changed<'c>(coach: &'c Coach, arm: Option<&Arm>) -> Cow<'c, Coach> {
    let mut coach = Cow::Borrowed(coach);
    let Some(changes) = arm.map(|arm| &arm.changes) else {
        return coach;
    };
    if let Some(temperature) = changes.temperature {
        coach.to_mut().temperature = temperature;
    }
    if let Some(persona) = &changes.persona {
        coach.to_mut().persona.clone_from(persona);
    }
    coach
}

impl Guard {
    /// The turn's id, if its experiment waits to hear whether it counts. One that failed counts here
    /// and now.
    pub(super) fn trial(&self, outcome: Outcome) -> Option<String> {
        self.arm.as_ref()?;
        let id = self.head.turn_id.to_string();
        match outcome {
            Outcome::Complete | Outcome::PartialRecovered | Outcome::Interrupted => Some(id),
            Outcome::Failed | Outcome::PartialFailed => {
                self.rooms.commit(id);
                None
            }
            Outcome::Superseded | Outcome::Shed => None,
        }
    }
}

impl Rooms {
    /// Tells the records that a turn of an experiment counts.
    pub(super) fn commit(&self, turn_id: String) {
        let created_at = self.clock.now_ms();
        self.recorder.commit(Commit {
            turn_id,
            created_at,
        });
    }
}
