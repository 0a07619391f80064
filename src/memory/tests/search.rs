//! Searching: what a question of a coach's own brings, and that nobody waits for one that fails.

use super::*;

async fn found(stage: &Stage, question: &str) -> Option<String> {
    let answer = stage.memory.search(&ines(), question, in_secs(8)).await;
    answer.map(|context| context.to_string())
}

#[tokio::test]
async fn a_question_goes_to_all_that_is_known_of_the_person() {
    let stage = Stage::new(|_, _| context("Knows Marco."));
    let question = format!("Who could help? {}", "x".repeat(900));
    assert_eq!(
        found(&stage, &question).await.as_deref(),
        Some("Knows Marco.")
    );
    let [seen] = stage.calls("").try_into().unwrap();
    assert_eq!(
        (seen.call.as_str(), seen.key.as_str()),
        ("POST /graph/search", "Api-Key z_secret")
    );
    let asked = serde_json::json!({
        "user_id": ines().zep_user(), "query": question[..400], "scope": "auto",
        "max_characters": 2500,
    });
    assert_eq!(seen.body, asked);
    found(&stage, "again").await;
    assert_eq!(stage.names().len(), 2, "nothing is kept");
    assert!(stage.memory.recall(&ines()).ready().is_none());
}

#[tokio::test]
async fn without_an_answer_there_is_nothing_and_the_store_is_judged_by_it() {
    for (status, body, health) in [
        (200, "{}", MemoryHealth::Up),
        (200, r#"{"context":" "}"#, MemoryHealth::Up),
        (404, r#"{"message":"user not found"}"#, MemoryHealth::Up),
        (200, "<html>", MemoryHealth::Down("malformed")),
        (500, "", MemoryHealth::Down("status_5xx")),
        (401, "unauthorized", MemoryHealth::Down("unauthorized")),
    ] {
        let stage = Stage::new(move |_, _| answer(status, body));
        assert_eq!(found(&stage, "Who?").await, None, "{status} {body}");
        assert_eq!(stage.memory.health(), health, "{status} {body}");
    }
    let stage = Stage::new(|_, _| answer(500, ""));
    for _ in 0..7 {
        found(&stage, "Who?").await;
    }
    assert_eq!(stage.names().len(), 5, "a store that fails is given a rest");
}

#[tokio::test]
async fn who_waits_no_longer_still_lets_the_store_be_judged() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let stage = Stage::new(move |_, _| Answer {
        held: Some(Arc::clone(&door)),
        ..answer(500, "")
    });
    let soon = Instant::now() + Duration::from_millis(20);
    assert_eq!(stage.memory.search(&ines(), "Who?", soon).await, None);
    assert_eq!(stage.memory.health(), MemoryHealth::Up);
    held.add_permits(1);
    let down = MemoryHealth::Down("status_5xx");
    until("judged", || stage.memory.health() == down).await;
}

#[tokio::test]
async fn of_who_was_erased_nothing_is_asked_and_without_memory_nobody() {
    let stage = Stage::new(|_, _| context("Knows Marco."));
    stage.memory.erase("ines").await;
    assert_eq!(found(&stage, "Who?").await, None);
    assert!(stage.calls("POST").is_empty());
    let off = Memory::off();
    assert_eq!(off.search(&ines(), "Who?", in_secs(1)).await, None);
}
