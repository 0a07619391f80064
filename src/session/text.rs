//! The words of one turn, as they are kept.

use std::ops::Deref;
use std::sync::Arc;

/// Words that are added to until their end, and from then on are one with what is remembered of them.
#[derive(Debug)]
pub(super) enum Text {
    Growing(String),
    Whole(Arc<str>),
}

impl Text {
    pub(super) fn push_str(&mut self, words: &str) {
        if let Self::Growing(text) = self {
            text.push_str(words);
        }
    }

    pub(super) fn end(&mut self) {
        if let Self::Growing(text) = self {
            *self = Self::Whole(Arc::from(&**text));
        }
    }

    pub(super) fn shared(&self) -> Arc<str> {
        match self {
            Self::Growing(text) => Arc::from(&**text),
            Self::Whole(text) => Arc::clone(text),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Growing(text) => text,
            Self::Whole(text) => text,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Growing(String::new())
    }
}
