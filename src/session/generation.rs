//! What one turn says, kept so that the same request can be answered once and heard twice.
//!
//! A turn *talks* through a [`Generation`]; a repeat of its request *hears* through a [`Listener`],
//! from the first word, whether the turn still runs or has ended. Nobody waits for a listener, and
//! a word costs the talker one lock that is free unless somebody listens at that moment.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::turn::{Fault, FinishReason, Head, ToolCall, Usage};

use super::heard::Asked;
use super::key::Key;
use super::speech::{Join, Replay, Speech};

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Words(String),
    Tool(ToolCall),
    End(FinishReason, Option<Usage>),
    /// The end of a turn that could not be answered, or not to its end.
    Fault(Fault),
}

/// A turn's own end of what it says. Dropped without an end, it ends: its listeners hear `stop`.
#[derive(Debug)]
pub struct Generation {
    speech: Arc<Speech>,
}

impl Generation {
    pub(super) fn new(speech: Arc<Speech>) -> Self {
        Self { speech }
    }

    /// A turn of nobody's session: no request repeats it, none supersedes it.
    #[must_use]
    pub fn apart(head: Arc<Head>) -> Self {
        let kept = Arc::default();
        Self::new(Arc::new(Speech::new(
            head,
            Key::default(),
            Asked::Nothing,
            kept,
        )))
    }

    #[must_use]
    pub fn head(&self) -> &Arc<Head> {
        &self.speech.head
    }

    /// Somebody who hears it from its first word; `None` when as many do as may, or it is over.
    #[must_use]
    pub fn listen(&self) -> Option<Listener> {
        Listener::join(&self.speech, Instant::now()).ok()
    }

    /// The model's words, each as it comes.
    pub fn say(&self, words: &str) {
        self.speech.words(words);
    }

    /// Words of our own, a lead-in or a repair: heard by a repeat too, never part of the reply.
    pub fn phrase(&self, words: &str) {
        self.speech.phrase(words);
    }

    pub fn tool(&self, call: &ToolCall) {
        self.speech.tool(call);
    }

    /// The end; the first one counts. Who listens now hears it either way; `replay` is about who
    /// comes later.
    pub fn end(&self, reason: FinishReason, usage: Option<Usage>, replay: Replay) {
        self.speech.end(Piece::End(reason, usage), replay);
    }

    /// The end of a turn that failed: each listener is told in its own caller's way.
    pub fn fail(&self, fault: Fault) {
        self.speech.end(Piece::Fault(fault), Replay::Forget);
    }

    /// Cancelled when a newer, different request of the session comes while this one runs.
    #[must_use]
    pub fn superseded(&self) -> &CancellationToken {
        &self.speech.superseded
    }

    /// The caller has left. True if nobody listens either: nobody will from then on, and the turn may
    /// be dropped.
    #[must_use]
    pub fn close_if_alone(&self) -> bool {
        self.speech.close_if_alone()
    }

    /// Resolves when nobody listens any more, at once if nobody does; nobody will from then on.
    ///
    /// # Cancellation
    /// Safe at any time.
    pub async fn deserted(&self) {
        poll_fn(|cx| self.speech.poll_deserted(cx)).await;
    }

    /// The model's words so far, from the beginning, `MAX_REMEMBERED_BYTES` at most.
    #[must_use]
    pub fn reply(&self) -> Arc<str> {
        self.speech.reply()
    }

    /// All of the model's words so far.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        self.speech.text()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.end(FinishReason::Stop, None, Replay::Forget);
    }
}

/// A repeat of a request: hears the turn from its first word. Dropping it leaves.
#[derive(Debug)]
pub struct Listener {
    speech: Arc<Speech>,
    id: u64,
    heard: Heard,
    is_replay: bool,
}

/// How far a listener has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// Bytes of the text.
    pub(super) text: usize,
    /// Tool calls.
    pub(super) tools: usize,
}

impl Listener {
    /// # Errors
    /// Why nothing can be heard.
    pub(super) fn join(speech: &Arc<Speech>, now: Instant) -> Result<Self, Join> {
        match speech.join(now) {
            Join::Heard { id, is_replay } => Ok(Self {
                speech: Arc::clone(speech),
                id,
                heard: Heard::default(),
                is_replay,
            }),
            refused => Err(refused),
        }
    }

    #[must_use]
    pub fn head(&self) -> &Arc<Head> {
        &self.speech.head
    }

    /// The turn had ended before this listener came.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// What was said since the last piece, words up to the next tool call as one. After the end,
    /// the end again.
    ///
    /// # Cancellation
    /// Safe: what was not returned is returned next time.
    pub async fn next(&mut self) -> Piece {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Piece> {
        self.speech.poll_next(self.id, &mut self.heard, cx)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.speech.leave(self.id);
    }
}

#[cfg(test)]
mod tests;
