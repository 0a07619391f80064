//! What the rest of the room asks of a store, whichever it is.

use std::sync::Arc;

use serde::Deserialize;

use super::Person;
use super::error::MemoryError;
#[cfg(test)]
use super::tests::Imagined;
use super::wire;
use super::zep::Zep;
use crate::clock;

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    User,
    Assistant,
}

impl Speaker {
    /// As it is written in the store.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A line of a conversation, within the store's measure.
pub(super) struct Line {
    pub(super) speaker: Speaker,
    pub(super) text: String,
    pub(super) at_ms: i64,
}

/// A line as the store tells it of a thread.
#[derive(Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) role: String,
    #[serde(default)]
    pub(super) content: String,
    /// RFC 3339, in UTC; a store may not tell it.
    #[serde(default)]
    pub(super) created_at: Option<String>,
}

impl Told {
    /// Whether this is that line: the same words of the same speaker in the same second. Stores
    /// differ in how much of a second they keep.
    pub(super) fn is(&self, line: &Line) -> bool {
        const TO_THE_SECOND: usize = "2026-11-22T09:15:02".len();
        let same_time = self.created_at.as_deref().is_none_or(|told| {
            told.get(..TO_THE_SECOND) == clock::rfc3339(line.at_ms).get(..TO_THE_SECOND)
        });
        self.role == line.speaker.role() && self.content == line.text && same_time
    }
}

/// The store's measure of one write.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of a line.
    pub(super) bytes: usize,
    /// Lines of a call.
    pub(super) lines: usize,
}

/// What the store knows.
pub(super) enum Found {
    Context(Arc<str>),
    Nothing,
    /// Not even the person; they have to be introduced.
    Stranger,
}

/// How a write was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    Accepted,
    /// The person or the conversation has to be introduced first.
    Stranger,
}

/// The stores there are.
pub(super) enum Store {
    Zep(Box<Zep>),
    /// One without a socket, for tests that hold the clock.
    #[cfg(test)]
    Imagined(Arc<Imagined>),
}

impl Store {
    pub(super) async fn recall(&self, who: &Person) -> Result<Found, MemoryError> {
        match self {
            Self::Zep(zep) => zep.recall(who).await,
            #[cfg(test)]
            Self::Imagined(_) => Ok(Found::Nothing),
        }
    }

    /// What is known of the person that bears on the question.
    pub(super) async fn search(
        &self,
        who: &Person,
        question: &str,
    ) -> Result<Option<Arc<str>>, MemoryError> {
        match self {
            Self::Zep(zep) => zep.search(who, question).await,
            #[cfg(test)]
            Self::Imagined(_) => Ok(None),
        }
    }

    pub(super) async fn introduce(&self, who: &Person) -> Result<Reception, MemoryError> {
        match self {
            Self::Zep(zep) => zep.introduce(who).await,
            #[cfg(test)]
            Self::Imagined(store) => store.introduce().await,
        }
    }

    /// The newest lines of the thread, oldest first; none where there is no thread.
    pub(super) async fn told(&self, who: &Person) -> Result<Vec<Told>, MemoryError> {
        match self {
            Self::Zep(zep) => zep.told(who).await,
            #[cfg(test)]
            Self::Imagined(store) => store.told(who).await,
        }
    }

    pub(super) async fn write(
        &self,
        who: &Person,
        lines: &[Line],
    ) -> Result<Reception, MemoryError> {
        match self {
            Self::Zep(zep) => zep.write(who, lines).await,
            #[cfg(test)]
            Self::Imagined(store) => store.write(who, lines).await,
        }
    }

    /// Erases the person and all of their threads; false when they were not there.
    pub(super) async fn erase(&self, user: &str) -> Result<bool, MemoryError> {
        match self {
            Self::Zep(zep) => zep.erase(user).await,
            #[cfg(test)]
            Self::Imagined(_) => Ok(false),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        match self {
            Self::Zep(_) => Limits {
                bytes: wire::LINE_BYTES,
                lines: wire::LINES,
            },
            #[cfg(test)]
            Self::Imagined(_) => Limits {
                bytes: wire::LINE_BYTES,
                lines: wire::LINES,
            },
        }
    }
}
