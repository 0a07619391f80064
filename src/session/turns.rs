//! Turns that are not real yet.
//!
//! Callers speculate, repeat, and cut off. A turn counts for memory only once it is *committed*:
//! seen in the session's next request (then as it was heard), or read to its end with no newer
//! request for [`COMMIT_AFTER`], or when the session or the service ends.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::turn::{Conversation, Message, Role};

/// A turn read to its end counts after this long without a newer request.
pub const COMMIT_AFTER: Duration = Duration::from_secs(60);
/// Sessions held at once; beyond it the longest untouched is settled early.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
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

/// One request's place in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// What a session's newest request says of the turn that was still running when it came.
#[derive(Debug)]
struct Evidence {
    /// The turn it speaks of: the newest before.
    of: u64,
    /// Its last lines, each no longer than what is remembered of a side.
    history: Vec<Message>,
    ask: String,
}

#[derive(Debug)]
struct Session<T> {
    /// The newest request seen.
    newest: u64,
    /// Requests whose turn has not ended yet.
    running: u32,
    pending: Option<(Spoken<T>, Instant)>,
    /// Held only while the turn it speaks of runs.
    evidence: Option<Evidence>,
}

impl<T> Default for Session<T> {
    fn default() -> Self {
        Self {
            newest: 0,
            running: 0,
            pending: None,
            evidence: None,
        }
    }
}

/// The last turn of every session, until it is confirmed or overtaken.
#[derive(Debug)]
pub struct Turns<T> {
    sessions: Mutex<LruCache<String, Session<T>>>,
    /// One count for all sessions: a session that was evicted and came back cannot take an old
    /// turn for its newest.
    tickets: AtomicU64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            sessions: Mutex::new(LruCache::new(MAX_SESSIONS)),
            tickets: AtomicU64::new(0),
        }
    }
}

impl<T> Turns<T> {
    /// A new request of the session: its place, and the turn before it, if this request shows that
    /// it counts.
    pub fn begin(&self, session: &str, next: &Conversation) -> (Ticket, Vec<Committed<T>>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut committed = Vec::new();
        if !sessions.contains(session) {
            let evicted = sessions.push(session.to_owned(), Session::default());
            committed.extend(
                evicted
                    .and_then(|(_, old)| old.pending)
                    .and_then(|(s, _)| by_itself(s)),
            );
        }
        let Some(entry) = sessions.get_mut(session) else {
            return (Ticket(0), committed);
        };
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed) + 1;
        let before = std::mem::replace(&mut entry.newest, ticket);
        committed.extend(
            entry
                .pending
                .take()
                .and_then(|(spoken, _)| judge(spoken, &next.history, next.ask.words())),
        );
        entry.evidence = (entry.running > 0).then(|| Evidence {
            of: before,
            history: last_lines(&next.history),
            ask: beginning(next.ask.words(), MAX_REMEMBERED_BYTES).to_owned(),
        });
        entry.running += 1;
        (Ticket(ticket), committed)
    }

    /// The request's turn has ended, with something that may count or with nothing. A turn that was
    /// overtaken while it ran counts only as far as the newer request's history holds it.
    pub fn end(
        &self,
        session: &str,
        ticket: Ticket,
        spoken: Option<Spoken<T>>,
    ) -> Option<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sessions.get_mut(session)?;
        entry.running = entry.running.saturating_sub(1);
        let evidence = entry.evidence.take_if(|e| e.of == ticket.0);
        if entry.running == 0 {
            entry.evidence = None;
        }
        let spoken = spoken?;
        if entry.newest == ticket.0 {
            entry.pending = Some((spoken, Instant::now()));
            return None;
        }
        // A caller without a history says nothing of a turn that it talked over.
        let Evidence { history, ask, .. } = evidence.filter(|e| !e.history.is_empty())?;
        judge(spoken, &history, &ask)
    }

    /// Turns whose time is up at `now`.
    pub fn due(&self, now: Instant) -> Vec<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |held: &Instant| now.duration_since(*held) >= COMMIT_AFTER;
        sessions
            .iter_mut()
            .filter_map(|(_, entry)| entry.pending.take_if(|(_, held)| is_due(held)))
            .filter_map(|(spoken, _)| by_itself(spoken))
            .collect()
    }

    /// Everything that counts without further proof: the service is leaving.
    pub fn drain(&self) -> Vec<Committed<T>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .iter_mut()
            .filter_map(|(_, entry)| entry.pending.take())
            .filter_map(|(spoken, _)| by_itself(spoken))
            .collect()
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

/// No request speaks for or against it: a reply read to its end counts.
fn by_itself<T>(spoken: Spoken<T>) -> Option<Committed<T>> {
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

fn judge<T>(spoken: Spoken<T>, history: &[Message], ask: &str) -> Option<Committed<T>> {
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
