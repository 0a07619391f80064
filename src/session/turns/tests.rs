use super::*;
use crate::session::MAX_REMEMBERED_BYTES;
use crate::turn::{Ask, Message, Role};

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

fn sides(c: Option<Committed<()>>) -> Option<(Option<String>, Option<String>)> {
    c.map(|c| (c.user, c.assistant))
}

#[tokio::test(start_paused = true)]
async fn silence_for_a_minute_commits_what_was_read_to_its_end() {
    let turns = Turns::default();
    let (a, _) = turns.begin("a", &next(&[], "Hi"));
    let (b, _) = turns.begin("b", &next(&[], "Yo"));
    assert_eq!(turns.end("a", a, Some(spoken("Hi", "Hello"))), None);
    let cut = Spoken {
        whole: false,
        ..spoken("Yo", "He")
    };
    assert_eq!(turns.end("b", b, Some(cut)), None);
    assert!(turns.due(Instant::now()).is_empty());
    tokio::time::advance(COMMIT_AFTER).await;
    assert_eq!(turns.due(Instant::now()).len(), 1);
    assert!(turns.drain().is_empty());
}

#[test]
fn what_was_overtaken_counts_only_if_the_newer_request_holds_it() {
    let said = || Some(spoken("I am stuck", "Where exactly?"));
    let overtaken = |history: &[(Role, &str)], words: &str| {
        let turns = Turns::default();
        let (first, _) = turns.begin("s", &next(&[], "I am stuck"));
        let (_, none) = turns.begin("s", &next(history, words));
        assert!(none.is_empty());
        sides(turns.end("s", first, said()))
    };
    assert_eq!(overtaken(&[], "I am stuck at work"), None);
    assert_eq!(overtaken(&[], "I am stuck"), None);
    assert_eq!(overtaken(&[], "Something else"), None);
    let cut = [(Role::User, "I am stuck"), (Role::Assistant, "Where")];
    let heard = Some((Some("I am stuck".into()), Some("Where".into())));
    assert_eq!(overtaken(&cut, "Wait"), heard);
    // Talked over before anything was heard: the words were said all the same.
    let unheard = Some((Some("I am stuck".into()), None));
    assert_eq!(overtaken(&[(Role::User, "I am stuck")], "Wait"), unheard);
}

#[test]
fn what_a_request_says_is_held_only_while_the_turn_it_speaks_of_runs() {
    let turns = Turns::<()>::default();
    let long = "x".repeat(4 << 20);
    let history = [(Role::User, long.as_str())];
    let (first, _) = turns.begin("s", &next(&[], "Hi"));
    let (second, _) = turns.begin("s", &next(&history, "Wait"));
    let held = |turns: &Turns<()>| {
        let mut sessions = turns.sessions.lock().unwrap();
        let evidence = &sessions.get_mut("s").unwrap().evidence;
        evidence
            .as_ref()
            .map(|e| e.history.iter().map(|m| m.text.len()).sum::<usize>())
    };
    assert_eq!(held(&turns), Some(MAX_REMEMBERED_BYTES));
    assert_eq!(turns.end("s", first, None), None);
    assert_eq!(held(&turns), None);
    assert_eq!(turns.end("s", second, None), None);
}
