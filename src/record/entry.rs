//! What is to be kept, as it lies in the spool and travels into a store: a kind and a JSON text. JSON
//! by name lets an older program read what a newer one wrote, and the other way round.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::spool::Class;
use crate::turn::{Correction, TurnRecord};

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
        let one = |kind, json: Value| {
            vec![Self {
                kind,
                json: json.to_string(),
            }]
        };
        match note {
            Note::Turn(turn) => of_turn(turn),
            Note::Correction(c) => one(Kind::Correction, json!(c)),
            Note::Feedback(f) => one(Kind::Feedback, json!(f)),
            Note::Commit(c) => one(Kind::Commit, json!(c)),
            Note::Capture(c) => one(Kind::Capture, json!(c)),
            Note::Erasure(e) => one(Kind::Erasure, json!(e)),
            Note::Chat(c) => one(Kind::Chat, json!(c)),
        }
    }

    pub(super) fn class(&self) -> Class {
        self.kind.class()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.json.len() + 1);
        bytes.push(self.kind.letter());
        bytes.extend_from_slice(self.json.as_bytes());
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
    let mut row = json!(turn);
    if let Some(fields) = row.as_object_mut() {
        fields.insert("attempts".to_owned(), json!(turn.attempts.len()));
    }
    let mut entries = vec![Entry {
        kind: Kind::Turn,
        json: row.to_string(),
    }];
    if !turn.attempts.is_empty() {
        let attempts = turn.attempts.iter().enumerate().map(|(position, attempt)| {
            let mut row = json!(attempt);
            if let Some(fields) = row.as_object_mut() {
                fields.insert("turn_id".to_owned(), json!(turn.turn_id));
                fields.insert("position".to_owned(), json!(position));
                fields.insert("created_at".to_owned(), json!(turn.created_at));
            }
            row
        });
        entries.push(Entry {
            kind: Kind::Attempts,
            json: Value::from_iter(attempts).to_string(),
        });
    }
    entries
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
    use super::*;

    #[test]
    fn rows_come_back_from_the_spool_as_they_went_in() {
        for kind in Kind::ALL {
            let entry = Entry {
                kind,
                json: r#"{"a":"é"}"#.to_owned(),
            };
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
        for odd in [&b""[..], b"x{}", b"t\xff"] {
            assert_eq!(Entry::decode(odd), None);
        }
    }

    #[test]
    fn arrays_are_json() {
        assert_eq!(array([].into_iter()), "[]");
        assert_eq!(array(["1", "{}"].into_iter()), "[1,{}]");
    }
}
