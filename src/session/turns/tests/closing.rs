use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_counts_at_once_and_others_do_not() {
    let turns = Turns::default();
    for session in ["over", "goes on"] {
        let turn = fresh(&turns, session, &next(&[], "Hi"));
        speak(&turns, session, turn, "Hi", "Hello");
    }
    let committed = turns.conclude(|session| session == "over");
    let said: Vec<_> = committed.iter().map(|c| c.assistant.as_deref()).collect();
    assert_eq!(said, [Some("Hello")]);
    assert!(
        turns.conclude(|session| session == "over").is_empty(),
        "once"
    );
    assert_eq!(turns.drain().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_silenced_is_told_to_stop_and_nothing_else_is() {
    let turns = Turns::default();
    let meant = fresh(&turns, "meant", &next(&[], "Hi"));
    let other = fresh(&turns, "other", &next(&[], "Hi"));
    let ended = fresh(&turns, "ended", &next(&[], "Hi"));
    speak(&turns, "ended", ended, "Hi", "Hello");
    assert_eq!(turns.silence(|session| session != "other"), 1);
    assert!(meant.generation.superseded().is_cancelled());
    assert!(!other.generation.superseded().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn the_longest_untouched_session_is_settled_early() {
    let turns = Turns::default();
    let first = fresh(&turns, "first", &next(&[], "Hi"));
    speak(&turns, "first", first, "Hi", "Hello");
    let mut committed = 0;
    for n in 0..MAX_SESSIONS.get() {
        committed += fresh(&turns, &n.to_string(), &next(&[], "Hi"))
            .committed
            .len();
    }
    assert_eq!(committed, 1);
    assert!(repeat(&turns, "first", &next(&[], "Hi")).is_none());
}
