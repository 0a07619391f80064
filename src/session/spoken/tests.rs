use super::*;
use crate::turn::{Ask, Role};

fn spoken(words: &str, reply: &str) -> Spoken<()> {
    Spoken {
        words: words.into(),
        reply: reply.into(),
        whole: true,
        at_ms: 7,
        owner: (),
    }
}

fn lines(history: &[(Role, &str)]) -> Vec<Message> {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        text: (*text).into(),
        raw: None,
    };
    history.iter().map(message).collect()
}

type Sides = Option<(Option<String>, Option<String>)>;

/// What the next request says of a turn.
fn told(spoken: Spoken<()>, history: &[(Role, &str)], words: &str) -> Sides {
    let committed = spoken.judge(&lines(history), words);
    committed.map(|c| (c.user, c.assistant))
}

fn sides(user: &str, assistant: &str) -> Sides {
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Some((some(user), some(assistant)))
}

/// The next history, its words, and what counts then.
type Case<'a> = (&'a [(Role, &'a str)], &'a str, Sides);

#[test]
fn the_next_request_decides() {
    use Role::{Assistant, User};
    let squeezed = sides("I am stuck", "Where exactly? Tell me.");
    let cut = sides("I am stuck", "Where exactly?");
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
            cut,
        ),
        (&[], "I am stuck at work", None),
        (&[], "I am stuck", None),
        (
            &[],
            "Something else",
            sides("I am stuck", "Where exactly?  Tell me."),
        ),
        (&[(User, "I am stuck")], "At work", sides("I am stuck", "")),
        (&[(User, "Hello"), (Assistant, "Hi")], "At work", None),
    ];
    for (history, words, expected) in table {
        let got = told(
            spoken("I am stuck", "Where exactly?  Tell me."),
            history,
            words,
        );
        assert_eq!(&got, expected, "{history:?} {words}");
    }
}

#[test]
fn a_reply_cut_off_by_the_caller_counts_only_as_far_as_it_was_heard() {
    let half = Spoken {
        whole: false,
        ..spoken("Hi", "One two three")
    };
    assert_eq!(told(half.clone(), &[], "No"), None);
    let seen = [(Role::User, "Hi"), (Role::Assistant, "One two")];
    assert_eq!(told(half, &seen, "Wait"), sides("Hi", "One two"));
}

#[test]
fn an_older_line_that_happens_to_fit_is_no_proof() {
    let old = [
        (Role::Assistant, "Good."),
        (Role::User, "Hm"),
        (Role::User, "I am stuck"),
    ];
    let got = told(spoken("I am stuck", "Good. Where?"), &old, "Hello?");
    assert_eq!(got, sides("I am stuck", ""));
}

#[test]
fn a_greeting_has_no_users_side() {
    let history = [(Role::Assistant, "Welcome!")];
    let greeting = told(spoken("", "Welcome!"), &history, "Hi");
    assert_eq!(greeting, sides("", "Welcome!"));
}

#[test]
fn evidence_is_bounded_and_says_nothing_without_a_history() {
    let long = "x".repeat(4 << 20);
    let next = |history: Vec<Message>| Conversation {
        history,
        ask: Ask::Words(long.clone()),
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
        silences: 0,
    };
    let evidence = Evidence::of(1, &next(vec![Message::user(long.as_str()); 9]));
    let bytes: usize = evidence.history.iter().map(|m| m.text.len()).sum();
    assert_eq!(bytes, EVIDENCE * MAX_REMEMBERED_BYTES);
    assert_eq!(evidence.ask.len(), MAX_REMEMBERED_BYTES);
    let none = Evidence::of(1, &next(vec![]));
    assert_eq!(none.judge(spoken("Hi", "Hello")), None);
}
