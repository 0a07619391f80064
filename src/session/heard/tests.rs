use super::*;
use Role::{Assistant, Tool, User};

fn lines(history: &[(Role, &str)]) -> Vec<Message> {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        text: (*text).into(),
        raw: None,
    };
    history.iter().map(message).collect()
}

fn next(history: &[(Role, &str)], words: &str) -> Conversation {
    Conversation {
        history: lines(history),
        ask: Ask::Words(words.into()),
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
        silences: 0,
    }
}

fn after(words: &str) -> Asked {
    Asked::Words(words.into())
}

/// What is told of turns that ended whole, newest first.
fn told(past: &[(Asked, &str)], history: &[(Role, &str)], words: &str) -> Option<LastReply> {
    let past = past.iter().map(|(asked, reply)| Past {
        asked: asked.clone(),
        reply: (*reply).into(),
        broken_off: false,
    });
    last_reply(past, &next(history, words))
}

fn cut(words: &str) -> Option<LastReply> {
    Some(LastReply::CutAfter(words.into()))
}

const REPLY: &str = "Where exactly?  Tell me.";

/// A history, the words that follow it, and what is told.
type Case<'a> = (&'a [(Role, &'a str)], &'a str, Option<LastReply>);

#[test]
fn a_history_tells_how_much_of_the_last_reply_was_heard() {
    let unheard = || Some(LastReply::Unheard);
    let stuck = (User, "I am  stuck");
    let table: &[Case<'_>] = &[
        // Heard whole, also where a platform spells it otherwise or splits it.
        (&[stuck, (Assistant, "Where exactly? Tell me.")], "So", None),
        (&[stuck, (Assistant, "where exactly - tell me")], "So", None),
        (
            &[
                stuck,
                (Assistant, "Where exactly?"),
                (Assistant, "Tell me."),
            ],
            "So",
            None,
        ),
        // Cut.
        (&[stuck, (Assistant, "Where")], "So", cut("Where")),
        (
            &[stuck, (Assistant, "Where exactly?")],
            "So",
            cut("Where exactly?"),
        ),
        (
            &[stuck, (Assistant, "where exactly…")],
            "So",
            cut("where exactly"),
        ),
        (
            &[stuck, (Assistant, "Where exactly? Tell...")],
            "So",
            cut("Where exactly? Tell"),
        ),
        (
            &[stuck, (Assistant, "Where exactly? —")],
            "So",
            cut("Where exactly?"),
        ),
        // In mid-word: whole words count.
        (
            &[stuck, (Assistant, "Where exactly? Te-")],
            "So",
            cut("Where exactly?"),
        ),
        (&[stuck, (Assistant, "Where exac")], "So", cut("Where")),
        (&[stuck, (Assistant, "Wh-")], "So", unheard()),
        // The user went on in two lines.
        (
            &[stuck, (Assistant, "Where"), (User, "Wait")],
            "So",
            cut("Where"),
        ),
        (&[stuck], "So", unheard()),
        (
            &[(User, "Hi"), (Assistant, "Hello"), stuck],
            "So",
            unheard(),
        ),
        // A fragment that grew, or was sent again.
        (&[], "I am stuck at work", None),
        (
            &[(User, "Hi"), (Assistant, "Hello")],
            "I am stuck at work",
            None,
        ),
        (&[stuck], "I am stuck", None),
        // Nothing is known.
        (&[], "So", None),
        (&[(User, "Hi"), (Assistant, "Hello")], "So", None),
        (&[stuck, (Assistant, "Something else")], "So", None),
        (
            &[stuck, (Assistant, "Where exactly? Tell me. More")],
            "So",
            None,
        ),
        // It was not the last reply.
        (
            &[
                stuck,
                (Assistant, "Where"),
                (User, "Hm"),
                (Assistant, "Go on"),
            ],
            "So",
            None,
        ),
    ];
    for (history, words, expected) in table {
        let got = told(&[(after("I am stuck"), REPLY)], history, words);
        assert_eq!(&got, expected, "{history:?} {words}");
    }
}

#[test]
fn the_newest_turn_that_the_history_holds_decides() {
    let past =
        |newest: (&str, &'static str)| [(after(newest.0), newest.1), (after("I am stuck"), REPLY)];
    let history = [(User, "I am stuck"), (Assistant, "Where")];
    // The newest turn answered a fragment of what is asked now.
    let got = told(&past(("Wait", "Of course.")), &history, "Wait a moment");
    assert_eq!(got, cut("Where"));
    let talked_over = [history[0], history[1], (User, "Wait")];
    let got = told(&past(("Wait", "Of course.")), &talked_over, "No");
    assert_eq!(got, Some(LastReply::Unheard));
    // It failed: nothing of it could be heard.
    assert_eq!(told(&past(("Wait", "")), &talked_over, "No"), None);
}

#[test]
fn replies_that_answer_no_words_stand_where_they_were_said() {
    let greeting = [(Asked::Greeting, "Welcome! How are you?")];
    let got = |past: &[(Asked, &str)], history: &[(Role, &str)]| told(past, history, "Hm");
    assert_eq!(got(&greeting, &[(Assistant, "Welcome!")]), cut("Welcome!"));
    let whole = [(Assistant, "Welcome! How are you?")];
    assert_eq!(got(&greeting, &whole), None);
    assert_eq!(got(&greeting, &[(User, "Hi")]), None);
    let later = [(Assistant, "Welcome!"), (User, "Hi"), (Assistant, "Yes")];
    assert_eq!(got(&greeting, &later), None);

    let tool = [(Asked::Tool, "It is seven degrees.")];
    let asked = [(User, "How cold?"), (Assistant, ""), (Tool, "7")];
    assert_eq!(got(&tool, &asked), Some(LastReply::Unheard));
    let answered = [asked[0], asked[1], asked[2], (Assistant, "It is seven")];
    assert_eq!(got(&tool, &answered), cut("It is seven"));

    let nudge = [
        (Asked::Nothing, "Are you still there?"),
        (after("Hi"), "Hello Ada."),
    ];
    let answered = [(User, "Hi"), (Assistant, "Hello Ada.")];
    assert_eq!(got(&nudge, &answered), None);
    assert_eq!(
        got(&nudge, &[(User, "Hi"), (Assistant, "Hello")]),
        cut("Hello")
    );
    let nudged = [answered[0], answered[1], (Assistant, "Are you")];
    assert_eq!(got(&nudge, &nudged), cut("Are you"));
}

#[test]
fn what_was_broken_off_was_cut_even_if_all_of_it_was_heard() {
    let past = Past {
        asked: after("Hi"),
        reply: "One two".into(),
        broken_off: true,
    };
    let history = [(User, "Hi"), (Assistant, "One two")];
    assert_eq!(last_reply([past], &next(&history, "Stop")), cut("One two"));
}

#[test]
fn a_reply_is_heard_to_the_word() {
    let reply: Vec<String> = (1..=40).map(|n| format!("wörd{n},")).collect();
    let whole = reply.join(" ");
    for k in 1..=reply.len() {
        let said = reply[..k].join(" ");
        let bare = said.trim_end_matches(',');
        let part = &whole[..whole.floor_char_boundary(said.len() + 4)];
        for (line, expected) in [
            (said.clone(), said.as_str()),
            (format!("{bare}…"), bare),
            (format!("{bare}..."), bare),
            (format!("{said} …"), said.as_str()),
            (format!("{said} -"), said.as_str()),
            (part.to_owned(), said.as_str()),
            (format!("{}-", part.trim_end_matches(',')), said.as_str()),
        ] {
            let history = [(User, "Hi"), (Assistant, line.as_str())];
            let got = heard("Hi", &whole, &lines(&history)).unwrap();
            let is_whole = k == reply.len() && got.trim_end_matches(CUT_MARKS) == bare;
            let is_same = got == expected || is_whole;
            assert!(is_same, "{k} {line}: {got}");
            assert_eq!(got.split(' ').count(), k);
            let tail = got.split(' ').skip(k.saturating_sub(TAIL));
            let tail = tail.collect::<Vec<_>>().join(" ");
            let expected = (k < reply.len()).then_some(LastReply::CutAfter(tail));
            let got = told(&[(after("Hi"), &whole)], &history, "Wait");
            assert_eq!(got, expected, "{line}");
        }
    }
}

#[test]
fn scripts_without_spaces_are_heard_to_the_character() {
    let reply = "你好，今天怎么样？";
    let history = [(User, "Hi"), (Assistant, "你好，今天…")];
    let got = heard("Hi", reply, &lines(&history));
    assert_eq!(got.as_deref(), Some("你好，今天"));
    assert_eq!(
        told(&[(after("Hi"), reply)], &history, "Wait"),
        cut("你好，今天")
    );
}

#[test]
fn dashes_part_words_and_apostrophes_do_not() {
    let reply = "Well—I don't know. It’s “odd”.";
    for (line, expected) in [
        ("Well — I don", "Well — I"),
        ("Well, I don't", "Well, I don't"),
        ("Well I don't know. It's", "Well I don't know. It's"),
        (
            "Well I don't know. It's \"odd\".",
            "Well I don't know. It's \"odd\".",
        ),
    ] {
        let history = [(User, "Hi"), (Assistant, line)];
        let got = heard("Hi", reply, &lines(&history));
        assert_eq!(got.as_deref(), Some(expected), "{line}");
    }
}

#[test]
fn an_endless_line_is_not_read() {
    let line = "a ".repeat(4 << 20);
    let history = [(User, "Hi"), (Assistant, line.as_str())];
    assert_eq!(heard("Hi", "a a a", &lines(&history)), None);
}

proptest::proptest! {
    /// Whatever the two say, what was heard is at most what was said.
    #[test]
    fn any_two_texts_can_be_compared(reply in "\\PC{0,40}", line in "\\PC{0,40}", cut in 0..40_usize) {
        let count = |text: &str| words(&squeeze(text)).count();
        let begun: String = reply.chars().take(cut).collect();
        for line in [line, begun] {
            let history = [(User, "Hi"), (Assistant, line.as_str())];
            if let Some(got) = heard("Hi", &reply, &lines(&history)) {
                assert!(squeeze(&line).starts_with(&got));
                assert!(count(&got) <= count(&reply));
            }
            let _ = told(&[(after("Hi"), &reply)], &history, "Wait");
        }
    }
}
