//! Identifiers: of turns, of traces, of sessions.

use std::fmt;

use uuid::Uuid;

/// The longest session id that is taken, in bytes.
pub const MAX_SESSION_ID_BYTES: usize = 255;

/// One turn: a time-ordered `UUIDv7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TurnId(Uuid);

impl TurnId {
    /// A fresh id; ids made later sort later.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl TurnId {
    /// When a turn of this id was made, milliseconds since the Unix epoch; `None` where it is no id of
    /// ours.
    #[must_use]
    pub fn time_of(id: &str) -> Option<i64> {
        let id = Uuid::try_parse(id)
            .ok()
            .filter(|id| id.get_version_num() == 7)?;
        let (seconds, nanos) = id.get_timestamp()?.to_unix();
        let ms = i64::try_from(seconds).ok()?.checked_mul(1000)?;
        Some(ms + i64::from(nanos / 1_000_000))
    }
}

impl Default for TurnId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The W3C trace a request belongs to: continued from `traceparent`, or begun here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    /// The caller's own span, where it named one.
    parent: Option<u64>,
    is_sampled: bool,
}

impl TraceContext {
    /// Begins a trace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            // W3C Trace Context asks for chance in the seven right-most bytes alone.
            trace_id: timed(),
            span_id: span_id(),
            parent: None,
            is_sampled: true,
        }
    }

    /// Continues the trace of a `traceparent` header; a header that is not one begins a new trace.
    ///
    /// Source: W3C Trace Context, `version-traceid-parentid-flags`, all lower-case hex.
    #[must_use]
    pub fn continued(traceparent: Option<&str>) -> Self {
        let Some((trace_id, parent, is_sampled)) = traceparent.and_then(parts_of) else {
            return Self::new();
        };
        Self {
            trace_id,
            span_id: span_id(),
            parent: Some(parent),
            is_sampled,
        }
    }

    #[must_use]
    pub fn id(&self) -> u128 {
        self.trace_id
    }

    /// The id of this request's own span.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The caller's span, where its trace is continued.
    #[must_use]
    pub fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// Whether the caller keeps its trace; so does who begins one.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The 32 hex digits that name the trace.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header to send on.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let flags = u8::from(self.is_sampled);
        format!(
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        )
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

/// Zero is no id.
fn span_id() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// The time in 48 bits, milliseconds since the Unix epoch, and 80 bits by chance. Stores keep an index by each: what
/// comes together stands together there, where by chance alone every row would touch a page of its own. Not a
/// `UUIDv7` as `uuid` makes it: of one millisecond's the second is the first plus something small, so that whoever
/// has one could guess at others. After a clock was set back the time stays where it was until that is reached again.
fn timed() -> u128 {
    let time = Uuid::now_v7().as_u128() >> 80;
    (time << 80) | (rand::random::<u128>() >> 48)
}

/// Trace, the caller's span, and whether it is kept. A header without flags, which none should be,
/// is taken for one that keeps.
fn parts_of(traceparent: &str) -> Option<(u128, u64, bool)> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = parts.next().filter(|f| f.len() == 2);
    let flags = flags.map_or(Some(1), |f| u8::from_str_radix(f, 16).ok())?;
    let hex = |s: &str, len: usize| {
        s.len() == len
            && s.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if !hex(version, 2) || version == "ff" || !hex(trace, 32) || !hex(span, 16) {
        return None;
    }
    let id = u128::from_str_radix(trace, 16).ok()?;
    let span = u64::from_str_radix(span, 16).ok()?;
    (id != 0 && span != 0).then_some((id, span, flags & 1 == 1))
}

/// The caller's name for a conversation: 1 to 255 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

/// Why a session id was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionId {
    #[error("the session id is empty")]
    Empty,
    #[error("the session id is {0} bytes long; at most {MAX_SESSION_ID_BYTES} are taken")]
    TooLong(usize),
    #[error("the session id holds control characters")]
    Control,
    #[error("the session id is not UTF-8")]
    NotUtf8,
}

impl SessionId {
    /// Takes an id as a caller sent it.
    ///
    /// # Errors
    /// Names the rule that the id breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionId> {
        if text.is_empty() {
            return Err(InvalidSessionId::Empty);
        }
        if text.len() > MAX_SESSION_ID_BYTES {
            return Err(InvalidSessionId::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidSessionId::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// A fresh unguessable id for a conversation that came without one.
    #[must_use]
    pub fn mint() -> Self {
        Self(format!("s-{:032x}", timed()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_traceparent_is_continued_and_rubbish_begins_a_new_trace() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let kept = TraceContext::continued(Some(&format!("00-{id}-00f067aa0ba902b7-01")));
        assert_eq!(kept.trace_id(), id);
        assert!(kept.traceparent().starts_with(&format!("00-{id}-")));
        assert_eq!(kept.parent(), Some(0x00f0_67aa_0ba9_02b7));
        assert!(kept.is_sampled() && kept.traceparent().ends_with("-01"));
        let unkept = TraceContext::continued(Some(&format!("00-{id}-00f067aa0ba902b7-00")));
        assert!(!unkept.is_sampled() && unkept.traceparent().ends_with("-00"));
        assert_eq!(TraceContext::new().parent(), None);
        for bad in [
            "",
            "00-xyz",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_ne!(TraceContext::continued(Some(bad)).trace_id(), id);
        }
    }

    #[test]
    fn what_is_minted_begins_with_its_time_and_ends_by_chance() {
        let now_ms = || Clock::System.now_ms();
        let before = now_ms();
        let minted: Vec<_> = (0..500).map(|_| SessionId::mint()).collect();
        let after = now_ms();
        let mut ends = HashSet::new();
        for id in &minted {
            let (time, end) = id.as_str().strip_prefix("s-").unwrap().split_at(12);
            let time = i64::from_str_radix(time, 16).unwrap();
            assert!((before..=after).contains(&time) && end.len() == 20, "{id}");
            // Neither half of them says anything of the other ids.
            let (first, second) = end.split_at(10);
            assert!(ends.insert(first.to_owned()) && ends.insert(second.to_owned()));
        }
        let trace = TraceContext::new().trace_id();
        let time = i64::from_str_radix(trace.split_at(12).0, 16).unwrap();
        assert!((after..=now_ms()).contains(&time), "{trace}");
    }

    #[test]
    fn session_ids_are_bounded_and_printable() {
        assert!(SessionId::parse("name|42").is_ok());
        assert_eq!(SessionId::parse(""), Err(InvalidSessionId::Empty));
        assert_eq!(
            SessionId::parse(&"x".repeat(256)),
            Err(InvalidSessionId::TooLong(256))
        );
        assert_eq!(
            SessionId::parse("a\r\nX: y"),
            Err(InvalidSessionId::Control)
        );
    }
}
