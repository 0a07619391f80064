use super::*;

/// A request of another machine.
fn overtake(turns: &Turns<()>, session: &str, at_us: u64) {
    let key = turns.key(session, "career", &next(&[], "said elsewhere"));
    turns.overtake(session, key, at_us);
}

fn is_ended(turn: &Fresh<()>) -> bool {
    turn.generation.superseded().is_cancelled()
}

#[tokio::test(start_paused = true)]
async fn a_newer_request_elsewhere_ends_what_runs_here_and_an_older_one_nothing() {
    let turns = Turns::default();
    let turn = fresh(&turns, "s", &next(&[], "Hi"));
    assert!(turns.noted("s", turn.ticket, 100));
    let other = fresh(&turns, "other", &next(&[], "Hi"));
    assert!(turns.noted("other", other.ticket, 1));
    for at_us in [99, 100] {
        overtake(&turns, "s", at_us);
        assert!(!is_ended(&turn), "{at_us}");
    }
    overtake(&turns, "s", 101);
    assert!(is_ended(&turn));
    assert!(!is_ended(&other));
    overtake(&turns, "nobody's", 101);
    // What runs next is newer than that.
    let next = fresh(&turns, "s", &next(&[], "Hi again"));
    overtake(&turns, "s", 101);
    assert!(turns.noted("s", next.ticket, 102));
    assert!(!is_ended(&next));
}

#[tokio::test(start_paused = true)]
async fn who_was_overtaken_before_its_note_was_answered_is_ended_then_and_ends_nobody() {
    let turns = Turns::default();
    let turn = fresh(&turns, "s", &next(&[], "Hi"));
    for at_us in [7, 100, 50] {
        overtake(&turns, "s", at_us);
        assert!(!is_ended(&turn), "it may be newer");
    }
    assert!(!turns.noted("s", turn.ticket, 99));
    assert!(is_ended(&turn));
}

#[tokio::test(start_paused = true)]
async fn of_two_requests_here_whose_notes_are_answered_in_another_order_the_later_goes_on() {
    let turns = Turns::default();
    let first = fresh(&turns, "s", &next(&[], "I am"));
    let second = fresh(&turns, "s", &next(&[], "I am stuck"));
    assert!(turns.noted("s", second.ticket, 10));
    assert!(!turns.noted("s", first.ticket, 20), "it tells nobody");
    assert!(!is_ended(&second));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_elsewhere_is_no_newer_one() {
    let turns = Turns::default();
    let said = next(&[], "Hi");
    let turn = fresh(&turns, "s", &said);
    let key = turns.key("s", "career", &said);
    turns.overtake("s", key, 100);
    assert!(turns.noted("s", turn.ticket, 99));
    turns.overtake("s", key, 100);
    assert!(!is_ended(&turn));
}

#[tokio::test(start_paused = true)]
async fn what_was_overtaken_elsewhere_counts_as_far_as_a_history_here_holds_it() {
    let turns = Turns::default();
    let cut = || Spoken {
        whole: false,
        ..spoken("Hi", "Hello, you")
    };
    for session in ["shown", "never shown"] {
        let turn = fresh(&turns, session, &next(&[], "Hi"));
        assert!(turns.noted(session, turn.ticket, 1));
        overtake(&turns, session, 2);
        assert_eq!(turns.end(session, turn.ticket, Some(cut())), None);
    }
    let history = [
        (Role::User, "Hi"),
        (Role::Assistant, "Hello,"),
        (Role::User, "said elsewhere"),
        (Role::Assistant, "Well"),
    ];
    let shown = fresh(&turns, "shown", &next(&history, "And?"));
    let counted: Vec<_> = shown.committed.into_iter().map(|c| c.user).collect();
    assert_eq!(counted, [Some("Hi".to_owned())]);
    tokio::time::advance(COMMIT_AFTER).await;
    assert_eq!(turns.due(Instant::now()).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_what_was_overtaken_elsewhere_and_what_had_ended_counts() {
    let turns = Turns::default();
    let overtaken = fresh(&turns, "overtaken", &next(&[], "Hi"));
    assert!(turns.noted("overtaken", overtaken.ticket, 1));
    overtake(&turns, "overtaken", 2);
    let same = begin(&turns, "overtaken", &next(&[], "Hi"));
    assert!(matches!(same, Begun::Fresh(_)), "{same:?}");
    let ended = fresh(&turns, "ended", &next(&[], "Hi"));
    assert!(turns.noted("ended", ended.ticket, 1));
    speak(&turns, "ended", ended, "Hi", "Hello");
    overtake(&turns, "ended", 2);
    assert_eq!(turns.drain().len(), 1);
}
