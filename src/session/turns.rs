//! Turns that are not real yet.
//!
//! Callers speculate, repeat, and cut off. A turn counts for memory only once it is *committed*:
//! seen in the session's next request (then as it was heard), or read to its end with no newer
//! request for [`COMMIT_AFTER`], or when the session or the service ends.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::turn::{Conversation, Message, Role};

/// A turn read to its end counts after this long without a newer request.
pub const COMMIT_AFTER: Duration = Duration::from_secs(60);
/// Sessions held at once; beyond it the longest untouched is settled early.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

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

/// The last turn of every session, until it is confirmed or displaced.
#[derive(Debug)]
pub struct Turns<T> {
    pending: Mutex<LruCache<String, (Spoken<T>, Instant)>>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            pending: Mutex::new(LruCache::new(MAX_SESSIONS)),
        }
    }
}

impl<T> Turns<T> {
    /// Holds a turn back. What it displaces is returned if it counts.
    pub fn hold(&self, session: &str, spoken: Spoken<T>) -> Option<Committed<T>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let displaced = pending.push(session.to_owned(), (spoken, Instant::now()));
        displaced.and_then(|(_, (old, _))| by_itself(old))
    }

    /// Judges the session's pending turn by its next request.
    pub fn confirm(&self, session: &str, next: &Conversation) -> Option<Committed<T>> {
        let popped = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.pop(session)
        };
        popped.and_then(|(spoken, _)| judge(spoken, next))
    }

    /// Turns whose time is up at `now`.
    pub fn due(&self, now: Instant) -> Vec<Committed<T>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        // Least recently used first, and a session is touched only when its turn is held.
        while pending
            .peek_lru()
            .is_some_and(|(_, (_, held))| now.duration_since(*held) >= COMMIT_AFTER)
        {
            due.extend(
                pending
                    .pop_lru()
                    .and_then(|(_, (spoken, _))| by_itself(spoken)),
            );
        }
        due
    }

    /// Everything that counts without further proof: the service is leaving.
    pub fn drain(&self) -> Vec<Committed<T>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| pending.pop_lru())
            .filter_map(|(_, (spoken, _))| by_itself(spoken))
            .collect()
    }
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

fn judge<T>(spoken: Spoken<T>, next: &Conversation) -> Option<Committed<T>> {
    if let Some(heard) = heard(&spoken.reply, &next.history) {
        return Some(committed(spoken.words, heard, spoken.at_ms, spoken.owner));
    }
    let words = squeeze(&spoken.words);
    let now = squeeze(next.ask.words());
    if !words.is_empty() && now.starts_with(&words) {
        // The same words again, or the sentence they were a fragment of.
        return None;
    }
    if next.history.is_empty() {
        // A caller without a history can neither confirm nor deny.
        return by_itself(spoken);
    }
    // The reply is missing from a history that is kept: it was never heard.
    let was_said = |m: &Message| m.role == Role::User && squeeze(&m.text) == words;
    let said = !words.is_empty() && next.history.iter().any(was_said);
    said.then(|| committed(spoken.words, String::new(), spoken.at_ms, spoken.owner))
}

/// The part of `reply` that the history holds: all of it, or its beginning where it was cut off.
/// Platforms may split one answer over several neighbouring messages.
fn heard(reply: &str, history: &[Message]) -> Option<String> {
    let reply = squeeze(reply);
    let mut run = String::new();
    let mut best: Option<String> = None;
    for message in history {
        if message.role != Role::Assistant {
            run.clear();
            continue;
        }
        if !run.is_empty() {
            run.push(' ');
        }
        run.push_str(&squeeze(&message.text));
        let cut = run.trim_end_matches(['…', '-', '–', '—', '.']).trim_end();
        if run.is_empty() || !(reply.starts_with(&run) || !cut.is_empty() && reply.starts_with(cut))
        {
            continue;
        }
        if best.as_ref().is_none_or(|b| b.len() <= run.len()) {
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
mod tests {
    use super::*;
    use crate::turn::Ask;

    fn spoken(words: &str, reply: &str) -> Spoken<()> {
        Spoken {
            words: words.into(),
            reply: reply.into(),
            whole: true,
            at_ms: 7,
            owner: (),
        }
    }

    fn next(history: &[(Role, &str)], words: &str) -> Conversation {
        let message = |(role, text): &(Role, &str)| Message {
            role: *role,
            text: (*text).into(),
            raw: None,
        };
        Conversation {
            history: history.iter().map(message).collect(),
            ask: Ask::Words(words.into()),
            context: vec![],
            expressions: vec![],
            tools: None,
        }
    }

    fn sides(c: Option<Committed<()>>) -> Option<(Option<String>, Option<String>)> {
        c.map(|c| (c.user, c.assistant))
    }

    type Sides = Option<(Option<String>, Option<String>)>;
    /// The next history, its words, and what counts then.
    type Case<'a> = (&'a [(Role, &'a str)], &'a str, Sides);

    #[test]
    fn the_next_request_decides() {
        use Role::{Assistant, User};
        let full = Some((
            Some("I am stuck".into()),
            Some("Where exactly?  Tell me.".into()),
        ));
        let squeezed = Some((
            Some("I am stuck".into()),
            Some("Where exactly? Tell me.".into()),
        ));
        let cut = Some((Some("I am stuck".into()), Some("Where exactly?".into())));
        let unheard = Some((Some("I am stuck".into()), None));
        let table: &[Case<'_>] = &[
            (
                &[(User, "I am stuck"), (Assistant, "Where exactly? Tell me.")],
                "At work",
                squeezed.clone(),
            ),
            (
                &[
                    (User, "I am stuck"),
                    (Assistant, "Where exactly?"),
                    (Assistant, "Tell me."),
                ],
                "At work",
                squeezed,
            ),
            (
                &[(User, "I am stuck"), (Assistant, "Where exactly?")],
                "At work",
                cut.clone(),
            ),
            (
                &[(User, "I am stuck"), (Assistant, "Where exactly? Te-")],
                "At work",
                Some((Some("I am stuck".into()), Some("Where exactly? Te-".into()))),
            ),
            (&[], "I am stuck at work", None),
            (&[], "I am stuck", None),
            (&[], "Something else", full),
            (&[(User, "I am stuck")], "At work", unheard),
            (&[(User, "Hello"), (Assistant, "Hi")], "At work", None),
        ];
        for (history, words, expected) in table {
            let got = judge(
                spoken("I am stuck", "Where exactly?  Tell me."),
                &next(history, words),
            );
            assert_eq!(&sides(got), expected, "{history:?} {words}");
        }
    }

    #[test]
    fn a_reply_cut_off_by_the_caller_counts_only_as_far_as_it_was_heard() {
        let half = Spoken {
            whole: false,
            ..spoken("Hi", "One two three")
        };
        assert_eq!(sides(judge(half.clone(), &next(&[], "No"))), None);
        let seen = next(&[(Role::Assistant, "One two")], "Wait");
        assert_eq!(
            sides(judge(half, &seen)),
            Some((Some("Hi".into()), Some("One two".into())))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_for_a_minute_commits_what_was_read_to_its_end() {
        let turns = Turns::default();
        assert_eq!(turns.hold("a", spoken("Hi", "Hello")), None);
        assert_eq!(
            turns.hold(
                "b",
                Spoken {
                    whole: false,
                    ..spoken("Yo", "He")
                }
            ),
            None
        );
        assert!(turns.due(Instant::now()).is_empty());
        tokio::time::advance(COMMIT_AFTER).await;
        assert_eq!(turns.due(Instant::now()).len(), 1);
        assert!(turns.drain().is_empty());
    }

    #[test]
    fn a_greeting_has_no_users_side() {
        let greeting = judge(
            spoken("", "Welcome!"),
            &next(&[(Role::Assistant, "Welcome!")], "Hi"),
        );
        assert_eq!(sides(greeting), Some((None, Some("Welcome!".into()))));
    }
}
