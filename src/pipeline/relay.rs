//! From a model's first word to its last.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::telemetry::spans;
use crate::turn::{Delta, FinishReason};
use crate::upstream::{Answer, AttemptError, Seam};

use super::guard::Guard;
use super::voice::Voice;
use super::{Mouth, SharedMouth};

/// Words said but not taken beyond which upstream is no longer read: back-pressure.
const MAX_BACKLOG_BYTES: usize = 16 << 10;
/// A model that is silent for so long is not in the middle of a figure.
const PAUSE: Duration = Duration::from_millis(40);
/// An answer beyond this is no speech; it is ended where it stands.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// How one model's words came to their end.
pub(super) enum Relayed {
    Finished(FinishReason),
    Broken(AttemptError),
    /// It said more than anybody listens to.
    Enough,
}

/// First word to last of one model. Words pass as they come, but for what later text may still change
/// (figures, marks); nothing is waited for but upstream and the caller. A silence is borne for as long
/// as the words already sent still sound.
pub(super) async fn relay<M: Mouth>(
    guard: &mut Guard,
    answer: &mut Answer,
    first: Delta,
    seam: Option<Seam>,
    mouth: &SharedMouth<M>,
) -> Relayed {
    let longest = guard.rooms.deadlines.idle;
    let _span = spans::relay(&guard.span);
    let mut voice = Voice::new(guard, seam);
    let mut last = Instant::now();
    let mut said = 0;
    let mut silence = pin!(sleep_until(last));
    let mut pause = pin!(sleep_until(last));
    let mut may_pause = false;
    let mut next = Some(first);
    loop {
        match next.take() {
            Some(Delta::Words(words)) => {
                said += words.len();
                if said > MAX_ANSWER_BYTES {
                    return Relayed::Enough;
                }
                guard.heard(words.len());
                let before = guard.said_bytes();
                voice.say(guard, &words, mouth);
                room(mouth).await;
                // What is left out is silence to whoever listens.
                if guard.said_bytes() > before || voice.holds() || voice.is_sewing() {
                    last = Instant::now();
                }
                may_pause = voice.holds();
                if may_pause {
                    pause.as_mut().reset(Instant::now() + PAUSE);
                }
            }
            Some(Delta::Tool(call)) => {
                voice.flush(guard, mouth);
                guard.tool(&call, mouth);
            }
            Some(Delta::Usage(usage)) => guard.usage(usage),
            Some(Delta::Finish(reason)) => {
                guard.finished(reason);
                voice.end(guard, reason, mouth);
                // It wrote what nobody can say, and nothing else.
                if said > 0 && !guard.has_spoken() {
                    return Relayed::Broken(AttemptError::Empty);
                }
                return Relayed::Finished(reason);
            }
            None => {}
        }
        // Neither timer is moved with every token: the one for silence when it fires, the one for a
        // pause only where words are held.
        let error = loop {
            tokio::select! {
                biased;
                delta = answer.next() => match delta {
                    Ok(Some(delta)) => {
                        next = Some(delta);
                        break None;
                    }
                    Ok(None) => break Some(AttemptError::Cut),
                    Err(error) => break Some(error),
                },
                () = &mut pause, if may_pause => {
                    may_pause = false;
                    voice.pause(guard, mouth);
                }
                () = &mut silence => {
                    let due = guard.runway.give_up_at(last, longest);
                    if Instant::now() >= due {
                        break Some(AttemptError::Idle(last.elapsed()));
                    }
                    silence.as_mut().reset(due);
                }
            }
        };
        if let Some(error) = error {
            // Where nobody goes on, what is held is the last that is heard.
            if guard.has_spoken() && !guard.may_resume() {
                voice.flush(guard, mouth);
            }
            return Relayed::Broken(error);
        }
    }
}

/// Resolves when the caller has taken enough of what was said. The response body polls the turn
/// again after every taking, so no waker is needed.
pub(super) async fn room<M: Mouth>(mouth: &SharedMouth<M>) {
    poll_fn(|_| {
        if mouth.borrow().backlog() < MAX_BACKLOG_BYTES {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
