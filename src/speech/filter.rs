//! The filter: four passes over the stream, one behind the other, and a short way around them all
//! for plain words.

use super::Language;
use super::addresses::Addresses;
use super::asides::Asides;
use super::look::{Coming, Held};
use super::marks::Marks;
use super::words::Words;

/// A streaming filter over one answer. [`push`](Self::push) what comes, [`pause`](Self::pause) when
/// nothing came for 40 ms while it [`holds`](Self::holds), [`end`](Self::end) when it is over.
#[derive(Debug)]
pub struct Filter {
    language: Language,
    marks: Held<Marks>,
    addresses: Held<Addresses>,
    asides: Held<Asides>,
    words: Held<Words>,
    /// Between the passes; kept for its room.
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
    /// words but what `out` needs.
    pub fn push(&mut self, delta: &str, out: &mut String) {
        if self.lets_pass(delta) {
            out.push_str(delta);
        } else {
            self.run(delta, Coming::More, out);
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

    fn run(&mut self, delta: &str, coming: Coming, out: &mut String) {
        self.marked.clear();
        self.marks.pass(delta, coming, &mut self.marked);
        self.unlinked.clear();
        let unlinked = &mut self.unlinked;
        self.addresses.pass(&self.marked, coming, unlinked);
        match self.language {
            Language::Other => self.asides.pass(unlinked, coming, out),
            Language::English => {
                self.told.clear();
                self.asides.pass(unlinked, coming, &mut self.told);
                self.words.pass(&self.told, coming, out);
            }
        }
    }

    /// One plain word, perhaps with what stands before it, while nothing is held: every pass would
    /// let it through as it is.
    fn lets_pass(&mut self, delta: &str) -> bool {
        let bytes = delta.as_bytes();
        let before = bytes
            .iter()
            .position(u8::is_ascii_alphabetic)
            .unwrap_or(bytes.len());
        let (before, letters) = delta.split_at(before);
        let is_plain = before
            .bytes()
            .all(|b| matches!(b, b' ' | b',' | b'?' | b'\''))
            && letters.bytes().all(|b| b.is_ascii_alphabetic());
        if !is_plain || self.holds() || letters.is_empty() {
            return false;
        }
        // All of them have to agree before one of them takes note.
        self.marks.stage.may_pass()
            && self.addresses.stage.may_pass(letters)
            && self.asides.stage.may_pass()
            && (self.language == Language::Other || self.words.stage.may_pass(delta, letters))
            && {
                self.marks.stage.passed(delta);
                self.addresses.stage.passed(delta);
                self.asides.stage.passed(delta);
                self.words.stage.passed(delta);
                true
            }
    }
}
