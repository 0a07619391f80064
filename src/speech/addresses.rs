//! The second pass: addresses, of which only that there is one is said. It reads what `marks` has let
//! through, so that no mark can hide one: `ht**tps://a.b` is judged as the address that it becomes.

use super::Language;
use super::look::{Look, More, Stage};
use super::voice::Voice;

/// What an address begins with, in any case: at the beginning of a word, and the last right behind one, for
/// the sake of other schemes and of words that nothing parts from theirs.
const OPENINGS: [&str; 4] = ["https://", "http://", "www.", "://"];

/// Whether a word may be the beginning of an address.
fn may_begin(letters: &str) -> bool {
    OPENINGS.iter().any(|opening| is_prefix(letters, opening))
}

/// Whether an address may begin with this behind that.
fn begins(before: char, c: char) -> bool {
    match c {
        'h' | 'H' | 'w' | 'W' => !before.is_alphabetic(),
        ':' => before.is_alphanumeric(),
        _ => false,
    }
}

/// Whether an address is over before this.
pub(super) fn is_over(c: char) -> bool {
    c.is_whitespace() || ")]}>\"<*|`”»".contains(c)
}

fn is_prefix(text: &str, whole: &str) -> bool {
    whole
        .get(..text.len())
        .is_some_and(|begun| begun.eq_ignore_ascii_case(text))
}

/// Follows a text as it is let through, and tells where an address begins in it.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// How much of "://" came.
    at: usize,
}

impl Opening {
    /// Whether an address has begun with this, said behind what the voice said.
    pub(super) fn is_whole(&mut self, voice: &Voice, next: &str) -> bool {
        self.at = match (self.at, next) {
            (_, ":") if voice.last().is_alphanumeric() => 1,
            (1, "/") => 2,
            (2, "/") => 3,
            (_, ".") if voice.word().eq_ignore_ascii_case("www") => 3,
            _ => 0,
        };
        self.at == 3
    }
}

#[derive(Debug)]
pub(super) struct Addresses {
    language: Language,
    voice: Voice,
    is_inside: bool,
    /// What a pause has let out of a beginning.
    begun: &'static str,
}

impl Addresses {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            voice: Voice::with_gaps(),
            is_inside: false,
            begun: "",
        }
    }

    /// Spaces kept back at the very end.
    pub(super) fn end(&mut self, out: &mut String) {
        self.voice.end(out);
    }

    /// Whether a plain word may pass without being looked at.
    pub(super) fn may_pass(&self, letters: &str) -> bool {
        !self.is_inside && self.begun.is_empty() && self.voice.is_at_ease() && !may_begin(letters)
    }

    /// It did, and counts as said.
    pub(super) fn passed(&mut self, text: &str) {
        self.voice.note(text);
    }

    /// Where the beginning of an address that stands here ends.
    fn opening(&mut self, look: &Look<'_>) -> Result<Option<usize>, More> {
        let mut begun = "";
        for opening in OPENINGS {
            let Some(left) = opening.strip_prefix(self.begun) else {
                continue;
            };
            if look.has_in_any_case(0, left)? {
                self.begun = "";
                return Ok(Some(left.len()));
            }
            if look.is_paused() && is_prefix(look.rest(), left) {
                let end = self.begun.len() + look.rest().len();
                begun = opening.get(..end).unwrap_or_default();
            }
        }
        self.begun = begun;
        Ok(None)
    }

    /// How much of what stands here belongs to the address.
    fn inside(&self, look: &Look<'_>) -> Result<usize, More> {
        let Some(c) = look.at(0)? else {
            return Ok(0);
        };
        if is_over(c) {
            return Ok(0);
        }
        // A full stop behind it is the sentence's, if there is one.
        if ".,!?;:".contains(c) && self.voice.last() != '\n' {
            let next = look.at(1)?;
            if next.is_none() && look.is_paused() {
                return Err(More);
            }
            if next.is_none_or(is_over) {
                return Ok(0);
            }
        }
        Ok(c.len_utf8())
    }
}

impl Stage for Addresses {
    fn step(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        if self.is_inside {
            let taken = self.inside(&look)?;
            if taken > 0 {
                return Ok(taken);
            }
            self.is_inside = false;
        }
        let last = self.voice.last();
        let may_begin = !self.begun.is_empty() || look.is(0, |c| begins(last, c))?;
        if may_begin && let Some(taken) = self.opening(&look)? {
            self.is_inside = true;
            match self.language {
                Language::English => self.voice.say("the link", out),
                Language::Other => self.voice.omit(),
            }
            return Ok(taken);
        }
        // Looked at anew where the next may begin, so that what is held begins there. One that a pause has
        // cut is all that is here.
        let mut before = ' ';
        let next = look.rest().char_indices().find(|(at, c)| {
            let is_next = *at > 0 && begins(before, *c);
            before = *c;
            is_next
        });
        let next = next.filter(|_| self.begun.is_empty());
        let run = next.map_or(look.rest().len(), |(at, _)| at);
        self.voice.raw(look.slice(0, run), out);
        Ok(run)
    }
}
