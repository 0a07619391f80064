//! What is heard: `said`, then what the seam gives out; ` | ` stands for the phrase of repair.

mod cases;
mod properties;

use super::*;
use Asked::{Instruction, Prefill};

/// What is heard if the continuation comes in these pieces.
fn heard(said: &str, asked: Asked, pieces: &[&str]) -> String {
    let mut seam = Seam::new(said, asked);
    let mut heard = said.to_owned();
    let mut hear = |sewn: Sewn| match sewn {
        Sewn::Nothing => {}
        Sewn::Words(words) => {
            assert!(!words.is_empty());
            heard.push_str(&words);
        }
        Sewn::Afresh(words) => {
            assert!(words.starts_with(char::is_alphanumeric), "{words:?}");
            assert!(!heard.contains(" | "), "twice: {heard:?}");
            heard.push_str(" | ");
            heard.push_str(&words);
        }
    };
    for piece in pieces {
        hear(seam.take(piece));
    }
    hear(seam.end());
    assert!(seam.is_through());
    heard
}

#[test]
fn what_is_heard_is_one_text() {
    for (said, asked, continuation, expected) in cases::CASES {
        let got = heard(said, *asked, &[continuation]);
        assert_eq!(got, *expected, "{said:?} + {continuation:?}, {asked:?}");
        let chars: Vec<String> = continuation.chars().map(String::from).collect();
        let pieces: Vec<&str> = chars.iter().map(String::as_str).collect();
        let got = heard(said, *asked, &pieces);
        assert_eq!(got, *expected, "by character: {said:?} + {continuation:?}");
    }
}

#[test]
fn what_cannot_match_is_not_held() {
    let mut seam = Seam::new("Let us slow", Prefill);
    assert_eq!(seam.take(" it"), Sewn::Words(" it".to_owned()));
    assert!(seam.is_through());
    assert_eq!(seam.take(""), Sewn::Nothing);
    assert_eq!(seam.take("  down"), Sewn::Words("  down".to_owned()));

    let mut seam = Seam::new("Let us slow", Prefill);
    assert_eq!(seam.take(" l"), Sewn::Nothing, "it may become “Let”");
    assert_eq!(seam.take("o"), Sewn::Words(" lo".to_owned()));
}

#[test]
fn what_is_skipped_is_held_as_long_as_it_takes() {
    let said: Vec<String> = (0..40).map(|n| format!("word{n}")).collect();
    let said = said.join(" ");
    let mut seam = Seam::new(&said, Instruction);
    assert_eq!(seam.take("Sure, from the beginning: "), Sewn::Nothing);
    assert_eq!(seam.take(&said), Sewn::Nothing);
    assert_eq!(seam.take(" and"), Sewn::Words(" and".to_owned()));
    assert!(seam.is_through());
}

#[test]
fn a_new_sentence_is_believed_after_a_while() {
    let mut seam = Seam::new("That is a lot to carry.", Instruction);
    let said = seam.take("Now ");
    assert_eq!(said, Sewn::Words(" Now ".to_owned()));
    assert!(!seam.is_through());
    assert_eq!(
        seam.take(&"rest ".repeat(22)),
        Sewn::Words("rest ".repeat(22))
    );
    assert!(!seam.is_through());
    seam.take("rest ");
    assert!(seam.is_through());
}

#[test]
fn the_repair_phrase_waits_for_words() {
    let mut seam = Seam::new("Pick the part that weighs", Instruction);
    assert_eq!(seam.take("Pick the part that hurts you. "), Sewn::Nothing);
    assert_eq!(seam.take("Pick the part"), Sewn::Nothing);
    assert_eq!(seam.take(" that is left. N"), Sewn::Afresh("N".to_owned()));
    assert_eq!(seam.take("ow"), Sewn::Words("ow".to_owned()));
    assert_eq!(seam.end(), Sewn::Nothing);
}

#[test]
fn what_is_compared_is_bounded() {
    let said: Vec<String> = (0..9_000).map(|n| format!("w{n}")).collect();
    let said = said.join(" ");
    let tail = said.split_at(said.find("w8000").unwrap()).1;
    let rest = format!("{tail} and on");
    assert_eq!(
        heard(&said, Instruction, &[&rest]),
        format!("{said} and on")
    );
    // The worst there is: every position matches every word.
    let said = "a ".repeat(60_000);
    let more = format!("{}b", "a ".repeat(5_000));
    assert!(heard(&said, Instruction, &[&more]).ends_with("a b"));
}
