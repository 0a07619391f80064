//! What holds for every text and every cut.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![Just(Prefill), Just(Instruction)]
}

/// Text that tends to repeat itself.
fn prose() -> impl Strategy<Value = String> {
    let words = "the|The|the|part|Pick|pick|it|It|I|I'm|counts.|counts|to you,|you|“go.”|Sure!|–|🎉|promo|promotion|co-worker|\\.|\"| ";
    vec((words, "| | | | |  |\n"), 0..40).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        pairs.map(|(word, space)| word + &space).collect()
    })
}

/// Where to cut a text, in characters.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(1usize..12, 1..30)
}

fn cut<'a>(text: &'a str, sizes: &[usize]) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let at = rest.char_indices().nth(*size);
        let (piece, behind) = rest.split_at(at.map_or(rest.len(), |(at, _)| at));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Sentences of words that all differ.
fn distinct_words() -> impl Strategy<Value = String> {
    let ends = prop_oneof![4 => Just(""), 1 => Just(","), 1 => Just("."), 1 => Just("?")];
    vec(("[b-hj-z][a-z]{0,5}", ends), 6..24).prop_map(|words| {
        let mut text = String::new();
        let mut capital = true;
        for (number, (word, end)) in words.into_iter().enumerate() {
            let first = word[..1].to_uppercase();
            let word = if capital { first + &word[1..] } else { word };
            // Numbered, so that neither a beginning nor an end of one word is another word.
            let space = if text.is_empty() { "" } else { " " };
            text.push_str(&format!("{space}{word}{number:02}x{number:02}y{end}"));
            capital = end == "." || end == "?";
        }
        text
    })
}

/// Where words begin.
fn beginnings(text: &str) -> Vec<usize> {
    let spaces = text.match_indices(' ').map(|(at, _)| at + 1);
    std::iter::once(0).chain(spaces).collect()
}

/// Where the last sentence begins.
fn last_sentence(text: &str) -> usize {
    let bare = text.trim_end_matches(['.', '?']);
    bare.rfind(['.', '?']).map_or(0, |at| at + 2)
}

/// How many times four words in a row come again.
fn repeated(text: &str) -> usize {
    let words = Said::new(text).words;
    let mut seen = HashSet::new();
    words.windows(4).filter(|gram| !seen.insert(*gram)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn how_the_continuation_is_cut_changes_nothing(
        said in prose(), asked in asked(), more in prose(), repeats in 0usize..60, sizes in cuts(),
    ) {
        // Repeats some of what was said, which is where decisions are.
        let length = said.chars().count();
        let repeated: String = said.chars().skip(length.saturating_sub(repeats)).collect();
        for before in [String::new(), repeated, format!("Sure! {said}")] {
            let continuation = before + &more;
            let whole = heard(&said, asked, &[&continuation]);
            prop_assert_eq!(heard(&said, asked, &cut(&continuation, &sizes)), whole.as_str());
            prop_assert_eq!(heard(&said, asked, &cut(&continuation, &[1])), whole.as_str());
        }
    }

    #[test]
    fn any_text_is_taken(
        said in any::<String>(), asked in asked(), more in any::<String>(), sizes in cuts(),
    ) {
        for continuation in [more.clone(), format!("{said}{more}")] {
            let whole = heard(&said, asked, &[&continuation]);
            prop_assert!(whole.starts_with(&said));
            prop_assert_eq!(heard(&said, asked, &cut(&continuation, &sizes)), whole);
        }
    }
}

proptest! {
    // Each case is every cut of a text.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_text_cut_between_words_becomes_whole(text in distinct_words(), sizes in cuts()) {
        for at in beginnings(&text).into_iter().skip(1) {
            let (said, rest) = text.split_at(at - 1);
            let starts = beginnings(said);
            let mut more = vec![rest, &text, &text[last_sentence(said)..]];
            more.extend(starts.iter().rev().take(8).map(|start| &text[*start..]));
            let restart = format!("Sure, let me answer that from the beginning. {text}");
            if starts.len() >= 3 && !said.ends_with(['.', '?']) {
                more.push(&restart);
            }
            for continuation in more {
                for asked in [Prefill, Instruction] {
                    let got = heard(said, asked, &cut(continuation, &sizes));
                    prop_assert_eq!(&got, &text, "{:?} + {:?}, {:?}", said, continuation, asked);
                }
            }
            let (spaced, bare) = text.split_at(at);
            prop_assert_eq!(&heard(said, Instruction, &[bare]), &text);
            prop_assert_eq!(&heard(spaced, Instruction, &[bare]), &text);
            prop_assert_eq!(&heard(spaced, Prefill, &[rest]), &text);
        }
    }

    #[test]
    fn a_text_cut_within_a_word_becomes_whole(text in distinct_words(), sizes in cuts()) {
        for at in 1..text.len() {
            let (said, rest) = text.split_at(at);
            prop_assert_eq!(&heard(said, Prefill, &cut(rest, &sizes)), &text, "{:?}", said);
            let starts = beginnings(said.trim_end());
            for start in starts.iter().rev().skip(1).take(8) {
                let got = heard(said, Instruction, &cut(&text[*start..], &sizes));
                prop_assert_eq!(&got, &text, "{:?} + {:?}", said, &text[*start..]);
            }
        }
    }
}

/// What the simulated coaches say: the long literals of their source, because a room may not use
/// one that comes after it.
fn answers() -> Vec<&'static str> {
    let source = include_str!("../../../simulate/voice.rs");
    let literals = source.lines().map(str::trim);
    literals
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix("\","))
        .filter(|text| text.len() > 100)
        .collect()
}

#[test]
fn every_answer_of_the_simulator_goes_on_from_every_word() {
    let answers = answers();
    assert_eq!(answers.len(), 25);
    let (mut all, mut repairs) = (0, 0);
    for text in answers {
        for at in beginnings(text).into_iter().skip(1).take(60) {
            let (said, rest) = text.split_at(at - 1);
            let bare = rest.trim_start();
            let restart = format!("Sure, let me answer that from the beginning. {text}");
            let mut ways = vec![(rest, Prefill), (rest, Instruction), (bare, Instruction)];
            ways.extend([(text, Prefill), (text, Instruction)]);
            ways.extend([(restart.as_str(), Prefill), (&restart, Instruction)]);
            for (continuation, asked) in ways {
                let got = heard(said, asked, &cut(continuation, &[5, 3, 1, 7]));
                let case = format!("{said:?} + {continuation:?}, {asked:?}: {got:?}");
                assert!(repeated(&got) <= repeated(text), "{case}");
                assert!(!got.contains("  ") && !got.contains(" ,"), "{case}");
                assert!(got.ends_with(text.rsplit(". ").next().unwrap()), "{case}");
                let repaired = got.contains(" | ");
                assert!(repaired || continuation == restart || got == text, "{case}");
                all += 1;
                repairs += usize::from(repaired);
            }
        }
    }
    // A name in mid-sentence looks like a new beginning.
    assert!(repairs * 500 < all, "{repairs} of {all}");
}
