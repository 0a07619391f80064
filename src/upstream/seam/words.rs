//! Words as they are compared: lower case, without the marks around them.

use std::mem;

/// Of what was said, this many words from the beginning are compared.
const FIRST_WORDS: usize = 200;
/// And this many up to the end. A coach says far less; the bound is for what a model may do.
const LAST_WORDS: usize = 2_000;

/// Marks that may stand behind a sentence's full stop.
const CLOSERS: [char; 9] = ['"', '\'', '”', '’', '»', ')', ']', '*', '_'];

/// Whether a sentence ends with these characters.
pub(super) fn ends_sentence(text: &str) -> bool {
    let bare = text.trim_end().trim_end_matches(CLOSERS);
    bare.ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

/// A character as it is compared. Folding single characters keeps a word's beginning the beginning
/// of the folded word, which folding whole words would not (a final sigma).
fn fold(char: char) -> impl Iterator<Item = char> {
    let char = if char == '’' { '\'' } else { char };
    char.to_lowercase()
}

/// A word in a text.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// From its first letter or digit to its last, folded.
    pub(super) core: String,
    /// The marks behind it, folded.
    pub(super) marks: String,
    /// Where its first letter begins, in bytes of the text.
    pub(super) start: usize,
    /// Where its last letter ends.
    pub(super) end: usize,
}

impl Word {
    pub(super) fn ends_sentence(&self) -> bool {
        ends_sentence(&self.marks)
    }
}

/// Reads words out of characters as they come. Marks that stand alone are no words.
#[derive(Debug, Default)]
pub(super) struct Reader {
    growing: Word,
    at: usize,
}

impl Reader {
    /// Takes a character; white space completes a word.
    pub(super) fn push(&mut self, char: char) -> Option<Word> {
        let start = self.at;
        self.at += char.len_utf8();
        let word = &mut self.growing;
        if char.is_whitespace() {
            return self.finish();
        }
        if char.is_alphanumeric() {
            if word.core.is_empty() {
                word.start = start;
            }
            word.core.push_str(&word.marks);
            word.marks.clear();
            word.core.extend(fold(char));
            word.end = self.at;
        } else if !word.core.is_empty() {
            word.marks.extend(fold(char));
        }
        None
    }

    /// The word that still grows; its core is empty if none does.
    pub(super) fn growing(&self) -> &Word {
        &self.growing
    }

    /// Completes the word that still grows.
    pub(super) fn finish(&mut self) -> Option<Word> {
        Some(mem::take(&mut self.growing)).filter(|word| !word.core.is_empty())
    }
}

/// What was said, ready to be compared with.
#[derive(Debug)]
pub(super) struct Said {
    /// The cores of its words. Where words are left out stands an empty one, which matches nothing.
    pub(super) words: Vec<String>,
    /// The last word, if it may be unfinished: nothing but marks stands behind it.
    fragment: Option<String>,
    /// What stands behind the last word's core.
    pub(super) tail: String,
    /// The last characters: the spacing of what follows depends on no more.
    pub(super) last: Option<char>,
    pub(super) last_but_one: Option<char>,
    /// Whether anything may follow: a sentence has ended, or none was begun.
    pub(super) ended: bool,
}

impl Said {
    pub(super) fn new(text: &str) -> Self {
        let mut reader = Reader::default();
        let mut found: Vec<Word> = text.chars().filter_map(|c| reader.push(c)).collect();
        let unfinished = reader.finish();
        let fragment = unfinished
            .as_ref()
            .map(|word| format!("{}{}", word.core, word.marks));
        found.extend(unfinished);
        let end = found.last().map_or(0, |word| word.end);
        let mut words: Vec<String> = found.into_iter().map(|word| word.core).collect();
        let left_out = words.len().saturating_sub(FIRST_WORDS + LAST_WORDS);
        if left_out > 0 {
            words.splice(FIRST_WORDS..FIRST_WORDS + left_out, [String::new()]);
        }
        let mut back = text.chars().rev();
        Self {
            fragment,
            tail: text.get(end..).unwrap_or_default().to_owned(),
            last: back.next(),
            last_but_one: back.next(),
            ended: words.is_empty() || ends_sentence(text),
            words,
        }
    }

    /// Whether this word is the one said was cut off in.
    pub(super) fn breaks_off_in(&self, core: &str) -> bool {
        let fragment = self.fragment.as_deref();
        fragment.is_some_and(|f| core.len() > f.len() && core.starts_with(f))
    }

    /// Whether a word that so far is `core` may still become said's last one or the one it was cut
    /// off in.
    pub(super) fn may_break_off_in(&self, core: &str) -> bool {
        let fragment = self.fragment.as_deref();
        fragment.is_some_and(|f| f.starts_with(core) || core.starts_with(f))
    }

    /// Where, in the bytes of a word said was cut off in, the part that was not said begins.
    pub(super) fn unsaid_from(&self, word: &str) -> usize {
        let mut left = self.fragment.as_ref().map_or(0, String::len);
        for (at, char) in word.char_indices() {
            if left == 0 {
                return at;
            }
            left = left.saturating_sub(fold(char).map(char::len_utf8).sum());
        }
        word.len()
    }
}
