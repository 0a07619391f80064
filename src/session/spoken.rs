//! What a turn said, and whether it counts: judged by the session's next request. Pure.

use std::sync::Arc;

use crate::turn::{Conversation, Message};

use super::heard::{heard, is_grown, is_line};

/// What is remembered of either side of a turn: more than anybody speaks in one.
pub const MAX_REMEMBERED_BYTES: usize = 16 << 10;
/// Lines of a newer request that are kept to judge a turn it overtook.
const EVIDENCE: usize = 6;

/// What one turn said, waiting to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken<T> {
    /// The user's words; empty for a greeting.
    pub words: String,
    /// What was sent to the caller.
    pub reply: Arc<str>,
    /// Whether the caller read the reply to its end.
    pub whole: bool,
    /// When the turn began, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Whose turn it was, in terms of the room that wants to know.
    pub owner: T,
}

/// A turn that counts: what was said and what was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    pub user: Option<String>,
    pub assistant: Option<String>,
    pub at_ms: i64,
    pub owner: T,
}

impl<T> Spoken<T> {
    /// No request speaks for or against it: a reply read to its end counts.
    pub(super) fn by_itself(self) -> Option<Committed<T>> {
        self.whole.then(|| Committed {
            user: some(self.words),
            assistant: some(self.reply.to_string()),
            at_ms: self.at_ms,
            owner: self.owner,
        })
    }

    fn with_reply(self, reply: String) -> Committed<T> {
        Committed {
            user: some(self.words),
            assistant: some(reply),
            at_ms: self.at_ms,
            owner: self.owner,
        }
    }

    /// What counts of it once the session's next request is there.
    pub(super) fn judge(self, history: &[Message], ask: &str) -> Option<Committed<T>> {
        if let Some(heard) = heard(&self.words, &self.reply, history) {
            return Some(self.with_reply(heard));
        }
        if is_grown(&self.words, ask) {
            return None;
        }
        if history.is_empty() {
            // A caller without a history can neither confirm nor deny.
            return self.by_itself();
        }
        // The reply is missing from a history that is kept: it was never heard.
        let is_said =
            !self.words.trim().is_empty() && history.iter().any(|m| is_line(m, &self.words));
        is_said.then(|| self.with_reply(String::new()))
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|t| !t.trim().is_empty())
}

/// What a session's newest request says of the turn that was still running when it came.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The turn it speaks of: the newest before.
    pub(super) of: u64,
    /// Its last lines, each no longer than what is remembered of a side.
    pub(super) history: Vec<Message>,
    ask: String,
}

impl Evidence {
    pub(super) fn of(turn: u64, next: &Conversation) -> Self {
        Self {
            of: turn,
            history: last_lines(&next.history),
            ask: beginning(next.ask.words(), MAX_REMEMBERED_BYTES).to_owned(),
        }
    }

    pub(super) fn judge<T>(&self, spoken: Spoken<T>) -> Option<Committed<T>> {
        // A caller without a history says nothing of a turn that it talked over.
        (!self.history.is_empty()).then(|| spoken.judge(&self.history, &self.ask))?
    }
}

/// The last lines of a history, without what only upstream needs.
fn last_lines(history: &[Message]) -> Vec<Message> {
    let from = history.len().saturating_sub(EVIDENCE);
    let plain = |message: &Message| Message {
        role: message.role,
        text: beginning(&message.text, MAX_REMEMBERED_BYTES).to_owned(),
        raw: None,
    };
    history.iter().skip(from).map(plain).collect()
}

/// At most `bytes` of a text, cut between characters.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
