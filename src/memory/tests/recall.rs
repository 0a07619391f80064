//! Reading: what each kind of answer, and of silence, gives the turn.

use super::*;

use MemoryOutcome::{Error, Hit, Late, Miss};

const NOT_FOUND: &str = r#"{"message":"thread not found","request_id":"r"}"#;

#[tokio::test]
async fn a_context_is_a_hit_and_then_at_hand() {
    let stage = Stage::new(|_, _| context("Ines leads."));
    let hit = (Some("Ines leads.".to_owned()), Hit);
    assert_eq!(stage.recalled(&ines()).await, hit);
    let again = stage.memory.recall(&ines()).ready();
    assert_eq!(told(again.unwrap()), hit);
    let call = format!("GET /threads/{}/context", ines().zep_thread());
    assert_eq!(stage.names(), [call]);
    assert_eq!(stage.calls("")[0].key, "Api-Key z_secret");
    assert_eq!(stage.memory.health(), MemoryHealth::Up);
}

#[tokio::test]
async fn nothing_known_is_a_miss_and_remembered_as_one() {
    for body in ["{}", r#"{"context":""}"#, r#"{"context":null}"#] {
        let stage = Stage::new(move |_, _| answer(200, body));
        assert_eq!(stage.recalled(&ines()).await, (None, Miss));
        let again = stage.memory.recall(&ines()).ready().unwrap();
        assert_eq!(again.outcome, Miss);
        assert_eq!(stage.names().len(), 1);
    }
}

#[tokio::test]
async fn a_slow_answer_is_late_and_serves_the_next_turn() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let stage = Stage::new(move |_, _| Answer {
        held: Some(Arc::clone(&door)),
        ..context("late")
    });
    let soon = Instant::now() + Duration::from_millis(20);
    let late = stage.memory.recall(&ines()).within(soon).await;
    assert_eq!(told(late), (None, Late));
    // The turn is gone; the question is not.
    held.add_permits(1);
    until("cached", || stage.memory.recall(&ines()).ready().is_some()).await;
    assert_eq!(stage.recalled(&ines()).await.1, Hit);
    assert_eq!(stage.names().len(), 1);
}

#[tokio::test]
async fn ten_turns_ask_once() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let stage = Stage::new(move |_, _| Answer {
        held: Some(Arc::clone(&door)),
        ..context("one")
    });
    let turns: Vec<Recall> = (0..10).map(|_| stage.memory.recall(&ines())).collect();
    stage.memory.prefetch(&ines());
    held.add_permits(10);
    for turn in turns {
        assert_eq!(turn.within(in_secs(8)).await.outcome, Hit);
    }
    assert_eq!(stage.names().len(), 1);
    stage.memory.prefetch(&ines());
    until("refreshed", || stage.names().len() == 2).await;
}

#[tokio::test]
async fn however_many_leave_at_once_few_are_asked_about_and_a_turn_asks_itself() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let stage = Stage::new(move |_, _| Answer {
        held: Some(Arc::clone(&door)),
        ..context("one")
    });
    let person = |n: usize| Person::new(&format!("user {n}"), "a session");
    // One of those who are left out is well known.
    held.add_permits(1);
    assert_eq!(stage.recalled(&person(MAX_AHEAD)).await.1, Hit);
    let asked = MAX_AHEAD + 1;
    for n in 0..MAX_AHEAD + 50 {
        stage.memory.prefetch(&person(n));
        // Not all connections in one moment: that would be the listener's test.
        if n % 32 == 31 {
            until("asked", || stage.names().len() == asked.min(n + 2)).await;
        }
    }
    let turn = stage.memory.recall(&person(MAX_AHEAD));
    until("a turn asks too", || stage.names().len() == asked + 1).await;
    held.add_permits(asked);
    assert_eq!(turn.within(in_secs(8)).await.outcome, Hit);
    // The rest is asked about again as soon as there is room.
    held.add_permits(1);
    until("there is room", || {
        stage.memory.prefetch(&person(MAX_AHEAD + 1));
        stage.names().len() == asked + 2
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_at_once() {
    let (_held, base) = silent();
    let life = Lifecycle::new();
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&base, dir.path(), &life);
    for _ in 0..7 {
        let recalled = memory.recall(&ines()).within(in_secs(8)).await;
        assert_eq!(told(recalled), (None, Error));
    }
    assert_eq!(memory.health(), MemoryHealth::Down("connect"));
    let rested = memory.recall(&ines()).ready();
    assert_eq!(rested.unwrap().outcome, Error, "no question is asked now");
}

#[tokio::test]
async fn rubbish_is_an_error_and_five_of_it_are_enough() {
    for (made, kind) in [
        (answer(200, "<html>hello</html>"), "malformed"),
        (answer(502, "<html>bad gateway</html>"), "status_5xx"),
        (context(&"x".repeat(5 << 20)), "too_large"),
        (answer(302, ""), "status_3xx"),
    ] {
        let stage = Stage::new(move |_, _| made.clone());
        for _ in 0..8 {
            assert_eq!(stage.recalled(&ines()).await, (None, Error), "{kind}");
        }
        assert_eq!(stage.memory.health(), MemoryHealth::Down(kind));
        assert_eq!(stage.names().len(), 5, "the breaker is open");
    }
}

#[tokio::test]
async fn a_long_context_is_capped() {
    let stage = Stage::new(|_, _| context(&"é".repeat(100_000)));
    let (context, outcome) = stage.recalled(&ines()).await;
    assert_eq!((context.unwrap().chars().count(), outcome), (8000, Hit));
}

#[tokio::test]
async fn a_refusal_rests_the_store_after_one_call() {
    for (mut made, kind) in [
        (answer(401, "unauthorized"), "unauthorized"),
        (
            answer(429, "Rate limit exceeded for FREE plan"),
            "rate_limited",
        ),
    ] {
        made.retry_after = Some("60");
        let stage = Stage::new(move |_, _| made.clone());
        for _ in 0..3 {
            assert_eq!(stage.recalled(&ines()).await, (None, Error));
        }
        assert_eq!(stage.memory.health(), MemoryHealth::Down(kind));
        assert_eq!(stage.names().len(), 1);
    }
}

#[tokio::test]
async fn a_returning_person_has_a_memory_in_a_new_session() {
    let stage = Stage::new(|seen, before| match (seen.call.as_str(), before) {
        ("POST /threads", _) => answer(201, "{}"),
        (_, 0) => answer(404, NOT_FOUND),
        _ => context("Ines leads."),
    });
    assert_eq!(stage.recalled(&ines()).await.1, Hit);
    let who = ines();
    let get = format!("GET /threads/{}/context", who.zep_thread());
    assert_eq!(stage.names(), [get.clone(), "POST /threads".into(), get]);
    let made = &stage.calls("POST")[0].body;
    assert_eq!(made["thread_id"], who.zep_thread());
    assert_eq!(made["user_id"], who.zep_user());
}

#[tokio::test]
async fn a_stranger_is_a_miss_at_once_and_introduced_behind_the_scenes() {
    for refusal in [404, 400] {
        let held = Arc::new(Semaphore::new(0));
        let door = Arc::clone(&held);
        let stage = Stage::new(move |seen, before| match (seen.call.as_str(), before) {
            ("POST /users", _) => Answer {
                held: Some(Arc::clone(&door)),
                ..answer(400, r#"{"message":"user already exists with user_id: X"}"#)
            },
            ("POST /threads", 0) => answer(refusal, r#"{"message":"user not found"}"#),
            ("POST /threads", _) => answer(201, "{}"),
            _ => answer(404, NOT_FOUND),
        });
        assert_eq!(stage.recalled(&ines()).await, (None, Miss));
        held.add_permits(1);
        until("introduced", || stage.calls("POST /threads").len() == 2).await;
        assert_eq!(stage.calls("POST /users").len(), 1);
        assert_eq!(
            stage.calls("POST /users")[0].body["user_id"],
            ines().zep_user()
        );
    }
}

#[tokio::test]
async fn what_is_forgotten_is_asked_about_anew() {
    let stage = Stage::new(|_, before| context(&format!("answer {before}")));
    assert_eq!(stage.recalled(&ines()).await.0.unwrap(), "answer 0");
    stage.memory.erase("ines").await;
    assert_eq!(stage.recalled(&ines()).await.0.unwrap(), "answer 1");
}
