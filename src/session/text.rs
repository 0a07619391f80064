//! The words of one turn, as they are kept.

use std::ops::Deref;
use std::sync::Arc;

/// A model that says so much in one piece, in bytes, may have said nearly all.
const LONG_BYTES: usize = 1024;

/// Words that are added to until their end, and from then on are one with what is remembered of them.
#[derive(Debug)]
pub(super) enum Text {
    Growing(String),
    Whole(Arc<str>),
}

impl Text {
    pub(super) fn push_str(&mut self, words: &str) {
        if let Self::Growing(text) = self {
            // The next word would double the room that such a piece takes, for as long as the turn is open.
            if words.len() >= LONG_BYTES {
                text.reserve_exact(words.len() + LONG_BYTES / 4);
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_more_room_is_held_than_what_was_said() {
        let mut text = Text::default();
        for words in ["One. ", &"word ".repeat(400), "word ", "word "] {
            text.push_str(words);
        }
        let said = text.len();
        let Text::Growing(growing) = &text else {
            panic!("it has not ended");
        };
        assert_eq!(said, 2015);
        assert!((said..=said * 9 / 8).contains(&growing.capacity()));
        text.end();
        text.push_str("after its end");
        assert_eq!(text.len(), said);
    }
}
