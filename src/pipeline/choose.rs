//! Coach and models of a turn: what was said, what the session pays for, what is left of the day's
//! money, and what is switched off.

use std::sync::Arc;

use crate::coach::{self, Coach};
use crate::config::Switches;
use crate::council::Called;
use crate::routing::experiment::Arm;
use crate::routing::{self, Plan, Worth};

use super::council::Council;
use super::prepare::TurnRequest;
use super::{Rooms, arm};

/// What was chosen for a turn, and from what.
pub(super) struct Chosen<'r> {
    pub(super) coach: &'r Coach,
    pub(super) coach_reason: String,
    pub(super) plan: Plan,
    /// Where several coaches are to be heard.
    pub(super) council: Option<Box<Council>>,
    /// Of an experiment that the session takes part in.
    pub(super) arm: Option<Arc<Arm>>,
    /// 0 to 1.
    pub(super) complexity: f64,
    /// As they are for this session.
    pub(super) switches: Switches,
}

pub(super) fn choose<'r>(rooms: &'r Rooms, request: &TurnRequest) -> Chosen<'r> {
    let speaker = &request.speaker;
    let now_ms = rooms.clock.now_ms();
    let session = speaker.session.as_str();
    let pin = speaker.pin.as_deref().or(request.pin.as_deref());
    let lines = request.conversation.lines();
    let switches = rooms.flags.of(session, now_ms);
    let called = match request.council {
        Some(_) => Some(Called::Route),
        None => Called::of(&request.conversation, pin, &rooms.roster),
    };
    let called = called.filter(|_| switches.council);
    let (coach, coach_reason) = match called {
        Some(called) => (rooms.roster.master(), called.reason().to_owned()),
        None => {
            let selection = coach::select(&rooms.roster, lines, pin);
            (selection.coach, selection.reason.to_string())
        }
    };
    let complexity = routing::complexity(&request.conversation);
    let is_budget_low = rooms.budget.standing(now_ms).is_low();
    let worth = Worth {
        tier: speaker.tier,
        complexity,
        is_budget_low,
    };
    let mut plan = routing::plan(coach, worth, rooms.fallback);
    // A council is no turn of one coach's, so no experiment is told of it.
    let arm = match called {
        Some(_) => None,
        None => arm::enrol(rooms, request, coach),
    };
    // With little left everybody gets the cheapest model, whatever else an arm changes.
    if let Some(arm) = arm.as_deref().filter(|_| !is_budget_low) {
        arm::ask_first(arm, &mut plan, rooms.fallback);
    }
    let council = called.map(|_| Box::new(Council::of(rooms, request, worth)));
    rooms.flags.admit(&mut plan.candidates, session, now_ms);
    plan.candidates.splice(..0, request.faults.iter().cloned());
    Chosen {
        coach,
        coach_reason,
        plan,
        council,
        arm,
        complexity,
        switches,
    }
}
