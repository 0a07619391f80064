//! The seam between what one model said and what another says in its place.
//!
//! Words that are out cannot be taken back, and the model that goes on does as it likes: it goes on
//! where the other stopped, repeats the last words, begins the sentence again or the whole answer,
//! with or without a polite opening. [`Seam`] holds its first words until it is clear which, trims
//! what was heard before, and sets the space between. If the words fit nowhere, it says so once
//! ([`Sewn::Afresh`]): after a phrase of repair a new sentence begins, and sentences that were said
//! are left out (`filter`).
//!
//! Pure: it reads no clock, and cannot panic on any input. How the text is cut into pieces changes
//! nothing about what is heard, because decisions depend on whole words only (`words`, `align`); a
//! growing word that can match nothing any more is taken for one that does not. Work per word is
//! bounded, as what is compared is: the first 200 words said and the last 2,000.

mod words;
mod align;
mod filter;

use std::mem;

use self::align::{Alignment, Last, Overlap, Verdict};
use self::filter::Filter;
use self::words::{Reader, Said, Word};

/// A beginning that does not fit is held for this many words: the seam may come behind an opening
/// such as "Sure! Here it goes on:".
const WINDOW_WORDS: usize = 12;
/// What follows a finished sentence is compared for this long: two openings of that length.
const TRIAL_WORDS: usize = 24;

/// Marks that no space stands before.
const CLOSING: [char; 13] = [
    '.', ',', '!', '?', ';', ':', ')', ']', '…', '%', '”', '»', '}',
];
/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
pub enum Sewn {
    /// Nothing for now: held back, or left out.
    Nothing,
    /// Goes on from what was said, with the space it needs.
    Words(String),
    /// No seam was found: a phrase of repair is to be said first, then these words, a new sentence.
    /// Never empty, without space before it, and at most once.
    Afresh(String),
}

/// How the continuing model learned what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// As the beginning of its own answer.
    Prefill,
    /// By an instruction to go on from there.
    Instruction,
}

/// Joins a continuation to what was said.
#[derive(Debug)]
pub struct Seam {
    said: Said,
    asked: Asked,
    state: State,
    opening: Opening,
}

#[derive(Debug)]
enum State {
    /// Where does it go on?
    Searching(Search),
    /// It goes on with a sentence of its own: not with one that was said.
    Filtering(Filter),
    Through,
}

/// What the next words out need before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Nothing,
    Space,
    Repair,
}

/// The beginning of the continuation, while it is held.
#[derive(Debug)]
struct Search {
    held: String,
    reader: Reader,
    alignment: Alignment,
    /// Whether the beginning does not fit behind what was said.
    doubtful: bool,
}

impl Seam {
    /// A seam behind `said`.
    pub fn new(said: &str, asked: Asked) -> Self {
        let compared = Said::new(said);
        let search = Search {
            held: String::new(),
            reader: Reader::default(),
            alignment: Alignment::new(&compared),
            doubtful: false,
        };
        Self {
            said: compared,
            asked,
            state: if said.is_empty() {
                State::Through
            } else {
                State::Searching(search)
            },
            opening: Opening::Nothing,
        }
    }

    /// Whether everything from here on passes as it is, so that the caller need not ask.
    pub fn is_through(&self) -> bool {
        matches!(self.state, State::Through)
    }

    /// Takes the next piece of the continuation.
    pub fn take(&mut self, words: &str) -> Sewn {
        match &mut self.state {
            State::Searching(search) => match search.take(&self.said, self.asked, words) {
                Verdict::Open => Sewn::Nothing,
                verdict => {
                    let text = self.settle(verdict);
                    self.open(text)
                }
            },
            State::Filtering(filter) => {
                let text = filter.take(&self.said, words);
                self.open(text)
            }
            State::Through if words.is_empty() => Sewn::Nothing,
            State::Through => Sewn::Words(words.to_owned()),
        }
    }

    /// The continuation is over: what is held is decided now. Nothing, if all of it was said before;
    /// then what was said may end in mid-sentence.
    pub fn end(&mut self) -> Sewn {
        let mut text = String::new();
        if let State::Searching(search) = &mut self.state {
            let verdict = search.end(&self.said, self.asked);
            text = self.settle(verdict);
        }
        if let State::Filtering(filter) = &mut self.state {
            text.push_str(&filter.end(&self.said));
        }
        let sewn = self.open(text);
        self.state = State::Through;
        sewn
    }

    /// Ends the search; what of the held text is to be said.
    fn settle(&mut self, verdict: Verdict) -> String {
        let State::Searching(search) = &mut self.state else {
            return String::new();
        };
        let held = mem::take(&mut search.held);
        let overlap = search.alignment.overlap();
        let mut filter = match (verdict, overlap) {
            (Verdict::Overlap, Some(overlap)) => {
                self.state = State::Through;
                return self.said.unsaid(&held, overlap);
            }
            (Verdict::Broken, _) => {
                self.opening = Opening::Repair;
                Filter::new()
            }
            _ if self.said.ended => {
                self.opening = Opening::Space;
                Filter::for_trial(TRIAL_WORDS)
            }
            _ => {
                self.opening = Opening::Space;
                self.state = State::Through;
                return held;
            }
        };
        let text = filter.take(&self.said, &held);
        self.state = State::Filtering(filter);
        text
    }

    /// Gives the first words out what they need before them.
    fn open(&mut self, text: String) -> Sewn {
        if let State::Filtering(filter) = &self.state
            && filter.is_through()
        {
            self.state = State::Through;
        }
        let blank = text.trim_start().is_empty();
        match self.opening {
            _ if text.is_empty() => Sewn::Nothing,
            Opening::Nothing => Sewn::Words(text),
            Opening::Space if blank => Sewn::Nothing,
            Opening::Space => {
                self.opening = Opening::Nothing;
                Sewn::Words(self.said.joined(self.asked, &text))
            }
            Opening::Repair => {
                let sentence = text.trim_start_matches(|c: char| !c.is_alphanumeric());
                if sentence.is_empty() {
                    return Sewn::Nothing;
                }
                self.opening = Opening::Nothing;
                Sewn::Afresh(sentence.to_owned())
            }
        }
    }
}

impl Search {
    fn take(&mut self, said: &Said, asked: Asked, words: &str) -> Verdict {
        self.held.push_str(words);
        for char in words.chars() {
            if let Some(word) = self.reader.push(char) {
                let verdict = self.step(said, asked, &word);
                if verdict != Verdict::Open {
                    return verdict;
                }
            }
        }
        let growing = self.reader.growing();
        // Whether a capital first word is doubtful ("It") or not ("I") shows at its end.
        let unclear = self.alignment.seen() == 0 && !said.ended && self.is_capital(growing);
        if growing.core.is_empty() || unclear {
            return Verdict::Open;
        }
        let verdict = self.alignment.verdict_with(said, &growing.core);
        self.in_window(verdict, self.alignment.seen() + 1)
    }

    fn end(&mut self, said: &Said, asked: Asked) -> Verdict {
        if let Some(word) = self.reader.finish() {
            self.step(said, asked, &word);
        }
        match self.alignment.at_last() {
            Verdict::Apart if self.doubtful => Verdict::Broken,
            verdict => verdict,
        }
    }

    fn step(&mut self, said: &Said, asked: Asked, word: &Word) -> Verdict {
        if self.alignment.seen() == 0 && !said.ended {
            if self.is_doubtful(asked, word) {
                self.doubtful = true;
                self.alignment.widen(WINDOW_WORDS);
            }
            if !self.is_capital(word) {
                self.alignment.begin_within();
            }
        }
        let text = self.held.get(word.start..word.end).unwrap_or_default();
        self.alignment.step(said, word, text);
        self.in_window(self.alignment.verdict(), self.alignment.seen())
    }

    /// A doubtful beginning is given time to come to the seam.
    fn in_window(&self, verdict: Verdict, seen: usize) -> Verdict {
        match verdict {
            Verdict::Apart if self.doubtful && seen < WINDOW_WORDS => Verdict::Open,
            Verdict::Apart if self.doubtful => Verdict::Broken,
            verdict => verdict,
        }
    }

    fn is_capital(&self, word: &Word) -> bool {
        let rest = self.held.get(word.start..).unwrap_or_default();
        rest.chars().next().is_some_and(char::is_uppercase)
    }

    /// Whether a continuation in mid-sentence begins with a capital, which a model that truly goes on
    /// does only for a name. One that was given its own beginning and sets a space is believed,
    /// but not one that sets a new line.
    fn is_doubtful(&self, asked: Asked, first: &Word) -> bool {
        let before = self.held.get(..first.start).unwrap_or_default();
        let fits = match asked {
            Asked::Prefill => !before.is_empty() && !before.contains('\n'),
            Asked::Instruction => {
                before.contains(CLOSING) || before.trim_start().contains(char::is_whitespace)
            }
        };
        let is_i = first.core == "i" || first.core.starts_with("i'");
        !fits && !is_i && self.is_capital(first)
    }
}

impl Said {
    /// What of the held text follows the overlap. Marks said behind the last word are not said
    /// again, and other marks do not replace them.
    fn unsaid(&self, held: &str, overlap: Overlap) -> String {
        let mut rest = held.get(overlap.end..).unwrap_or_default();
        if overlap.last == Last::Fragment {
            return rest.to_owned();
        }
        for mark in self.tail.chars().filter(|c| !c.is_whitespace()) {
            let Some(behind) = rest.trim_start().strip_prefix(mark) else {
                rest =
                    rest.trim_start_matches(|c: char| !c.is_whitespace() && !c.is_alphanumeric());
                break;
            };
            rest = behind;
        }
        let body = rest.trim_start();
        let spaced = body.len() < rest.len() && !self.ends_with_space();
        format!("{}{body}", if spaced { " " } else { "" })
    }

    /// The text with the space it needs behind what was said: one or none.
    fn joined(&self, asked: Asked, text: &str) -> String {
        let body = text.trim_start();
        let came_spaced = body.len() < text.len();
        let spaced = if self.ends_with_space() {
            false
        } else if came_spaced {
            asked == Asked::Prefill || !body.starts_with(CLOSING)
        } else {
            let within = asked == Asked::Prefill && self.is_within(body);
            let closes = body.starts_with(CLOSING) || closes_word(body);
            !(within || closes || self.opens())
        };
        format!("{}{body}", if spaced { " " } else { "" })
    }

    fn ends_with_space(&self) -> bool {
        self.last.is_some_and(char::is_whitespace)
    }

    /// Whether what was said ends with a mark that no space stands behind.
    fn opens(&self) -> bool {
        let after_space = self.last_but_one.is_none_or(char::is_whitespace);
        match self.last {
            Some('(' | '[' | '{' | '“' | '‘' | '«') => true,
            Some('"' | '\'') => after_space,
            Some('-' | '–' | '—' | '/') => !after_space,
            _ => false,
        }
    }

    /// Whether a text without space before it goes on within the word or the number that was said
    /// last. A capital does not, and nothing does behind a full stop but the digits of a fraction.
    fn is_within(&self, body: &str) -> bool {
        let Some(first) = body.chars().next() else {
            return true;
        };
        if self.ended {
            let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            return self.last == Some('.') && digit(self.last_but_one) && digit(Some(first));
        }
        !first.is_uppercase()
    }
}

/// An apostrophe belongs to the word before it ("it’s"); a straight quotation mark does unless a
/// word follows it at once.
fn closes_word(body: &str) -> bool {
    let quote = body.strip_prefix('"');
    body.starts_with(['\'', '’'])
        || quote.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests;
