//! Tells a request for the whole team of coaches from talk of a team of the user's own.
//!
//! "What would the whole team say?" and "Let me hear everybody" ask for a council; "What would the
//! whole team say if I left?" is about the people at work. A request has a form of its own: a wish, a
//! verb, all of us, and then nothing but words that carry nothing. When in doubt it is no request: a
//! council that nobody asked for costs half a minute and five calls, a missed one is asked for again.
//!
//! To add a form: a row of phrases here, and its lines in the tables of `tests.rs`.

use super::named::{Pause, Word, split};

/// Only so much of a line's end is looked at, in bytes: a request is what somebody says last.
const MOST_BYTES: usize = 512;

/// Words that carry nothing and may stand anywhere.
const FILLERS: &[&str] = &[
    "um", "uh", "er", "erm", "hmm", "please", "just", "now", "maybe", "actually", "perhaps", "ok",
    "okay", "well", "so", "then", "and", "but", "hey", "yes", "yeah", "right", "oh", "also",
];
/// Before these words a sentence reports or supposes; what follows is not said to us.
const REPORTS: &[&str] = &[
    "said", "says", "told", "tells", "asked", "asks", "if", "when", "whether", "because", "don't",
    "not", "never", "wants",
];

/// All of us, whoever else the user knows.
const TEAM: &[&str] = &[
    "the whole team",
    "the entire team",
    "your whole team",
    "your entire team",
    "your team",
    "all the coaches",
    "all of the coaches",
    "all your coaches",
    "all of your coaches",
    "all five coaches",
    "all five of you",
    "all coaches",
    "all of you",
    "you all",
    "every coach",
    "the coaches",
    "the other coaches",
    "your colleagues",
    "all your colleagues",
    "all of your colleagues",
    "everyone on your team",
    "everybody on your team",
];
/// All of us, where it is we who are to be heard or asked.
const EVERYBODY: &[&str] = &["everybody", "everyone", "the others"];
/// All of us, where it is the coach who is told to ask.
const OURS: &[&str] = &["the team"];
const THEIR: &[&str] = &[
    "everybody's",
    "everyone's",
    "the whole team's",
    "your whole team's",
    "your team's",
    "the coaches",
    "all the coaches",
    "your colleagues",
];

const QUESTIONS: &[&str] = &[
    "what would",
    "what does",
    "what do",
    "what will",
    "what might",
    "what could",
    "how would",
    "how do",
    "how does",
];
const OPINES: &[&str] = &[
    "say",
    "think",
    "advise",
    "suggest",
    "recommend",
    "make of",
    "see",
    "have to say",
    "look at",
];
const WISHES: &[&str] = &[
    "let me",
    "let's",
    "let us",
    "can i",
    "could i",
    "may i",
    "can we",
    "could we",
    "i want to",
    "i wanna",
    "i need to",
    "i would like to",
    "i'd like to",
    "i would love to",
    "i'd love to",
];
const ORDERS: &[&str] = &[
    "can you",
    "could you",
    "would you",
    "will you",
    "let's",
    "let us",
    "can we",
    "could we",
    "shall we",
    "why don't you",
    "go ahead",
    "i want you to",
    "i would like you to",
    "i'd like you to",
    "i want to",
    "i would like to",
    "i'd like to",
];
const HEARS: &[&str] = &["hear from", "hear what", "hear it from", "hear"];
const HEARD: &[&str] = &[
    "think",
    "thinks",
    "say",
    "says",
    "would say",
    "has to say",
    "have to say",
];
const ASKS: &[&str] = &[
    "ask",
    "consult",
    "poll",
    "put this to",
    "put it to",
    "put that to",
    "run this by",
    "run it by",
];
const GATHERS: &[&str] = &[
    "bring in", "call in", "gather", "get", "bring", "call", "convene",
];
const TOGETHER: &[&str] = &["together", "in", "what they think", "what they'd say"];
const GIVES: &[&str] = &[
    "give me",
    "get me",
    "get",
    "i want",
    "i'd like",
    "i would like",
    "let me hear",
    "let me have",
    "can i hear",
    "can i have",
    "can i get",
    "what's",
    "what is",
    "what are",
    "i want to hear",
    "i'd like to hear",
];
/// How one asks for a council by its name.
const CALLS: &[&str] = &["have", "hold", "convene", "call", "do", "start"];
const WANTS: &[&str] = &["give me", "i want", "i'd like", "i would like", "i need"];
const COUNCIL: &[&str] = &["a council", "a whole council", "a full council"];
/// The same of one that there is already. Whom people call or want by this name is often a town's.
const CONVENES: &[&str] = &["have", "hold", "convene"];
const THE_COUNCIL: &[&str] = &["the council", "the whole council", "your council"];
const VIEWS: &[&str] = &[
    "view",
    "views",
    "take",
    "takes",
    "opinion",
    "opinions",
    "thought",
    "thoughts",
    "perspective",
    "perspectives",
    "input",
    "advice",
];
/// What may follow a request without making it one about something else.
const TAIL: &[&str] = &[
    "about",
    "on",
    "to",
    "of",
    "for",
    "this",
    "that",
    "it",
    "here",
    "together",
    "too",
    "in",
    "first",
    "today",
    "as",
    "a",
    "one",
    "question",
    "before",
    "i",
    "decide",
    "thank",
    "thanks",
    "you",
    "instead",
    "my",
    "matter",
    "topic",
    "situation",
    "all",
    "at",
    "once",
];

/// How words begin without one of which nobody means all of us: nearly every sentence has none.
const CUES: &[&str] = &["team", "coach", "colleague", "every", "others", "council"];
/// The same as a word of its own.
const ALL: &str = "all";

/// Where a request of one form ends that begins with the first of these words.
type Form = fn(&[&str]) -> Option<usize>;

/// Whether this line asks to hear all coaches.
#[must_use]
pub fn asks_everybody(line: &str) -> bool {
    let starts = line.char_indices().rev().map(|(at, _)| at);
    let from = starts.take_while(|at| line.len() - at <= MOST_BYTES).last();
    let end = line.get(from.unwrap_or(0)..).unwrap_or_default();
    if !is_cued(end) {
        return false;
    }
    let words = split(end);
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let next = rest.iter().skip(1);
        let length = next.take_while(|w| w.pause != Pause::Sentence).count() + 1;
        let (sentence, others) = rest.split_at(length);
        rest = others;
        if sentence.iter().any(is_cue) && is_request(sentence) {
            return true;
        }
    }
    false
}

/// Whether one of them begins anywhere in a line where no letter stands before it: a line without any is not taken
/// apart into words. Compared where they stand: an automaton's tables have gone cold by the next turn.
fn is_cued(line: &str) -> bool {
    let mut runs = line.split(|c: char| !c.is_ascii_alphabetic());
    runs.any(|letters| {
        CUES.iter().chain([&ALL]).any(|cue| {
            let begun = letters.get(..cue.len());
            begun.is_some_and(|begun| begun.eq_ignore_ascii_case(cue))
        })
    })
}

fn is_cue(word: &Word) -> bool {
    word.text == ALL || CUES.iter().any(|cue| word.text.starts_with(cue))
}

/// Whether a sentence is a request, or goes over to one where a clause begins.
fn is_request(sentence: &[Word]) -> bool {
    let mut words = Vec::with_capacity(sentence.len());
    let mut begins = vec![0];
    for word in sentence {
        if word.pause != Pause::None {
            begins.push(words.len());
        }
        let text = word.text.as_str();
        if !FILLERS.contains(&text) {
            words.push(text);
        }
    }
    let forms: [Form; 5] = [opinion, hearing, asking, convening, views];
    begins.into_iter().any(|at| {
        let (before, clause) = words.split_at(at);
        let is_report = before.iter().any(|word| REPORTS.contains(word));
        !is_report
            && forms.iter().any(|form| {
                let after = form(clause).and_then(|length| clause.get(length..));
                after.is_some_and(|tail| tail.iter().all(|word| TAIL.contains(word)))
            })
    })
}

/// "What would the whole team say"
fn opinion(words: &[&str]) -> Option<usize> {
    let at = one_of(words, 0, &[QUESTIONS])?;
    let at = one_of(words, at, &[TEAM])?;
    one_of(words, at, &[OPINES])
}

/// "Let me hear everybody"
fn hearing(words: &[&str]) -> Option<usize> {
    let at = one_of(words, 0, &[WISHES])?;
    let at = one_of(words, at, &[HEARS])?;
    let at = one_of(words, at, &[TEAM, EVERYBODY])?;
    Some(one_of(words, at, &[HEARD]).unwrap_or(at))
}

/// "Ask the whole team"
fn asking(words: &[&str]) -> Option<usize> {
    let from = one_of(words, 0, &[ORDERS]).unwrap_or(0);
    let at = match one_of(words, from, &[ASKS]) {
        // Whom the user wants to ask themselves is somebody else, unless it can only be us.
        Some(at) if words.first() == Some(&"i") => one_of(words, at, &[TEAM]),
        Some(at) => one_of(words, at, &[TEAM, EVERYBODY, OURS]),
        None => one_of(words, from, &[GATHERS]).and_then(|at| one_of(words, at, &[TEAM])),
    }?;
    Some(one_of(words, at, &[TOGETHER]).unwrap_or(at))
}

/// "Can we have a council"
fn convening(words: &[&str]) -> Option<usize> {
    if let Some(at) = one_of(words, 0, &[WANTS]).and_then(|at| one_of(words, at, &[COUNCIL])) {
        return Some(at);
    }
    let from = one_of(words, 0, &[ORDERS, WISHES]).unwrap_or(0);
    let named = |verbs, council| one_of(words, one_of(words, from, &[verbs])?, &[council]);
    named(CALLS, COUNCIL).or_else(|| named(CONVENES, THE_COUNCIL))
}

/// "Give me everyone's view"
fn views(words: &[&str]) -> Option<usize> {
    let at = one_of(words, 0, &[GIVES])?;
    let at = one_of(words, at, &[THEIR])?;
    one_of(words, at, &[VIEWS])
}

/// Where the longest of these phrases ends that stands at this word.
fn one_of(words: &[&str], at: usize, phrases: &[&[&str]]) -> Option<usize> {
    let rest = words.get(at..)?;
    let first = rest.first()?;
    // Nearly all of them begin otherwise, and are not taken apart for it.
    let begun = phrases.iter().flat_map(|list| *list);
    let begun = begun.filter(|phrase| phrase.starts_with(first));
    let lengths = begun.filter_map(|phrase| {
        let length = phrase.split(' ').count();
        let heard = rest.get(..length)?;
        phrase
            .split(' ')
            .eq(heard.iter().copied())
            .then_some(length)
    });
    Some(at + lengths.max()?)
}

#[cfg(test)]
mod tests;
