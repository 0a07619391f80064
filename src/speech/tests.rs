//! What has to hold of texts as they come: the golden pairs, what passes at once, what a pause lets out.

mod properties;

use super::*;

const ENGLISH: &str = include_str!("../../tests/fixtures/speech/english.txt");
const OTHER: &str = include_str!("../../tests/fixtures/speech/other.txt");

fn said<'a>(pieces: impl IntoIterator<Item = &'a str>, language: Language) -> String {
    let mut filter = Filter::new(language);
    let mut out = String::new();
    for piece in pieces {
        filter.push(piece, &mut out);
    }
    filter.end(&mut out);
    out
}

fn one_by_one(text: &str) -> impl Iterator<Item = &str> {
    text.split("").filter(|c| !c.is_empty())
}

/// The pairs of a file: what is written and what is said.
fn pairs(file: &str) -> Vec<(String, String)> {
    let line = |text: &str| text.replace("\\n", "\n");
    let pairs = file.lines().skip(2).filter_map(|l| l.split_once(" =>"));
    pairs
        .map(|(written, said)| (line(written), line(said.strip_prefix(' ').unwrap_or(said))))
        .collect()
}

fn holds_for(file: &str, language: Language) {
    let mut wrong = Vec::new();
    for (written, expected) in pairs(file) {
        let whole = normalize(&written, language);
        if whole.trim_end_matches(' ') != expected {
            wrong.push(format!("{written}\n  is    {whole}\n  wants {expected}"));
        }
        if normalize(&whole, language) != whole {
            wrong.push(format!("{written}\n  is not said twice the same"));
        }
        let mut cuts = written.char_indices().map(|(at, _)| written.split_at(at));
        if !cuts.all(|(one, two)| said([one, two], language) == whole)
            || said(one_by_one(&written), language) != whole
        {
            wrong.push(format!("{written}\n  depends on how it is cut"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn golden_pairs_hold_whole_and_cut_anywhere() {
    assert!(pairs(ENGLISH).len() >= 400, "{}", pairs(ENGLISH).len());
    assert!(pairs(OTHER).len() >= 30, "{}", pairs(OTHER).len());
    holds_for(ENGLISH, Language::English);
    holds_for(OTHER, Language::Other);
}

#[test]
fn a_tag_tells_the_language() {
    for (tag, language) in [
        ("", Language::English),
        ("en", Language::English),
        ("EN-gb", Language::English),
        ("en_US", Language::English),
        ("de", Language::Other),
        ("enm", Language::Other),
    ] {
        assert_eq!(Language::of(tag), language, "{tag}");
    }
}

#[test]
fn plain_words_pass_at_once_and_as_they_came() {
    let mut filter = Filter::new(Language::English);
    for delta in [
        "That",
        " sounds",
        " unbeliev",
        "able",
        ",",
        " and",
        " it",
        " is",
        "n't",
        " a",
        " big",
        " I",
        " am",
        " No",
        " Maybe",
        " deep",
        " march",
        " approxim",
        "ately",
        "?",
        " Even",
        " vision",
        " we",
        " have",
        " what",
        " helps",
        "!",
        " \n",
        "Then",
        " well",
        "-known",
        " however",
    ] {
        let mut out = String::new();
        filter.push(delta, &mut out);
        assert_eq!(out, delta);
        assert!(!filter.holds(), "{delta}");
    }
}

#[test]
fn a_sentence_is_held_no_longer_than_its_next_character() {
    let mut filter = Filter::new(Language::English);
    let mut out = String::new();
    filter.push("You did it.", &mut out);
    assert_eq!((out.as_str(), filter.holds()), ("You did it", true));
    filter.push(" How", &mut out);
    assert_eq!((out.as_str(), filter.holds()), ("You did it. How", false));
}

#[test]
fn a_pause_lets_out_what_is_held_and_garbles_no_figure() {
    for (before, paused, after, whole) in [
        ("It is over.", "It is over.", " Yes", "It is over. Yes"),
        (
            "85",
            "eighty-five",
            ",000 a year",
            "eighty-five thousand a year",
        ),
        (
            "85",
            "eighty-five",
            ",250.",
            "eighty-five thousand two hundred fifty.",
        ),
        ("20", "twenty", ".6%", "twenty point six percent"),
        (
            "about $5",
            "about five dollars",
            " a day",
            "about five dollars a day",
        ),
        ("e.g", "for example", ". this", "for example. this"),
        ("Dr", "Dr", ". Lee", "Dr. Lee"),
        ("(laughs", "", " a lot) Yes", "Yes"),
        ("(which", "(which", " is)", "(which is)"),
        ("*nods", "", " slowly* Yes", "Yes"),
        ("{calm", "", ", kind} Yes", "Yes"),
        ("<span cl", "", "ass='x'>Yes", "Yes"),
        (
            "the [guide](https://a.b",
            "the guide",
            "/c) here",
            "the guide here",
        ),
        (
            "see https://a.b.",
            "see the link",
            "c/d now",
            "see the link now",
        ),
        (
            "see htt",
            "see htt",
            "ps://a.b/c now",
            "see htt the link now",
        ),
        ("see https:", "see https:", "//a.b", "see https: the link"),
        ("https://a.b", "the link", "/c_d now", "the link now"),
        ("**bo", "bo", "ld** x", "bold x"),
        ("Go on", "Go on", " then", "Go on then"),
    ] {
        let mut filter = Filter::new(Language::English);
        let mut out = String::new();
        filter.push(before, &mut out);
        filter.pause(&mut out);
        assert_eq!(out.trim_end(), paused, "{before}");
        filter.push(after, &mut out);
        filter.end(&mut out);
        assert_eq!(out, whole, "{before}|{after}");
    }
}

#[test]
fn what_a_pause_has_cut_is_silent_for_a_bounded_stretch_and_no_address_comes_of_it() {
    for (opener, bound) in [
        ("<span cl", 200),
        ("*nods", 200),
        ("(laughs", 60),
        ("{calm", 4_096),
    ] {
        for filler in bound - 30..bound + 5 {
            let mut filter = Filter::new(Language::English);
            let mut out = String::new();
            filter.push(opener, &mut out);
            filter.pause(&mut out);
            let rest = format!(
                " {} https://q.z/q{}",
                "x".repeat(filler),
                " word".repeat(20)
            );
            filter.push(&rest, &mut out);
            assert!(out.ends_with(" word word"), "{opener} {filler}");
            assert!(!out.contains('q'), "{opener} {filler}: {out}");
        }
    }
}

#[test]
fn what_never_closes_is_held_to_a_bound() {
    for opener in [
        "[", "(", "{", "<a ", "*", "_", "`", "[a](", "(laughs ", "$", "https://", "![",
    ] {
        for filler in ["x", "7", ".", "-", "("] {
            let mut filter = Filter::new(Language::English);
            let mut out = String::new();
            filter.push(opener, &mut out);
            for _ in 0..4_000 {
                filter.push(filler, &mut out);
                assert!(filter.held_bytes() <= 3 * 256, "{opener}{filler}");
            }
        }
    }
}

#[test]
fn room_for_a_long_piece_is_given_back() {
    for language in [Language::English, Language::Other] {
        let mut filter = Filter::new(language);
        let mut out = String::new();
        filter.push(&"It is **bold**, about 3.5 km. ".repeat(200), &mut out);
        assert!(out.len() > 4_000);
        assert!(filter.kept_bytes() <= 3 * 256, "{}", filter.kept_bytes());
    }
}

#[test]
fn data_that_never_closes_does_not_silence_the_answer() {
    let text = format!("{{\"a\": {} and then words", "x ".repeat(4_000));
    assert!(normalize(&text, Language::English).ends_with("and then words"));
}
