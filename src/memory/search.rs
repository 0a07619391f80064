//! A question of a coach's own about a person: what in their memory bears on this. Nothing is kept of
//! the answer, because nobody asks the same again.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};

use super::gate::Way;
use super::text;
use super::{Memory, Person, Room};
use crate::telemetry::spans;

/// Characters of a question: stores look for what it is about, and short ones are found faster.
const QUESTION_CHARS: usize = 400;

impl Memory {
    /// What is known of `who` that bears on `question`: at most 8,000 characters, data to be quoted
    /// and never obeyed. `None` where memory is off, rests, fails, knows nothing of it or is not done
    /// by `deadline`.
    ///
    /// # Cancellation
    /// Safe: what was asked is answered to nobody.
    pub async fn search(
        &self,
        who: &Person,
        question: &str,
        deadline: Instant,
    ) -> Option<Arc<str>> {
        let room = self.room.as_ref()?;
        let answer = room.search(who.clone(), text::cap(question, QUESTION_CHARS))?;
        timeout_at(deadline, answer).await.ok()?.ok()
    }
}

impl Room {
    /// Asks the store, in a task of its own: whoever the gate lets in must tell it how it went, also
    /// when nobody waits any longer. Without an answer the sender is dropped.
    fn search(&self, who: Person, question: String) -> Option<oneshot::Receiver<Arc<str>>> {
        let asked = Instant::now();
        if self.desk.is_erased(&who.user, None) || self.gate.admit(Way::Search, asked).is_err() {
            return None;
        }
        let (store, gate) = (Arc::clone(&self.store), Arc::clone(&self.gate));
        let (mut sender, answer) = oneshot::channel();
        let stopping = self.lifecycle.soft().clone();
        let question = async move {
            // No stop is held up by what nobody waits for.
            let is_idle = async {
                sender.closed().await;
                stopping.cancelled().await;
            };
            let found = tokio::select! {
                found = store.search(&who, &question) => found,
                () = is_idle => return,
            };
            gate.report(Way::Search, found.as_ref().map(|_| ()), Instant::now());
            match found {
                // A turn that no longer waits needs no answer.
                Ok(Some(context)) => drop(sender.send(context)),
                Ok(None) => {}
                Err(error) => spans::failed(&Span::current(), error.kind()),
            }
        };
        let span = spans::retrieval("zep");
        self.lifecycle.spawn(question.instrument(span));
        Some(answer)
    }
}
