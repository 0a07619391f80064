//! What is left out as it comes, without being held: code, data, silent elements; and addresses, which are
//! left to the next pass as they are.

use super::addresses;
use super::look::{Look, More};
use super::marks::Marks;

/// What is left out as it comes, without being held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Text,
    /// Code between fences of this character.
    Fence(char),
    /// An address: none of it is a mark.
    Address,
    Braces {
        depth: u32,
        left: usize,
    },
    /// An element whose content is not for ears.
    Element(&'static str),
    /// Up to this character, at most so many bytes and the rest of a word.
    Until(char, usize),
}

/// What has no end ends after so many bytes, with the word: not within an address, whose rest would be said.
fn is_enough(left: usize, c: char) -> bool {
    left == 0 && c.is_whitespace()
}

impl Marks {
    /// Whether something is being left out that a pause must not bring to light.
    pub(super) fn dropping(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        match self.mode {
            Mode::Text => Ok(0),
            Mode::Fence(tick) => self.fence(look, tick),
            Mode::Address => Ok(self.address(look, out)),
            Mode::Braces { depth, left } => self.braces(look, depth, left),
            Mode::Element(name) => self.element(look, name),
            Mode::Until(closer, left) => self.until(look, closer, left),
        }
    }

    fn fence(&mut self, look: Look<'_>, tick: char) -> Result<usize, More> {
        let code = look.rest().find(tick).unwrap_or(look.rest().len());
        if code > 0 {
            return Ok(code);
        }
        let ticks = look.run(0, 3, |c| c == tick)?;
        if ticks == 3 {
            self.mode = Mode::Text;
        }
        Ok(ticks)
    }

    /// What is a mark elsewhere is none here.
    fn address(&mut self, look: Look<'_>, out: &mut String) -> usize {
        let rest = look.rest();
        let end = rest.find(addresses::is_over).unwrap_or(rest.len());
        if end == 0 {
            self.mode = Mode::Text;
        }
        self.voice.raw(look.slice(0, end), out);
        end
    }

    fn until(&mut self, look: Look<'_>, closer: char, left: usize) -> Result<usize, More> {
        let c = look.at(0)?.unwrap_or_default();
        if c == '\n' || is_enough(left, c) {
            self.mode = Mode::Text;
            return Ok(0);
        }
        let left = left.saturating_sub(c.len_utf8());
        self.mode = match c == closer {
            true => Mode::Text,
            false => Mode::Until(closer, left),
        };
        Ok(c.len_utf8())
    }

    fn braces(&mut self, look: Look<'_>, depth: u32, left: usize) -> Result<usize, More> {
        let c = look.at(0)?.unwrap_or_default();
        if is_enough(left, c) {
            self.mode = Mode::Text;
            return Ok(0);
        }
        let depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        let left = left.saturating_sub(c.len_utf8());
        self.mode = match depth {
            0 => Mode::Text,
            _ => Mode::Braces { depth, left },
        };
        Ok(c.len_utf8())
    }

    fn element(&mut self, look: Look<'_>, name: &'static str) -> Result<usize, More> {
        let inside = look.rest().find('<').unwrap_or(look.rest().len());
        if inside > 0 {
            return Ok(inside);
        }
        if look.has(0, "</")? && look.has(2, name)? {
            let named = look.run(2 + name.len(), 8, char::is_alphabetic)?;
            let end = look.run(named, 8, |c| c == ' ')?;
            let is_closed = look.is(end, |c| c == '>')?;
            self.mode = Mode::Text;
            return Ok(if is_closed { end + 1 } else { named });
        }
        Ok(1)
    }
}
