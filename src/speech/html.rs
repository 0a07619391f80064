//! HTML within a line: tags, entities, and the signs that only look like them.

use super::Language;
use super::dropped::Mode;
use super::look::{Look, More};
use super::marks::{LINK_BYTES, Marks};

/// Elements that are left out with all they hold.
const SILENT: &[&str] = &["think", "thinking", "script", "style", "reasoning"];

/// HTML's names of characters that models write.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("nbsp", " "),
    ("quot", "\""),
    ("apos", "'"),
    ("rsquo", "'"),
    ("#39", "'"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("hellip", "…"),
];

impl Marks {
    pub(super) fn angle(
        &mut self,
        look: Look<'_>,
        c: char,
        out: &mut String,
    ) -> Result<usize, More> {
        let next = look.at(1)?;
        let compares = next.is_some_and(|c| c == ' ' || c.is_ascii_digit() || c == '$');
        let stays = self.language == Language::Other && next == Some(' ');
        if stays && (c == '<' || !self.line.is_at_start()) {
            self.raw(look.slice(0, 1), out);
            return Ok(1);
        }
        if c == '>' {
            if compares && !self.line.is_at_start() {
                self.say("greater than", out);
            } else if next == Some('=') {
                self.say("at least", out);
                return Ok(2);
            }
            return Ok(self.omit(1));
        }
        match next {
            Some('=') => {
                self.say("at most", out);
                Ok(2)
            }
            Some('3') if !look.is(2, char::is_alphanumeric)? => Ok(self.omit(2)),
            _ if compares => {
                self.say("less than", out);
                Ok(self.omit(1))
            }
            Some(c) if c.is_alphabetic() || c == '/' || c == '!' || c == '|' => self.tag(look, out),
            _ => Ok(self.omit(1)),
        }
    }

    fn tag(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let end = look.run(1, LINK_BYTES, |c| c != '>' && c != '<')?;
        if !look.is(end, |c| c == '>')? {
            if look.is_paused() && look.at(end)?.is_none() {
                self.mode = Mode::Until('>', LINK_BYTES);
            }
            return Ok(self.omit(1));
        }
        let inside = look.slice(1, end);
        if inside.contains("://") || inside.contains('@') && !inside.contains(' ') {
            return Ok(self.omit(1));
        }
        let silent = SILENT.iter().find(|name| {
            inside
                .strip_prefix(**name)
                .is_some_and(|left| !left.starts_with(char::is_alphabetic))
        });
        if let Some(name) = silent {
            self.mode = Mode::Element(name);
        }
        let breaks = ["br", "p", "/p", "li", "div", "/div", "/li", "tr", "td"];
        let name = inside.trim_end_matches(['/', ' ']);
        if breaks.contains(&name) && !self.voice.last().is_whitespace() {
            self.raw(" ", out);
        }
        Ok(self.omit(end + 1))
    }

    /// Kept from what follows, unless it is of a name like "R&D": it must not begin an entity.
    fn ampersand(&mut self, look: Look<'_>, next: usize, out: &mut String) -> Result<(), More> {
        let is_name = look.is(next, char::is_uppercase)?;
        let stands_alone = look.at(next)?.is_none_or(|c| c == ' ' || c == '\n');
        if self.language == Language::English || is_name || stands_alone {
            self.raw("&", out);
        } else {
            self.raw("& ", out);
        }
        Ok(())
    }

    pub(super) fn entity(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let end = look.run(1, 8, |c| c.is_ascii_alphanumeric() || c == '#')?;
        let name = look.slice(1, end);
        let is_known = ENTITIES.iter().find(|(known, _)| *known == name);
        let Some((_, means)) = is_known.filter(|_| end > 1) else {
            self.ampersand(look, 1, out)?;
            return Ok(1);
        };
        if !look.is(end, |c| c == ';')? {
            self.ampersand(look, 1, out)?;
            return Ok(1);
        }
        match *means {
            "&" => self.ampersand(look, end + 1, out)?,
            "<" => self.say("less than", out),
            ">" => self.say("greater than", out),
            means => self.raw(means, out),
        }
        Ok(self.omit(end + 1))
    }
}
