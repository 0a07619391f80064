//! What platforms write into the text, and what people say that only looks like it.

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
        ("Hi {quite negatively surprised}", Words, "Hi", ""),
        (
            "Hi {slightly calm, quite sad, and very slightly tired}",
            Words,
            "Hi",
            "",
        ),
        ("Hi. {slightly calm, quite sad}.", Words, "Hi.", ""),
        ("Hi {very calm}. {Context: a}.", Words, "Hi", "a"),
        ("Hi {doubtful, calm}", Words, "Hi", ""),
        ("Hi {doubtful, slightly calm}", Words, "Hi", ""),
        ("Hi {keep, calm}", Words, "Hi {keep, calm}", ""),
        ("mine {content}", Words, "mine {content}", ""),
        (
            "I said {very important}",
            Words,
            "I said {very important}",
            "",
        ),
        ("I wrote {x: 1}.", Words, "I wrote {x: 1}.", ""),
        ("Hi {very calm}..", Words, "Hi {very calm}..", ""),
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
        ("Hi {Context: smile :} now}", Words, "Hi", "smile :} now"),
        ("Hi {context: a { b} {slightly calm}", Words, "Hi", "a { b"),
        (
            "mine {keep me {Context: a :} b} {very calm, very sad}",
            Words,
            "mine {keep me",
            "a :} b",
        ),
        (
            "Hi {Context: one} {Context: two :}}",
            Words,
            "Hi",
            "one|two :}",
        ),
        (
            "{Context: a} I said {x}",
            Words,
            "{Context: a} I said {x}",
            "",
        ),
        ("one } and {x}}", Words, "one } and {x}}", ""),
        ("{Context: }", Nothing, "", ""),
        ("{slightly calm}", Nothing, "", ""),
        ("Speak your greeting to the user.", Greeting, "", ""),
        ("speak your greeting to the user", Greeting, "", ""),
        (
            "Speak your greeting to the user. I lost my job {very sad}",
            Words,
            "I lost my job",
            "",
        ),
        (
            "SPEAK YOUR GREETING TO THE USER I am late",
            Words,
            "I am late",
            "",
        ),
        (
            "Speak your greeting to the user.I am late",
            Words,
            "I am late",
            "",
        ),
        (
            "Speak your greeting to the user!\nI am late",
            Words,
            "I am late",
            "",
        ),
        (
            "Speak your greeting to the user {Context: rainy}",
            Greeting,
            "",
            "rainy",
        ),
        (
            "Speak your greeting to my new boss was hard, and I froze",
            Words,
            "Speak your greeting to my new boss was hard, and I froze",
            "",
        ),
        (
            "Speak your greeting to the users, they said",
            Words,
            "Speak your greeting to the users, they said",
            "",
        ),
        ("Speak your greeting", Words, "Speak your greeting", ""),
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

/// A body is 4 MiB at most: time that grew with the square of it would be minutes of a worker.
#[test]
fn the_largest_body_is_cleaned_in_time_that_grows_with_its_length() {
    let began = tokio::time::Instant::now();
    for group in [
        "{very calm}",
        "{Context: a}",
        "{Context: a :}}",
        "}",
        "{",
        "{{}",
    ] {
        let text = group.repeat((4 << 20) / group.len());
        let cleaned = clean(&text);
        assert!(cleaned.words.len() + MAX_ADDITIONS * group.len() >= text.len());
        assert!(cleaned.context.len() <= MAX_ADDITIONS);
    }
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}

#[test]
fn adjectives_are_in_order_and_plain() {
    assert!(ADJECTIVES.is_sorted_by(|a, b| a < b));
    assert!(
        ADJECTIVES
            .iter()
            .all(|a| a.bytes().all(|b| b.is_ascii_lowercase()))
    );
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
