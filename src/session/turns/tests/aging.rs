//! What time does to sessions.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_session_that_came_on_meanwhile_waits_anew() {
    let turns = Turns::default();
    let first = fresh(&turns, "s", &next(&[], "Hi"));
    speak(&turns, "s", first, "Hi", "Hello");
    tokio::time::advance(40 * SECOND).await;
    let history = [(Role::User, "Hi"), (Role::Assistant, "Hello")];
    let second = fresh(&turns, "s", &next(&history, "And now"));
    assert_eq!(second.committed.len(), 1);
    speak(&turns, "s", second, "And now", "Go on");
    tokio::time::advance(COMMIT_AFTER - SECOND).await;
    assert!(turns.due(Instant::now()).is_empty());
    tokio::time::advance(SECOND).await;
    let due = turns.due(Instant::now());
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].user.as_deref(), Some("And now"));
    assert!(turns.due(Instant::now()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn sessions_come_due_one_by_one_and_only_those() {
    let turns = Turns::default();
    for n in 0..5 {
        let turn = fresh(&turns, &n.to_string(), &next(&[], "Hi"));
        speak(&turns, &n.to_string(), turn, "Hi", "Hello");
        tokio::time::advance(SECOND).await;
    }
    tokio::time::advance(COMMIT_AFTER - 5 * SECOND).await;
    for left in (0..5).rev() {
        assert_eq!(turns.due(Instant::now()).len(), 1);
        assert_eq!(turns.lock().held.len(), left);
        tokio::time::advance(SECOND).await;
    }
    assert!(turns.drain().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_a_quiet_session_the_newest_turn_alone_is_kept() {
    let turns = Turns::default();
    for words in ["One", "Two", "Three"] {
        let turn = fresh(&turns, "s", &next(&[], words));
        speak(&turns, "s", turn, words, "Hm");
        tokio::time::advance(SECOND).await;
    }
    let kept = || turns.lock().by_id.peek("s").unwrap().speeches.len();
    tokio::time::advance(REPLAY_FOR - 3 * SECOND).await;
    // The first ended as long ago as a repeat may hear it, and a second later it has gone; the newest stays.
    for left in [3, 2, 1, 1] {
        turns.due(Instant::now());
        assert_eq!(kept(), left);
        tokio::time::advance(SECOND).await;
    }
    assert!(turns.lock().aging.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ended_turns_that_are_gone_do_not_pile_up() {
    let turns = Turns::default();
    let end = |session: usize, words: &str| {
        let session = session.to_string();
        let turn = fresh(&turns, &session, &next(&[], words));
        speak(&turns, &session, turn, words, "Hm");
    };
    (0..9000).for_each(|session| end(session, "One"));
    (0..9000).for_each(|session| end(session, "Two"));
    turns.due(Instant::now());
    assert_eq!(turns.lock().ended.len(), 18_000);
    tokio::time::advance(REPLAY_FOR + SECOND).await;
    turns.due(Instant::now());
    assert_eq!(turns.lock().ended.len(), 9000);
}
