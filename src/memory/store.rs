//! What the rest of the room asks of a store, whichever it is.

use std::sync::Arc;

use super::Person;
use super::error::MemoryError;
use super::wire;
use super::zep::Zep;

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    User,
    Assistant,
}

/// A line of a conversation, within the store's measure.
pub(super) struct Line {
    pub(super) speaker: Speaker,
    pub(super) text: String,
    pub(super) at_ms: i64,
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
    Zep(Zep),
}

impl Store {
    pub(super) async fn recall(&self, who: &Person) -> Result<Found, MemoryError> {
        match self {
            Self::Zep(zep) => zep.recall(who).await,
        }
    }

    pub(super) async fn introduce(&self, who: &Person) -> Result<Reception, MemoryError> {
        match self {
            Self::Zep(zep) => zep.introduce(who).await,
        }
    }

    pub(super) async fn write(
        &self,
        who: &Person,
        lines: &[Line],
    ) -> Result<Reception, MemoryError> {
        match self {
            Self::Zep(zep) => zep.write(who, lines).await,
        }
    }

    pub(super) fn forget(&self, who: &Person) {
        match self {
            Self::Zep(zep) => zep.forget(who),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        match self {
            Self::Zep(_) => Limits {
                bytes: wire::LINE_BYTES,
                lines: wire::LINES,
            },
        }
    }
}
