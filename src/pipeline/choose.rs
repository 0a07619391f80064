//! Coach and models of a turn: what was said, what the session pays for, what is left of the day's
//! money, and what is switched off.

use std::sync::Arc;

use crate::coach::{self, Coach};
use crate::config::Switches;
use crate::routing::experiment::Arm;
use crate::routing::{self, Plan, Worth};

use super::prepare::TurnRequest;
use super::{Rooms, arm};

/// What was chosen for a turn, and from what.
pub(super) struct Chosen<'r> {
    pub(super) coach: &'r Coach,
    pub(super) coach_reason: String,
    pub(super) plan: Plan,
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
    let selection = coach::select(&rooms.roster, lines, pin);
    let complexity = routing::complexity(&request.conversation);
    let is_budget_low = rooms.budget.standing(now_ms).is_low();
    let worth = Worth {
        tier: speaker.tier,
        complexity,
        is_budget_low,
    };
    let mut plan = routing::plan(selection.coach, worth, rooms.fallback);
    // With little left everybody gets the cheapest, and no experiment is told of it.
    let arm = match is_budget_low {
        true => None,
        false => arm::enrol(rooms, request, selection.coach, &mut plan),
    };
    rooms.flags.admit(&mut plan.candidates, session, now_ms);
    plan.candidates.splice(..0, request.faults.iter().cloned());
    Chosen {
        coach: selection.coach,
        coach_reason: selection.reason.to_string(),
        plan,
        arm,
        complexity,
        switches: rooms.flags.of(session, now_ms),
    }
}
