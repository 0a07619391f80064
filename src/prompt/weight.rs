//! How many tokens a text comes to, as its characters tell.

use super::PromptMessage;
use super::quote::LIMIT;

/// What a message takes besides its text: whose it is, and where it ends.
const AROUND: usize = 16;
/// What announces a quotation and fences it, in characters; no source has as many.
const ANNOUNCED: usize = 160;

/// The most that one more quotation may come to, whatever it is of.
pub const QUOTED_TOKENS: u64 = (LIMIT + (ANNOUNCED + AROUND).div_ceil(4)) as u64;

/// Quarters of a token, about: a Latin letter is one, a character of another script a token of its own.
pub(super) fn of(c: char) -> usize {
    const LATIN_ENDS: char = '\u{250}';
    if c < LATIN_ENDS { 1 } else { 4 }
}

pub(super) fn of_text(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(of).sum(),
    }
}

/// How many tokens a text is.
#[must_use]
pub fn tokens_of(text: &str) -> u64 {
    tokens(of_text(text))
}

/// How many tokens a model reads of these messages.
#[must_use]
pub fn tokens_in(messages: &[PromptMessage]) -> u64 {
    let text = |message: &PromptMessage| match message {
        PromptMessage::System(rules) => of_text(rules.text()),
        PromptMessage::User(text) | PromptMessage::Assistant(text) => of_text(text),
        PromptMessage::Raw(raw) => of_text(raw.get()),
    };
    tokens(messages.iter().map(|m| text(m) + AROUND).sum())
}

fn tokens(quarters: usize) -> u64 {
    u64::try_from(quarters.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Source, quote};

    #[test]
    fn letters_are_quarters_and_signs_of_other_scripts_whole() {
        for (text, tokens) in [
            ("", 0),
            ("abcd", 1),
            ("abcde", 2),
            ("größer", 2),
            ("話す", 2),
        ] {
            assert_eq!(tokens_of(text), tokens, "{text}");
        }
        let said = [
            PromptMessage::System("abcd".to_owned().into()),
            PromptMessage::User("話".to_owned()),
        ];
        assert_eq!(tokens_in(&said), 2 + 8);
    }

    #[test]
    fn no_quotation_comes_to_more_than_is_set_aside_for_one() {
        for source in [
            Source::ApplicationContext,
            Source::Memory,
            Source::Talk,
            Source::Colleagues,
        ] {
            let quoted = quote(source, &"話".repeat(20_000)).unwrap();
            let most = tokens_in(&[PromptMessage::User(quoted)]);
            assert!(most <= QUOTED_TOKENS, "{source:?}: {most}");
        }
    }
}
