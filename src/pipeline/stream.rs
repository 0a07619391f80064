//! A turn's way from recall to the last word, as it is told in `ARCHITECTURE.md`.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

use crate::memory::{Recall, Recalled};
use crate::prompt;
use crate::routing::Plan;
use crate::sse::TooLarge;
use crate::turn::{Conversation, Delta, FinishReason, Mark, MemoryOutcome, Outcome};
use crate::upstream::{Answer, AttemptError, Call, OpenRouter, Race, Speaking};

use super::guard::Guard;
use super::{Mouth, SharedMouth};

/// Words said but not taken beyond which upstream is no longer read: back-pressure.
const MAX_BACKLOG_BYTES: usize = 16 << 10;
/// An answer beyond this is no speech; it is ended where it stands.
const MAX_ANSWER_BYTES: usize = 256 << 10;
/// How long the bill is waited for once the caller has its end.
const BILL_WAIT: Duration = Duration::from_secs(2);
/// The same where the caller wants the bill itself, and so waits with us.
const BILL_WAIT_IN_STREAM: Duration = Duration::from_millis(500);

/// What a turn carries through the corridor.
pub(super) struct Turn {
    pub(super) plan: Plan,
    pub(super) conversation: Conversation,
    /// What is waited for from memory, if anything.
    pub(super) recall: Option<Recall>,
}

/// How the words came to their end.
enum Ending {
    Finished(FinishReason),
    Broken(AttemptError),
    /// The turn's or the service's time is up.
    TimeUp,
}

/// No place for this turn: one spoken sentence, nothing else touched.
pub(super) fn shed<M: Mouth>(mut guard: Box<Guard>, mouth: &SharedMouth<M>) {
    speak_line(&mut guard, mouth, Outcome::Shed);
}

pub(super) async fn run<M: Mouth + 'static>(
    mut guard: Box<Guard>,
    mut turn: Turn,
    upstream: Rc<OpenRouter>,
    mouth: SharedMouth<M>,
) {
    let hard = guard.rooms.lifecycle.hard().clone();
    let time_up = guard.began + guard.rooms.deadlines.turn;
    let span = guard.span.clone();
    let begun = {
        let mut leaving = pin!(hard.cancelled());
        tokio::select! {
            biased;
            // Stages have spans, words have none: the relay below is not entered with every token.
            // Boxed, so that an open stream does not carry the room that its beginning took.
            begun = Box::pin(begin(&mut guard, &mut turn, &upstream)).instrument(span) => begun,
            () = &mut leaving => None,
            () = sleep_until(time_up) => None,
        }
    };
    let Some(Speaking {
        mut answer,
        first,
        model,
        span: call,
    }) = begun
    else {
        speak_line(&mut guard, &mouth, Outcome::Failed);
        return;
    };
    // What was said so far is with the model now; a long answer need not hold it here.
    drop((turn, upstream));
    guard.served_by(&model, answer.meta(), call);
    guard.mark(Mark::FirstSpeakable);
    let ending = {
        let mut leaving = pin!(hard.cancelled());
        tokio::select! {
            biased;
            ending = relay(&mut guard, &mut answer, first, &mouth) => ending,
            () = &mut leaving => Ending::TimeUp,
            () = sleep_until(time_up) => Ending::TimeUp,
        }
    };
    match ending {
        Ending::Finished(reason) => finish(guard, answer, reason, &mouth).await,
        Ending::Broken(error) => {
            guard.attempts.failed(&error);
            close(
                &mut guard,
                &mouth,
                FinishReason::Stop,
                Outcome::PartialFailed,
            );
        }
        Ending::TimeUp => close(
            &mut guard,
            &mouth,
            FinishReason::Stop,
            Outcome::PartialFailed,
        ),
    }
}

/// Recall, prompt, race: until somebody speaks or nobody will.
async fn begin(guard: &mut Guard, turn: &mut Turn, upstream: &OpenRouter) -> Option<Speaking> {
    let asked = Instant::now();
    guard.recalled = match turn.recall.take() {
        None => Recalled {
            context: None,
            outcome: MemoryOutcome::Off,
        },
        Some(recall) => match recall.ready() {
            Some(recalled) => recalled,
            None => {
                recall
                    .within(guard.began + guard.rooms.deadlines.memory)
                    .await
            }
        },
    };
    guard.timings.memory_wait = asked.elapsed();
    guard.timings.mark(Mark::Memory, asked.elapsed());
    let memory = guard.recalled.context.clone();
    let roster = Arc::clone(&guard.rooms.roster);
    let coach = roster
        .get(&guard.head.coach)
        .unwrap_or_else(|| roster.master());
    let messages = prompt::compose(coach, &turn.conversation, memory.as_deref());
    let user = guard
        .speaker
        .user
        .as_deref()
        .map(|u| guard.rooms.pseudonyms.user(u));
    let session = guard
        .rooms
        .pseudonyms
        .session(guard.speaker.session.as_str());
    guard.mark(Mark::Plan);
    let deadlines = guard.rooms.deadlines;
    let race = Race {
        upstream,
        call: Call {
            messages: &messages,
            tools: turn.conversation.tools.as_ref(),
            max_tokens: coach.max_tokens,
            temperature: coach.temperature,
            user: user.as_deref(),
            session: &session,
        },
        candidates: &turn.plan.candidates,
        fallback: guard.rooms.fallback,
        deadlines: &deadlines,
        turn: guard.began,
    };
    let raced = Instant::now();
    let spoke = race.first_words(&mut guard.attempts).await;
    guard.timings.upstream_wait = raced.elapsed();
    spoke.ok()
}

/// First word to last. Words pass as they come; nothing is waited for but upstream and the caller.
async fn relay<M: Mouth>(
    guard: &mut Guard,
    answer: &mut Answer,
    first: Delta,
    mouth: &SharedMouth<M>,
) -> Ending {
    let idle = guard.rooms.deadlines.idle;
    let mut last = Instant::now();
    let mut said = 0;
    let mut silence = pin!(sleep_until(last + idle));
    let mut next = Some(first);
    loop {
        match next.take() {
            Some(Delta::Words(words)) => {
                said += words.len();
                if said > MAX_ANSWER_BYTES {
                    return Ending::Broken(TooLarge.into());
                }
                guard.say(&words);
                mouth.borrow_mut().words(&words);
                room(mouth).await;
                last = Instant::now();
            }
            Some(Delta::Tool(call)) => mouth.borrow_mut().tool(&call),
            Some(Delta::Usage(usage)) => guard.usage(usage),
            Some(Delta::Finish(reason)) => {
                guard.finished(reason);
                return Ending::Finished(reason);
            }
            None => {}
        }
        // One timer for the whole stream: it is moved only when it fires, not with every token.
        next = loop {
            tokio::select! {
                biased;
                delta = answer.next() => match delta {
                    Ok(Some(delta)) => break Some(delta),
                    Ok(None) => return Ending::Broken(AttemptError::Cut),
                    Err(error) => return Ending::Broken(error),
                },
                () = &mut silence => {
                    if last.elapsed() >= idle {
                        return Ending::Broken(AttemptError::Idle(idle));
                    }
                    silence.as_mut().reset(last + idle);
                }
            }
        };
    }
}

/// Resolves when the caller has taken enough of what was said. The response body polls the turn
/// again after every taking, so no waker is needed.
async fn room<M: Mouth>(mouth: &SharedMouth<M>) {
    poll_fn(|_| {
        if mouth.borrow().backlog() < MAX_BACKLOG_BYTES {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// The model is done. The caller gets its end at once; the bill comes after it, and is read to the
/// body's own end so that the connection can serve the next turn.
async fn finish<M: Mouth>(
    mut guard: Box<Guard>,
    mut answer: Box<Answer>,
    reason: FinishReason,
    mouth: &SharedMouth<M>,
) {
    if mouth.borrow().wants_usage() {
        // Without a bill in time the answer simply ends without one.
        let _ = timeout(BILL_WAIT_IN_STREAM, read_bill(&mut guard, &mut answer)).await;
    }
    close(&mut guard, mouth, reason, Outcome::Complete);
    if read_bill(&mut guard, &mut answer).now_or_never().is_some() {
        guard.attempts.close();
        return;
    }
    let lifecycle = guard.rooms.lifecycle.clone();
    lifecycle.spawn_here(async move {
        // A bill that never comes leaves the cost unknown.
        let _ = timeout(BILL_WAIT, read_bill(&mut guard, &mut answer)).await;
        guard.attempts.close();
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

fn close<M: Mouth>(
    guard: &mut Guard,
    mouth: &SharedMouth<M>,
    reason: FinishReason,
    outcome: Outcome,
) {
    mouth.borrow_mut().end(reason, guard.bill());
    guard.end(outcome);
}

/// One sentence in the coach's manner, then the end. It never enters memory.
fn speak_line<M: Mouth>(guard: &mut Guard, mouth: &SharedMouth<M>, outcome: Outcome) {
    let seed = guard.created_at.unsigned_abs();
    let roster = &guard.rooms.roster;
    let coach = roster
        .get(&guard.head.coach)
        .unwrap_or_else(|| roster.master());
    mouth.borrow_mut().words(coach.fallback_line(seed));
    close(guard, mouth, FinishReason::Stop, outcome);
}
