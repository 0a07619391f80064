//! Takes our own phrases out of what comes back as history.
//!
//! A voice platform sends back what was spoken, and what we say without a model (lead-ins, repairs,
//! fallback lines and the like) was spoken too. It must reach neither memory nor a later prompt: a
//! model that reads its own "I stumbled there" three times begins to talk like that.
//!
//! A phrase is taken out wherever it stands between word boundaries. Any run of white space equals
//! one space, and typographic apostrophes equal straight ones. What was cut short by the user is
//! known only where nothing else was said: a message that is but the beginning of a phrase, of two
//! whole words or more, counts as nothing. The beginning of a repair at the end of other words
//! stays: "Let me put that" may as well have been the coach's own. A message that holds a phrase and
//! then such a beginning held nothing of the coach's either.
//!
//! History is resent with every turn, so an ordinary line costs one scan and one look-up, and no
//! allocation. The scan is for one telling word of each phrase; the rest of the phrase is compared
//! in place around it, so no text is ever normalised.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};
use std::iter::once;
use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};

use super::roster::{Coach, Roster};
use super::spoken::Kind;
use crate::turn::{Message, Role};

impl Roster {
    /// The text without any phrase of any coach; the same text where there is none, an empty one
    /// where nothing else remains. What stood around a phrase is joined by one space.
    #[must_use]
    pub fn unsay<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.phrases.unsay(text)
    }

    /// Takes the phrases out of the assistant's lines, also those split between two neighbouring
    /// lines; a line that has nothing left goes. Lines in a tool's exact form are left alone.
    pub fn unsay_all(&self, history: &mut Vec<Message>) {
        let mut rest = history.as_mut_slice();
        while let Some((one, others)) = rest.split_first_mut() {
            if let Some(two) = others.first_mut()
                && is_speech(one)
                && is_speech(two)
            {
                self.phrases.unsay_split(&mut one.text, &mut two.text);
            }
            rest = others;
        }
        history.retain_mut(|message| {
            if !is_speech(message) {
                return true;
            }
            let left = self.phrases.unsay(&message.text);
            if left.len() < message.text.len() {
                message.text = left.into_owned();
            }
            !message.text.trim().is_empty()
        });
    }
}

fn is_speech(message: &Message) -> bool {
    message.role == Role::Assistant && message.raw.is_none()
}

/// Everything a roster says by itself, prepared once.
#[derive(Clone, Debug)]
pub(super) struct Phrases {
    /// Sorted, so that those with the same beginning stand together.
    phrases: Vec<Phrase>,
    /// One word of each phrase; no two of which one begins with the other.
    anchors: AhoCorasick,
    /// By pattern of `anchors`: where in which phrases it stands.
    anchored: Vec<Vec<Place>>,
    /// By any word but the first: where in which phrases it stands.
    seams: HashMap<String, Vec<Place>>,
    /// The characters of all phrases but their last ones. Most lines end in a stop, and hardly a
    /// phrase has one inside: such a line is the beginning of none.
    inner: String,
}

#[derive(Clone, Debug)]
struct Phrase {
    /// With single spaces and straight apostrophes.
    text: String,
    kind: Kind,
}

/// A byte in a phrase.
#[derive(Clone, Copy, Debug)]
struct Place {
    phrase: usize,
    at: usize,
}

impl Phrases {
    /// # Errors
    /// More phrases than an automaton can hold, which is beyond any roster.
    pub(super) fn new(coaches: &[Coach]) -> Result<Self, BuildError> {
        let mut phrases: Vec<Phrase> = Vec::new();
        for coach in coaches {
            for kind in Kind::ALL {
                phrases.extend(coach.spoken(kind).iter().map(|line| Phrase {
                    text: straight(&words(line).collect::<Vec<_>>().join(" ")).into_owned(),
                    kind,
                }));
            }
        }
        phrases.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        phrases.dedup_by(|a, b| a.text == b.text);
        let (patterns, anchored) = anchors(&phrases);
        let mut seams: HashMap<String, Vec<Place>> = HashMap::new();
        let mut inner = BTreeSet::new();
        for (phrase, Phrase { text, .. }) in phrases.iter().enumerate() {
            inner.extend(text.chars().rev().skip(1));
            for (space, _) in text.match_indices(' ') {
                let at = space + 1;
                let word = text.get(at..).and_then(|rest| words(rest).next());
                let places = seams.entry(word.unwrap_or_default().to_owned());
                places.or_default().push(Place { phrase, at });
            }
        }
        Ok(Self {
            // Leftmost matches alone may use the processor's wide registers.
            anchors: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(patterns)?,
            phrases,
            anchored,
            seams,
            inner: inner.into_iter().collect(),
        })
    }

    fn unsay<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.found(text);
        if found.is_empty() {
            let left = if self.is_beginning(text) { "" } else { text };
            return Cow::Borrowed(left);
        }
        let mut parts = Vec::new();
        let mut from = 0;
        for phrase in found.into_iter().chain(once(text.len()..text.len())) {
            let part = text.get(from..phrase.start).unwrap_or_default().trim();
            // What is left of quotation marks or dots around a phrase says nothing.
            if part.contains(char::is_alphanumeric) {
                parts.push(part);
            }
            from = phrase.end;
        }
        match parts.as_slice() {
            [] => Cow::Borrowed(""),
            [only] if self.is_beginning(only) => Cow::Borrowed(""),
            [only] => Cow::Borrowed(only),
            _ => Cow::Owned(parts.join(" ")),
        }
    }

    /// Where phrases stand, in order, none overlapping: of several at one place the longest.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(hit) = self.anchors.find(Input::new(text).range(from..)) {
            let places = self.anchored.get(hit.pattern().as_usize());
            for place in places.into_iter().flatten() {
                found.extend(self.around(text, hit.start(), *place));
            }
            // The next hit may begin within this one.
            from = hit.start() + 1;
        }
        found.sort_unstable_by_key(|f: &Range<usize>| (f.start, Reverse(f.end)));
        let mut end = 0;
        found.retain(|f| {
            let apart = f.start >= end;
            end = end.max(f.end);
            apart
        });
        found
    }

    /// The phrase that has its anchor at this byte of the text, with the joint before it.
    fn around(&self, text: &str, at: usize, place: Place) -> Option<Range<usize>> {
        let phrase = self.phrases.get(place.phrase)?;
        let (head, tail) = phrase.text.split_at_checked(place.at)?;
        let (before, after) = text.split_at_checked(at)?;
        let before = before_phrase(before, head, phrase.kind)?;
        let Reach::Whole(length) = ahead(after, tail) else {
            return None;
        };
        let rest = after.get(length..).unwrap_or_default();
        if tail.ends_with(is_word) && rest.starts_with(is_word) {
            return None;
        }
        // Some platforms mark by dots where the user broke in.
        let dots = rest.len() - rest.trim_start_matches(['.', '…']).len();
        Some(before.len()..at + length + dots)
    }

    /// Whether the text is only the beginning of a phrase: two whole words of it at least.
    fn is_beginning(&self, text: &str) -> bool {
        let text = without_joint(text.trim()).trim_end_matches('-');
        if !text.ends_with(|last| self.inner.contains(plain(last))) {
            return false;
        }
        // The phrases that begin with a text stand where the text itself would.
        let first = self.phrases.partition_point(|phrase| {
            matches!(
                ahead(text, &phrase.text),
                Reach::Whole(_) | Reach::Apart(Ordering::Greater)
            )
        });
        let rest = self.phrases.get(first..).unwrap_or_default();
        rest.iter()
            .map_while(|phrase| match ahead(text, &phrase.text) {
                Reach::Cut(left) => Some((phrase.kind, left)),
                _ => None,
            })
            .any(|(kind, left)| {
                let partial = usize::from(left.starts_with(is_word));
                kind.opens() && words(text).count() >= 2 + partial
            })
    }

    /// Takes out a phrase that begins at the end of one line and ends at the beginning of the next.
    fn unsay_split(&self, one: &mut String, two: &mut String) {
        let Some(first) = words(two).next() else {
            return;
        };
        let Some(places) = self.seams.get(straight(first).as_ref()) else {
            return;
        };
        let split = places.iter().find_map(|p| self.across(one, two, *p));
        if let Some((end, start)) = split {
            one.truncate(end);
            two.drain(..start);
        }
    }

    /// How much of the first line stands before a phrase that is split at this place, and where in
    /// the second line it ends. If nothing stands before it, it may be cut short in the second.
    fn across(&self, one: &str, two: &str, place: Place) -> Option<(usize, usize)> {
        let phrase = self.phrases.get(place.phrase)?;
        let (head, tail) = phrase.text.split_at_checked(place.at)?;
        let before = before_phrase(one.trim_end(), head.trim_end(), phrase.kind)?;
        let spoken = two.trim();
        let blank = two.len() - two.trim_start().len();
        let taken = match ahead(spoken, tail) {
            Reach::Whole(length) => blank + length,
            Reach::Cut(_) if phrase.kind.opens() && before.trim().is_empty() => two.len(),
            _ => return None,
        };
        let rest = two.get(taken..).unwrap_or_default();
        let skipped = rest.len() - rest.trim_start().len();
        Some((before.trim_end().len(), taken + skipped))
    }
}

/// The words to scan for, and where each stands in which phrases. Each phrase has its longest
/// word; one that begins with another phrase's word is found by that, since only one of two patterns
/// that begin at the same byte is reported.
fn anchors(phrases: &[Phrase]) -> (Vec<&str>, Vec<Vec<Place>>) {
    let mut telling: Vec<(&str, Place)> = phrases
        .iter()
        .enumerate()
        .filter_map(|(phrase, Phrase { text, .. })| {
            // Apostrophes differ from text to text. A comma or a stop makes a word rarer.
            let words = text.split([' ', '\'']).filter(|word| !word.is_empty());
            let word =
                words.max_by_key(|word| word.len() + usize::from(!word.ends_with(is_word)))?;
            let at = text.find(word)?;
            Some((word, Place { phrase, at }))
        })
        .collect();
    telling.sort_unstable_by_key(|(word, _)| *word);
    let mut patterns: Vec<&str> = Vec::new();
    let mut places: Vec<Vec<Place>> = Vec::new();
    for (word, place) in telling {
        match (patterns.last(), places.last_mut()) {
            (Some(pattern), Some(known)) if word.starts_with(pattern) => known.push(place),
            _ => {
                patterns.push(word);
                places.push(vec![place]);
            }
        }
    }
    (patterns, places)
}

/// How far a phrase goes in a text.
enum Reach<'p> {
    /// To its end, after so many bytes of the text.
    Whole(usize),
    /// To the end of the text; this much of the phrase is left.
    Cut(&'p str),
    /// They differ: how the text compares with the phrase.
    Apart(Ordering),
}

/// Compares from the beginning of the text.
fn ahead<'p>(text: &str, phrase: &'p str) -> Reach<'p> {
    let mut wanted = phrase.chars();
    let mut heard = text.chars();
    loop {
        let left = wanted.as_str();
        let Some(c) = wanted.next() else {
            return Reach::Whole(text.len() - heard.as_str().len());
        };
        let Some(h) = heard.next() else {
            return Reach::Cut(left);
        };
        let h = plain(h);
        if h == ' ' && c == ' ' {
            heard = heard.as_str().trim_start().chars();
        } else if h != c {
            return Reach::Apart(h.cmp(&c));
        }
    }
}

/// Compares from the end of the text: where the phrase begins in it.
fn behind(text: &str, phrase: &str) -> Option<usize> {
    let mut heard = text.chars();
    for c in phrase.chars().rev() {
        let h = heard.next_back()?;
        let h = plain(h);
        if h == ' ' && c == ' ' {
            heard = heard.as_str().trim_end().chars();
        } else if h != c {
            return None;
        }
    }
    Some(heard.as_str().len())
}

/// What stands before a phrase whose beginning ends the text, if that is where a word may begin.
fn before_phrase<'t>(text: &'t str, head: &str, kind: Kind) -> Option<&'t str> {
    let before = text.get(..behind(text, head)?)?;
    if before.ends_with(is_word) {
        return None;
    }
    Some(if kind.follows_a_break() {
        without_joint(before)
    } else {
        before
    })
}

/// Without the dots or the dash that end a text broken off. A single full stop and a hyphen within
/// a word are the text's own.
fn without_joint(text: &str) -> &str {
    let text = text.trim_end();
    let dots = text.trim_end_matches(['.', '…']);
    if text.ends_with('…') || text.len() - dots.len() > 1 {
        return dots.trim_end();
    }
    let dash = text.strip_suffix(['–', '—']).or_else(|| {
        let before = text.strip_suffix('-')?;
        before.ends_with(char::is_whitespace).then_some(before)
    });
    dash.map_or(text, str::trim_end)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A character as phrases are written with it.
fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => '\'',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// With straight apostrophes.
fn straight(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| plain(c) != c) {
        Cow::Owned(text.chars().map(plain).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
