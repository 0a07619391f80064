//! The filter: four passes over the stream, one behind the other, and a short way around them all
//! for plain words.

use super::Language;
use super::addresses::Addresses;
use super::asides::Asides;
use super::look::{Coming, Held};
use super::marks::Marks;
use super::words::Words;

/// Room that is kept of what texts go through, in bytes: a long word's, of some words together.
const KEPT_BYTES: usize = 256;

/// A streaming filter over one answer. [`push`](Self::push) what comes, [`pause`](Self::pause) when
/// nothing came for 40 ms while it [`holds`](Self::holds), [`end`](Self::end) when it is over.
#[derive(Debug)]
pub struct Filter {
    language: Language,
    marks: Held<Marks>,
    addresses: Held<Addresses>,
    asides: Held<Asides>,
    words: Held<Words>,
    /// Between the passes; kept for its room, unless that is large.
    marked: String,
    unlinked: String,
    told: String,
}

impl Filter {
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self {
            language,
            marks: Held::new(Marks::new(language)),
            addresses: Held::new(Addresses::new(language)),
            asides: Held::new(Asides::new()),
            words: Held::new(Words::new()),
            marked: String::new(),
            unlinked: String::new(),
            told: String::new(),
        }
    }

    /// Adds to `out` what can be said for sure now that `delta` came. Nothing is allocated for plain
    /// words but what `out` needs, and once room for a word.
    pub fn push(&mut self, delta: &str, out: &mut String) {
        let mut rest = delta;
        while !rest.is_empty() {
            match self.passes(rest, out) {
                0 => return self.run(rest, Coming::More, out),
                passed => rest = rest.get(passed..).unwrap_or_default(),
            }
        }
    }

    /// Nothing came for a while: says what is held as if nothing followed. A link, and whatever is
    /// being left out, stays unsaid. Should more of a figure come after all, its further digits are
    /// said as such ("eighty-five", pause, "thousand").
    pub fn pause(&mut self, out: &mut String) {
        self.run("", Coming::Pause, out);
    }

    /// The answer is over: says the rest. A mark that was never closed is dropped, its words stay.
    pub fn end(&mut self, out: &mut String) {
        self.run("", Coming::Nothing, out);
        self.asides.stage.end(out);
        self.addresses.stage.end(out);
        self.marks.stage.voice.end(out);
    }

    /// Whether something is held that a pause could let out.
    #[must_use]
    pub fn holds(&self) -> bool {
        !(self.marks.is_empty()
            && self.addresses.is_empty()
            && self.asides.is_empty()
            && self.words.is_empty())
    }

    /// How much is held, in bytes.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.marks.len() + self.addresses.len() + self.asides.len() + self.words.len()
    }

    /// How much room is kept, in bytes.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.marked.capacity() + self.unlinked.capacity() + self.told.capacity()
    }

    /// The long way, through every pass.
    pub(super) fn run(&mut self, delta: &str, coming: Coming, out: &mut String) {
        self.marks.pass(delta, coming, &mut self.marked);
        let unlinked = &mut self.unlinked;
        self.addresses.pass(&self.marked, coming, unlinked);
        match self.language {
            Language::Other => self.asides.pass(unlinked, coming, out),
            Language::English => {
                self.asides.pass(unlinked, coming, &mut self.told);
                self.words.pass(&self.told, coming, out);
            }
        }
        for between in [&mut self.marked, &mut self.unlinked, &mut self.told] {
            empty(between);
        }
    }

    /// Lets one plain word by that the text begins with, while nothing is held, if every pass would let it
    /// through as it is; with what stands before it, and with the one space behind it that ends the text. How
    /// many bytes that is.
    fn passes(&mut self, text: &str, out: &mut String) -> usize {
        let past = |from: usize, wanted: fn(&u8) -> bool| {
            let rest = text.as_bytes().get(from..).unwrap_or_default();
            from + rest.iter().position(|b| !wanted(b)).unwrap_or(rest.len())
        };
        let begin = past(0, |b| b" ,?'".contains(b));
        let end = past(begin, u8::is_ascii_alphabetic);
        let (word, letters) = (text.get(..end), text.get(begin..end));
        let (Some(word), Some(letters)) = (word, letters.filter(|l| !l.is_empty())) else {
            return 0;
        };
        let is_behind_space = self.marks.stage.voice.keeps_space();
        let is_begun = begin > 0 || is_behind_space;
        // All of them have to agree before one of them takes note.
        let agreed = !self.holds()
            && (begin == 0 || !is_behind_space)
            && self.marks.stage.may_pass()
            && self.addresses.stage.may_pass(letters)
            && self.asides.stage.may_pass()
            && (self.language == Language::Other || self.words.stage.may_pass(is_begun, letters));
        if !agreed {
            return 0;
        }
        let mut said = word;
        if is_behind_space {
            self.marks.stage.voice.give_back(&mut self.marked);
            self.marked.push_str(word);
            said = &self.marked;
        }
        self.marks.stage.passed(word);
        self.addresses.stage.passed(said);
        self.asides.stage.passed(said);
        self.words.stage.passed(said);
        out.push_str(said);
        self.marked.clear();
        let is_spaced = text.get(end..) == Some(" ");
        if is_spaced {
            self.marks.stage.voice.keep_space();
        }
        end + usize::from(is_spaced)
    }
}

/// Empties a text that others go through, one after another. A model may say half of its answer in one piece;
/// the room for that would be held until the end.
pub fn empty(between: &mut String) {
    between.clear();
    between.shrink_to(KEPT_BYTES);
}
