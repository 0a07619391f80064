//! Finds keywords at word starts in one pass over a line.
//!
//! History is resent with every turn, so this runs over every user line that no newer line has made
//! irrelevant. A word is looked at closely only when its first two letters begin some keyword;
//! that keeps the common case to a table look-up per word without a search per keyword.

use super::named::Name;
use super::roster::Coach;

/// What a roster listens for, prepared once.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// In order of precedence: the roster's order, within a coach the order of its keywords.
    keywords: Vec<Keyword>,
    /// Last words of coaches' names, such as "coach": a line without one names nobody.
    cues: Vec<String>,
    pub(super) names: Vec<Name>,
    /// Bit `b & 31` of entry `a & 31` is set when some word looked for begins with the bytes `a b`
    /// in either case. May say yes too often, never no too often.
    openings: [u32; 32],
}

#[derive(Clone, Debug)]
pub(super) struct Keyword {
    pub(super) text: String,
    /// Position of its coach in the roster.
    pub(super) coach: usize,
}

/// What one line holds.
pub(super) struct Heard<'i> {
    pub(super) keyword: Option<&'i Keyword>,
    /// A coach may be named in it.
    pub(super) cue: bool,
}

impl Index {
    pub(super) fn new(coaches: &[Coach]) -> Self {
        let keywords: Vec<Keyword> = coaches
            .iter()
            .enumerate()
            .flat_map(|(at, coach)| {
                coach.keywords.iter().map(move |text| Keyword {
                    text: text.clone(),
                    coach: at,
                })
            })
            .collect();
        let names: Vec<Name> = coaches
            .iter()
            .enumerate()
            .flat_map(|(at, coach)| Name::of(at, coach))
            .collect();
        let mut cues: Vec<String> = names.iter().filter_map(Name::cue).collect();
        cues.sort_unstable();
        cues.dedup();
        let mut index = Self {
            keywords,
            cues,
            names,
            openings: [0; 32],
        };
        index.openings = index.opening_table();
        index
    }

    fn opening_table(&self) -> [u32; 32] {
        let mut table = [0; 32];
        let keywords = self.keywords.iter().map(|k| &k.text);
        for word in keywords.chain(&self.cues) {
            let mut bytes = word.bytes();
            let (first, second) = (bytes.next().unwrap_or(0), bytes.next());
            if !word.is_ascii() {
                // Case may change the bytes of such a word: its openings cannot be told apart.
                return [u32::MAX; 32];
            }
            if let Some(row) = table.get_mut(usize::from(first & 31)) {
                *row |= second.map_or(u32::MAX, |b| 1 << (b & 31));
            }
        }
        table
    }

    /// The keyword of highest precedence in this line, and whether a coach may be named in it.
    pub(super) fn hear(&self, line: &str) -> Heard<'_> {
        let mut best = self.keywords.len();
        let mut cue = false;
        let mut inside = false;
        let mut rest = line.as_bytes();
        // Slice patterns rather than iterators: this is the one loop per byte of history, and it
        // stays quick even where nothing is inlined.
        while let [byte, tail @ ..] = rest {
            let byte = *byte;
            let word = match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => true,
                0..=0x7f => false,
                0x80..=0xbf => inside,
                _ => in_word(line, rest, inside),
            };
            if word && !inside && self.may_open(byte, tail) {
                let start = line.get(line.len() - rest.len()..).unwrap_or("");
                best = self.first_keyword(start, best);
                cue = cue || self.cues.iter().any(|c| begins(start, c));
            }
            inside = word;
            rest = tail;
        }
        Heard {
            keyword: self.keywords.get(best),
            cue,
        }
    }

    /// Whether this line holds a keyword of the coach at this position.
    pub(super) fn touches(&self, line: &str, coach: usize) -> bool {
        let mut inside = false;
        line.char_indices().any(|(at, c)| {
            let before = inside;
            inside = is_word(c, before);
            let starts = inside && !before;
            let rest = line.get(at..).unwrap_or_default();
            starts
                && self
                    .keywords
                    .iter()
                    .any(|k| k.coach == coach && begins(rest, &k.text))
        })
    }

    fn may_open(&self, first: u8, tail: &[u8]) -> bool {
        let [second, ..] = tail else {
            return true;
        };
        // A non-ASCII letter may fold to an ASCII one (the Kelvin sign is a k).
        if first >= 0x80 || *second >= 0x80 {
            return true;
        }
        self.openings
            .get(usize::from(first & 31))
            .is_some_and(|row| row >> (second & 31) & 1 == 1)
    }

    /// The first keyword this text begins with, among those that come before `best`.
    fn first_keyword(&self, text: &str, best: usize) -> usize {
        self.keywords
            .iter()
            .take(best)
            .position(|k| begins(text, &k.text))
            .unwrap_or(best)
    }
}

/// Whether the non-ASCII character at the head of `rest` belongs to a word.
fn in_word(line: &str, rest: &[u8], inside: bool) -> bool {
    let here = line.get(line.len() - rest.len()..);
    here.and_then(|text| text.chars().next())
        .is_some_and(|c| is_word(c, inside))
}

/// Letters, figures, and what sits on or within a word without ending it (combining accents, soft
/// hyphens, joiners).
pub(super) fn is_word(c: char, inside: bool) -> bool {
    let within = matches!(
        c,
        '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200c}' | '\u{200d}'
    );
    c.is_alphanumeric() || c == '_' || (inside && within)
}

/// Whether `text` begins with the lower-case `prefix`, whatever its case.
fn begins(text: &str, prefix: &str) -> bool {
    let (head, wanted) = (text.as_bytes().first(), prefix.as_bytes().first());
    if let (Some(head), Some(wanted)) = (head, wanted)
        && head.is_ascii()
        && head.to_ascii_lowercase() != *wanted
    {
        return false;
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    prefix.chars().all(|wanted| letters.next() == Some(wanted))
}
