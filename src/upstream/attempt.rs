//! One attempt: a call, its mend where a refusal allows one, its row, its span, and what it tells of
//! the model's health.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};

use crate::config::Deadlines;
use crate::prompt::{self, PromptMessage};
use crate::routing::provider;
use crate::telemetry::spans;
use crate::turn::{Cause, Delta};

use super::answer::Answer;
use super::error::{AttemptError, Next};
use super::health::{Health, Pass};
use super::hedge::{self, Allowance};
use super::log::{AttemptLog, Row};
use super::openrouter::OpenRouter;
use super::race::{Course, Exhausted, Stable, race};
use super::seam::Asked;
use super::wire::{Call, Mend, Omittable};

/// Messages that stay when a history proves too long: the rules, and the newest of the talk with
/// the notes that go with it (context, memory, stage note).
const SHORT_HISTORY: usize = 8;
/// Ends so close to one another are one.
const TOGETHER: Duration = Duration::from_millis(50);

/// One turn's search for somebody who speaks.
#[derive(Debug)]
pub struct Search<'a> {
    pub upstream: &'a OpenRouter,
    pub health: &'a Arc<Health>,
    /// The hedges that may be spent; absent where none may.
    pub allowance: Option<&'a Allowance>,
    pub call: Call<'a>,
    /// Why the first of them is asked.
    pub cause: Cause,
    /// The specialist of a council that is asked, where one is.
    pub coach: Option<&'a str>,
    /// What was said already, where an answer is to be continued.
    pub said: Option<&'a str>,
    /// In order of preference, each once.
    pub candidates: &'a [String],
    /// Whether further models may be asked. A mended request to the same one always may.
    pub fallback: bool,
    pub deadlines: &'a Deadlines,
    /// When the search is over.
    pub due: Instant,
    pub log: &'a Rc<AttemptLog>,
}

/// An upstream that has begun to speak.
#[derive(Debug)]
pub struct Speaking {
    /// Boxed: it is handed on from stage to stage.
    pub answer: Box<Answer>,
    /// Its first words, or its tool call.
    pub first: Delta,
    /// The model as it was asked for.
    pub model: String,
    /// How it was asked to continue, where it was.
    pub asked: Asked,
    /// The call's row, open until the answer is.
    pub row: Row,
    /// The call's span, likewise.
    pub span: Span,
}

impl Search<'_> {
    /// Asks the candidates until one speaks, or until the search is due.
    ///
    /// # Errors
    /// [`Exhausted`], at once when nothing is left to try.
    ///
    /// # Cancellation
    /// Dropping the future closes every attempt in flight.
    pub async fn first_words(&self) -> Result<Speaking, Exhausted> {
        // Found out by an earlier search of the turn, such as a council's plan.
        if self.log.is_key_refused() {
            return Err(Exhausted);
        }
        let course = Course {
            candidates: self.candidates,
            fallback: self.fallback,
            cause: self.cause,
            due: self.due,
        };
        race(course, self).await
    }

    /// Asks one model, and once more if its refusal can be mended.
    async fn ask(&self, model: &str, cause: Cause, pass: Pass) -> Result<Speaking, Next> {
        // Whoever is to go on is waited for by somebody in mid-sentence; who sits in a council has a
        // deadline of its own.
        let window = match cause {
            Cause::Fallback | Cause::Mended | Cause::Hedge => self.deadlines.fallback_first_token,
            Cause::First | Cause::Resume | Cause::Plan | Cause::Specialist => {
                self.deadlines.first_token
            }
        };
        let until = self.end(Instant::now() + window);
        let mut outcome = self.attempt(model, self.call, cause, until).await;
        if let Err(failure) = &outcome
            && let Next::Mended(mend) = failure.error.next()
        {
            let shorter;
            let mut call = self.call;
            let helps = match mend {
                Mend::Omit(Omittable::Prefill) if failure.asked == Asked::Instruction => false,
                Mend::Omit(what) => self.upstream.leave_out(model, what),
                Mend::ShortenHistory => {
                    shorter = shortened(self.call.messages);
                    call.messages = &shorter;
                    true
                }
            };
            if helps {
                outcome = self.attempt(model, call, Cause::Mended, until).await;
            }
        }
        match outcome {
            Ok((speaking, after)) => {
                pass.spoke(after, Instant::now());
                Ok(speaking)
            }
            Err(Failure { error, .. }) => {
                error.tell(pass, Instant::now());
                // What one mend did not mend is another model's turn.
                Err(match error.next() {
                    Next::Mended(_) => Next::Model,
                    next => next,
                })
            }
        }
    }

    async fn attempt(
        &self,
        model: &str,
        call: Call<'_>,
        cause: Cause,
        until: Instant,
    ) -> Result<(Speaking, Duration), Failure> {
        let row = self.log.begin(model, cause);
        if let Some(coach) = self.coach {
            row.of_coach(coach);
        }
        let began = Instant::now();
        let span = spans::chat(model, self.upstream.address(), self.call.session);
        let (asked, messages) = self.continuing(model, call.messages);
        let call = Call {
            messages: messages.as_deref().unwrap_or(call.messages),
            ..call
        };
        let opened = async {
            let mut answer = self.upstream.open(model, &call, &row).await?;
            match speakable(&mut answer).await {
                Ok(first) => Ok((answer, first)),
                Err(e) => {
                    row.describe(answer.meta());
                    Err(e)
                }
            }
        };
        let result = match timeout_at(until, opened.instrument(span.clone())).await {
            Ok(result) => result,
            Err(_) => Err(AttemptError::FirstToken(began.elapsed())),
        };
        match result {
            Ok((answer, first)) => {
                let meta = answer.meta();
                row.describe(meta);
                spans::spoke(&span, meta.generation_id.as_deref(), began.elapsed());
                let speaking = Speaking {
                    answer: Box::new(answer),
                    first,
                    model: model.to_owned(),
                    asked,
                    row,
                    span,
                };
                Ok((speaking, began.elapsed()))
            }
            Err(error) => {
                spans::failed(&span, error.kind());
                row.failed(&error);
                Err(Failure { error, asked })
            }
        }
    }

    /// When an attempt ends whose own time is up at `until`. Where the search ends in the same moment it was
    /// the model that was too slow: taken away by the search, nobody would be told why.
    fn end(&self, until: Instant) -> Instant {
        match until.saturating_duration_since(self.due) < TOGETHER {
            true => until.min(self.due),
            false => until,
        }
    }

    /// How this model is asked to go on from what was said, where something was.
    fn continuing(
        &self,
        model: &str,
        messages: &[PromptMessage],
    ) -> (Asked, Option<Vec<PromptMessage>>) {
        match self.said {
            None => (Asked::Instruction, None),
            Some(said) if self.upstream.takes_prefill(model) => {
                (Asked::Prefill, Some(prompt::prefilled(messages, said)))
            }
            Some(said) => (Asked::Instruction, Some(prompt::instructed(messages, said))),
        }
    }
}

/// Why an attempt brought nothing, and how it was asked.
struct Failure {
    error: AttemptError,
    asked: Asked,
}

impl<'a> Stable<'a> for Search<'a> {
    type Speaking = Speaking;
    type Run = LocalBoxFuture<'a, Result<Speaking, Next>>;

    fn start(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run> {
        let pass = self.health.admit(model, Instant::now())?;
        Some(Box::pin(self.ask(model, cause, pass)))
    }

    fn start_anyway(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run> {
        let pass = self.health.admit_anyway(model, Instant::now())?;
        Some(Box::pin(self.ask(model, cause, pass)))
    }

    fn hedge_at(&self, model: &str) -> Option<Instant> {
        self.allowance?;
        let now = Instant::now();
        Some(now + hedge::delay(self.health.usual_first_token(model, now)))
    }

    /// One that is well, and whose provider stops billing when it loses, before one that does not.
    fn hedge(&self, untried: &[&'a str]) -> Option<&'a str> {
        let now = Instant::now();
        let well = || {
            untried
                .iter()
                .copied()
                .filter(|m| self.health.is_well(m, now))
        };
        let chosen = well()
            .find(|m| provider::stops_billing(m))
            .or_else(|| well().next())?;
        self.allowance?.take().then_some(chosen)
    }
}

/// The first delta that means something to a listener.
async fn speakable(answer: &mut Answer) -> Result<Delta, AttemptError> {
    loop {
        match answer.next().await? {
            Some(first @ (Delta::Words(_) | Delta::Tool(_))) => return Ok(first),
            Some(Delta::Usage(_) | Delta::Finish(_)) => {}
            None => return Err(AttemptError::Empty),
        }
    }
}

/// The rules and the newest messages, beginning with the user; everything, where the user has not
/// spoken among the newest.
fn shortened(messages: &[PromptMessage]) -> Vec<PromptMessage> {
    let (rules, talk) = match messages.split_first() {
        Some((rules @ PromptMessage::System(_), talk)) => (Some(rules), talk),
        _ => (None, messages),
    };
    let newest = talk.split_at(talk.len().saturating_sub(SHORT_HISTORY)).1;
    let begin = newest
        .iter()
        .position(|m| matches!(m, PromptMessage::User(_)));
    let kept = begin.map_or(talk, |at| newest.split_at(at).1);
    rules.into_iter().chain(kept).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_history_keeps_the_rules_and_the_newest_and_begins_with_the_user() {
        let mut messages = vec![PromptMessage::System("rules".to_owned().into())];
        for i in 0..20 {
            messages.push(PromptMessage::User(format!("u{i}")));
            messages.push(PromptMessage::Assistant(format!("a{i}")));
        }
        messages.push(PromptMessage::User("now".into()));
        let short = shortened(&messages);
        assert!(matches!(&short[0], PromptMessage::System(_)));
        assert!(matches!(&short[1], PromptMessage::User(u) if u == "u17"));
        assert!(matches!(short.last(), Some(PromptMessage::User(u)) if u == "now"));
        assert_eq!(short.len(), 8);
    }
}
