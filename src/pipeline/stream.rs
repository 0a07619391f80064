//! A turn's way from recall to the last word, as it is told in `ARCHITECTURE.md`.

use std::panic::resume_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use crate::coach::{Coach, Roster};
use crate::doze::dozing;
use crate::memory::Recall;
use crate::prompt::{self, PromptMessage};
use crate::routing::Plan;
use crate::routing::budget::{Asked, Over};
use crate::session::{Listener, Piece};
use crate::sse::TooLarge;
use crate::telemetry::spans;
use crate::turn::{Conversation, Delta, Fault, FinishReason, Mark, Outcome};
use crate::upstream::{Answer, OpenRouter, Seam, Speaking};

use super::admission::Presence;
use super::asking::Asking;
use super::council::{Council, Ground};
use super::ending::{break_off, close, fail, finish, shed};
use super::guard::Guard;
use super::lead_in;
use super::prepare::Shed;
use super::relay::{Relayed, relay, room};
use super::{Mouth, SharedMouth, money};

/// What a turn carries through the corridor.
pub(super) struct Turn {
    pub(super) plan: Plan,
    pub(super) conversation: Conversation,
    /// What a model is told, without memory: it was weighed before it is sent.
    pub(super) prompt: Option<Vec<PromptMessage>>,
    /// The word on its money that is waited for, if it is.
    pub(super) money: Option<Asked>,
    /// Where several coaches are to be heard.
    pub(super) council: Option<Box<Council>>,
    /// What is waited for from memory, if anything.
    pub(super) recall: Option<Recall>,
    /// What is said without asking a model, where that is how silence is answered.
    pub(super) wordless: Option<String>,
    /// A rehearsal: a fault of our own, to show that it stays this turn's.
    pub(super) panics: bool,
}

/// How the words came to their end.
enum Ending {
    Finished(Box<Answer>, FinishReason),
    /// Nobody spoke in time.
    Nobody,
    /// After words were out, and nobody went on.
    Broken,
    /// The turn's or the service's time is up.
    TimeUp,
    /// A newer request of the session took its place.
    Superseded,
    /// There is no money for it.
    Unpaid,
}

/// A request that came again.
pub(super) struct Repeated {
    pub(super) listener: Listener,
    pub(super) signals: bool,
    /// What is said where the turn had nothing to say.
    pub(super) line: String,
    pub(super) _presence: Presence,
}

/// The same is heard again; a failure is told in this caller's own way.
pub(super) async fn repeat<M: Mouth>(mut repeated: Repeated, mouth: SharedMouth<M>) {
    let fault = loop {
        match repeated.listener.next().await {
            Piece::Words(words) => {
                mouth.borrow_mut().words(&words);
                room(&mouth).await;
            }
            Piece::Tool(call) => mouth.borrow_mut().tool(&call),
            Piece::End(reason, usage) => return mouth.borrow_mut().end(reason, usage.as_ref()),
            Piece::Fault(fault) => break fault,
        }
    };
    let mut mouth = mouth.borrow_mut();
    if repeated.signals {
        return mouth.fault(fault);
    }
    if !mouth.has_spoken() {
        mouth.words(&repeated.line);
    }
    mouth.end(FinishReason::Stop, None);
}

pub(super) async fn run<M: Mouth + 'static>(
    mut guard: Box<Guard>,
    mut turn: Box<Turn>,
    upstream: Rc<OpenRouter>,
    mouth: SharedMouth<M>,
) {
    if let Some(line) = turn.wordless.take() {
        if !line.is_empty() {
            guard.phrase(&line, &mouth);
        }
        return close(&mut guard, &mouth, FinishReason::Stop, Outcome::Complete);
    }
    let hard = guard.rooms.lifecycle.hard().clone();
    let newer = guard.generation.superseded().clone();
    let time_up = guard.began + guard.rooms.deadlines.turn;
    let ending = {
        // None of it happens with a token, and so it is not looked at with each.
        let stop = pin!(async {
            tokio::select! {
                biased;
                () = newer.cancelled() => Ending::Superseded,
                () = hard.cancelled() => Ending::TimeUp,
                () = sleep_until(time_up) => Ending::TimeUp,
            }
        });
        // Lent: given away, it would have room in both.
        let mut stop = pin!(dozing(stop));
        // Boxed, so that the bill's tail does not carry the room that speaking took.
        let mut speaking = Box::pin(speak(&mut guard, &mut turn, &upstream, &mouth));
        tokio::select! {
            biased;
            stopped = &mut stop => match stopped {
                // Who comes to the end at this very moment has come to it.
                Ending::TimeUp => speaking.now_or_never().unwrap_or(Ending::TimeUp),
                newer => newer,
            },
            ending = &mut speaking => ending,
        }
    };
    guard.tell();
    drop((turn, upstream));
    match ending {
        Ending::Finished(answer, reason) => finish(guard, answer, reason, &mouth).await,
        Ending::Superseded => close(&mut guard, &mouth, FinishReason::Stop, Outcome::Superseded),
        Ending::Nobody => fail(&mut guard, &mouth),
        Ending::Unpaid if guard.signals => {
            mouth.borrow_mut().fault(Fault::Unpaid);
            guard.fail(Outcome::Shed, Fault::Unpaid);
        }
        Ending::Unpaid => shed(guard, Shed::Unpaid, &mouth),
        Ending::TimeUp if hard.is_cancelled() => {
            guard.rooms.admission.note_cut();
            break_off(&mut guard, &mouth);
        }
        Ending::Broken | Ending::TimeUp => break_off(&mut guard, &mouth),
    }
}

/// From silence to the last word.
async fn speak<M: Mouth>(
    guard: &mut Guard,
    turn: &mut Turn,
    upstream: &OpenRouter,
    mouth: &SharedMouth<M>,
) -> Ending {
    if turn.panics {
        resume_unwind(Box::new("rehearsed"));
    }
    // A council speaks at once, unless there may be no money for it.
    if turn.money.is_none() {
        open(guard, turn, mouth);
    }
    if let Err(over) = await_leave(guard, turn).await {
        guard.unpaid(over);
        return Ending::Unpaid;
    }
    open(guard, turn, mouth);
    let span = guard.span.clone();
    // Stages have spans, words have none: the relay below is not entered with every token.
    let begun = Box::pin(begin(guard, turn, upstream, mouth)).instrument(span);
    let mut begun = begun.await;
    let mut died = Vec::new();
    loop {
        let Some(speaking) = begun else {
            return Ending::Nobody;
        };
        let (mut answer, first) = served(guard, speaking);
        match relay(guard, &mut answer, first, None, mouth).await {
            Relayed::Finished(reason) => return Ending::Finished(answer, reason),
            Relayed::Enough => return enough(guard, &answer),
            Relayed::Broken(error) => died.push(guard.broke_off(&answer, &error)),
        }
        // Its connection closes before the next is asked.
        drop(answer);
        if guard.has_spoken() {
            return Box::pin(resume(guard, turn, upstream, &died, mouth)).await;
        }
        // Of what it wrote nothing could be said: that was no answer.
        begun = Box::pin(again(guard, turn, upstream, &died)).await;
    }
}

/// Asks whoever has not been asked, while nothing was heard and the line is not due.
async fn again(
    guard: &mut Guard,
    turn: &Turn,
    upstream: &OpenRouter,
    died: &[String],
) -> Option<Speaking> {
    let others = others(turn, died);
    if others.is_empty() || !guard.rooms.fallback {
        return None;
    }
    let due = guard.began + guard.rooms.deadlines.spoken_fallback;
    let (raced, race) = (Instant::now(), spans::race(&guard.span));
    let asking = Asking::new(guard, turn, None);
    let search = asking.begin(upstream, &others, due);
    let spoke = search.first_words().instrument(race).await;
    guard.timings.upstream_wait += raced.elapsed();
    spoke.ok()
}

/// The candidates that did not break off.
fn others(turn: &Turn, died: &[String]) -> Vec<String> {
    let candidates = turn.plan.candidates.iter();
    candidates.filter(|m| !died.contains(m)).cloned().collect()
}

/// Prompt and race: until somebody speaks or nobody will. A coach whose model is slow says a
/// phrase meanwhile.
async fn begin<M: Mouth>(
    guard: &mut Guard,
    turn: &mut Turn,
    upstream: &OpenRouter,
    mouth: &SharedMouth<M>,
) -> Option<Speaking> {
    let mut lead_in_due = lead_in::due(guard, turn);
    let line_due = guard.began + guard.rooms.deadlines.spoken_fallback;
    if let Some(mut council) = turn.council.take() {
        let convened = Instant::now();
        let talk = &turn.conversation;
        let asked = money::Asked {
            coach: guard.rooms.roster.master(),
            council: Some(&council),
            conversation: talk,
            candidates: &turn.plan.candidates,
        };
        // What is heard goes into the prompt as well: it is put together anew, and not kept meanwhile.
        let own = {
            let memory = guard.recalled.context.as_deref();
            let prompt = turn.prompt.take().filter(|_| memory.is_none());
            let prompt = prompt.unwrap_or_else(|| prompt::compose(asked.coach, talk, memory));
            money::own(guard, asked, &prompt, 0)
        };
        let ground = Ground::of(guard, own, line_due);
        let hearing = council.hear(&ground, talk, upstream, mouth);
        lead_in::meanwhile(guard, talk, mouth, &mut lead_in_due, hearing).await;
        turn.council = Some(council);
        guard.timings.upstream_wait = convened.elapsed();
    }
    let prompt = turn.prompt.take();
    let asking = Asking::new(guard, turn, prompt);
    if guard.switches.capture {
        guard.asked = asking
            .question(&turn.conversation, guard.spoken_in)
            .map(Box::new);
    }
    guard.mark(Mark::Plan);
    let (raced, race) = (Instant::now(), spans::race(&guard.span));
    let search = asking.begin(upstream, &turn.plan.candidates, line_due);
    let search = search.first_words().instrument(race);
    let spoke = lead_in::meanwhile(guard, &turn.conversation, mouth, &mut lead_in_due, search);
    let spoke = spoke.await;
    guard.timings.upstream_wait += raced.elapsed();
    spoke.ok()
}

/// Where a council is held, the master's first sentence; once.
fn open<M: Mouth>(guard: &mut Guard, turn: &mut Turn, mouth: &SharedMouth<M>) {
    let roster = Arc::clone(&guard.rooms.roster);
    if let Some(council) = &mut turn.council
        && council.opening().is_empty()
    {
        let seed = guard.created_at.unsigned_abs();
        let sentence = coach(guard, &roster).opening_line(seed);
        council.open(sentence);
        guard.open(sentence, mouth);
    }
}

/// Memory and the word on the turn's money, side by side.
async fn await_leave(guard: &mut Guard, turn: &mut Turn) -> Result<(), Over> {
    let due = guard.began + guard.rooms.deadlines.memory;
    let span = guard.span.clone();
    let asked = money::secure(turn.money.take(), due);
    let recall = recall(guard, turn.recall.take()).instrument(span);
    let ((), reserved) = tokio::join!(recall, asked);
    if let Some(reserved) = reserved? {
        guard.reserved = Some(reserved);
    }
    Ok(())
}

async fn recall(guard: &mut Guard, recall: Option<Recall>) {
    let asked = Instant::now();
    if let Some(recall) = recall {
        guard.recalled = match recall.ready() {
            Some(recalled) => recalled,
            None => {
                recall
                    .within(guard.began + guard.rooms.deadlines.memory)
                    .instrument(spans::recall(&guard.span))
                    .await
            }
        };
    }
    guard.timings.memory_wait = asked.elapsed();
    guard.timings.mark(Mark::Memory, asked.elapsed());
}

/// After words are out: another model goes on where one broke off. Once a turn; who breaks off
/// again has had its chance.
async fn resume<M: Mouth>(
    guard: &mut Guard,
    turn: &Turn,
    upstream: &OpenRouter,
    died: &[String],
    mouth: &SharedMouth<M>,
) -> Ending {
    let others = others(turn, died);
    if others.is_empty() || !guard.may_resume() {
        return Ending::Broken;
    }
    let said = guard.generation.text();
    let asking = Asking::new(guard, turn, None);
    let due = Instant::now() + guard.rooms.deadlines.fallback_first_token;
    let search = asking.go_on(upstream, &others, due, &said);
    let Ok(speaking) = search
        .first_words()
        .instrument(spans::race(&guard.span))
        .await
    else {
        return Ending::Broken;
    };
    let seam = Box::new(Seam::new(&said, speaking.asked));
    let (mut answer, first) = served(guard, speaking);
    match relay(guard, &mut answer, first, Some(seam), mouth).await {
        Relayed::Finished(reason) => Ending::Finished(answer, reason),
        Relayed::Enough => enough(guard, &answer),
        Relayed::Broken(error) => {
            guard.broke_off(&answer, &error);
            Ending::Broken
        }
    }
}

/// Nobody is asked to go on with more than anybody listens to.
fn enough(guard: &mut Guard, answer: &Answer) -> Ending {
    guard.broke_off(answer, &TooLarge.into());
    Ending::Broken
}

fn served(guard: &mut Guard, speaking: Speaking) -> (Box<Answer>, Delta) {
    let Speaking {
        answer,
        first,
        model,
        row,
        span,
        ..
    } = speaking;
    guard.served_by(model, &answer, row, span);
    (answer, first)
}

/// The coach of this turn.
pub(super) fn coach<'r>(guard: &Guard, roster: &'r Roster) -> &'r Coach {
    roster
        .get(&guard.head.coach)
        .unwrap_or_else(|| roster.master())
}
