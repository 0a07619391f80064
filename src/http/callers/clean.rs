//! What voice platforms write into the user's text, undone: here and nowhere else.
//!
//! Source: contracts of Hume EVI (expression tail, injected context, greeting instruction, silence
//! marker), confirmed by captures of real traffic; `...` for silence is `ElevenLabs`'.

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
/// A tail names the three strongest; more than this is something else.
const MAX_TAIL_ITEMS: usize = 5;
/// The sentence with which a platform asks for a greeting, by its beginning.
const GREETING: &str = "speak your greeting";
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
    while let Some((before, group)) = last_group(rest) {
        if let Some(note) = strip_prefix_ignoring_case(group.trim_start(), CONTEXT) {
            let note = note.trim();
            if !note.is_empty() {
                context.insert(0, note.to_owned());
            }
        } else if !is_expression_tail(group) {
            break;
        }
        rest = before.trim_end();
    }
    let (is_asked_to_greet, words) = without_greeting(rest);
    let lower = words.to_lowercase();
    let kind = match (is_asked_to_greet, words.is_empty()) {
        (true, true) => Kind::Greeting,
        (false, true) => Kind::Nothing,
        _ if SILENCE.contains(&lower.as_str()) => Kind::Silence,
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

/// The text before a brace group that ends the text, and the group's inside.
fn last_group(text: &str) -> Option<(&str, &str)> {
    let inside_end = text.strip_suffix('}')?.len();
    let mut depth = 1_u32;
    for (at, byte) in text
        .bytes()
        .enumerate()
        .take(inside_end)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        match byte {
            b'}' => depth += 1,
            b'{' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..at)?, text.get(at + 1..inside_end)?));
        }
    }
    None
}

/// Every item is an intensity and one to four plain words: nothing that a person says in braces.
fn is_expression_tail(group: &str) -> bool {
    let items: Vec<&str> = group.split(',').map(str::trim).collect();
    items.len() <= MAX_TAIL_ITEMS && items.iter().all(|item| is_expression(item))
}

fn is_expression(item: &str) -> bool {
    let lower = item.to_lowercase();
    let described = INTENSITIES
        .iter()
        .find_map(|i| lower.strip_prefix(i)?.strip_prefix(' '));
    let Some(described) = described else {
        return false;
    };
    let words: Vec<&str> = described.split_whitespace().collect();
    let is_plain = |w: &&str| w.chars().all(|c| c.is_alphabetic() || "()-'".contains(c));
    (1..=4).contains(&words.len()) && words.iter().all(is_plain)
}

/// Takes the greeting instruction off the front, alone or glued to the user's words.
fn without_greeting(text: &str) -> (bool, &str) {
    let Some(after) = strip_prefix_ignoring_case(text, GREETING) else {
        return (false, text);
    };
    let end = after.find(['.', '!', '\n']).map(|at| at + 1);
    (
        true,
        end.and_then(|at| after.get(at..))
            .unwrap_or_default()
            .trim(),
    )
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| text.get(prefix.len()..))
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_platforms_additions_go_and_the_users_words_stay() {
        use Kind::{Greeting, Nothing, Silence, Words};
        for (text, kind, words, context) in [
            (
                "It went okay. {slightly doubtful, slightly calm, very slightly tired}",
                Words,
                "It went okay.",
                "",
            ),
            ("Hi {very happy}", Words, "Hi", ""),
            ("Hi {extremely surprised (negative)}", Words, "Hi", ""),
            ("Ça va {slightly calm}", Words, "Ça va", ""),
            ("use {braces} please", Words, "use {braces} please", ""),
            ("I wrote {x: 1}", Words, "I wrote {x: 1}", ""),
            ("a set {very}", Words, "a set {very}", ""),
            (
                "he said {very good, 3 times}",
                Words,
                "he said {very good, 3 times}",
                "",
            ),
            ("mine {keep me} {quite calm}", Words, "mine {keep me}", ""),
            (
                "Hi {Context: it is raining} {slightly calm}",
                Words,
                "Hi",
                "it is raining",
            ),
            (
                "Hi {slightly calm} {Context: a {nested} note}",
                Words,
                "Hi",
                "a {nested} note",
            ),
            ("{slightly calm}", Nothing, "", ""),
            ("Speak your greeting to the user.", Greeting, "", ""),
            ("speak your greeting to the user", Greeting, "", ""),
            (
                "Speak your greeting to the user. I lost my job {very sad}",
                Words,
                "I lost my job",
                "",
            ),
            ("[user silent]", Silence, "", ""),
            (" [User Silent] ", Silence, "", ""),
            ("...", Silence, "", ""),
            (
                "I said [user silent] once",
                Words,
                "I said [user silent] once",
                "",
            ),
            ("", Nothing, "", ""),
            ("}", Words, "}", ""),
            ("}{", Words, "}{", ""),
        ] {
            let clean = clean(text);
            assert_eq!((clean.kind, clean.words.as_str()), (kind, words), "{text}");
            assert_eq!(clean.context.join("|"), context, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_is_idempotent_on_plain_words(text in "\\PC{0,80}") {
            let once = clean(&text);
            if once.kind == Kind::Words {
                prop_assert_eq!(&clean(&once.words).words, &once.words);
            }
        }
    }
}
