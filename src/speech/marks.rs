//! The first pass: marks that are seen and not said. Markdown, HTML, code, links, brace groups,
//! emoji go; what they mark stays. Beginnings of lines are in `lines`.
//!
//! What it lets through holds none of its own marks, but for addresses, which the next pass takes. What was
//! around a mark comes together, and is judged by the passes behind as the text that it becomes.

use super::Language;
use super::addresses::Opening;
use super::asides;
use super::dropped::Mode;
use super::lines::Line;
use super::look::{Look, More, REACH_BYTES, Stage};
use super::voice::{Voice, is_stop};

/// The longest link, brace group or tag that is waited for, in bytes.
pub(super) const LINK_BYTES: usize = 200;
/// The longest piece of code in a line, in bytes.
const CODE_BYTES: usize = 64;
/// A brace group that is data, or that a pause has cut: dropped so far.
const DATA_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct Marks {
    pub(super) language: Language,
    pub(super) voice: Voice,
    pub(super) mode: Mode,
    pub(super) line: Line,
    /// Of an address, in which nothing is a mark.
    opening: Opening,
    is_in_code: bool,
    /// An action was just left out: a stop behind it may have nothing to end.
    is_after_action: bool,
}

impl Marks {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            voice: Voice::with_gaps(),
            mode: Mode::Text,
            line: Line::new(),
            opening: Opening::default(),
            is_in_code: false,
            is_after_action: false,
        }
    }

    /// Whether a plain word may pass without being looked at.
    pub(super) fn may_pass(&self) -> bool {
        self.mode == Mode::Text
            && !self.is_after_action
            && (self.voice.is_at_ease() || self.voice.keeps_space())
            && !self.line.is_row()
    }

    /// It did, and counts as said.
    pub(super) fn passed(&mut self, text: &str) {
        self.voice.note(text);
        self.line.begun();
        self.opening = Opening::default();
    }

    /// Leaves out so many bytes.
    pub(super) fn omit(&mut self, bytes: usize) -> usize {
        self.voice.omit();
        bytes
    }

    /// Says words of ours where the language is ours.
    pub(super) fn say(&mut self, words: &str, out: &mut String) {
        match self.language {
            Language::English => {
                self.line.begun();
                self.opening = Opening::default();
                self.voice.say(words, out);
            }
            Language::Other => self.voice.omit(),
        }
    }

    pub(super) fn raw(&mut self, text: &str, out: &mut String) {
        if text.contains(|c: char| !c.is_whitespace()) {
            self.line.begun();
        }
        if self.opening.is_whole(&self.voice, text) {
            self.mode = Mode::Address;
        }
        self.voice.raw(text, out);
    }

    fn inline(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if self.is_after_action && self.voice.is_between_sentences() && look.is(0, is_stop)? {
            return Ok(self.omit(1));
        }
        self.is_after_action = false;
        if self.voice.is_gapped()
            && look.is(0, |c| ":;".contains(c))?
            && look.is(1, char::is_whitespace)?
        {
            self.voice.forget_gap();
        }
        let plain = look
            .rest()
            .find(|c: char| !is_plain(c))
            .unwrap_or(look.rest().len());
        if plain > 0 {
            self.raw(look.slice(0, plain), out);
            return Ok(plain);
        }
        let c = look.at(0)?.unwrap_or_default();
        match c {
            '\n' => return self.line_end(look, out),
            ' ' if self.line.is_row() => return self.cell(look, out),
            '\t' | ' ' => self.raw(" ", out),
            '*' => return self.star(look, out),
            '_' => return self.underscore(look, out),
            '`' => return self.tick(look),
            '[' => return self.open_bracket(look),
            ']' => return self.close_bracket(look),
            '{' => return self.open_brace(look),
            '<' | '>' => return self.angle(look, c, out),
            '|' if self.line.is_row() => return self.cell(look, out),
            '~' => {
                if look.is(1, |c| c.is_ascii_digit() || c == '$')? {
                    self.say("about", out);
                }
                return Ok(self.omit(1));
            }
            '^' if look.is(1, |c| c == '-' || c == '−')?
                && look.is(2, |c| c.is_ascii_digit())? =>
            {
                self.say("to the power of minus", out);
                return Ok(2);
            }
            '^' => {
                if look.is(1, char::is_alphanumeric)? && self.voice.last().is_alphanumeric() {
                    self.say("to the power of", out);
                }
                return Ok(self.omit(1));
            }
            '&' => return self.entity(look, out),
            '!' if self.voice.last().is_whitespace() && look.is(1, |c| c == '[')? => {
                return Ok(self.omit(1));
            }
            '-' | '='
                if self.language == Language::English
                    && self.voice.last().is_whitespace()
                    && look.is(1, |c| c == '>')? =>
            {
                self.say("to", out);
                return Ok(2);
            }
            c if is_unsaid(c) => return Ok(self.omit(c.len_utf8())),
            c => self.raw(look.slice(0, c.len_utf8()), out),
        }
        Ok(c.len_utf8())
    }

    fn star(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if look.is(1, |c| c == '*')? {
            return Ok(self.omit(look.run(0, 8, |c| c == '*')?));
        }
        let last = self.voice.last();
        let next = look.at(1)?;
        let is_between = |c: char| c == ' ' || c.is_ascii_digit();
        if !self.line.is_at_start() && is_between(last) && next.is_some_and(is_between) {
            self.say("times", out);
            return Ok(1);
        }
        self.action(look, '*')
    }

    fn underscore(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if self.voice.last().is_alphanumeric() {
            if look.is(1, char::is_alphanumeric)? {
                self.raw(" ", out);
            }
            return Ok(self.omit(1));
        }
        self.action(look, '_')
    }

    /// "*nods*" goes, "*really*" stays.
    fn action(&mut self, look: Look<'_>, mark: char) -> Result<usize, More> {
        if !self.voice.last().is_alphanumeric() && asides::is_action(&look, 1)? {
            let mut from = 1;
            while let Some(end) = look.find(from, LINK_BYTES, mark)? {
                // One in mid-word is part of a name.
                if mark == '*' || !look.is(end + 1, char::is_alphanumeric)? {
                    self.is_after_action = true;
                    return Ok(self.omit(end + 1));
                }
                from = end + 1;
            }
            if look.is_paused() {
                self.mode = Mode::Until(mark, LINK_BYTES);
            }
        }
        Ok(self.omit(1))
    }

    fn tick(&mut self, look: Look<'_>) -> Result<usize, More> {
        if look.has(0, "```")? {
            self.mode = Mode::Fence('`');
            return Ok(self.omit(3));
        }
        if self.is_in_code {
            self.is_in_code = false;
            return Ok(self.omit(1));
        }
        let Some(end) = look.find(1, CODE_BYTES, '`')? else {
            return Ok(self.omit(1));
        };
        let speakable = |c: char| c.is_alphanumeric() || " -_.'+#/".contains(c);
        if look.slice(1, end).chars().all(speakable) {
            self.is_in_code = true;
            return Ok(self.omit(1));
        }
        Ok(self.omit(end + 1))
    }

    fn open_bracket(&mut self, look: Look<'_>) -> Result<usize, More> {
        let note = look.run(1, 8, |c| c.is_ascii_digit() || "^,-– ".contains(c))?;
        if note > 1 && look.is(note, |c| c == ']')? {
            return Ok(self.omit(note + 1));
        }
        if asides::is_direction(&look, 1)?
            && let Some(end) = look.find(1, CODE_BYTES, ']')?
            && !look.is(end + 1, |c| c == '(')?
        {
            self.is_after_action = true;
            return Ok(self.omit(end + 1));
        }
        Ok(self.omit(1))
    }

    fn close_bracket(&mut self, look: Look<'_>) -> Result<usize, More> {
        if look.is(1, |c| c == '(')? {
            let end = look.run(2, LINK_BYTES, |c| c != ')' && c != '\n')?;
            if look.is(end, |c| c == ')')? {
                return Ok(self.omit(end + 1));
            }
            // A link is waited for to its end, whatever pauses come.
            if look.is_paused() && look.at(end)?.is_none() && end < LINK_BYTES {
                return Err(More);
            }
        }
        Ok(self.omit(1))
    }

    fn open_brace(&mut self, look: Look<'_>) -> Result<usize, More> {
        let inside = look.run(1, 16, char::is_whitespace)?;
        let is_data = look.is(inside, |c| c == '"')?;
        if !is_data {
            let closed = look.run(1, LINK_BYTES, |c| c != '}')?;
            let is_closed = look.is(closed, |c| c == '}')?;
            let nested = look.slice(1, closed).contains('{');
            if is_closed && !nested {
                return Ok(self.omit(closed + 1));
            }
            if !is_closed && !look.is_paused() {
                return Ok(self.omit(1));
            }
        }
        self.mode = Mode::Braces {
            depth: 1,
            left: DATA_BYTES,
        };
        Ok(self.omit(1))
    }
}

impl Stage for Marks {
    fn step(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        while self.mode != Mode::Text {
            let taken = self.dropping(look, out)?;
            if taken > 0 {
                return Ok(taken);
            }
        }
        if self.line.is_at_start()
            && let Some(taken) = self.line_start(look, out)?
        {
            return Ok(taken);
        }
        self.inline(look, out)
    }
}

/// Characters that mean nothing to this pass, whatever comes after them.
fn is_plain(c: char) -> bool {
    c.is_alphabetic() || ",;?'\"’“”()".contains(c) || c.is_ascii_digit()
}

/// Emoji, drawing, and what steers a screen.
fn is_unsaid(c: char) -> bool {
    matches!(c,
        '\\' | '|' | '}' | '©' | '®' | '™' | '•' | '·' | '●' | '◦' | '‣' | '\u{feff}' | '\u{fffd}' | '\u{ad}'
        | '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{200b}' | '\u{200d}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}' | '\u{2196}'..='\u{21d1}' | '\u{21d3}'..='\u{21ff}'
        | '\u{2190}' | '\u{2191}' | '\u{2193}'..='\u{2195}'
        | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{25ff}'
        | '\u{2600}'..='\u{2793}' | '\u{2795}'..='\u{27bf}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{10ffff}')
}

const _: () = assert!(LINK_BYTES + 8 < REACH_BYTES);
