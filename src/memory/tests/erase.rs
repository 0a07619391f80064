//! Erasing a person, wherever their words are by then.

use super::remember::{said, texts};
use super::*;

fn delete() -> String {
    format!("DELETE /users/{}", ines().zep_user())
}

fn erased(dropped: usize, store: StoreErased) -> Erased {
    Erased { dropped, store }
}

#[tokio::test]
async fn what_waits_of_an_erased_person_is_not_written() {
    let stage = Stage::new(|seen, _| match seen.call.starts_with("DELETE") {
        true => answer(200, r#"{"message":"OK"}"#),
        false => Answer {
            retry_after: Some("1"),
            ..answer(429, "slow down")
        },
    });
    let marco = Person::new("marco", "s1");
    // More than the queue takes: some of it is on the disk alone.
    let desk = Arc::clone(&stage.memory.room.as_ref().unwrap().desk);
    for n in 0..3000 {
        assert!(stage.memory.remember(&ines(), said("a", "", n)));
        assert!(stage.memory.remember(&marco, said("b", "", n)));
        if n % 1000 == 0 {
            until("kept", || desk.inbox() == 0).await;
        }
    }
    until("kept", || desk.inbox() == 0).await;
    until("refused", || {
        stage.memory.health() == MemoryHealth::Down("rate_limited")
    })
    .await;
    let done = stage.memory.erase("ines").await;
    assert_eq!(done.store, StoreErased::Deleted);
    // A batch of fifteen that was under way is called off and not counted with what waited.
    assert!((2985..=3000).contains(&done.dropped), "{done:?}");
    until("called off", || stage.backlog() == 3000).await;
    assert_eq!(stage.calls("DELETE").len(), 1);
    assert_eq!(stage.memory.lost(), 0);
}

#[tokio::test]
async fn the_store_says_whether_there_was_anything_to_erase() {
    for (status, body, store) in [
        (200, r#"{"message":"OK"}"#, StoreErased::Deleted),
        (
            404,
            r#"{"message":"user not found"}"#,
            StoreErased::NotThere,
        ),
        (500, "", StoreErased::Failed("status_5xx")),
        (401, "unauthorized", StoreErased::Failed("unauthorized")),
    ] {
        let stage = Stage::new(move |_, _| answer(status, body));
        assert_eq!(stage.memory.erase("ines").await, erased(0, store));
        assert_eq!(stage.names(), [delete()]);
    }
}

#[tokio::test]
async fn what_is_at_hand_of_an_erased_person_is_gone() {
    let stage = Stage::new(|seen, _| match seen.call.starts_with("GET") {
        true => context("Ines leads."),
        false => answer(200, "{}"),
    });
    assert_eq!(stage.recalled(&ines()).await.1, MemoryOutcome::Hit);
    assert!(stage.memory.recall(&ines()).ready().is_some());
    assert_eq!(
        stage.memory.erase("ines").await,
        erased(0, StoreErased::Deleted)
    );
    assert!(stage.memory.recall(&ines()).ready().is_none());
}

#[tokio::test]
async fn what_is_under_way_does_not_bring_an_erased_person_back() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let is_there = Mutex::new(false);
    let stage = Stage::new(move |seen, _| {
        let mut is_there = is_there.lock().unwrap();
        match seen.call.split_once(' ').unwrap() {
            ("POST", "/users") => *is_there = true,
            ("DELETE", _) => *is_there = false,
            _ if *is_there => {}
            _ => return answer(404, r#"{"message":"user not found"}"#),
        }
        Answer {
            held: seen.call.ends_with("/messages").then(|| Arc::clone(&door)),
            ..answer(200, "{}")
        }
    });
    assert!(stage.memory.remember(&ines(), said("a", "", 0)));
    until("a write under way", || {
        stage.names().iter().any(|call| call.ends_with("/messages"))
    })
    .await;
    let erasing = stage.memory.erase("ines");
    tokio::pin!(erasing);
    assert!(futures::poll!(&mut erasing).is_pending());
    // A question, and words from before, while it waits.
    stage.memory.prefetch(&ines());
    assert!(stage.memory.remember(&ines(), said("before", "", -1)));
    assert!(stage.calls("DELETE").is_empty(), "the write is waited for");
    held.add_permits(100);
    assert_eq!(erasing.await, erased(0, StoreErased::Deleted));
    let after = stage.names().len();
    sleep(Duration::from_millis(100)).await;
    let late = stage.names().split_off(after);
    assert_eq!(stage.backlog(), 0);
    assert!(
        late.iter().all(|call| !call.starts_with("POST /users")),
        "{late:?}"
    );
    // What is said from now on is remembered.
    assert!(stage.memory.remember(&ines(), said("after", "", 1)));
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()), ["a", "after"]);
    assert_eq!(stage.calls("POST /users").len(), 2);
}

#[tokio::test]
async fn a_question_does_not_introduce_whom_it_finds_erased() {
    let stage = Stage::new(|seen, _| match seen.call.starts_with("DELETE") {
        true => answer(200, "{}"),
        false => answer(404, r#"{"message":"user not found"}"#),
    });
    stage.memory.erase("ines").await;
    assert_eq!(stage.recalled(&ines()).await.1, MemoryOutcome::Miss);
    sleep(Duration::from_millis(50)).await;
    assert!(stage.calls("POST /users").is_empty(), "{:?}", stage.names());
    stage.recalled(&Person::new("marco", "s1")).await;
    until("others are", || stage.calls("POST /users").len() == 1).await;
}
