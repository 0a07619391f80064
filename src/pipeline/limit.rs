//! The end of an answer that runs into its token limit: no half word is said.
//!
//! Far from the limit words pass as they come. Near it the last, still growing word is held until
//! the next begins; if the limit may have cut it, it was never heard.

use std::borrow::Cow;

/// So many tokens before the limit the holding begins: chunks may hold several tokens.
const NEAR_TOKENS: usize = 24;
/// Tokens are not longer than this in the mean; a count by bytes errs on the early side.
const BYTES_PER_TOKEN: usize = 4;

/// Watches an answer come near its limit.
#[derive(Debug)]
pub(super) struct Limit {
    near: usize,
    chunks: usize,
    bytes: usize,
    held: String,
}

impl Limit {
    pub(super) fn new(max_tokens: u32) -> Self {
        let max = usize::try_from(max_tokens).unwrap_or(usize::MAX);
        Self {
            near: max.saturating_sub(NEAR_TOKENS),
            chunks: 0,
            bytes: 0,
            held: String::new(),
        }
    }

    /// What of these words may be said now.
    pub(super) fn pass<'w>(&mut self, words: &'w str) -> Cow<'w, str> {
        self.chunks += 1;
        self.bytes += words.len();
        if !self.is_near() && self.held.is_empty() {
            return Cow::Borrowed(words);
        }
        self.held.push_str(words);
        let begin = self.held.rfind(char::is_whitespace).unwrap_or(0);
        let last = self.held.split_off(begin);
        Cow::Owned(std::mem::replace(&mut self.held, last))
    }

    fn is_near(&self) -> bool {
        self.chunks.max(self.bytes / BYTES_PER_TOKEN) >= self.near
    }

    /// The answer ended by itself: the last word is whole.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(max: u32, pieces: &[&str]) -> (String, Limit) {
        let mut limit = Limit::new(max);
        let said = pieces.iter().map(|p| limit.pass(p)).collect();
        (said, limit)
    }

    #[test]
    fn far_from_the_limit_words_pass_untouched() {
        let mut limit = Limit::new(1000);
        assert!(matches!(limit.pass(" promo"), Cow::Borrowed(" promo")));
        assert_eq!(limit.rest(), "");
    }

    #[test]
    fn near_the_limit_a_word_is_said_when_the_next_begins() {
        let (heard, mut limit) = said(3, &["The", " promo", "tion", " mat"]);
        assert_eq!(heard, "The promotion");
        assert_eq!(limit.rest(), " mat");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_no_word_is_split(text in "[a-zé ]{0,60}", max in 0_u32..40) {
            let chars: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = chars.iter().map(String::as_str).collect();
            let (heard, mut limit) = said(max, &pieces);
            proptest::prop_assert_eq!(heard + &limit.rest(), text);
        }
    }
}
