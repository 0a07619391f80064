//! Sounds that are no turn of their own: a listener's "mm-hm", a thinker's "um", a recogniser's
//! "[noise]". Told by the words alone; what came before decides what they mean.
//!
//! Wrong in one direction only: whatever is not in these lists is words.

/// What a line is, where it is no more than a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Murmur {
    /// Nobody said anything: a mark of the recogniser's, or marks of punctuation.
    Noise,
    /// "Mm-hm", "yeah", "I see": go on. After a question it is an answer.
    Listening,
    /// "Hm", "um", "let me think": give me room.
    Thinking,
}

/// What recognisers put in brackets, by its first word: `[noise]`, `(coughs)`, `<unk>`.
const MARKS: &[&str] = &[
    "applause",
    "background",
    "beep",
    "blank",
    "breath",
    "breathing",
    "breathes",
    "clears",
    "cough",
    "coughing",
    "coughs",
    "crosstalk",
    "inaudible",
    "indistinct",
    "laugh",
    "laughing",
    "laughs",
    "laughter",
    "music",
    "noise",
    "phone",
    "silence",
    "sigh",
    "sighing",
    "sighs",
    "sneeze",
    "sneezes",
    "sniff",
    "sniffs",
    "static",
    "typing",
    "unclear",
    "unintelligible",
    "unk",
];
/// Words of a mark: "clears throat", "loud background noise" is none.
const MAX_MARK_WORDS: usize = 3;
const BRACKETS: [(char, char); 4] = [('[', ']'), ('(', ')'), ('<', '>'), ('*', '*')];
/// What may stand where nothing was said. No question mark: typed alone, it asks.
const PUNCTUATION: &str = ".,;:!-–—…_~♪\"'“”‘’";

/// With runs of `m`, `h` and `u` as one letter, and without hyphens.
const LISTENING: &[&str] = &[
    "aha", "alright", "fine", "genau", "good", "gotcha", "ja", "m", "mhm", "ok", "okay", "oui",
    "right", "sure", "si", "sí", "true", "uhuh", "yea", "yeah", "yep", "yes", "yup",
];
const LISTENING_TOGETHER: &[&str] = &["i see", "got it", "all right", "of course", "makes sense"];
const THINKING: &[&str] = &["ah", "eh", "er", "erm", "hm", "oh", "uh", "um", "well"];
const THINKING_TOGETHER: &[&str] = &["let me think", "let me see", "good question"];
/// Longer ones say something: "yeah, okay, right, sure" is impatience.
const MAX_WORDS: usize = 3;
/// No murmur is longer, marks included.
const MAX_BYTES: usize = 64;

impl Murmur {
    /// What these words are, or nothing where they are a turn.
    #[must_use]
    pub fn of(words: &str) -> Option<Self> {
        let words = words.trim();
        if words.is_empty() || words.len() > MAX_BYTES {
            return None;
        }
        // Nearly every line is a turn, and most are told by their length.
        let heard = words.split_whitespace();
        let is_long = heard
            .filter(|w| w.contains(char::is_alphanumeric))
            .nth(MAX_WORDS)
            .is_some();
        if is_long && !words.contains(BRACKETS.map(|(open, _)| open)) {
            return None;
        }
        let said = without_marks(words);
        if said
            .chars()
            .all(|c| c.is_whitespace() || PUNCTUATION.contains(c))
        {
            return Some(Self::Noise);
        }
        let lower = said.to_lowercase().replace('’', "'");
        // No exclamation mark: whoever calls out says something.
        let ends = |c: char| c.is_whitespace() || ".,;…—–".contains(c);
        let spoken: Vec<&str> = lower.split(ends).filter(|w| !w.is_empty()).collect();
        let together = spoken.join(" ");
        let sounds: Vec<String> = spoken.into_iter().map(sound).collect();
        let all = |list: &[&str]| sounds.iter().all(|s| list.contains(&s.as_str()));
        let any = |list: &[&str]| sounds.iter().any(|s| list.contains(&s.as_str()));
        let is_known = all(&[LISTENING, THINKING].concat()) && sounds.len() <= MAX_WORDS;
        if LISTENING_TOGETHER.contains(&together.as_str()) || is_known && any(LISTENING) {
            return Some(Self::Listening);
        }
        (THINKING_TOGETHER.contains(&together.as_str()) || is_known).then_some(Self::Thinking)
    }
}

/// A word as it sounds: "mm-hmm" is "mhm", "hmmm" is "hm".
fn sound(word: &str) -> String {
    let mut sound = String::with_capacity(word.len());
    for c in word.chars().filter(|c| *c != '-' && *c != '\'') {
        if !("mhu".contains(c) && sound.ends_with(c)) {
            sound.push(c);
        }
    }
    sound
}

/// Without what is in brackets and no more than a recogniser's mark.
fn without_marks(words: &str) -> String {
    let mut left = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(c) = rest.chars().next() {
        let (head, tail) = rest.split_at(c.len_utf8());
        let close = BRACKETS.iter().find(|(open, _)| *open == c);
        let group = close.and_then(|(_, close)| tail.split_once(*close));
        rest = match group {
            Some((mark, after)) if is_mark(mark) => after,
            _ => {
                left.push_str(head);
                tail
            }
        };
    }
    left
}

fn is_mark(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split([' ', '_', '-'])
        .filter(|w| !w.is_empty())
        .collect();
    words.len() <= MAX_MARK_WORDS && words.first().is_some_and(|w| MARKS.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_are_told_from_turns() {
        use Murmur::{Listening, Noise, Thinking};
        for (words, expected) in [
            ("[noise]", Some(Noise)),
            ("(coughs) [inaudible]", Some(Noise)),
            ("*sighs*", Some(Noise)),
            ("<unk>.", Some(Noise)),
            ("[BLANK_AUDIO]", Some(Noise)),
            ("(clears throat)", Some(Noise)),
            ("♪ … ♪", Some(Noise)),
            ("—", Some(Noise)),
            ("Mm-hm.", Some(Listening)),
            ("mm hmm", Some(Listening)),
            ("Mmm", Some(Listening)),
            ("Uh-huh", Some(Listening)),
            ("Yeah, yeah.", Some(Listening)),
            ("Um, yeah", Some(Listening)),
            ("Oh, okay. (laughs)", Some(Listening)),
            ("I see.", Some(Listening)),
            ("Yes", Some(Listening)),
            ("Hmmmm", Some(Thinking)),
            ("Um… uh", Some(Thinking)),
            ("Well,", Some(Thinking)),
            ("Let me think.", Some(Thinking)),
            ("No", None),
            ("Nope", None),
            ("Yeah, no", None),
            ("Okay, what now", None),
            ("yeah okay right sure", None),
            ("Well, it went badly", None),
            ("Oh!", None),
            ("Yes!", None),
            ("Go on", None),
            ("Wait", None),
            ("Huh?", None),
            ("?", None),
            ("👍", None),
            ("[my notes]", None),
            ("(I mean it)", None),
            ("<b>yes</b>", None),
            ("[noise] I lost my job", None),
            ("museum", None),
            ("", None),
            ("  ", None),
        ] {
            assert_eq!(Murmur::of(words), expected, "{words:?}");
        }
        assert_eq!(Murmur::of(&"mm-hm ".repeat(12)), None);
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read(words in "[\\[(<*a-z>)\\] .é…]{0,80}|\\PC{0,80}") {
            if let Some(murmur) = Murmur::of(&words) {
                proptest::prop_assert!(words.trim().len() <= MAX_BYTES);
                let said = words.chars().any(char::is_alphanumeric);
                proptest::prop_assert!(said || murmur == Murmur::Noise);
            }
        }
    }
}
