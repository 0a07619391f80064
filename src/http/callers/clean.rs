//! What voice platforms write into the user's text, undone: here and nowhere else.
//!
//! Source: contracts of Hume EVI (expression tail, injected context, greeting instruction, silence
//! marker), confirmed by captures of real traffic; `...` for silence is `ElevenLabs`'.

use crate::turn::Murmur;

/// Words that open each item of an expression tail, longest first.
const INTENSITIES: &[&str] = &[
    "very slightly",
    "slightly",
    "somewhat",
    "a little",
    "quite",
    "fairly",
    "moderately",
    "extremely",
    "highly",
    "very",
];
/// Adjectives for the 48 expressions of Hume's classifier, in order. A tail of one item, or of items
/// without an intensity, counts only with these: people write braces of their own.
const ADJECTIVES: &[&str] = &[
    "admiring",
    "adoring",
    "afraid",
    "amused",
    "angry",
    "anxious",
    "appreciative",
    "ashamed",
    "awed",
    "awestruck",
    "awkward",
    "bored",
    "calm",
    "concentrated",
    "concentrating",
    "confused",
    "contemplative",
    "contemptuous",
    "content",
    "contented",
    "craving",
    "desirous",
    "determined",
    "disappointed",
    "disgusted",
    "distressed",
    "doubtful",
    "ecstatic",
    "embarrassed",
    "empathetic",
    "entranced",
    "envious",
    "excited",
    "fearful",
    "focused",
    "guilty",
    "happy",
    "horrified",
    "interested",
    "joyful",
    "joyous",
    "loving",
    "nostalgic",
    "pained",
    "proud",
    "realizing",
    "relieved",
    "romantic",
    "sad",
    "satisfied",
    "surprised",
    "sympathetic",
    "thoughtful",
    "tired",
    "triumphant",
];
/// A tail names the three strongest; more than this is something else.
const MAX_TAIL_ITEMS: usize = 5;
const MAX_TAIL_BYTES: usize = 256;
/// A platform adds two groups at most; each is looked for in the whole text, so they are counted.
const MAX_ADDITIONS: usize = 8;
/// The sentence with which Hume asks for a greeting, in any case and without its full stop. The
/// whole sentence: people do begin with "Speak your greeting to my boss …".
const GREETING: &str = "speak your greeting to the user";
const SILENCE: &[&str] = &["[user silent]", "...", "…"];
const CONTEXT: &str = "context:";

/// A user message with the platform's additions taken off.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clean {
    pub(super) words: String,
    /// Texts of `{Context: …}` groups.
    pub(super) context: Vec<String>,
    pub(super) kind: Kind,
}

/// What the text was, once cleaned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    Words,
    Greeting,
    Silence,
    #[default]
    Nothing,
}

pub(super) fn clean(text: &str) -> Clean {
    let mut context = Vec::new();
    let mut rest = text.trim();
    for _ in 0..MAX_ADDITIONS {
        let Some((before, addition)) = last_addition(rest) else {
            break;
        };
        if let Addition::Context(note) = addition
            && !note.is_empty()
        {
            context.push(note.to_owned());
        }
        rest = before.trim_end();
    }
    context.reverse();
    let (is_asked_to_greet, words) = without_greeting(rest);
    let kind = match (is_asked_to_greet, words.is_empty()) {
        (true, true) => Kind::Greeting,
        (false, true) => Kind::Nothing,
        _ if SILENCE.iter().any(|s| words.eq_ignore_ascii_case(s)) => Kind::Silence,
        _ if Murmur::of(words) == Some(Murmur::Noise) => Kind::Nothing,
        _ => Kind::Words,
    };
    let words = if kind == Kind::Words {
        words.to_owned()
    } else {
        String::new()
    };
    Clean {
        words,
        context,
        kind,
    }
}

/// What a platform appended in braces.
enum Addition<'t> {
    Expressions,
    Context(&'t str),
}

/// The text before an addition that ends the text, and the addition. A full stop may follow it.
fn last_addition(text: &str) -> Option<(&str, Addition<'_>)> {
    let text = text.strip_suffix('.').map_or(text, str::trim_end);
    let open = text.strip_suffix('}')?;
    let group = opening(open).and_then(|at| Some((open.get(..at)?, open.get(at + 1..)?)));
    if let Some((before, group)) = group {
        if let Some(note) = context_of(group) {
            return Some((before, Addition::Context(note)));
        }
        if is_expression_tail(group) {
            return Some((before, Addition::Expressions));
        }
    }
    // An application's text may hold braces without their partners, a smiley for one.
    let at = memchr::memrchr_iter(b'{', open.as_bytes())
        .find(|at| open.get(at + 1..).and_then(context_of).is_some())?;
    let note = open.get(at + 1..).and_then(context_of)?;
    (!is_balanced(text.get(at..)?)).then_some((open.get(..at)?, Addition::Context(note)))
}

/// Where the brace opens that one just after the text would close.
fn opening(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 1_u32;
    memchr::memchr2_iter(b'{', b'}', bytes).rev().find(|at| {
        if bytes.get(*at) == Some(&b'{') {
            depth -= 1;
        } else {
            depth += 1;
        }
        depth == 0
    })
}

/// Whether every brace has its partner.
fn is_balanced(text: &str) -> bool {
    let mut braces = text.bytes().filter(|b| matches!(b, b'{' | b'}'));
    let depth = braces.try_fold(0_u32, |depth, brace| match brace {
        b'{' => Some(depth + 1),
        _ => depth.checked_sub(1),
    });
    depth == Some(0)
}

/// The text of a group that is an injected context.
fn context_of(group: &str) -> Option<&str> {
    strip_prefix_ignoring_case(group.trim_start(), CONTEXT).map(str::trim)
}

/// Two items or more that are all an intensity and one to four plain words, or known adjectives
/// alone; of a single item, both. Nothing that a person says in braces.
fn is_expression_tail(group: &str) -> bool {
    if group.len() > MAX_TAIL_BYTES {
        return false;
    }
    let lower = group.to_lowercase();
    let items: Vec<Item<'_>> = lower.split(',').map(Item::of).collect();
    let are_graded = items.iter().all(|item| item.is_graded);
    let are_known = items.iter().all(|item| is_known(item.described));
    match items.as_slice() {
        [item] => item.is_graded && are_known,
        _ if items.len() > MAX_TAIL_ITEMS => false,
        _ => are_known || are_graded && items.iter().all(|item| is_plain(item.described)),
    }
}

struct Item<'t> {
    /// An intensity came before what is described.
    is_graded: bool,
    described: &'t str,
}

impl<'t> Item<'t> {
    fn of(text: &'t str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix("and ").map_or(text, str::trim_start);
        let graded = INTENSITIES
            .iter()
            .find_map(|i| text.strip_prefix(i)?.strip_prefix(' '));
        Self {
            is_graded: graded.is_some(),
            described: graded.unwrap_or(text).trim(),
        }
    }
}

fn is_plain(described: &str) -> bool {
    let words: Vec<&str> = described.split_whitespace().collect();
    let is_plain = |w: &&str| w.chars().all(|c| c.is_alphabetic() || "()-'".contains(c));
    (1..=4).contains(&words.len()) && words.iter().all(is_plain)
}

/// A known adjective, also as `negatively surprised` or `surprised (negative)`.
fn is_known(described: &str) -> bool {
    let word = described
        .strip_suffix(')')
        .and_then(|d| d.rsplit_once(" ("))
        .map_or(described, |(word, _)| word);
    let word = word
        .split_once(' ')
        .filter(|(adverb, _)| adverb.ends_with("ly"))
        .map_or(word, |(_, word)| word);
    ADJECTIVES.contains(&word)
}

/// Takes the greeting instruction off the front, alone or glued to the user's words.
fn without_greeting(text: &str) -> (bool, &str) {
    let after = strip_prefix_ignoring_case(text, GREETING)
        .filter(|after| !after.starts_with(|c: char| !c.is_whitespace() && !".!".contains(c)));
    after.map_or((false, text), |after| {
        (true, after.strip_prefix(['.', '!']).unwrap_or(after).trim())
    })
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| text.get(prefix.len()..))
        .flatten()
}

#[cfg(test)]
mod tests;
