//! Leaves sentences out that were already said.
//!
//! A sentence is told by its first four words. They are held until they differ from everything that
//! was said, which most do with the first or second; after that a sentence passes as it comes.

use std::mem;

use super::words::{Reader, Said, Word};

/// Words that make a sentence the same.
const SAME: usize = 4;

/// What is done with a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Its first words are held.
    Judging,
    Saying,
    Skipping,
}

/// Sentences in, new sentences out, each with the white space before it.
#[derive(Debug)]
pub(super) struct Filter {
    mode: Mode,
    /// What of the sentence was not decided on.
    held: String,
    reader: Reader,
    /// Words of the sentence so far that match.
    matched: usize,
    /// Where in said the match may go on.
    next: Vec<usize>,
    /// Whether the sentence before was left out.
    after_skip: bool,
    /// Words after which, if all of them were new, the rest is taken to be.
    trial: Option<usize>,
}

impl Filter {
    /// Filters to the end of the text.
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Judging,
            held: String::new(),
            reader: Reader::default(),
            matched: 0,
            next: Vec::new(),
            after_skip: false,
            trial: None,
        }
    }

    /// Filters until so many words in a row were new from the start.
    pub(super) fn for_trial(words: usize) -> Self {
        Self {
            trial: Some(words),
            ..Self::new()
        }
    }

    /// Whether everything from here on passes.
    pub(super) fn is_through(&self) -> bool {
        self.trial == Some(0)
    }

    pub(super) fn take(&mut self, said: &Said, text: &str) -> String {
        let mut out = String::new();
        self.feed(said, text, &mut out);
        while self.mode == Mode::Judging && self.differs(said) {
            self.decide(Mode::Saying, said, &mut out);
        }
        out
    }

    /// The text is over. What was held and is not known to be new is said, unless it follows on
    /// what was left out.
    pub(super) fn end(&mut self, said: &Said) -> String {
        let mut out = String::new();
        while self.mode == Mode::Judging && !self.held.is_empty() {
            let word = self.reader.finish();
            let judged = word.and_then(|word| self.judge(said, &word));
            let undecided = if self.after_skip {
                Mode::Skipping
            } else {
                Mode::Saying
            };
            self.decide(judged.unwrap_or(undecided), said, &mut out);
        }
        out
    }

    fn feed(&mut self, said: &Said, text: &str, out: &mut String) {
        for char in text.chars() {
            let word = self.reader.push(char);
            if self.mode == Mode::Judging {
                self.held.push(char);
                if let Some(mode) = word.and_then(|word| self.judge(said, &word)) {
                    self.decide(mode, said, out);
                }
            } else if word.is_some_and(|word| self.is_last(&word)) {
                self.begin_sentence(char);
            } else if self.mode == Mode::Saying {
                out.push(char);
            }
        }
    }

    /// Counts a word that is said or skipped; whether the sentence ends with it.
    fn is_last(&mut self, word: &Word) -> bool {
        if self.mode == Mode::Saying {
            self.trial = self.trial.map(|left| left.saturating_sub(1));
        }
        word.ends_sentence() && !self.is_through()
    }

    fn begin_sentence(&mut self, space: char) {
        self.after_skip = self.mode == Mode::Skipping;
        self.mode = Mode::Judging;
        self.matched = 0;
        self.next.clear();
        self.held.clear();
        self.held.push(space);
    }

    /// Takes a word of the sentence and decides, if that suffices.
    fn judge(&mut self, said: &Said, word: &Word) -> Option<Mode> {
        self.next = if self.matched == 0 {
            let all = (1..).zip(&said.words);
            all.filter(|(_, here)| **here == word.core)
                .map(|(next, _)| next)
                .collect()
        } else {
            let next = self.next.iter().copied();
            next.filter(|at| said.words.get(*at) == Some(&word.core))
                .map(|at| at + 1)
                .collect()
        };
        self.matched += 1;
        if self.next.is_empty() {
            return Some(Mode::Saying);
        }
        // A short sentence among those left out is one of them.
        let short = self.after_skip && word.ends_sentence();
        (short || self.matched == SAME).then_some(Mode::Skipping)
    }

    /// Whether the sentence is new already by the word that still grows.
    fn differs(&self, said: &Said) -> bool {
        let core = self.reader.growing().core.as_str();
        if core.is_empty() {
            false
        } else if self.matched == 0 {
            !said.words.iter().any(|word| word.starts_with(core))
        } else {
            let mut words = self.next.iter().filter_map(|at| said.words.get(*at));
            !words.any(|word| word.starts_with(core))
        }
    }

    /// Goes over what was held again, knowing what to do with its first sentence. There may be a
    /// second in it, shorter by at least a word, so that this ends.
    fn decide(&mut self, mode: Mode, said: &Said, out: &mut String) {
        if mode == Mode::Skipping {
            self.trial = None;
        }
        let held = mem::take(&mut self.held);
        self.reader = Reader::default();
        self.mode = mode;
        self.feed(said, &held, out);
    }
}
