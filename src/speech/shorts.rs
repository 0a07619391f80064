//! Abbreviations and what they stand for.

use super::dates::{self, SHORT_MONTHS};
use super::look::{Look, More};
use super::units;

/// How an abbreviation's dot is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dot {
    /// Only its own.
    Own,
    /// The sentence's as well, when it ends here.
    Shared,
    /// There is none.
    None,
}

/// An abbreviation. The letters it has in common with what is said pass at once.
pub(super) struct Short {
    pub(super) written: &'static str,
    /// So many letters stay as they are.
    pub(super) kept: usize,
    pub(super) rest: &'static str,
    pub(super) dot: Dot,
}

const fn short(written: &'static str, kept: usize, rest: &'static str, dot: Dot) -> Short {
    Short {
        written,
        kept,
        rest,
        dot,
    }
}

/// None of them, up to where it is held, is a word that a sentence may have: words are not held.
pub(super) const SHORTS: &[Short] = &[
    short("Dr.", 1, "octor", Dot::Own),
    short("Mr.", 1, "ister", Dot::Own),
    short("Mrs.", 1, "issus", Dot::Own),
    short("Prof.", 4, "essor", Dot::Own),
    short("Jr.", 1, "unior", Dot::Shared),
    short("Sr.", 1, "enior", Dot::Own),
    short("vs.", 1, "ersus", Dot::Own),
    short("vs", 1, "ersus", Dot::None),
    short("etc.", 2, " cetera", Dot::Shared),
    short("e.g.", 0, "for example", Dot::Own),
    short("E.g.", 0, "For example", Dot::Own),
    short("b/c", 0, "because", Dot::None),
    short("i.e.", 0, "that is", Dot::Own),
    // Its first letter alone is a word, which is not held.
    short("I.e.", 1, "n other words", Dot::Own),
    short("approx.", 6, "imately", Dot::Own),
    short("Approx.", 6, "imately", Dot::Own),
    short("Inc.", 3, "orporated", Dot::Shared),
    short("Corp.", 4, "oration", Dot::Shared),
    short("Dept.", 3, "artment", Dot::Shared),
    short("dept.", 3, "artment", Dot::Shared),
    short("ext.", 3, "ension", Dot::Own),
    short("Fig.", 3, "ure", Dot::Own),
    short("Vol.", 3, "ume", Dot::Own),
    short("incl.", 4, "uding", Dot::Own),
    short("w/o", 0, "without", Dot::None),
    short("w/", 0, "with", Dot::Own),
];

/// Whether these letters are what an abbreviation begins with, or the beginning of one.
pub(super) fn begins_short(letters: &str) -> bool {
    // Nearly every word is told from them by its first letter, or by its length.
    let first = letters.as_bytes().first();
    let held = |short: &Short| {
        short.written.as_bytes().first() == first
            && letters.len() >= short.kept
            && short.written.starts_with(letters)
    };
    letters.len() <= 6
        && (missing(letters).is_some()
            || letters == "v"
            || SHORTS.iter().any(held)
            || units::begins_marked(letters))
}

pub(super) fn missing(word: &str) -> Option<&'static str> {
    if !(3..=4).contains(&word.len()) || !word.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let found = SHORT_MONTHS.iter().find(|(short, _)| *short == word);
    found.map(|(_, rest)| *rest)
}

/// Whether the dot just before `at` ends a sentence too.
pub(super) fn sentence_ends(look: &Look<'_>, at: usize) -> Result<bool, More> {
    match look.at(at)? {
        None | Some('\n') => Ok(true),
        Some(_) => dates::begins_sentence(look, at),
    }
}
