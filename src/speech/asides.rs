//! The third pass: stage directions in brackets, and faces drawn with punctuation. It reads what `marks`
//! and `addresses` have let through, so that no mark can hide one.

use super::look::{Look, More, Stage};
use super::voice::{Voice, is_stop};

/// What a voice does and does not say, wherever it stands between marks. Words alone: the first sign behind
/// one decides, and what is left out later cannot change that.
const DIRECTIONS: &[(&str, ())] = &[
    ("laughs", ()),
    ("laugh", ()),
    ("laughing", ()),
    ("laughter", ()),
    ("chuckles", ()),
    ("chuckle", ()),
    ("chuckling", ()),
    ("giggles", ()),
    ("sighs", ()),
    ("sigh", ()),
    ("sighing", ()),
    ("smiles", ()),
    ("smiling", ()),
    ("nods", ()),
    ("nodding", ()),
    ("grins", ()),
    ("grinning", ()),
    ("winks", ()),
    ("shrugs", ()),
    ("gasps", ()),
    ("pause", ()),
    ("pauses", ()),
    ("pausing", ()),
    ("silence", ()),
    ("softly", ()),
    ("gently", ()),
    ("warmly", ()),
    ("whispers", ()),
    ("whispering", ()),
    ("inhales", ()),
    ("exhales", ()),
    ("breathes", ()),
    ("coughs", ()),
    ("clears", ()),
    ("beat", ()),
    ("claps", ()),
    ("applause", ()),
    ("cheerfully", ()),
    ("sympathetically", ()),
    ("encouragingly", ()),
    ("excitedly", ()),
    ("empathetically", ()),
    ("thoughtfully", ()),
];

/// What is an action only between asterisks.
const ACTIONS: &[(&str, ())] = &[
    ("smile", ()),
    ("nod", ()),
    ("takes", ()),
    ("leans", ()),
    ("tilts", ()),
    ("waves", ()),
    ("looks", ()),
    ("listens", ()),
    ("raises", ()),
    ("hugs", ()),
    ("thinks", ()),
    ("thinking", ()),
    ("speaks", ()),
    ("speaking", ()),
    ("adjusts", ()),
    ("gestures", ()),
    ("places", ()),
    ("sits", ()),
    ("stands", ()),
    ("deep breath", ()),
    ("high fives", ()),
    ("wink", ()),
    ("giggle", ()),
    ("grin", ()),
];

/// The longest direction in round brackets, in bytes.
const DIRECTION_BYTES: usize = 60;

fn stands(look: &Look<'_>, at: usize, table: &[(&'static str, ())]) -> Result<bool, More> {
    Ok(look.word(at, table)?.is_some())
}

/// Whether a stage direction begins here, in small letters or with a capital.
pub(super) fn is_direction(look: &Look<'_>, at: usize) -> Result<bool, More> {
    begins(look, at, DIRECTIONS)
}

/// Whether an action between asterisks begins here.
pub(super) fn is_action(look: &Look<'_>, at: usize) -> Result<bool, More> {
    Ok(begins(look, at, DIRECTIONS)? || begins(look, at, ACTIONS)?)
}

fn begins(look: &Look<'_>, at: usize, table: &[(&'static str, ())]) -> Result<bool, More> {
    if !look.is(at, |c| c.is_ascii_uppercase())? {
        return stands(look, at, table);
    }
    let first = look.at(at)?.map(|c| c.to_ascii_lowercase());
    let tails = table
        .iter()
        .filter(|(word, ())| word.chars().next() == first);
    let tails: Vec<(&'static str, ())> = tails
        .filter_map(|(word, ())| Some((word.get(1..)?, ())))
        .collect();
    stands(look, at + 1, &tails)
}

/// What draws or marks at the beginning of a line.
pub(super) const LEADS: &str = "-–—#=+>";

/// Whether this is a mark that nothing said follows: "-5" and "#1" are none.
pub(super) fn begins_nothing(look: &Look<'_>, c: char) -> Result<bool, More> {
    if !LEADS.contains(c) {
        return Ok(false);
    }
    let said = |c: char| c.is_alphanumeric() || "$€£¥₹₽₩₿".contains(c);
    Ok(!look.is(c.len_utf8(), said)?)
}

#[derive(Debug)]
pub(super) struct Asides {
    voice: Voice,
    /// Nothing but space was said on this line.
    is_at_start: bool,
    /// A direction being left out that a pause has cut: so many bytes more, at most.
    dropping: usize,
    /// A direction was just left out. A colon behind it would stand behind what came before.
    is_after_direction: bool,
    /// So many brackets were left out before the one that opened it: they are closed behind it.
    doubled: usize,
}

impl Asides {
    pub(super) fn new() -> Self {
        Self {
            voice: Voice::with_gaps(),
            is_at_start: true,
            dropping: 0,
            is_after_direction: false,
            doubled: 0,
        }
    }

    /// Spaces kept back at the very end.
    pub(super) fn end(&mut self, out: &mut String) {
        self.voice.end(out);
    }

    /// Whether a plain word may pass without being looked at.
    pub(super) fn may_pass(&self) -> bool {
        self.dropping == 0 && !self.is_after_direction && self.voice.is_at_ease()
    }

    /// It did, and counts as said.
    pub(super) fn passed(&mut self, text: &str) {
        self.voice.note(text);
        self.is_at_start = false;
    }

    fn raw(&mut self, text: &str, out: &mut String) {
        let line = text.rsplit('\n').next().unwrap_or_default();
        self.is_at_start |= line.len() < text.len();
        self.is_at_start &= line.chars().all(char::is_whitespace);
        self.voice.raw(text, out);
    }

    /// Leaves out so many bytes, and a gap in their place: what is around them makes nothing new.
    fn omit(&mut self, bytes: usize) -> usize {
        self.voice.part();
        self.voice.omit();
        bytes
    }

    fn bracket(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        // One bracket is as good as two, and two could hide a direction between them.
        if look.is(1, |c| c == '(')? {
            self.doubled += 1;
            return Ok(self.omit(1));
        }
        if !is_direction(&look, 1)? {
            self.doubled = 0;
            self.raw("(", out);
            return Ok(1);
        }
        if let Some(end) = look.find(1, DIRECTION_BYTES, ')')? {
            self.is_after_direction = true;
            return Ok(self.omit(end + 1));
        }
        if look.is_paused() {
            self.dropping = DIRECTION_BYTES;
        }
        Ok(self.omit(1))
    }

    /// ":)" and its kin, after a space.
    fn face(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let nose = look.run(1, 1, |c| c == '-')?;
        let is_face = match look.at(nose)? {
            Some('(' | ')' | '/') => true,
            Some('D' | 'P' | 'p' | 'O') => !look.is(nose + 1, char::is_alphabetic)?,
            _ => false,
        };
        if is_face {
            return Ok(self.omit(nose + 1));
        }
        self.raw(look.slice(0, 1), out);
        Ok(1)
    }

    /// ":smile:". With the dots of abbreviations in it: they would go as its letters come.
    fn named_face(&mut self, look: Look<'_>) -> Result<Option<usize>, More> {
        let end = look.run(1, 24, |c| c.is_ascii_lowercase() || c == '.')?;
        let is_named = end > 2 && look.is(end, |c| c == ':')?;
        Ok(is_named.then(|| self.omit(end + 1)))
    }
}

impl Stage for Asides {
    fn step(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More> {
        let c = look.at(0)?.unwrap_or_default();
        let end = c.len_utf8();
        if self.dropping > 0 {
            let is_over = c == ')' || c == '\n';
            self.dropping = if is_over {
                self.is_after_direction = true;
                0
            } else {
                self.dropping.saturating_sub(end)
            };
            if c != '\n' {
                return Ok(end);
            }
        }
        if self.is_after_direction {
            let closes = c == ')' && self.doubled > 0;
            self.doubled -= usize::from(closes);
            let ends_nothing = is_stop(c) && self.voice.is_between_sentences();
            if closes || ends_nothing || ":;".contains(c) {
                return Ok(self.omit(end));
            }
            self.doubled = 0;
        }
        self.is_after_direction = false;
        let after_space = self.voice.last().is_whitespace();
        match c {
            '(' => self.bracket(look, out),
            ':' | ';' if after_space => match self.named_face(look)? {
                Some(taken) => Ok(taken),
                None => self.face(look, out),
            },
            c if self.is_at_start && begins_nothing(&look, c)? => Ok(self.omit(end)),
            _ => {
                let is_special = |c: char| "(:;".contains(c) || LEADS.contains(c);
                let rest = look.rest();
                let run = rest.get(end..).and_then(|rest| rest.find(is_special));
                let run = run.map_or(rest.len(), |run| run + end);
                self.raw(look.slice(0, run), out);
                Ok(run)
            }
        }
    }
}
