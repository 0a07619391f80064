//! The only layer that retries: from the plan's candidates to the first speakable words.
//!
//! Before the first word it may try, mend once, and fall back; afterwards the stream belongs to the
//! relay. All waiting is inside the turn's one clock.

use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use crate::config::Deadlines;
use crate::prompt::PromptMessage;
use crate::telemetry::spans;
use crate::turn::Delta;

use super::answer::Answer;
use super::error::{AttemptError, Next};
use super::log::AttemptLog;
use super::openrouter::OpenRouter;
use super::wire::{Call, Mend};

/// Messages that stay when a history proves too long: the rules, and the newest of the talk with
/// the notes that go with it (context, memory, stage note).
const SHORT_HISTORY: usize = 8;

/// One turn's search for somebody who speaks.
#[derive(Debug)]
pub struct Race<'a> {
    pub upstream: &'a OpenRouter,
    pub call: Call<'a>,
    /// In order of preference, each once.
    pub candidates: &'a [String],
    /// Whether further models may be asked. A mended request to the same one always may.
    pub fallback: bool,
    pub deadlines: &'a Deadlines,
    /// When the turn began.
    pub turn: Instant,
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
    /// The call's span: open until the answer is.
    pub span: Span,
}

/// Nobody spoke in time; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Race<'_> {
    /// Tries the candidates in turn until one speaks or the spoken fallback is due.
    ///
    /// # Errors
    /// [`Exhausted`], at once when nothing is left to try.
    ///
    /// # Cancellation
    /// Dropping the future closes the attempt in flight.
    pub async fn first_words(&self, log: &mut AttemptLog) -> Result<Speaking, Exhausted> {
        let line_due = self.turn + self.deadlines.spoken_fallback;
        for (n, model) in self.candidates.iter().enumerate() {
            let window = match n {
                0 => self.deadlines.first_token,
                _ => self.deadlines.fallback_first_token,
            };
            let until = line_due.min(Instant::now() + window);
            match self.ask(model, until, log).await {
                Ok(speaking) => return Ok(speaking),
                Err(Next::GiveUp) => return Err(Exhausted),
                Err(_) if !self.fallback || Instant::now() >= line_due => return Err(Exhausted),
                Err(_) => {}
            }
        }
        Err(Exhausted)
    }

    /// Asks one model, and once more if its refusal can be mended.
    async fn ask(
        &self,
        model: &str,
        until: Instant,
        log: &mut AttemptLog,
    ) -> Result<Speaking, Next> {
        let next = match self.attempt(model, &self.call, until, log).await {
            Ok(speaking) => return Ok(speaking),
            Err(next) => next,
        };
        let Next::Mended(mend) = next else {
            return Err(next);
        };
        let shorter;
        let mut call = self.call;
        match mend {
            Mend::Omit(what) if !self.upstream.leave_out(model, what) => return Err(Next::Model),
            Mend::Omit(_) => {}
            Mend::ShortenHistory => {
                shorter = shortened(self.call.messages);
                call.messages = &shorter;
            }
        }
        self.attempt(model, &call, until, log).await
    }

    async fn attempt(
        &self,
        model: &str,
        call: &Call<'_>,
        until: Instant,
        log: &mut AttemptLog,
    ) -> Result<Speaking, Next> {
        log.begin(model);
        let began = Instant::now();
        let span = spans::chat(model, self.upstream.address());
        let opened = async {
            let mut answer = self.upstream.open(model, call, log).await?;
            match speakable(&mut answer).await {
                Ok(first) => Ok((answer, first)),
                Err(e) => {
                    log.describe(answer.meta());
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
                log.describe(answer.meta());
                spans::spoke(
                    &span,
                    answer.meta().generation_id.as_deref(),
                    began.elapsed(),
                );
                Ok(Speaking {
                    answer: Box::new(answer),
                    first,
                    model: model.to_owned(),
                    span,
                })
            }
            Err(error) => {
                spans::failed(&span, error.kind());
                log.failed(&error);
                Err(error.next())
            }
        }
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
        let mut messages = vec![PromptMessage::System("rules".into())];
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
