//! The last pass, English only: figures, abbreviations and signs into words. It never leaves
//! anything out, so that it cannot uncover a mark for the passes before it, and what it says holds
//! nothing that it would say differently.

use super::dates::Said;
use super::figures::{self, Before};
use super::look::{Look, More, Stage};
use super::numbers;
use super::shares;
use super::shorts::{Dot, SHORTS, Short, begins_short, missing, sentence_ends};
use super::units::{self, Coin, PER, sign};
use super::voice::Voice;

#[derive(Debug)]
pub(super) struct Words {
    voice: Voice,
    owed: Option<Coin>,
    /// The figure said last was cut short by a pause: more of it may come.
    is_cut: bool,
    /// A dot was said within the word that goes on: a slash is its own.
    is_in_address: bool,
    /// A round bracket is open on this line.
    is_in_brackets: bool,
    /// What stood before the space said last.
    before_space: char,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            voice: Voice::new(),
            owed: None,
            is_cut: false,
            is_in_address: false,
            is_in_brackets: false,
            before_space: '\n',
        }
    }

    /// Whether a plain word may pass without being looked at; `is_begun` is what does not go on with the last.
    pub(super) fn may_pass(&self, is_begun: bool, letters: &str) -> bool {
        let goes_on = self.voice.is_in_word() && !is_begun && letters.len() <= 7;
        self.voice.is_at_ease() && !self.is_cut && !goes_on && !begins_short(letters)
    }

    /// It did, and counts as said.
    pub(super) fn passed(&mut self, text: &str) {
        if let Some(at) = text.rfind(' ') {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            self.before_space = before.unwrap_or(self.voice.last());
            self.is_in_address = false;
        }
        self.voice.note(text);
    }

    fn letters(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let rest = look.rest();
        let run = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let begun = self.voice.begun();
        let said = begun.as_str();
        let is_long = self.voice.is_in_word() && said.is_empty();
        let is_start = said.is_empty() && !is_long;
        if is_start && let Some((from, coin)) = units::marked(&look)? {
            return match figures::priced(&look, from, coin)? {
                Some((said, owed)) => Ok(self.say_figure(look, &said, owed, out)),
                None => {
                    self.voice.raw(look.slice(0, from), out);
                    Ok(from)
                }
            };
        }
        let mut pass = run;
        for short in SHORTS.iter().filter(|_| !is_long) {
            let Some(left) = short.written.strip_prefix(said) else {
                continue;
            };
            let Some(kept) = short.kept.checked_sub(said.len()) else {
                continue;
            };
            if kept == 0 {
                if let Some(taken) = self.shortened(look, left, short, out)? {
                    return Ok(taken);
                }
            } else if rest.starts_with(left.get(..kept).unwrap_or_default()) {
                pass = pass.min(kept);
            }
        }
        if is_start && look.is(0, |c| c == 'v')? && look.is(1, |c| c.is_ascii_digit())? {
            self.voice.say("version", out);
            return Ok(1);
        }
        self.voice.raw(look.slice(0, pass), out);
        Ok(pass)
    }

    /// Says what an abbreviation stands for, if the rest of it stands here.
    fn shortened(
        &mut self,
        look: Look<'_>,
        left: &str,
        short: &Short,
        out: &mut String,
    ) -> Result<Option<usize>, More> {
        // The last dot of "e.g" is often forgotten.
        let optional = left.len() > 2 && short.kept == 0 && left.ends_with('.');
        let bare = left.strip_suffix('.').unwrap_or(left);
        if !look.has(0, if optional { bare } else { left })? {
            return Ok(None);
        }
        let mut end = if optional { bare.len() } else { left.len() };
        if optional {
            end = look.run(end, 1, |c| c == '.')?;
        }
        let is_open = !short.written.ends_with(['.', '/']) || optional && end == bare.len();
        if is_open && look.is(end, char::is_alphabetic)? {
            return Ok(None);
        }
        if short.dot == Dot::Shared && sentence_ends(&look, end)? {
            end -= 1;
        }
        if short.kept == 0 {
            self.voice.say(short.rest, out);
        } else {
            self.voice.raw(short.rest, out);
        }
        if end == 0 {
            self.voice.raw(".", out);
            end = 1;
        }
        Ok(Some(end))
    }

    fn dot(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let is_word = self.voice.last().is_alphabetic();
        if is_word && let Some(rest) = missing(self.voice.word()) {
            let goes_on = look.is(1, |c| c == ' ')?
                && look.is(2, |c| c.is_lowercase() || c.is_ascii_digit())?
                || look.is(1, |c| c == ',')?;
            self.voice.raw(rest, out);
            if goes_on {
                return Ok(1);
            }
        }
        let word = self.voice.begun();
        let short = SHORTS.iter().find_map(|short| {
            let left = short.written.strip_prefix(word.as_str())?;
            let is_here = short.kept == word.as_str().len() && left.starts_with('.');
            is_here.then_some((short, left))
        });
        if let Some((short, left)) = short
            && let Some(taken) = self.shortened(look, left, short, out)?
        {
            return Ok(taken);
        }
        if !is_word {
            if look.is(1, |c| c.is_ascii_digit())? && !self.voice.last().is_ascii_punctuation() {
                return self.figure(look, out);
            }
            self.voice.raw(".", out);
            return Ok(1);
        }
        let single = self.voice.word().len() == 1;
        let next = look.at(1)?;
        let is_name = !single && next.is_some_and(char::is_lowercase)
            || next.is_some_and(|c| c.is_ascii_digit())
            || self.voice.word() == "www";
        if is_name {
            let word = if next.is_some_and(|c| c.is_ascii_digit()) {
                "point"
            } else {
                "dot"
            };
            self.is_in_address = word == "dot";
            self.voice.say(word, out);
        } else {
            self.voice.raw(".", out);
        }
        Ok(1)
    }

    /// A space may show that "Jan" is the month.
    fn space(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        self.is_in_address = false;
        let is_word = self.voice.last().is_alphabetic();
        if is_word
            && let Some(rest) = missing(self.voice.word())
            && look.is(1, |c| c.is_ascii_digit())?
        {
            self.voice.raw(rest, out);
        }
        self.before_space = self.voice.last();
        self.voice.raw(" ", out);
        Ok(1)
    }

    fn figure(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if let Some(taken) = self.listed(look, out)? {
            return Ok(taken);
        }
        let (word, earlier) = match self.voice.last() {
            ' ' => (self.voice.word_before(), self.voice.earlier()),
            // "2h30m": a word of ours came right before.
            _ if !self.voice.is_in_word() => (self.voice.word(), ""),
            _ => ("", ""),
        };
        let (word, earlier) = (word.to_owned(), earlier.to_owned());
        let before = Before {
            word: &word,
            earlier: &earlier,
            is_in_word: self.voice.is_in_word(),
            owed: self.owed,
        };
        match figures::figure(&look, before)? {
            Some((said, owed)) => Ok(self.say_figure(look, &said, owed, out)),
            None => self.sign(look, out),
        }
    }

    fn say_figure(
        &mut self,
        look: Look<'_>,
        said: &Said,
        owed: Option<Coin>,
        out: &mut String,
    ) -> usize {
        self.voice.say(&said.words, out);
        self.owed = owed;
        self.is_cut = look.is_paused()
            && said.end == look.rest().len()
            && look.rest().ends_with(|c: char| c.is_ascii_digit());
        said.end
    }

    /// "1) Ask. 2) Listen.": a list within a line, whose brackets close nothing.
    fn listed(&mut self, look: Look<'_>, out: &mut String) -> Result<Option<usize>, More> {
        if self.is_in_brackets || !self.voice.last().is_whitespace() {
            return Ok(None);
        }
        let is_after_stop = !self.before_space.is_alphanumeric();
        let end = look.run(0, 2, |c| c.is_ascii_digit())?;
        let is_item = end > 0
            && look.has(end, ") ")?
            && look.is(end + 2, |c| {
                c.is_uppercase() || is_after_stop && c.is_alphabetic()
            })?;
        let n: u64 = match look.slice(0, end).parse() {
            Ok(n @ 1..=20) if is_item => n,
            _ => return Ok(None),
        };
        self.voice.say(&numbers::ordinal(n), out);
        self.voice.raw(",", out);
        Ok(Some(end + 1))
    }

    fn sign(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let Some(c) = look.at(0)? else {
            return Ok(0);
        };
        let end = c.len_utf8();
        self.is_in_brackets = match c {
            '(' => true,
            ')' | '\n' => false,
            _ => self.is_in_brackets,
        };
        if let Some((parts, of)) = shares::vulgar(c) {
            self.voice.say(&numbers::fraction(parts, of), out);
        } else if let Some(coin) = units::coin(c) {
            self.voice.say(coin.whole.one, out);
        } else if let Some(word) = self.sharp_or_tag(look, c)? {
            self.voice.say(word, out);
        } else if let Some(word) = sign(c) {
            self.voice.say(word, out);
        } else {
            self.voice.raw(look.slice(0, end), out);
        }
        Ok(end)
    }

    /// "C#", "#leadership".
    fn sharp_or_tag(&self, look: Look<'_>, c: char) -> Result<Option<&'static str>, More> {
        if c != '#' {
            return Ok(None);
        }
        if matches!(self.voice.begun().as_str(), "C" | "F") {
            return Ok(Some("sharp"));
        }
        Ok(look.is(1, char::is_alphabetic)?.then_some("hashtag"))
    }

    fn slash(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let last = self.voice.last();
        if let Some((_, unit)) = look
            .word(1, PER)?
            .filter(|_| last.is_alphabetic() && unit_word(self.voice.word()))
            && let Some((end, _)) = look.word(1, PER)?
        {
            self.voice.say("per", out);
            self.voice.raw(unit, out);
            return Ok(end);
        }
        let next = look.at(1)?;
        let is_upper = last.is_uppercase() && next.is_some_and(char::is_uppercase);
        if last.is_alphabetic() && next.is_some_and(char::is_alphabetic) {
            if self.is_in_address {
                self.voice.say("slash", out);
            } else if is_upper || self.voice.word() == "and" {
                self.voice.raw(" ", out);
            } else {
                self.voice.say("or", out);
            }
        } else if last == ' ' && next == Some(' ') {
            self.voice.say("or", out);
        } else {
            self.voice.say("slash", out);
        }
        Ok(1)
    }

    fn ampersand(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        // Voices know the company, and read "AT and T" as a word.
        if self.voice.word() == "AT"
            && look.is(1, |c| c == 'T')?
            && !look.is(2, char::is_alphabetic)?
        {
            self.voice.raw("&", out);
        } else {
            self.voice.say("and", out);
        }
        Ok(1)
    }

    /// What follows a figure that a pause has cut: its next digits, not a new figure.
    fn rest_of_figure(&mut self, look: Look<'_>, out: &mut String) -> Result<Option<usize>, More> {
        let is_group = look.is(0, |c| c == ',')? && look.digits(1)? == 4;
        if is_group {
            let rest = numbers::cardinal(look.slice(1, 4).trim_start_matches('0'));
            self.voice.say("thousand", out);
            if !rest.is_empty() {
                self.voice.say(&rest, out);
            }
            return Ok(Some(4));
        }
        let is_point = look.is(0, |c| c == '.')? && look.is(1, |c| c.is_ascii_digit())?;
        let from = usize::from(is_point);
        let end = look.digits(from)?;
        if end == from {
            return Ok(None);
        }
        if is_point {
            self.voice.say("point", out);
        }
        self.voice.say(&numbers::digits(look.slice(from, end)), out);
        Ok(Some(end))
    }
}

impl Stage for Words {
    fn step(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if self.is_cut {
            let taken = self.rest_of_figure(look, out)?;
            self.is_cut = false;
            if let Some(taken) = taken {
                return Ok(taken);
            }
        }
        match look.at(0)?.unwrap_or_default() {
            c if c.is_alphabetic() => self.letters(look, out),
            ' ' => self.space(look, out),
            '.' => self.dot(look, out),
            '/' => self.slash(look, out),
            '&' => self.ampersand(look, out),
            '–' if self.voice.last().is_alphabetic()
                && look.is(3, |c| c.is_uppercase() || c.is_ascii_digit())? =>
            {
                self.voice.say("to", out);
                Ok(3)
            }
            '-' if self.voice.last().is_alphanumeric() => {
                self.voice.raw("-", out);
                Ok(1)
            }
            ',' | '!' | '?' | '\'' | '"' => {
                self.voice.raw(look.slice(0, 1), out);
                Ok(1)
            }
            _ => self.figure(look, out),
        }
    }
}

fn unit_word(word: &str) -> bool {
    [
        "words", "calls", "hours", "minutes", "days", "times", "meetings", "sessions", "messages",
        "dollars", "steps",
    ]
    .contains(&word)
}
