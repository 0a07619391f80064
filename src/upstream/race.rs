//! The only layer that retries: which model is asked when, until one speaks.
//!
//! A failure before the first words moves on to the next candidate at once. A first model that is
//! slower than usual is raced by the next, one hedge a turn; whoever speaks first wins, and the other
//! is dropped in the same breath, so two streams never reach the caller. What one attempt is and what
//! it tells the breakers is `attempt.rs`'s business: here are only order and time.

use std::future::{Future, pending};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::turn::Cause;

use super::error::Next;

/// Nobody spoke in time; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// The order and the bounds of one race.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course<'a> {
    /// In order of preference, each once.
    pub(super) candidates: &'a [String],
    /// Whether further models may be asked when one fails.
    pub(super) fallback: bool,
    /// Why the first is asked.
    pub(super) cause: Cause,
    /// When it is over, whoever still runs.
    pub(super) due: Instant,
}

/// What the race asks of those who run it.
pub(super) trait Stable<'a> {
    type Speaking;
    type Run: Future<Output = Result<Self::Speaking, Next>>;

    /// Starts an attempt, unless this model is to be left alone for now.
    fn start(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run>;
    /// The same when all others are used up: a model that failed lately may be worth a try.
    fn start_anyway(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run>;
    /// When a model that was just started is slow enough for a hedge; `None`: never.
    fn hedge_at(&self, model: &str) -> Option<Instant>;
    /// Which of the models still untried shall race, and whether the allowance has room for it; asked
    /// once a turn.
    fn hedge(&self, untried: &[&'a str]) -> Option<&'a str>;
}

/// Asks the candidates until one speaks.
///
/// # Errors
/// [`Exhausted`], at once when nothing is left to try.
///
/// # Cancellation
/// Dropping the future drops every attempt in flight.
pub(super) async fn race<'a, S: Stable<'a>>(
    course: Course<'a>,
    stable: &'a S,
) -> Result<S::Speaking, Exhausted> {
    let count = match course.fallback {
        true => course.candidates.len(),
        false => 1,
    };
    let mut untried: Vec<&str> = course.candidates.iter().map(String::as_str).collect();
    untried.truncate(count);
    // Left alone at first; asked when nobody else is left.
    let mut resting: Vec<&str> = Vec::new();
    let mut runs: FuturesUnordered<S::Run> = FuturesUnordered::new();
    let mut cause = course.cause;
    // The model that a hedge may race.
    let mut slow = None;
    let mut may_hedge = course.fallback;
    loop {
        while runs.is_empty() {
            if Instant::now() >= course.due {
                return Err(Exhausted);
            }
            let (model, run) = if !untried.is_empty() {
                let model = untried.remove(0);
                let run = stable.start(model, cause);
                if run.is_none() {
                    resting.push(model);
                }
                (model, run)
            } else if !resting.is_empty() {
                let model = resting.remove(0);
                (model, stable.start_anyway(model, cause))
            } else {
                return Err(Exhausted);
            };
            if let Some(run) = run {
                runs.push(run);
                slow = Some(model).filter(|_| may_hedge);
            }
        }
        tokio::select! {
            biased;
            Some(end) = runs.next() => match end {
                Ok(speaking) => return Ok(speaking),
                // With this key nothing will go better anywhere.
                Err(Next::GiveUp) => return Err(Exhausted),
                Err(_) => {
                    // Who still runs is the next model already.
                    slow = None;
                    cause = match cause {
                        Cause::First => Cause::Fallback,
                        other => other,
                    };
                }
            },
            // Reckoned once the model has been asked, as nobody has to wait for it.
            () = slow_by(stable, slow) => {
                slow = None;
                if std::mem::take(&mut may_hedge)
                    && let Some(model) = stable.hedge(&untried)
                    && let Some(run) = stable.start(model, Cause::Hedge)
                {
                    untried.retain(|other| *other != model);
                    runs.push(run);
                }
            }
            () = sleep_until(course.due) => return Err(Exhausted),
        }
    }
}

/// Waits until it is time for a hedge; for ever where there is to be none.
async fn slow_by<'a, S: Stable<'a>>(stable: &'a S, model: Option<&str>) {
    match model.and_then(|model| stable.hedge_at(model)) {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
