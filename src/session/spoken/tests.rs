use super::*;
use crate::turn::{Ask, Conversation};

fn spoken(words: &str, reply: &str) -> Spoken<()> {
    Spoken {
        words: words.into(),
        reply: reply.into(),
        whole: true,
        at_ms: 7,
        owner: (),
    }
}

fn next(history: &[(Role, &str)], words: &str) -> Conversation {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        text: (*text).into(),
        raw: None,
    };
    Conversation {
        history: history.iter().map(message).collect(),
        ask: Ask::Words(words.into()),
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
    }
}

/// What the next request says of a turn.
fn told(spoken: Spoken<()>, history: &[(Role, &str)], words: &str) -> Option<Committed<()>> {
    let next = next(history, words);
    judge(spoken, &next.history, next.ask.words())
}

fn sides(c: Option<Committed<()>>) -> Option<(Option<String>, Option<String>)> {
    c.map(|c| (c.user, c.assistant))
}

type Sides = Option<(Option<String>, Option<String>)>;
/// The next history, its words, and what counts then.
type Case<'a> = (&'a [(Role, &'a str)], &'a str, Sides);

#[test]
fn the_next_request_decides() {
    use Role::{Assistant, User};
    let full = Some((
        Some("I am stuck".into()),
        Some("Where exactly?  Tell me.".into()),
    ));
    let squeezed = Some((
        Some("I am stuck".into()),
        Some("Where exactly? Tell me.".into()),
    ));
    let cut = Some((Some("I am stuck".into()), Some("Where exactly?".into())));
    let unheard = Some((Some("I am stuck".into()), None));
    let table: &[Case<'_>] = &[
        (
            &[(User, "I am stuck"), (Assistant, "Where exactly? Tell me.")],
            "At work",
            squeezed.clone(),
        ),
        (
            &[
                (User, "I am stuck"),
                (Assistant, "Where exactly?"),
                (Assistant, "Tell me."),
            ],
            "At work",
            squeezed,
        ),
        (
            &[(User, "I am stuck"), (Assistant, "Where exactly?")],
            "At work",
            cut.clone(),
        ),
        (
            &[(User, "I am stuck"), (Assistant, "Where exactly? Te-")],
            "At work",
            Some((Some("I am stuck".into()), Some("Where exactly? Te-".into()))),
        ),
        (&[], "I am stuck at work", None),
        (&[], "I am stuck", None),
        (&[], "Something else", full),
        (&[(User, "I am stuck")], "At work", unheard),
        (&[(User, "Hello"), (Assistant, "Hi")], "At work", None),
    ];
    for (history, words, expected) in table {
        let got = told(
            spoken("I am stuck", "Where exactly?  Tell me."),
            history,
            words,
        );
        assert_eq!(&sides(got), expected, "{history:?} {words}");
    }
}

#[test]
fn a_reply_cut_off_by_the_caller_counts_only_as_far_as_it_was_heard() {
    let half = Spoken {
        whole: false,
        ..spoken("Hi", "One two three")
    };
    assert_eq!(sides(told(half.clone(), &[], "No")), None);
    let seen = [(Role::User, "Hi"), (Role::Assistant, "One two")];
    assert_eq!(
        sides(told(half, &seen, "Wait")),
        Some((Some("Hi".into()), Some("One two".into())))
    );
}

#[test]
fn an_older_line_that_happens_to_fit_is_no_proof() {
    let old = [
        (Role::Assistant, "Good."),
        (Role::User, "Hm"),
        (Role::User, "I am stuck"),
    ];
    let got = told(spoken("I am stuck", "Good. Where?"), &old, "Hello?");
    assert_eq!(sides(got), Some((Some("I am stuck".into()), None)));
}

#[test]
fn a_greeting_has_no_users_side() {
    let greeting = told(
        spoken("", "Welcome!"),
        &[(Role::Assistant, "Welcome!")],
        "Hi",
    );
    assert_eq!(sides(greeting), Some((None, Some("Welcome!".into()))));
}
