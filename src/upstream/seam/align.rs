//! Where a continuation repeats what was said, and whether it gets to its end.

use super::words::{Said, Word};

/// A match of this many words that breaks is no coincidence: the model says it again, differently.
const LONG: usize = 4;
/// Within a sentence people do repeat four words: "fair to want more, and it is fair to ask".
const LONG_WITHIN: usize = 6;
/// Words an overlap needs if it is not at the continuation's beginning, or joins two sentences.
const SURE: usize = 3;

/// A part of the continuation that repeats said's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overlap {
    /// Words it has.
    words: usize,
    /// Words the continuation had when it was complete.
    seen: usize,
    /// Where it ends in the continuation, in bytes.
    pub(super) end: usize,
    pub(super) last: Last,
}

/// How an overlap's last word goes with said's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// They are the same.
    Whole,
    /// Said was cut off in it.
    Fragment,
}

/// What the words so far come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More words may decide otherwise.
    Open,
    /// Said's end was repeated.
    Overlap,
    /// Much of said was repeated, but not to its end.
    Broken,
    /// Nothing was repeated.
    Apart,
}

/// The matches between said and the continuation that end with the continuation's last word.
#[derive(Debug)]
pub(super) struct Alignment {
    /// For each length of said, beginning with none: how many of its last words are the
    /// continuation's last ones.
    lengths: Vec<usize>,
    /// Words of the continuation.
    seen: usize,
    /// A match may begin within this many words.
    window: usize,
    /// The longest match from the continuation's first word.
    lead: usize,
    /// How long it may be and break.
    long: usize,
    /// Which word of the continuation began the sentence.
    sentence: usize,
    /// Whether the next one begins one.
    stopped: bool,
    overlap: Option<Overlap>,
}

impl Alignment {
    pub(super) fn new(said: &Said) -> Self {
        Self {
            lengths: vec![0; said.words.len() + 1],
            seen: 0,
            window: 1,
            lead: 0,
            long: LONG,
            sentence: 0,
            stopped: true,
            overlap: None,
        }
    }

    /// Words taken so far.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// Lets matches begin behind the continuation's first word.
    pub(super) fn widen(&mut self, words: usize) {
        self.window = words;
    }

    /// The continuation does not begin a sentence.
    pub(super) fn begin_within(&mut self) {
        self.long = LONG_WITHIN;
    }

    /// The overlap found, the longest of those that ended.
    pub(super) fn overlap(&self) -> Option<Overlap> {
        self.overlap
    }

    /// Takes the next word of the continuation, `text`.
    pub(super) fn step(&mut self, said: &Said, word: &Word, text: &str) {
        let begins = self.may_begin();
        let last = said.words.len().saturating_sub(1);
        let longer = |((at, here), length): ((usize, &String), &usize)| {
            let cut_off = *length > 0 && at == last && said.breaks_off_in(&word.core);
            let matches = *here == word.core || cut_off;
            if matches && (*length > 0 || begins) {
                length + 1
            } else {
                0
            }
        };
        let pairs = said.words.iter().enumerate().zip(&self.lengths);
        self.lengths = std::iter::once(0).chain(pairs.map(longer)).collect();
        self.seen += 1;
        if self.stopped {
            self.sentence = self.seen;
        }
        self.stopped = word.ends_sentence();
        if self.lengths.contains(&self.seen) {
            self.lead = self.seen;
        }
        self.note_overlap(said, word, text);
    }

    fn note_overlap(&mut self, said: &Said, word: &Word, text: &str) {
        let words = self.lengths.last().copied().unwrap_or(0);
        // "Good." and then "Good, now": behind a full stop a word or two may well come again.
        let leads = words == self.seen && (!said.ended || word.ends_sentence());
        // Said is all of a word or two, and here a sentence begins with it.
        let begins = words == said.words.len() && self.sentence + words == self.seen + 1;
        let likely = words >= SURE || leads || (begins && !said.ended);
        if words == 0 || !likely {
            return;
        }
        let (end, last) = if said.words.last() == Some(&word.core) {
            (word.end, Last::Whole)
        } else {
            (word.start + said.unsaid_from(text), Last::Fragment)
        };
        self.overlap = Some(Overlap {
            words,
            seen: self.seen,
            end,
            last,
        });
        for length in &mut self.lengths {
            if *length < words {
                *length = 0;
            }
        }
    }

    /// What the words so far come to.
    pub(super) fn verdict(&self) -> Verdict {
        if self.is_broken() && !self.running().any(|length| length == self.seen) {
            Verdict::Broken
        } else if self.running().any(|length| length > 0)
            || self
                .overlap
                .is_some_and(|overlap| overlap.seen == self.seen)
        {
            Verdict::Open
        } else {
            self.at_last()
        }
    }

    /// What they come to if the next word, which so far is `core`, is taken into account.
    pub(super) fn verdict_with(&self, said: &Said, core: &str) -> Verdict {
        let last = said.words.len().saturating_sub(1);
        let begins = self.may_begin();
        let mut pairs = said.words.iter().enumerate().zip(&self.lengths);
        let may_match = pairs.any(|((at, here), length)| {
            let cut_off = *length > 0 && at == last && said.may_break_off_in(core);
            (*length > 0 || begins) && (cut_off || here.starts_with(core))
        });
        if may_match {
            Verdict::Open
        } else {
            self.at_last()
        }
    }

    /// What they come to if nothing that is still open counts.
    pub(super) fn at_last(&self) -> Verdict {
        if self.is_broken() {
            Verdict::Broken
        } else if self.overlap.is_some() {
            Verdict::Overlap
        } else {
            Verdict::Apart
        }
    }

    fn may_begin(&self) -> bool {
        self.seen < self.window && self.overlap.is_none()
    }

    /// The matches that have not come to said's end.
    fn running(&self) -> impl Iterator<Item = usize> {
        self.lengths.iter().rev().skip(1).copied()
    }

    /// Whether said was repeated at length from the first word on, and no better overlap is known.
    fn is_broken(&self) -> bool {
        self.lead >= self.long && self.overlap.is_none_or(|overlap| overlap.words < SURE)
    }
}
