//! Which language a talk is in, as far as it matters here: English, or another whose figures are not
//! ours to read out.
//!
//! Little words tell it: every sentence has some, and few of them are words of another language too.
//! A talk of which nothing can be told is taken for English, the language of the coaches' own lines.

use super::Language;

/// More of a talk's end is not read.
const ENOUGH: usize = 600;

/// No word of the lists is longer, in bytes.
const LONGEST: usize = 8;

/// In order, as the others are.
const ENGLISH: &[&str] = &[
    "a", "about", "am", "and", "are", "at", "be", "but", "can", "do", "for", "have", "how", "i",
    "i'm", "is", "it", "just", "like", "me", "my", "not", "of", "so", "that", "the", "they",
    "this", "to", "want", "was", "we", "what", "with", "would", "yes", "you", "your",
];

/// Of German, Spanish, French, Italian, Portuguese, Dutch, Polish and Swedish; none of them English.
const OTHERS: &[&str] = &[
    "aber", "als", "auf", "che", "com", "como", "con", "dans", "das", "de", "dei", "del", "della",
    "dem", "den", "der", "det", "di", "dit", "du", "een", "ein", "eine", "el", "elle", "em", "en",
    "es", "est", "et", "eu", "für", "gli", "hab", "habe", "het", "hola", "ich", "ik", "il", "ist",
    "ja", "jag", "je", "jest", "la", "las", "le", "les", "lo", "los", "lui", "maar", "mais",
    "mehr", "meine", "meu", "mi", "mich", "mijn", "minha", "mit", "mon", "nein", "nicht", "nie",
    "niet", "noch", "non", "não", "och", "oder", "para", "pas", "per", "perché", "pero", "por",
    "porque", "pour", "que", "qui", "quiero", "sie", "się", "som", "sono", "sont", "sur", "też",
    "todo", "trabajo", "um", "uma", "una", "und", "une", "van", "vous", "wie", "wir", "yo", "zu",
];

impl Language {
    /// The language of these lines, the newest first.
    #[must_use]
    pub fn heard<'t>(lines: impl IntoIterator<Item = &'t str>) -> Self {
        let (mut read, mut english, mut others) = (0, 0_usize, 0_usize);
        for line in lines {
            for word in line.split(|c: char| !(c.is_alphabetic() || c == '\'')) {
                read += word.len() + 1;
                if read > ENOUGH {
                    break;
                }
                if word.is_empty() {
                    continue;
                }
                if word.len() > LONGEST && word.is_ascii() {
                    continue;
                }
                let word = word.to_lowercase();
                let is_in = |words: &[&str]| words.binary_search(&word.as_str()).is_ok();
                english += usize::from(is_in(ENGLISH));
                let is_foreign = is_in(OTHERS) || !word.chars().all(is_latin);
                others += usize::from(is_foreign);
            }
        }
        match others > english {
            true => Self::Other,
            false => Self::English,
        }
    }
}

fn is_latin(c: char) -> bool {
    c == '\'' || c < '\u{250}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_no_word_is_longer_than_the_longest() {
        for words in [ENGLISH, OTHERS] {
            assert!(words.is_sorted());
            assert!(words.iter().all(|word| word.len() <= LONGEST));
        }
    }

    #[test]
    fn little_words_tell_the_language() {
        use Language::{English, Other};
        for (line, expected) in [
            ("", English),
            ("Promotion?", English),
            ("I want a promotion.", English),
            (
                "Let me tell you about my café in Zürich, it's doing well.",
                English,
            ),
            ("Yes.", English),
            ("Ich möchte mehr verdienen, aber wie?", Other),
            ("Hola, quiero cambiar de trabajo.", Other),
            ("Je voudrais parler de mon salaire avec vous.", Other),
            ("Vorrei parlare della mia carriera con il capo.", Other),
            ("Eu não gosto do meu trabalho.", Other),
            ("Ik wil het met mijn baas bespreken.", Other),
            ("Хочу повышение", Other),
            ("昇進したいです", Other),
        ] {
            assert_eq!(Language::heard([line]), expected, "{line}");
        }
        let talk = ["¿Y eso?", "I see.", "Quiero más dinero, pero no sé cómo."];
        assert_eq!(Language::heard(talk), Other);
    }
}
