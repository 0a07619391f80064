//! What a turn said, and whether it counts: judged by the session's next request. Pure.

use crate::turn::{Message, Role};

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
    pub reply: String,
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

/// What a session's newest request says of the turn that was still running when it came.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The turn it speaks of: the newest before.
    pub(super) of: u64,
    /// Its last lines, each no longer than what is remembered of a side.
    pub(super) history: Vec<Message>,
    pub(super) ask: String,
}

/// The last lines of a history, without what only upstream needs.
pub(super) fn last_lines(history: &[Message]) -> Vec<Message> {
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

/// No request speaks for or against it: a reply read to its end counts.
pub(super) fn by_itself<T>(spoken: Spoken<T>) -> Option<Committed<T>> {
    spoken
        .whole
        .then(|| committed(spoken.words, spoken.reply, spoken.at_ms, spoken.owner))
}

fn committed<T>(words: String, reply: String, at_ms: i64, owner: T) -> Committed<T> {
    let some = |text: String| Some(text).filter(|t| !t.trim().is_empty());
    Committed {
        user: some(words),
        assistant: some(reply),
        at_ms,
        owner,
    }
}

pub(super) fn judge<T>(spoken: Spoken<T>, history: &[Message], ask: &str) -> Option<Committed<T>> {
    if let Some(heard) = heard(&spoken, history) {
        return Some(committed(spoken.words, heard, spoken.at_ms, spoken.owner));
    }
    let words = squeeze(&spoken.words);
    let now = squeeze(ask);
    if !words.is_empty() && now.starts_with(&words) {
        // The same words again, or the sentence they were a fragment of.
        return None;
    }
    if history.is_empty() {
        // A caller without a history can neither confirm nor deny.
        return by_itself(spoken);
    }
    // The reply is missing from a history that is kept: it was never heard.
    let said = !words.is_empty() && history.iter().any(|m| is_line(m, &words));
    said.then(|| committed(spoken.words, String::new(), spoken.at_ms, spoken.owner))
}

fn is_line(message: &Message, words: &str) -> bool {
    message.role == Role::User && squeeze(&message.text) == words
}

/// The part of the reply that the history holds right after the words it answered: all of it, or
/// its beginning where it was cut off. Platforms may split one answer over neighbouring messages.
fn heard<T>(spoken: &Spoken<T>, history: &[Message]) -> Option<String> {
    let words = squeeze(&spoken.words);
    // A greeting answers nobody: it stands before the first of the user's lines.
    let after = match words.is_empty() {
        true => 0,
        false => history.iter().rposition(|m| is_line(m, &words))? + 1,
    };
    let reply = squeeze(&spoken.reply);
    let answer = history
        .iter()
        .skip(after)
        .take_while(|m| m.role == Role::Assistant);
    let mut run = String::new();
    let mut best = None;
    for message in answer {
        if !run.is_empty() {
            run.push(' ');
        }
        run.push_str(&squeeze(&message.text));
        let cut = run.trim_end_matches(['…', '-', '–', '—', '.']).trim_end();
        if !cut.is_empty() && (reply.starts_with(&run) || reply.starts_with(cut)) {
            best = Some(run.clone());
        }
    }
    best
}

/// One space between words, none around.
fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests;
