//! What has to hold of every text, shown on texts made of marks.

use proptest::prelude::*;

use crate::speech::look::Coming;

use super::*;

/// Marks that go from mid-word and leave its halves one, alone.
const MARKS: &[&str] = &["", "~~", "\\", "\u{200b}", "\u{fe0f}", "•", "😀"];

/// Pieces that mean something to one of the passes, so that a random text meets them often.
const PIECES: &[&str] = &[
    "a",
    "b ",
    "word",
    "Dr",
    "Dr.",
    "Mr",
    "e",
    "e.g.",
    "i.e",
    "etc.",
    "vs",
    "v",
    "w/",
    "www.",
    "http",
    "https://",
    "ht",
    "tps://",
    "//a.b_c",
    "ww",
    "w.a",
    "Jan",
    "Jan. ",
    "May ",
    "5",
    "1",
    "12",
    "3.",
    "1. ",
    "2) ",
    "$",
    "€",
    "%",
    ",",
    "000",
    ".",
    "..",
    "-",
    "- ",
    "–",
    "—",
    "---",
    "*",
    "**",
    "_",
    "`",
    "```",
    "#",
    "# ",
    "[",
    "]",
    "(",
    ")",
    "](",
    "{",
    "}",
    "<",
    "<b>",
    "</",
    "<think>",
    "</think>",
    ">",
    "|",
    "|-|",
    "\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "\r",
    "/",
    "/2",
    "&",
    "&amp;",
    "&lt;",
    ";",
    ":",
    ":)",
    ":smile:",
    "!",
    "![",
    "?",
    "'",
    "\"",
    "’",
    "~",
    "~~~",
    "^",
    "+",
    "=",
    "->",
    "@",
    "laughs",
    "(laughs)",
    "(la",
    "ughs)",
    ":sm",
    "nods",
    "am",
    "p.m.",
    " pm",
    "st",
    "th",
    "s",
    "k",
    "m",
    "x",
    "km",
    " million",
    "½",
    "²",
    "°",
    "°C",
    "😀",
    "\u{200d}",
    "\u{fe0f}",
    "é",
    "ß",
    "中",
    "مرحبا",
    "X",
    "AT",
    "&T",
    "24/7",
    "401(k)",
    "+1 (415) ",
    "555-0132",
    "2026-05-12",
    "3:30",
    "10–",
    "Inc.",
    "approx",
    "and",
    "/or",
    "words",
    "/min",
    "C",
    "#1",
    "\\",
    "\u{0}",
    "5'",
    "==",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What is told by what stood before it, right behind a word that passed.
const BETWEEN: &[&str] = &[
    " ",
    "\u{a0}",
    ".com",
    "'s",
    ",a",
    "?b",
    "/c",
    "1) a",
    "2) B",
    "\u{a0}1) c",
];

/// What passes by the short way, or what may stand anywhere in it.
fn word_or_any() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ ,?']{0,2}[A-Za-z]{1,9}[ ]?",
        1 => "([A-Za-z]{1,9} ){2,3}",
        2 => proptest::sample::select(BETWEEN).prop_map(str::to_owned),
        3 => proptest::sample::select(PIECES).prop_map(str::to_owned),
    ]
}

fn language() -> impl Strategy<Value = Language> {
    prop_oneof![Just(Language::English), Just(Language::Other)]
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_text(
        text in text(),
        cuts in proptest::collection::vec(1usize..6, 1..8),
        language in language(),
    ) {
        let whole = normalize(&text, language);
        prop_assert_eq!(&said(one_by_one(&text), language), &whole);
        let chars: Vec<&str> = one_by_one(&text).collect();
        let mut rest = chars.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.concat());
            rest = tail;
        }
        prop_assert_eq!(said(pieces.iter().map(String::as_str), language), whole);
    }

    #[test]
    fn what_was_made_speakable_stays_as_it_is(text in text(), language in language()) {
        let once = normalize(&text, language);
        prop_assert_eq!(normalize(&once, language), once);
    }

    #[test]
    fn no_address_is_spoken_whatever_marks_and_pauses_are_in_it(
        before in text(),
        after in text(),
        beginning in proptest::sample::select(vec!["https:/|/", "h|ttp://", "HTTP|://", "ww|w.", "www|."]),
        mark in proptest::sample::select(MARKS),
        pauses in any::<bool>(),
        language in language(),
    ) {
        prop_assume!(!before.contains('я') && !after.contains('я'));
        let address = format!("{beginning}x|я&я.z").replace('|', mark);
        let text = format!("{before} {address} {after}");
        let mut filter = Filter::new(language);
        let mut spoken = String::new();
        for piece in one_by_one(&text) {
            filter.push(piece, &mut spoken);
            if pauses {
                filter.pause(&mut spoken);
            }
        }
        filter.end(&mut spoken);
        prop_assert!(!spoken.contains('я'), "{:?}: {}", text, spoken);
    }

    #[test]
    fn no_figure_and_no_mark_is_left_in_english(text in text()) {
        let spoken = normalize(&text, Language::English);
        let unsaid = |c: char| c.is_ascii_digit() || "*_`[]{}<>|\\~^#$%@/=+".contains(c);
        prop_assert!(!spoken.contains(unsaid), "{}", spoken);
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..80), language in language()) {
        let text = String::from_utf8_lossy(&bytes);
        let once = normalize(&text, language);
        prop_assert_eq!(&said(one_by_one(&text), language), &once);
        prop_assert_eq!(normalize(&once, language), once);
    }

    #[test]
    fn words_alone_are_never_held(words in proptest::collection::vec("[ ]?[a-z]{6,12}|[ ](a|I|the|you|can|do|it|well)", 1..20)) {
        let mut filter = Filter::new(Language::English);
        for word in &words {
            let mut out = String::new();
            filter.push(word, &mut out);
            prop_assert_eq!(&out, word);
        }
    }

    #[test]
    fn of_words_with_the_space_behind_them_only_that_waits(
        pieces in proptest::collection::vec("(([a-z]{6,12}|the|you|can|do) ){1,3}", 1..20),
    ) {
        let mut filter = Filter::new(Language::English);
        for (at, piece) in pieces.iter().enumerate() {
            let mut out = String::new();
            filter.push(piece, &mut out);
            let before = if at > 0 { " " } else { "" };
            prop_assert_eq!(out, format!("{before}{}", piece.trim_end()));
        }
    }

    #[test]
    fn the_short_way_says_what_the_long_one_says(
        pieces in proptest::collection::vec((word_or_any(), any::<bool>()), 1..12),
        language in language(),
    ) {
        let (mut short, mut long) = (Filter::new(language), Filter::new(language));
        let (mut by_short, mut by_long) = (String::new(), String::new());
        for (piece, pauses) in &pieces {
            short.push(piece, &mut by_short);
            long.run(piece, Coming::More, &mut by_long);
            if *pauses {
                short.pause(&mut by_short);
                long.pause(&mut by_long);
            }
            prop_assert_eq!(&by_short, &by_long, "{:?}", pieces);
        }
        short.end(&mut by_short);
        long.end(&mut by_long);
        prop_assert_eq!(by_short, by_long, "{:?}", pieces);
    }

    #[test]
    fn after_a_pause_only_a_link_is_held(text in text()) {
        let mut filter = Filter::new(Language::English);
        let mut out = String::new();
        for piece in one_by_one(&text) {
            filter.push(piece, &mut out);
            filter.pause(&mut out);
            // An address may come together only where a mark goes: it is known by what is said of it.
            let in_link = text.contains("](") || out.contains("the link");
            prop_assert!(!filter.holds() || in_link);
        }
        filter.end(&mut out);
        prop_assert!(!filter.holds());
    }
}
