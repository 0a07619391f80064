use super::*;

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
        turns.overtake("s", at_us);
        assert!(!is_ended(&turn), "{at_us}");
    }
    turns.overtake("s", 101);
    assert!(is_ended(&turn));
    assert!(!is_ended(&other));
    turns.overtake("nobody's", 101);
    // What runs next is newer than that.
    let next = fresh(&turns, "s", &next(&[], "Hi again"));
    turns.overtake("s", 101);
    assert!(turns.noted("s", next.ticket, 102));
    assert!(!is_ended(&next));
}

#[tokio::test(start_paused = true)]
async fn who_was_overtaken_before_its_note_was_answered_is_ended_then_and_ends_nobody() {
    let turns = Turns::default();
    let turn = fresh(&turns, "s", &next(&[], "Hi"));
    for at_us in [7, 100, 50] {
        turns.overtake("s", at_us);
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
async fn what_was_overtaken_elsewhere_proves_nothing_by_itself_and_what_had_ended_does() {
    let turns = Turns::default();
    let overtaken = fresh(&turns, "overtaken", &next(&[], "Hi"));
    assert!(turns.noted("overtaken", overtaken.ticket, 1));
    turns.overtake("overtaken", 2);
    let mut same = begin(&turns, "overtaken", &next(&[], "Hi"));
    assert!(matches!(&mut same, Begun::Fresh(_)), "nobody joins it");
    let ended = fresh(&turns, "ended", &next(&[], "Hi"));
    assert!(turns.noted("ended", ended.ticket, 1));
    speak(&turns, "ended", ended, "Hi", "Hello");
    turns.overtake("ended", 2);
    let alone = fresh(&turns, "alone", &next(&[], "Hi"));
    assert!(turns.noted("alone", alone.ticket, 1));
    turns.overtake("alone", 2);
    let cut = Spoken {
        whole: false,
        ..spoken("Hi", "He")
    };
    assert_eq!(turns.end("alone", alone.ticket, Some(cut)), None);
    let counted = turns.drain();
    assert_eq!(counted.len(), 1, "{counted:?}");
}
