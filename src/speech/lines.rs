//! What stands at the beginning of a line: headings, quotes, list marks, rules, tables. And what a
//! line needs at its end to be heard as one.

use super::Language;
use super::asides::{self, LEADS};
use super::dropped::Mode;
use super::look::{Look, More};
use super::marks::Marks;
use super::numbers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prose,
    /// A heading or an item of a list: ends with a full stop, written or not.
    Item,
    /// A row of a table.
    Row,
}

#[derive(Debug)]
pub(super) struct Line {
    is_at_start: bool,
    kind: Kind,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            is_at_start: true,
            kind: Kind::Prose,
        }
    }

    pub(super) fn is_at_start(&self) -> bool {
        self.is_at_start
    }

    pub(super) fn is_row(&self) -> bool {
        self.kind == Kind::Row
    }

    /// Something was said on it.
    pub(super) fn begun(&mut self) {
        self.is_at_start = false;
    }
}

/// What may stand at the end of a line, besides a letter or a figure, and needs a stop behind it. A slash is an
/// address's.
const UNSTOPPED: &str = ")%°\"'”/";

const BULLETS: &str = "*•●◦‣·▪";

impl Marks {
    /// What is dealt with only at the beginning of a line, `None` when this is prose.
    pub(super) fn line_start(
        &mut self,
        look: Look<'_>,
        out: &mut String,
    ) -> Result<Option<usize>, More> {
        let Some(c) = look.at(0)? else {
            return Ok(None);
        };
        match c {
            '#' => self.heading(look),
            '>' if !look.is(1, |c| c == '=')? => {
                let end = look.run(1, 4, |c| c == ' ')?;
                Ok(Some(self.omit(end)))
            }
            '|' => self.row(look),
            '~' if look.has(0, "~~~")? => {
                self.mode = Mode::Fence('~');
                Ok(Some(self.omit(3)))
            }
            c if c.is_ascii_digit() => self.numbered(look, out),
            c if LEADS.contains(c) || BULLETS.contains(c) => self.bullet(look, c),
            _ => Ok(None),
        }
    }

    fn heading(&mut self, look: Look<'_>) -> Result<Option<usize>, More> {
        let end = look.run(0, 6, |c| c == '#')?;
        if !look.is(end, |c| c == ' ')? {
            // "#1" and "#leadership" are no headings.
            let drawn = end > 1 || asides::begins_nothing(&look, '#')?;
            return Ok(drawn.then(|| self.omit(end)));
        }
        self.line.kind = Kind::Item;
        let end = look.run(end, 4, |c| c == ' ')?;
        Ok(Some(self.omit(end)))
    }

    fn bullet(&mut self, look: Look<'_>, c: char) -> Result<Option<usize>, More> {
        let end = c.len_utf8();
        if c != '=' && look.is(end, |c| c == ' ' || c == '\t')? {
            self.line.kind = Kind::Item;
            let end = look.run(end, 4, |c| c == ' ' || c == '\t')?;
            let is_box = look.is(end, |c| c == '[')?
                && look.is(end + 1, |c| " xX".contains(c))?
                && look.is(end + 2, |c| c == ']')?;
            let end = if is_box {
                look.run(end + 3, 1, |c| c == ' ')?
            } else {
                end
            };
            return Ok(Some(self.omit(end)));
        }
        // A rule is drawn, and other dashes may begin nothing.
        let run = look.run(0, 80, |next| next == c)?;
        if LEADS.contains(c) && run > end {
            return Ok(Some(self.omit(run)));
        }
        Ok(asides::begins_nothing(&look, c)?.then(|| self.omit(end)))
    }

    /// "1. " and "2) " are said as "First, " and "Second, ".
    fn numbered(&mut self, look: Look<'_>, out: &mut String) -> Result<Option<usize>, More> {
        let end = look.run(0, 2, |c| c.is_ascii_digit())?;
        // A digit in a box is a list mark too.
        let boxed = look.run(end, 6, |c| c == '\u{fe0f}' || c == '\u{20e3}')?;
        let is_mark = boxed > end
            || look.is(end, |c| c == '.' || c == ')')?
                && look.is(end + 1, |c| c == ' ' || c == '\t')?;
        let n = look.slice(0, end).parse().unwrap_or_default();
        if self.language == Language::Other || !is_mark || n == 0 {
            return Ok(None);
        }
        let mark_end = if boxed > end { boxed } else { end + 1 };
        let end = look.run(mark_end, 4, |c| c == ' ' || c == '\t')?;
        self.line.kind = Kind::Item;
        let mut mark = match n {
            1..=20 => numbers::ordinal(n),
            _ => format!("number {}", numbers::number(n)),
        };
        if let Some(first) = mark.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        mark.push_str(", ");
        self.raw(&mark, out);
        Ok(Some(end))
    }

    /// A row is said cell by cell; the line that only draws is left out.
    fn row(&mut self, look: Look<'_>) -> Result<Option<usize>, More> {
        let drawn = look.run(0, 200, |c| "|-: ".contains(c))?;
        if drawn > 2 && look.is(drawn, |c| c == '\n')? {
            return Ok(Some(self.omit(drawn + 1)));
        }
        self.line.kind = Kind::Row;
        let end = look.run(1, 40, |c| c == ' ')?;
        Ok(Some(self.omit(end)))
    }

    /// The border of two cells, or a space within one.
    pub(super) fn cell(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let bar = look.run(0, 40, |c| c == ' ')?;
        if !look.is(bar, |c| c == '|')? {
            self.raw(" ", out);
            return Ok(bar.max(1));
        }
        let end = look.run(bar + 1, 40, |c| c == ' ' || c == '|')?;
        let is_last = !look.is(end, |c| c != '\n')?;
        let last = self.voice.last();
        if last.is_alphanumeric() || UNSTOPPED.contains(last) {
            self.raw(if is_last { "." } else { ", " }, out);
        } else if !last.is_whitespace() {
            // What two cells begin and end with makes nothing together.
            self.raw(" ", out);
        }
        Ok(self.omit(end))
    }

    pub(super) fn line_end(&mut self, _look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let last = self.voice.last_kept();
        let needs_stop = last.is_alphanumeric() || UNSTOPPED.contains(last);
        if self.line.kind != Kind::Prose && !self.line.is_at_start && needs_stop {
            self.raw(".", out);
        }
        self.raw("\n", out);
        // The stop may have made an address of "www".
        self.mode = Mode::Text;
        self.line = Line::new();
        Ok(1)
    }
}
