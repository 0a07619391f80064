//! How demanding a turn is, 0 to 1: what decides whether the dearest model is worth its price.
//!
//! A pure function of the user's words and of how long the talk has gone on; no model is asked, since
//! that would cost the very time that is to be saved. Five signs are added up, each with a ceiling:
//!
//! | sign | full at | weighs |
//! |---|---|---|
//! | words in this turn | 80 | 0.30 |
//! | work asked of the answer: to compare, decide, negotiate, plan, … | 3 different words | 0.30 |
//! | turns of thought: further questions, "but", "because", "on the other hand", … | 4 | 0.20 |
//! | what is at stake: fired, burnout, resign, visa, … | 2 different words | 0.15 |
//! | what was said before that the answer has to fit | 20 turns of the user's | 0.05 |
//!
//! So no single sign reaches the threshold of 0.8: a long story without a question is not hard, nor is
//! one hard word. The examples of `tests` are the function's contract. English alone is understood;
//! in other languages length, question marks and history still count, and such a turn is never above
//! the threshold: it gets the balanced model.

use std::collections::BTreeSet;

use crate::turn::{Conversation, Role};

/// Above this the dearest model is worth it.
pub const DEMANDING: f64 = 0.8;

/// More of one turn is not looked at.
const MAX_BYTES: usize = 8 << 10;

/// A sign's ceiling and the count at which it is reached.
struct Sign {
    full_at: u32,
    weight: f64,
}

const LENGTH: Sign = Sign {
    full_at: 80,
    weight: 0.30,
};
const WORK: Sign = Sign {
    full_at: 3,
    weight: 0.30,
};
const THOUGHT: Sign = Sign {
    full_at: 4,
    weight: 0.20,
};
const STAKES: Sign = Sign {
    full_at: 2,
    weight: 0.15,
};
const HISTORY: Sign = Sign {
    full_at: 20,
    weight: 0.05,
};

/// Beginnings of words that ask for work.
const WORK_WORDS: &[&str] = &[
    "analys",
    "analyz",
    "assess",
    "budget",
    "career",
    "compar",
    "conflict",
    "decid",
    "decision",
    "dilemma",
    "disagree",
    "evaluat",
    "equity",
    "invest",
    "long-term",
    "negotiat",
    "option",
    "priorit",
    "pros",
    "reconcil",
    "relocat",
    "reorg",
    "restructur",
    "roadmap",
    "salar",
    "strateg",
    "trade-off",
    "tradeoff",
    "transition",
    "versus",
    "weigh",
];
/// Words that turn a thought.
const THOUGHT_WORDS: &[&str] = &[
    "although",
    "because",
    "but",
    "despite",
    "either",
    "however",
    "if",
    "instead",
    "meanwhile",
    "otherwise",
    "since",
    "though",
    "unless",
    "whereas",
    "whether",
    "while",
    "yet",
];
/// Beginnings of words that tell of high stakes.
const STAKES_WORDS: &[&str] = &[
    "afraid",
    "anxi",
    "betray",
    "bully",
    "burnout",
    "burned",
    "burnt",
    "crisis",
    "depress",
    "desperat",
    "devastat",
    "divorc",
    "fired",
    "harass",
    "lawsuit",
    "laid",
    "layoff",
    "mortgage",
    "overwhelm",
    "panic",
    "pregnan",
    "quit",
    "redundan",
    "resign",
    "terrif",
    "visa",
];

impl Sign {
    fn of(&self, count: usize) -> f64 {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.full_at);
        self.weight * f64::from(count) / f64::from(self.full_at)
    }
}

/// How demanding this turn is, 0 to 1, to a hundredth.
#[must_use]
pub fn complexity(conversation: &Conversation) -> f64 {
    let words = conversation.ask.words();
    if words.is_empty() {
        return 0.0;
    }
    let said = conversation.history.iter();
    let before = said.filter(|m| m.role == Role::User).take(20).count();
    let read = read(beginning(words));
    let sum = LENGTH.of(read.words)
        + WORK.of(read.work.len())
        + THOUGHT.of(read.thoughts)
        + STAKES.of(read.stakes.len())
        + HISTORY.of(before);
    (sum * 100.0).round() / 100.0
}

#[derive(Default)]
struct Read {
    words: usize,
    work: BTreeSet<&'static str>,
    thoughts: usize,
    stakes: BTreeSet<&'static str>,
}

fn read(text: &str) -> Read {
    let mut read = Read {
        // The first question is what every turn has.
        thoughts: text.matches('?').count().saturating_sub(1),
        ..Read::default()
    };
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '\'' || c == '’' || c == '-');
    let mut lower = String::new();
    for word in text.split(is_apart).filter(|word| !word.is_empty()) {
        read.words += 1;
        lower.clear();
        lower.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        let begins = |start: &&&str| lower.starts_with(**start);
        read.work.extend(WORK_WORDS.iter().find(begins));
        read.stakes.extend(STAKES_WORDS.iter().find(begins));
        read.thoughts += usize::from(THOUGHT_WORDS.contains(&lower.as_str()));
    }
    read
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::turn::{Ask, Message};

    fn turn(words: &str, before: usize) -> Conversation {
        let history =
            (0..before).flat_map(|_| [Message::user("Yes."), Message::assistant("Go on.")]);
        Conversation {
            history: history.collect(),
            ask: Ask::Words(words.to_owned()),
            context: Vec::new(),
            expressions: Vec::new(),
            tools: None,
            last_reply: None,
            silences: 0,
        }
    }

    /// Words, turns before, and how demanding that is.
    const EXAMPLES: &[(&str, usize, f64)] = &[
        ("", 0, 0.0),
        ("Hi there.", 0, 0.01),
        ("Yes.", 30, 0.05),
        ("I want a promotion.", 0, 0.02),
        ("How do I ask my boss for a raise?", 3, 0.04),
        ("Should I learn Python or Rust?", 0, 0.02),
        ("I was laid off today and I'm terrified.", 0, 0.18),
        (
            "Can you compare the two offers, because one pays more but the other has equity?",
            2,
            0.36,
        ),
        (
            "I've been thinking about whether to stay. My manager says there is a path, but nothing \
             has happened for two years, and while I like the team I feel I've stopped learning.",
            6,
            0.29,
        ),
        (
            "I have to decide by Friday between two offers, and I keep going round in circles. The \
             first is a director role with a higher salary, but it means relocating, and my partner \
             would have to quit her job because there is nothing in her field there. The second is \
             smaller, with equity that may be worth nothing, although the people are wonderful. If I \
             say no to both I'm afraid I'll be laid off in spring. How would you weigh that, and \
             what should my strategy be in the negotiation?",
            12,
            0.98,
        ),
        // Long, and nothing is asked.
        (
            "So on Monday we went to the office and then we had lunch and then we had a meeting and \
             then another meeting and then I went home and had dinner and watched a film and went to \
             bed and on Tuesday we went to the office and then we had lunch and then we had a meeting \
             and then another meeting and then I went home and had dinner and watched a film and \
             went to bed and on Wednesday it was all just the same again as it always is",
            12,
            0.33,
        ),
        // No language but English is understood: never above the threshold.
        (
            "Ich muss mich entscheiden, ob ich kündige? Soll ich bleiben? Oder gehen? Was meinst du? Warum?",
            0,
            0.26,
        ),
    ];

    #[test]
    fn examples_are_as_demanding_as_they_are() {
        for (words, before, expected) in EXAMPLES {
            let found = complexity(&turn(words, *before));
            assert!((found - expected).abs() < 1e-9, "{found} for {words}");
        }
    }

    #[test]
    fn what_is_no_words_is_no_demand() {
        for ask in [
            Ask::Greeting,
            Ask::Silence,
            Ask::Told,
            Ask::ToolResult,
            Ask::Nothing,
        ] {
            let conversation = Conversation { ask, ..turn("", 9) };
            assert!(complexity(&conversation) < 1e-9);
        }
    }

    #[test]
    fn the_signs_add_up_to_one_and_none_is_enough_alone() {
        let weights = [LENGTH, WORK, THOUGHT, STAKES, HISTORY].map(|sign| sign.weight);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(weights.iter().all(|w| *w < DEMANDING / 2.0));
        let foreign = LENGTH.weight + THOUGHT.weight + HISTORY.weight;
        assert!(foreign < DEMANDING);
    }

    proptest! {
        #[test]
        fn any_words_are_within_bounds(words in ".*", before in 0..40_usize) {
            let found = complexity(&turn(&words, before));
            prop_assert!((0.0..=1.0).contains(&found));
        }
    }
}
