//! What is to be kept, as it lies in the spool and travels into a store: a kind and a JSON text. JSON
//! by name lets an older program read what a newer one wrote, and the other way round.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::spool::Class;
use crate::turn::{AttemptRecord, Correction, TurnRecord};

/// What a user thought of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    pub turn_id: String,
    /// 1 to 5.
    pub satisfaction: u8,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
}

/// A turn of an experiment that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub turn_id: String,
    /// When it was known to count, milliseconds since the Unix epoch.
    pub created_at: i64,
}

/// The words of a turn, encrypted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    pub turn_id: String,
    pub user_hash: Option<String>,
    /// Base64.
    pub sealed: String,
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub expires_at: i64,
}

/// Somebody asked to be forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    pub user_hash: String,
    /// Milliseconds since the Unix epoch: turns that began before are theirs no more.
    pub erased_at: i64,
}

/// What a voice platform told of one of its chats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// The platform's own name for it.
    pub chat_id: String,
    /// The session as it is kept.
    pub session_id: String,
    pub user_hash: Option<String>,
    /// `hume` or `elevenlabs`.
    pub platform: String,
    pub chat_group_id: Option<String>,
    /// Milliseconds since the Unix epoch, as the platform says.
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub end_reason: Option<String>,
    /// When it was told.
    pub told_at: i64,
}

/// What is handed over to be kept.
#[derive(Clone, Debug)]
pub(super) enum Note {
    Turn(Box<TurnRecord>),
    Correction(Correction),
    Feedback(Feedback),
    Commit(Commit),
    Capture(Capture),
    Erasure(Erasure),
    Chat(Chat),
}

/// Kinds of rows, in the order in which a batch of them is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Turn,
    Attempts,
    Correction,
    Feedback,
    Commit,
    Capture,
    Erasure,
    Chat,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Turn,
        Self::Attempts,
        Self::Correction,
        Self::Feedback,
        Self::Commit,
        Self::Capture,
        Self::Erasure,
        Self::Chat,
    ];

    const fn letter(self) -> u8 {
        match self {
            Self::Turn => b't',
            Self::Attempts => b'a',
            Self::Correction => b'c',
            Self::Feedback => b'f',
            Self::Commit => b'k',
            Self::Capture => b'w',
            Self::Erasure => b'e',
            Self::Chat => b'p',
        }
    }

    /// What may be given up first when there is no room: the books are right without it.
    const fn class(self) -> Class {
        match self {
            Self::Attempts | Self::Capture => Class::Detail,
            Self::Turn
            | Self::Correction
            | Self::Feedback
            | Self::Commit
            | Self::Erasure
            | Self::Chat => Class::Essential,
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) json: String,
}

impl Entry {
    /// The rows of a note: a turn is two, so that the books can be kept where there is no room for the
    /// details.
    pub(super) fn of(note: &Note) -> Vec<Self> {
        match note {
            Note::Turn(turn) => of_turn(turn),
            Note::Correction(c) => vec![Self::new(Kind::Correction, c)],
            Note::Feedback(f) => vec![Self::new(Kind::Feedback, f)],
            Note::Commit(c) => vec![Self::new(Kind::Commit, c)],
            Note::Capture(c) => vec![Self::new(Kind::Capture, c)],
            Note::Erasure(e) => vec![Self::new(Kind::Erasure, e)],
            Note::Chat(c) => vec![Self::new(Kind::Chat, c)],
        }
    }

    fn new(kind: Kind, row: &impl Serialize) -> Self {
        // Plain values under plain names: there is nothing that JSON could not say.
        let json = serde_json::to_string(row).unwrap_or_default();
        Self { kind, json }
    }

    pub(super) fn class(&self) -> Class {
        self.kind.class()
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = self.json.into_bytes();
        bytes.insert(0, self.kind.letter());
        bytes
    }

    /// The row that lies in the spool, unless this program does not know it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, json) = bytes.split_first()?;
        let kind = Kind::ALL.into_iter().find(|k| k.letter() == *letter)?;
        let json = std::str::from_utf8(json).ok()?.to_owned();
        Some(Self { kind, json })
    }
}

fn of_turn(turn: &TurnRecord) -> Vec<Entry> {
    let mut entries = vec![Entry::new(Kind::Turn, &TurnRow(turn))];
    if !turn.attempts.is_empty() {
        let attempts = turn.attempts.iter().enumerate();
        let attempts = attempts.map(|(position, attempt)| AttemptRow {
            turn_id: &turn.turn_id,
            position,
            created_at: turn.created_at,
            attempt,
        });
        let attempts: Vec<_> = attempts.collect();
        entries.push(Entry::new(Kind::Attempts, &attempts));
    }
    entries
}

/// A turn as its table has it: of its attempts, how many there were.
struct TurnRow<'a>(&'a TurnRecord);

/// Written as it is read. A tree of values, to put one number in the place of one list, would cost ten times as
/// much, once a turn.
macro_rules! turn_row {
    ($row:expr, $serializer:expr, $($column:ident)+) => {{
        // Without `..`, so that no column is forgotten.
        let TurnRecord { attempts, $($column),+ } = $row;
        let mut row = $serializer.serialize_map(None)?;
        $(row.serialize_entry(stringify!($column), $column)?;)+
        row.serialize_entry("attempts", &attempts.len())?;
        row.end()
    }};
}

impl Serialize for TurnRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        turn_row!(self.0, serializer,
            turn_id session_id user_hash profile identity coach coach_reason tier complexity experiment
            variant planned_model served_model provider generation_id outcome auth_ms memory_ms plan_ms
            upstream_headers_ms first_token_ms first_speakable_ms total_ms overhead_ms memory_outcome
            prompt_tokens completion_tokens cached_tokens reasoning_tokens cost_microusd cost_source
            hedged continued lead_in model_reason ceiling_microusd satisfaction trace_id created_at)
    }
}

/// An attempt as its table has it.
#[derive(Serialize)]
struct AttemptRow<'a> {
    turn_id: &'a str,
    position: usize,
    #[serde(flatten)]
    attempt: &'a AttemptRecord,
    created_at: i64,
}

/// A JSON array of some rows' texts.
pub(super) fn array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut array = String::from("[");
    for text in texts {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(text);
    }
    array.push(']');
    array
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn rows_come_back_from_the_spool_as_they_went_in() {
        for kind in Kind::ALL {
            let entry = Entry {
                kind,
                json: r#"{"a":"é"}"#.to_owned(),
            };
            assert_eq!(Entry::decode(&entry.clone().encode()), Some(entry));
        }
        for odd in [&b""[..], b"x{}", b"t\xff"] {
            assert_eq!(Entry::decode(odd), None);
        }
    }

    fn turn(attempts: &[Value]) -> TurnRecord {
        let turn = json!({
            "turn_id": "t", "session_id": "s \"é\"", "profile": "hume", "identity": "body",
            "coach": "master", "coach_reason": "default", "tier": "free", "complexity": 0.25,
            "planned_model": "a", "served_model": "a", "outcome": "complete", "memory_ms": 0.1,
            "total_ms": 1234.5678, "memory_outcome": "off", "prompt_tokens": 9, "cost_microusd": 7,
            "cost_source": "reported", "hedged": true, "continued": false, "lead_in": false,
            "trace_id": "x", "created_at": 1_790_000_000_000_i64, "attempts": attempts,
        });
        serde_json::from_value(turn).unwrap()
    }

    #[test]
    fn a_turn_has_each_of_its_columns_and_each_attempt_a_row() {
        let call = |model: &str| {
            json!({ "cause": "first", "model": model, "started_ms": 0.5, "ended_ms": 2.0,
                "cost_source": "reported", "cancelled": false })
        };
        for attempts in [vec![], vec![call("a")], vec![call("a"), call("b")]] {
            let turn = turn(&attempts);
            let mut row = json!(turn);
            row["attempts"] = json!(attempts.len());
            let rows = turn.attempts.iter().enumerate().map(|(position, attempt)| {
                let mut row = json!(attempt);
                row["turn_id"] = json!("t");
                row["position"] = json!(position);
                row["created_at"] = json!(turn.created_at);
                row
            });
            let mut expected = vec![(Kind::Turn, row)];
            if !attempts.is_empty() {
                expected.push((Kind::Attempts, rows.collect()));
            }
            let made = Entry::of(&Note::Turn(Box::new(turn.clone())));
            let made = made.into_iter();
            let made = made.map(|row| (row.kind, serde_json::from_str(&row.json).unwrap()));
            assert_eq!(made.collect::<Vec<(_, Value)>>(), expected);
        }
    }

    #[test]
    fn arrays_are_json() {
        assert_eq!(array([].into_iter()), "[]");
        assert_eq!(array(["1", "{}"].into_iter()), "[1,{}]");
    }
}
