//! Tells a request for a coach by name from a mere mention.
//!
//! "Let me talk to the career coach" is a request; "my career coach told me so" and "I talk to my
//! career coach every week" are not. The grammar is read backwards from the name: articles, then a
//! linking word, then a verb of talking or going, then what makes it a wish rather than a report.
//! When in doubt it is a mention: a wrong switch is heard, a missed one is only asked for again.

use super::roster::Coach;
use super::scan::is_word;

/// Words that may stand between the linking word and the name.
const ARTICLES: &[&str] = &[
    "the", "my", "your", "our", "a", "an", "that", "this", "another",
];
/// Words that carry nothing and may stand anywhere.
const FILLERS: &[&str] = &[
    "um", "uh", "er", "erm", "please", "just", "now", "maybe", "actually", "quickly", "really",
    "perhaps",
];
const LINKS: &[&str] = &["to", "with", "me", "us", "in", "back"];
/// Words that may stand between the verb and the linking word.
const BETWEEN: &[&str] = &[
    "me", "us", "directly", "again", "straight", "through", "over", "back", "on", "things",
];
const VERBS: &[&str] = &[
    "talk", "speak", "chat", "switch", "go", "change", "transfer", "connect", "put", "pass",
    "hand", "move", "bring", "take", "send", "return", "give", "get", "back",
];
/// Right before the verb, these open a request by themselves.
const OPENERS: &[&str] = &[
    "let's", "lets", "wanna", "i'll", "we'll", "rather", "so", "then", "ok", "okay", "yes", "yeah",
    "well", "kindly",
];
const WISHES: &[&str] = &[
    "want", "wanted", "need", "prefer", "wish", "possible", "ready", "time",
];
/// Wishes only after "would": "I like to talk to …" is a habit.
const LIKINGS: &[&str] = &["like", "love"];
const MODALS: &[&str] = &["can", "could", "may", "might", "would", "will", "shall"];
const NEGATIONS: &[&str] = &[
    "don't", "dont", "not", "never", "won't", "can't", "cannot", "didn't", "doesn't", "stop",
    "without",
];
/// How far before the verb a negation still reaches it.
const NEGATION_REACH: usize = 4;
/// How many words before a name are looked at.
const LEAD: usize = 24;

/// One way to say a coach's name.
#[derive(Clone, Debug)]
pub(super) struct Name {
    words: Vec<String>,
    /// Position in the roster.
    coach: usize,
}

impl Name {
    /// The spoken name, and the id followed by "coach" where that differs.
    pub(super) fn of(at: usize, coach: &Coach) -> Vec<Self> {
        let spoken = words_of(&coach.name.to_lowercase());
        let by_id = words_of(&format!("{} coach", coach.id.replace('_', " ")));
        let mut forms = vec![spoken, by_id];
        forms.dedup();
        forms
            .into_iter()
            .filter(|words| !words.is_empty())
            .map(|words| Self { words, coach: at })
            .collect()
    }

    /// The word without which this name is not in a line.
    pub(super) fn cue(&self) -> Option<String> {
        self.words.last().cloned()
    }

    /// Whether the name stands at the head of these words. All but the last word may be bent a
    /// little: "skill coach" and "networking coach" are meant too.
    fn heads(&self, spoken: &[Word]) -> bool {
        let Some((last, firsts)) = self.words.split_last() else {
            return false;
        };
        let mut spoken = spoken.iter().map(|w| w.text.as_str());
        firsts
            .iter()
            .all(|word| spoken.next().is_some_and(|s| bent(s, word)))
            && spoken.next() == Some(last)
    }
}

/// The roster position of the coach that this line asks for; of several, the last.
pub(super) fn requested(names: &[Name], line: &str) -> Option<usize> {
    let words = split(line);
    (0..words.len()).rev().find_map(|at| {
        let (before, rest) = words.split_at_checked(at)?;
        let name = names.iter().find(|name| name.heads(rest))?;
        let opens = rest.first().is_some_and(|w| w.pause == Pause::Sentence);
        (!opens && is_request(before)).then_some(name.coach)
    })
}

/// The roster position of the coach that these words name, where they name one only.
pub(super) fn only_one(names: &[Name], text: &str) -> Option<usize> {
    let words = split(text);
    let mut found = None;
    for at in 0..words.len() {
        let (_, rest) = words.split_at_checked(at)?;
        let Some(name) = names.iter().find(|name| name.heads(rest)) else {
            continue;
        };
        if found.is_some_and(|coach| coach != name.coach) {
            return None;
        }
        found = Some(name.coach);
    }
    found
}

/// What was heard right before a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    None,
    Clause,
    Sentence,
}

#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) pause: Pause,
}

/// Lower-case words with the pauses before them; apostrophes stay within a word.
pub(super) fn split(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut pause = Pause::Sentence;
    let mut open = false;
    for c in line.chars() {
        let letter = is_word(c, open) || (open && matches!(c, '\'' | '’'));
        if letter {
            if !open {
                words.push(Word {
                    text: String::new(),
                    pause,
                });
                pause = Pause::None;
            }
            if let Some(word) = words.last_mut() {
                match c {
                    '’' => word.text.push('\''),
                    // Most are, and need no table.
                    c if c.is_ascii() => word.text.push(c.to_ascii_lowercase()),
                    c => word.text.extend(c.to_lowercase()),
                }
            }
        } else if matches!(c, '.' | '!' | '?' | '…' | '\n') {
            pause = Pause::Sentence;
        } else if !c.is_whitespace() && pause == Pause::None {
            pause = Pause::Clause;
        }
        open = letter;
    }
    for word in &mut words {
        // A closing quotation mark looks like an apostrophe.
        word.text.truncate(word.text.trim_end_matches('\'').len());
    }
    words
}

fn words_of(text: &str) -> Vec<String> {
    split(text).into_iter().map(|w| w.text).collect()
}

fn bent(spoken: &str, word: &str) -> bool {
    let close = spoken.len().abs_diff(word.len()) <= 4 && spoken.len().min(word.len()) >= 4;
    spoken == word || (close && (spoken.starts_with(word) || word.starts_with(spoken)))
}

/// Whether the words before a name ask for the one who is named.
fn is_request(before: &[Word]) -> bool {
    let mut lead = sentence_end(before);
    while last_in(lead, ARTICLES) {
        lead = shorter(lead);
    }
    if !last_in(lead, LINKS) {
        return false;
    }
    // "Bring back …" links by the same word that "back to …" goes by.
    lead = shorter(lead);
    while last_in(lead, BETWEEN) {
        if last_in(lead, VERBS) && is_wish(lead) {
            return true;
        }
        lead = shorter(lead);
    }
    last_in(lead, VERBS) && is_wish(lead)
}

/// The words of the running sentence, without fillers, the last few of them.
fn sentence_end(before: &[Word]) -> &[Word] {
    // The window comes first: a line of nothing but names must not be read over and over.
    let near = before.len().saturating_sub(LEAD);
    let near = before.get(near..).unwrap_or_default();
    let begin = near.iter().rposition(|w| w.pause == Pause::Sentence);
    trimmed(near.get(begin.unwrap_or(0)..).unwrap_or_default())
}

/// Whether the verb at the end of these words is wished for, not reported.
fn is_wish(lead: &[Word]) -> bool {
    let Some((verb, before)) = lead.split_last() else {
        return false;
    };
    let before = trimmed(before);
    let negated = before
        .iter()
        .rev()
        .take(NEGATION_REACH)
        .any(|w| NEGATIONS.contains(&w.text.as_str()));
    if negated {
        return false;
    }
    let Some((last, earlier)) = before.split_last() else {
        return true;
    };
    let earlier = trimmed(earlier);
    match last.text.as_str() {
        _ if verb.pause != Pause::None => true,
        "me" | "us" => last_in(earlier, &["let"]),
        "to" if last_in(earlier, LIKINGS) => {
            let would = shorter(earlier).last();
            would.is_some_and(|w| w.text == "would" || w.text.ends_with("'d"))
        }
        "to" => last_in(earlier, WISHES),
        "i" | "we" | "you" => last_in(earlier, MODALS),
        opener => OPENERS.contains(&opener),
    }
}

fn last_in(words: &[Word], set: &[&str]) -> bool {
    words.last().is_some_and(|w| set.contains(&w.text.as_str()))
}

fn shorter(words: &[Word]) -> &[Word] {
    trimmed(words.split_last().map_or(words, |(_, rest)| rest))
}

/// Without fillers at the end.
fn trimmed(mut words: &[Word]) -> &[Word] {
    while let Some((last, rest)) = words.split_last()
        && FILLERS.contains(&last.text.as_str())
    {
        words = rest;
    }
    words
}
