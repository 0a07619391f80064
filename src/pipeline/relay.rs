//! From a model's first word to its last.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::telemetry::spans;
use crate::turn::{Delta, FinishReason};
use crate::upstream::{Answer, AttemptError, Seam};

use super::guard::Guard;
use super::voice::Voice;
use super::{Mouth, SharedMouth};

/// Words said but not taken beyond which upstream is no longer read: back-pressure.
pub const MAX_BACKLOG_BYTES: usize = 16 << 10;
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

/// When words that are held are let out.
#[derive(Debug, Default)]
struct Pause {
    due: Option<Instant>,
}

impl Pause {
    /// The model wrote something; after it words are held, or none.
    fn written(&mut self, holds: bool) {
        self.due = holds.then(|| Instant::now() + PAUSE);
    }

    /// Resolves once the model has paused over what is held; never where nothing is.
    ///
    /// # Cancellation
    /// Safe.
    async fn over(&mut self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
        self.due = None;
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Next<T> {
    Delta(T),
    Pause,
    Silence,
}

/// Whatever comes first of what the model writes, its pause and the end of patience; of several at once
/// the first of them.
///
/// # Cancellation
/// Safe where that of `delta` is.
async fn next<T>(
    delta: impl Future<Output = T>,
    pause: &mut Pause,
    silence: Pin<&mut Sleep>,
) -> Next<T> {
    tokio::select! {
        biased;
        delta = delta => Next::Delta(delta),
        () = pause.over() => Next::Pause,
        () = silence => Next::Silence,
    }
}

/// First word to last of one model. Words pass as they come, but for what later text may still change
/// (figures, marks); nothing is waited for but upstream and the caller. A silence is borne for as long
/// as the words already sent still sound.
pub(super) async fn relay<M: Mouth>(
    guard: &mut Guard,
    answer: &mut Answer,
    first: Delta,
    seam: Option<Box<Seam>>,
    mouth: &SharedMouth<M>,
) -> Relayed {
    let longest = guard.rooms.deadlines.idle;
    let _span = spans::relay(&guard.span);
    let mut voice = Voice::new(guard, seam);
    let mut last = Instant::now();
    let mut sounded = last;
    let mut said = 0;
    // Set to the present it would cost a call of the system's, just before the first word goes out.
    let mut silence = pin!(sleep_until(guard.runway.give_up_at(last, longest)));
    let mut pause = Pause::default();
    let mut heard = Some(first);
    loop {
        match heard.take() {
            Some(Delta::Words(words)) => {
                said += words.len();
                if said > MAX_ANSWER_BYTES {
                    return Relayed::Enough;
                }
                guard.heard(words.len());
                let before = guard.said_bytes();
                voice.say(guard, &words, mouth);
                room(mouth).await;
                // What is left out is silence to whoever listens, and so is what is held without end.
                if guard.said_bytes() > before {
                    last = Instant::now();
                    sounded = last;
                } else if voice.holds() || voice.is_sewing() {
                    last = Instant::now().min(sounded + longest);
                }
                pause.written(voice.holds());
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
            match next(answer.next(), &mut pause, silence.as_mut()).await {
                Next::Delta(Ok(Some(delta))) => {
                    heard = Some(delta);
                    break None;
                }
                Next::Delta(Ok(None)) => break Some(AttemptError::Cut),
                Next::Delta(Err(error)) => break Some(error),
                Next::Pause => {
                    let before = guard.said_bytes();
                    voice.pause(guard, mouth);
                    if guard.said_bytes() > before {
                        last = Instant::now();
                        sounded = last;
                    }
                }
                Next::Silence => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::{Filter, Language};

    /// What is let out of these pieces, each so many milliseconds after the one before it, and when, in
    /// milliseconds from the beginning.
    async fn let_out(pieces: &[(u64, &str)]) -> Vec<(u128, String)> {
        let began = Instant::now();
        let (mut filter, mut pause) = (Filter::new(Language::English), Pause::default());
        let mut silence = pin!(sleep_until(began + Duration::from_secs(3)));
        let mut out = Vec::new();
        let mut said = |words: String| {
            if !words.is_empty() {
                out.push((began.elapsed().as_millis(), words));
            }
        };
        let mut at = began;
        for (after, piece) in pieces {
            at += Duration::from_millis(*after);
            loop {
                let mut words = String::new();
                match next(sleep_until(at), &mut pause, silence.as_mut()).await {
                    Next::Delta(()) => {
                        filter.push(piece, &mut words);
                        pause.written(filter.holds());
                        said(words);
                        break;
                    }
                    Next::Pause => filter.pause(&mut words),
                    Next::Silence => panic!("too long"),
                }
                said(words);
            }
        }
        out
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_let_out_forty_milliseconds_after_the_last_of_it() {
        let figure = "eighty-five thousand dollars";
        for (pieces, at) in [
            (&[(0, "It is $85,000"), (500, " now.")][..], 40),
            // Each piece of a figure begins the pause anew.
            (&[(0, "It is $85"), (39, ",000"), (500, " now.")], 79),
            (
                &[(0, "It is $"), (20, "85,"), (39, "000"), (500, " now.")],
                99,
            ),
            // What follows lets it out before.
            (&[(0, "It is $85,000"), (39, " now."), (500, "")], 39),
        ] {
            let told = let_out(pieces).await;
            let mut late = told.iter().filter(|(_, words)| words.contains(figure));
            let (when, _) = late.next().unwrap_or_else(|| panic!("{told:?}"));
            assert!((at..=at + 1).contains(when), "{pieces:?}: {told:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn plain_words_are_never_held_and_nothing_held_is_no_pause() {
        let told = let_out(&[(0, "Take"), (10, " your"), (400, " time"), (900, "")]).await;
        let when: Vec<u128> = told.iter().map(|(at, _)| *at).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(when[0] == 0 && (10..=11).contains(&when[1]) && (410..=411).contains(&when[2]));
        let (mut pause, longest) = (Pause::default(), Instant::now() + Duration::from_secs(3));
        let mut silence = pin!(sleep_until(longest));
        let next = next(pending::<()>(), &mut pause, silence.as_mut()).await;
        assert_eq!(next, Next::Silence);
    }
}
