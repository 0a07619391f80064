//! Zep's words: what is sent, and what its answers mean. Pure.
//!
//! The v3 dialect (`/api/v2`, threads addressed by our own ids). Error bodies may be JSON, plain
//! text or a proxy's HTML page, so they are only ever searched, never parsed.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::Person;
use super::error::MemoryError;
use super::store::{Line, Told};
use super::text;
use crate::clock;

/// Bytes of one message. Zep takes 4,096 of a unit it does not name (bytes or characters), and
/// refuses the whole call over one message too long: bytes are right under either reading.
pub(super) const LINE_BYTES: usize = 4000;
/// Messages of one call.
pub(super) const LINES: usize = 30;
/// Bytes of a context answer that are read at all.
pub(super) const CONTEXT_BYTES: usize = 1 << 20;
/// A thread's newest messages that are looked at to see what of ours is there already. Far more than
/// one process can have written without noting that it did.
pub(super) const TOLD: usize = 200;
/// Bytes of such an answer that are read: so many messages of the longest, escaped.
pub(super) const TOLD_BYTES: usize = 4 << 20;
/// Bytes of any other answer that are read.
pub(super) const ANSWER_BYTES: usize = 64 << 10;
/// Characters of what a search brings: less than a whole context, since it is about one thing.
const FOUND_CHARS: usize = 2500;
/// Characters of a context that are used.
const CONTEXT_CHARS: usize = 8000;

/// A rate limit that names no time is a minute's (that is what is seen in practice).
const RATE_LIMIT_DEFAULT: u64 = 60;

/// What an answer's status means, in the terms in which the client acts.
#[derive(Debug)]
pub(super) enum Verdict {
    Done,
    /// The person or the thread is not known.
    Missing,
    /// What was to be created is there already.
    Exists,
    Failed(MemoryError),
}

/// Judges an answer by its status, its wait (see [`wait`]) and, where that decides, its body.
pub(super) fn judge(status: u16, wait: Duration, body: &[u8]) -> Verdict {
    let says = |needle: &str| {
        String::from_utf8_lossy(body)
            .to_ascii_lowercase()
            .contains(needle)
    };
    Verdict::Failed(match status {
        200..300 => return Verdict::Done,
        404 => return Verdict::Missing,
        409 => return Verdict::Exists,
        400 if says("already exists") => return Verdict::Exists,
        401 => MemoryError::Unauthorized,
        403 if says("usage limit") => MemoryError::Quota,
        429 => MemoryError::RateLimited { after: wait },
        other => MemoryError::Status(other),
    })
}

/// How long a rate-limited answer asks to wait: `Retry-After` in seconds, else the moment the limit
/// resets (Unix seconds), kept within a second and five minutes.
pub(super) fn wait(retry_after: Option<&str>, reset: Option<&str>, now_s: i64) -> Duration {
    let number = |text: Option<&str>| text.and_then(|t| t.trim().parse::<i64>().ok());
    let seconds = number(retry_after)
        .or_else(|| number(reset).map(|at| at.saturating_sub(now_s)))
        .map_or(RATE_LIMIT_DEFAULT, |s| u64::try_from(s).unwrap_or(0));
    Duration::from_secs(seconds.clamp(1, 300))
}

/// Everything but letters, digits, `-` and `_`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Joins path segments onto `base`, each percent-encoded.
pub(super) fn url(base: &str, segments: &[&str]) -> String {
    let mut url = base.to_owned();
    for segment in segments {
        url.push('/');
        url.extend(utf8_percent_encode(segment, SEGMENT));
    }
    url
}

#[derive(Deserialize)]
struct ContextAnswer {
    context: Option<String>,
}

/// The context of an answer, capped and cleaned; none where nothing is known.
///
/// # Errors
/// [`MemoryError::Malformed`] for what is no context answer.
pub(super) fn context(body: &[u8]) -> Result<Option<String>, MemoryError> {
    let answer: ContextAnswer =
        serde_json::from_slice(body).map_err(|_quotes_the_body| MemoryError::Malformed)?;
    let context = text::cap(&answer.context.unwrap_or_default(), CONTEXT_CHARS);
    Ok(Some(context).filter(|c| !c.trim().is_empty()))
}

#[derive(Deserialize)]
struct ToldAnswer {
    #[serde(default)]
    messages: Option<Vec<Told>>,
}

/// The messages of a thread.
///
/// # Errors
/// [`MemoryError::Malformed`] for what is no such answer.
pub(super) fn told(body: &[u8]) -> Result<Vec<Told>, MemoryError> {
    let answer: ToldAnswer =
        serde_json::from_slice(body).map_err(|_quotes_the_body| MemoryError::Malformed)?;
    Ok(answer.messages.unwrap_or_default())
}

#[derive(Serialize)]
pub(super) struct NewUser<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
pub(super) struct NewThread<'a> {
    thread_id: &'a str,
    user_id: &'a str,
}

/// A search over everything that is known of a person, answered as one text.
#[derive(Serialize)]
pub(super) struct Search<'a> {
    user_id: &'a str,
    query: &'a str,
    scope: &'static str,
    max_characters: usize,
}

#[derive(Serialize)]
pub(super) struct Messages<'a> {
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    created_at: String,
}

pub(super) fn new_user(who: &Person) -> NewUser<'_> {
    NewUser {
        user_id: who.zep_user(),
    }
}

pub(super) fn new_thread(who: &Person) -> NewThread<'_> {
    NewThread {
        thread_id: who.zep_thread(),
        user_id: who.zep_user(),
    }
}

pub(super) fn search<'a>(who: &'a Person, question: &'a str) -> Search<'a> {
    Search {
        user_id: who.zep_user(),
        query: question,
        // The one scope whose answer is a text.
        scope: "auto",
        max_characters: FOUND_CHARS,
    }
}

pub(super) fn messages(lines: &[Line]) -> Messages<'_> {
    Messages {
        messages: lines.iter().map(message).collect(),
    }
}

fn message(line: &Line) -> Message<'_> {
    Message {
        role: line.speaker.role(),
        content: &line.text,
        created_at: clock::rfc3339(line.at_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> String {
        match judge(status, Duration::from_secs(60), body.as_bytes()) {
            Verdict::Failed(error) => error.kind().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn statuses_and_bodies_are_judged() {
        for (status, body, expected) in [
            (200, "{}", "Done"),
            (201, "", "Done"),
            (301, "", "status_3xx"),
            (400, r#"{"message":"bad field"}"#, "status_4xx"),
            (
                400,
                r#"{"message":"session with id X Already Exists"}"#,
                "Exists",
            ),
            (
                400,
                "bad request: user already exists with user_id: X",
                "Exists",
            ),
            (401, "unauthorized", "unauthorized"),
            (
                403,
                r#"{"message":"forbidden: Account is over the episode usage limit"}"#,
                "quota",
            ),
            (403, "<html>no</html>", "status_4xx"),
            (404, "<html>gone</html>", "Missing"),
            (409, "", "Exists"),
            (413, "", "status_4xx"),
            (429, "Rate limit exceeded for FREE plan", "rate_limited"),
            (502, "<html>Bad gateway</html>", "status_5xx"),
        ] {
            assert_eq!(verdict(status, body), expected, "{status} {body}");
        }
        let broken = judge(403, Duration::ZERO, b"\xff\xfeusage limit");
        assert!(matches!(broken, Verdict::Failed(MemoryError::Quota)));
    }

    #[test]
    fn waits_are_read_and_bounded() {
        for (retry_after, reset, seconds) in [
            (Some("60"), None, 60),
            (Some("0"), None, 1),
            (Some("-5"), None, 1),
            (Some("86400"), None, 300),
            (Some("60"), Some("1030"), 60),
            (None, Some("1030"), 30),
            (None, Some("900"), 1),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None, 60),
            (None, None, 60),
        ] {
            let waited = wait(retry_after, reset, 1000);
            assert_eq!(waited.as_secs(), seconds, "{retry_after:?} {reset:?}");
        }
    }

    #[test]
    fn segments_cannot_leave_their_place() {
        let url = url("http://z/api/v2", &["threads", "a/b?c#d é..", "context"]);
        assert_eq!(
            url,
            "http://z/api/v2/threads/a%2Fb%3Fc%23d%20%C3%A9%2E%2E/context"
        );
    }

    #[test]
    fn messages_are_read_and_rubbish_is_not() {
        let read = |body: &str| told(body.as_bytes()).map_err(|e| e.kind());
        let one = r#"{"messages":[{"role":"user","content":"a","uuid":"x"}],"row_count":1}"#;
        assert!(read(one).unwrap()[0].content == "a");
        for (body, expected) in [
            ("{}", Ok(0)),
            (r#"{"messages":null}"#, Ok(0)),
            (r#"{"messages":[{}]}"#, Ok(1)),
            (r#"{"messages":7}"#, Err("malformed")),
            ("<html></html>", Err("malformed")),
        ] {
            assert_eq!(read(body).map(|told| told.len()), expected, "{body}");
        }
    }

    #[test]
    fn contexts_are_read_and_rubbish_is_not() {
        let read = |body: &str| context(body.as_bytes()).map_err(|e| e.kind());
        for (body, expected) in [
            (r#"{"context":"Ines leads."}"#, Ok(Some("Ines leads."))),
            (r#"{"context":"a","facts":[1]}"#, Ok(Some("a"))),
            (r#"{"context":""}"#, Ok(None)),
            (r#"{"context":" \n"}"#, Ok(None)),
            (r#"{"context":null}"#, Ok(None)),
            ("{}", Ok(None)),
            ("", Err("malformed")),
            ("[]", Err("malformed")),
            (r#"{"context":7}"#, Err("malformed")),
            ("<html></html>", Err("malformed")),
        ] {
            assert_eq!(read(body), expected.map(|c| c.map(str::to_owned)), "{body}");
        }
        let long = format!(r#"{{"context":"{}"}}"#, "é".repeat(9000));
        assert_eq!(read(&long).unwrap().unwrap().chars().count(), 8000);
    }
}
