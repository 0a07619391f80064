//! How a turn ends: with its last word, with a sentence of the coach's where there is none, or where it
//! stands.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::timeout;

use crate::turn::{Cause, Delta, Fault, FinishReason, Outcome};
use crate::upstream::Answer;

use super::guard::Guard;
use super::prepare::Shed;
use super::stream::coach;
use super::{Mouth, SharedMouth};

/// How long the bill is waited for once the caller has its end.
const BILL_WAIT: Duration = Duration::from_secs(2);
/// The same where the caller wants the bill itself, and so waits with us.
const BILL_WAIT_IN_STREAM: Duration = Duration::from_millis(500);

/// No place or no money for this turn: one spoken sentence, nothing else touched.
pub(super) fn shed<M: Mouth>(mut guard: Box<Guard>, why: Shed, mouth: &SharedMouth<M>) {
    let roster = Arc::clone(&guard.rooms.roster);
    let coach = coach(&guard, &roster);
    let seed = guard.created_at.unsigned_abs();
    let line = match why {
        Shed::Full => coach.busy_line(seed),
        Shed::Unpaid => coach.budget_line(seed),
    };
    guard.phrase(line, mouth);
    close(&mut guard, mouth, FinishReason::Stop, Outcome::Shed);
}

/// The model is done. The caller gets its end at once; the bill comes after it, and is read to the
/// body's own end so that the connection can serve the next turn.
pub(super) async fn finish<M: Mouth>(
    mut guard: Box<Guard>,
    mut answer: Box<Answer>,
    reason: FinishReason,
    mouth: &SharedMouth<M>,
) {
    if mouth.borrow().wants_usage() {
        // Without a bill in time the answer simply ends without one.
        let _ = timeout(BILL_WAIT_IN_STREAM, read_bill(&mut guard, &mut answer)).await;
    }
    let outcome = match guard.attempts.has(Cause::Resume) {
        true => Outcome::PartialRecovered,
        false => Outcome::Complete,
    };
    close(&mut guard, mouth, reason, outcome);
    if read_bill(&mut guard, &mut answer).now_or_never().is_some() {
        guard.close_call(&answer);
        return;
    }
    let lifecycle = guard.rooms.lifecycle.clone();
    lifecycle.spawn_here(async move {
        // A bill that never comes leaves the cost to be estimated.
        let _ = timeout(BILL_WAIT, read_bill(&mut guard, &mut answer)).await;
        guard.close_call(&answer);
    });
}

/// Reads what follows the finish, up to the end of the body.
async fn read_bill(guard: &mut Guard, answer: &mut Answer) {
    while let Ok(Some(delta)) = answer.next().await {
        if let Delta::Usage(usage) = delta {
            guard.usage(usage);
        }
    }
}

pub(super) fn close<M: Mouth>(
    guard: &mut Guard,
    mouth: &SharedMouth<M>,
    reason: FinishReason,
    outcome: Outcome,
) {
    mouth.borrow_mut().end(reason, guard.bill());
    guard.end(outcome, reason);
}

/// Nobody said a word. One sentence in the coach's manner, which never enters memory and says so where
/// it is for want of money; or, where the caller asked for it, an error that a program understands.
pub(super) fn fail<M: Mouth>(guard: &mut Guard, mouth: &SharedMouth<M>) {
    if guard.signals {
        mouth.borrow_mut().fault(Fault::Unanswered);
        return guard.fail(Outcome::Failed, Fault::Unanswered);
    }
    let roster = Arc::clone(&guard.rooms.roster);
    let (coach, seed) = (coach(guard, &roster), guard.created_at.unsigned_abs());
    let line = match guard.attempts.is_out_of_money() {
        true => coach.budget_line(seed),
        false => coach.fallback_line(seed),
    };
    guard.phrase(line, mouth);
    mouth.borrow_mut().end(FinishReason::Stop, None);
    guard.fail(Outcome::Failed, Fault::Unanswered);
}

/// After words are out nothing is apologised for: the answer ends where it stands.
pub(super) fn break_off<M: Mouth>(guard: &mut Guard, mouth: &SharedMouth<M>) {
    if !guard.has_spoken() {
        return fail(guard, mouth);
    }
    if guard.signals {
        mouth.borrow_mut().fault(Fault::BrokenOff);
    } else {
        mouth.borrow_mut().end(FinishReason::Stop, guard.bill());
    }
    guard.fail(Outcome::PartialFailed, Fault::BrokenOff);
}
