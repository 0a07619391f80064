//! Writing: order, measure, and what is tried again.

use super::*;

const NOT_FOUND: &str = r#"{"message":"thread not found"}"#;

pub(super) fn said(user: &str, assistant: &str, at_ms: i64) -> Exchange {
    Exchange {
        user: Some(user.to_owned()),
        assistant: Some(assistant.to_owned()),
        at_ms,
    }
}

fn created(_: &Seen, _: usize) -> Answer {
    answer(201, "{}")
}

/// The texts written to a thread, in the order in which they came.
pub(super) fn texts(stage: &Stage, who: &Person) -> Vec<String> {
    let calls = stage.calls(&format!("POST /threads/{}/messages", who.zep_thread()));
    let of = |seen: Seen| -> Vec<String> {
        let messages = seen.body["messages"].as_array().unwrap().clone();
        assert!(messages.len() <= 30);
        messages
            .iter()
            .map(|m| m["content"].as_str().unwrap().to_owned())
            .collect()
    };
    calls.into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn user_and_thread_come_first_and_once() {
    let stage = Stage::new(created);
    assert!(stage.memory.remember(
        &ines(),
        said("I froze.", "What happened?", 1_795_338_902_000)
    ));
    until("written", || stage.backlog() == 0).await;
    assert!(stage.memory.remember(&ines(), said("Nothing.", " ", 0)));
    stage.memory.drain().await;
    let write = format!("POST /threads/{}/messages", ines().zep_thread());
    assert_eq!(
        stage.names(),
        [
            "POST /users",
            "POST /threads",
            write.as_str(),
            write.as_str()
        ]
    );
    assert_eq!(
        stage.calls(&write)[0].body["messages"],
        serde_json::json!([
            {"role": "user", "content": "I froze.", "created_at": "2026-11-22T09:15:02.000Z"},
            {"role": "assistant", "content": "What happened?", "created_at": "2026-11-22T09:15:02.000Z"},
        ])
    );
    assert_eq!(
        texts(&stage, &ines()),
        ["I froze.", "What happened?", "Nothing."]
    );
    assert_eq!(stage.memory.lost(), 0);
    assert!(!stage.memory.remember(&ines(), said("late", "", 0)));
    stage.life.drained().await;
}

#[tokio::test]
async fn eight_threads_are_written_side_by_side_and_each_in_order() {
    let held = Arc::new(Semaphore::new(0));
    let door = Arc::clone(&held);
    let stage = Stage::new(move |seen, _| Answer {
        held: seen.call.ends_with("/messages").then(|| Arc::clone(&door)),
        ..answer(200, "{}")
    });
    let people: Vec<Person> = (0..20).map(|n| Person::new(&n.to_string(), "s")).collect();
    for n in 0..40 {
        for who in &people {
            assert!(stage.memory.remember(who, said(&format!("{n}"), "", n)));
        }
    }
    let writes = || -> Vec<String> {
        let mut open = stage.open.lock().unwrap().now.clone();
        open.retain(|call| call.ends_with("/messages"));
        open.sort();
        open
    };
    until("eight writes", || writes().len() == 8).await;
    let mut distinct = writes();
    distinct.dedup();
    assert_eq!(distinct.len(), 8, "one call a thread");
    held.add_permits(10_000);
    stage.memory.drain().await;
    assert_eq!(stage.open.lock().unwrap().most, 8);
    let expected: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    for who in &people {
        assert_eq!(texts(&stage, who), expected);
    }
}

#[tokio::test]
async fn one_thread_is_written_by_one_call_at_a_time() {
    let stage = Stage::new(created);
    for n in 0..200 {
        assert!(stage.memory.remember(&ines(), said(&format!("{n}"), "", n)));
        tokio::task::yield_now().await;
    }
    stage.memory.drain().await;
    assert_eq!(stage.open.lock().unwrap().most_alike, 1);
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(texts(&stage, &ines()), expected);
}

#[tokio::test]
async fn long_words_are_split_and_pages_kept() {
    let stage = Stage::new(created);
    let long = "word ".repeat(2000);
    let endless = "x".repeat(4000 * 35);
    assert!(stage.memory.remember(&ines(), said(&long, "", 0)));
    assert!(stage.memory.remember(&ines(), said(&endless, "end", 0)));
    stage.memory.drain().await;
    let texts = texts(&stage, &ines());
    assert!(texts.iter().all(|t| t.len() <= 4000));
    assert_eq!(texts.len(), 3 + 35 + 1);
    assert_eq!(texts.concat(), long + &endless + "end");
}

#[tokio::test]
async fn a_thread_that_vanished_is_made_again_once() {
    let stage = Stage::new(|seen, before| match (seen.call.as_str(), before) {
        ("POST /users", _) => answer(409, ""),
        ("POST /threads", _) => answer(400, r#"{"message":"session with id X already exists"}"#),
        (_, 0) => answer(404, NOT_FOUND),
        _ => answer(200, "{}"),
    });
    assert!(stage.memory.remember(&ines(), said("a", "b", 0)));
    stage.memory.drain().await;
    assert_eq!(stage.calls("POST /users").len(), 2);
    assert_eq!(texts(&stage, &ines()), ["a", "b", "a", "b"]);
    assert_eq!(stage.memory.lost(), 0);
}

#[tokio::test]
async fn what_may_have_arrived_is_never_sent_twice() {
    for status in [500, 502, 400, 413] {
        let stage = Stage::new(move |seen, _| {
            let write = seen.call.ends_with("/messages");
            answer(if write { status } else { 201 }, "<html></html>")
        });
        assert!(stage.memory.remember(&ines(), said("a", "b", 0)));
        stage.memory.drain().await;
        assert_eq!(texts(&stage, &ines()), ["a", "b"], "{status}");
        assert_eq!(stage.memory.lost(), 1);
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_and_nothing_is_lost() {
    let stage = Stage::new(|seen, before| match before {
        0 if seen.call.ends_with("/messages") => Answer {
            retry_after: Some("1"),
            ..answer(429, "Rate limit exceeded for FREE plan")
        },
        _ => answer(200, "{}"),
    });
    let begun = Instant::now();
    assert!(stage.memory.remember(&ines(), said("a", "", 0)));
    until("refused", || {
        stage.memory.health() == MemoryHealth::Down("rate_limited")
    })
    .await;
    let skipped = stage.memory.recall(&ines()).ready().unwrap();
    assert_eq!(skipped.outcome, MemoryOutcome::Error, "reads rest too");
    stage.memory.drain().await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(texts(&stage, &ines()), ["a", "a"]);
    assert_eq!(stage.memory.lost(), 0);
}

#[tokio::test]
async fn a_used_up_quota_rests_writes_and_not_reads() {
    let stage = Stage::new(|seen, _| match seen.call.ends_with("/messages") {
        true => answer(
            403,
            r#"{"message":"forbidden: Account is over the episode usage limit"}"#,
        ),
        false => context("Ines leads."),
    });
    assert!(stage.memory.remember(&ines(), said("a", "", 0)));
    until("refused", || stage.memory.lost() == 1).await;
    assert!(stage.memory.remember(&ines(), said("b", "", 0)));
    assert_eq!(stage.memory.health(), MemoryHealth::Down("quota"));
    assert_eq!(stage.recalled(&ines()).await.1, MemoryOutcome::Hit);
    assert_eq!(stage.backlog(), 1, "kept for when writes go on");
    stage.life.hard().cancel();
    stage.memory.drain().await;
    assert_eq!((stage.backlog(), stage.memory.lost()), (1, 1));
    assert_eq!(texts(&stage, &ines()), ["a"]);
}

#[tokio::test]
async fn a_store_that_comes_back_gets_what_waited() {
    let (socket, base) = silent();
    let life = Lifecycle::new();
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&base, dir.path(), &life);
    assert!(memory.remember(&ines(), said("a", "b", 0)));
    until("refused", || {
        memory.health() == MemoryHealth::Down("connect")
    })
    .await;
    let written = Arc::new(Mutex::new(0));
    let count = Arc::clone(&written);
    let server = HttpServer::new(move || {
        let count = Arc::clone(&count);
        App::new().default_service(web::to(move || {
            *count.lock().unwrap() += 1;
            async { HttpResponse::Created().body("{}") }
        }))
    })
    .workers(1)
    .disable_signals()
    .listen(socket.listen(64).unwrap().into_std().unwrap())
    .unwrap()
    .run();
    Lifecycle::new().spawn(server);
    memory.drain().await;
    assert_eq!((*written.lock().unwrap(), memory.lost()), (3, 0));
}

#[tokio::test]
async fn the_writer_ends_when_nobody_can_add_to_it() {
    let Stage {
        memory,
        life,
        seen,
        dir: _dir,
        ..
    } = Stage::new(created);
    assert!(memory.remember(&ines(), said("a", "b", 0)));
    drop(memory);
    life.drained().await;
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn soft_shutdown_still_takes_the_last_turns_words() {
    let stage = Stage::new(created);
    stage.life.soft().cancel();
    assert!(stage.memory.remember(&ines(), said("a", "b", 0)));
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()), ["a", "b"]);
}

#[tokio::test]
async fn ids_are_encoded_in_paths() {
    let stage = Stage::new(created);
    let odd = Person {
        user: Arc::from("u"),
        thread: Arc::from("a/b?c#d"),
    };
    assert!(stage.memory.remember(&odd, said("a", "", 0)));
    stage.memory.drain().await;
    assert_eq!(stage.names()[2], "POST /threads/a%2Fb%3Fc%23d/messages");
}

#[tokio::test]
async fn an_outage_of_errors_costs_the_writes_that_it_met_and_no_more() {
    let up = Arc::new(Mutex::new(false));
    let is_up = Arc::clone(&up);
    let stage = Stage::new(move |seen, _| {
        let is_about_messages = seen.call.ends_with("/messages");
        let is_up = *is_up.lock().unwrap();
        answer(
            if is_about_messages && !is_up {
                502
            } else {
                200
            },
            "{}",
        )
    });
    assert!(stage.memory.remember(&ines(), said("a", "", 0)));
    until("given up", || stage.memory.lost() == 1).await;
    for n in 1..20 {
        assert!(stage.memory.remember(&ines(), said("b", "", n)));
    }
    let asked = format!("GET /threads/{}/messages", ines().zep_thread());
    until("asked whether it works", || !stage.calls(&asked).is_empty()).await;
    assert_eq!(texts(&stage, &ines()), ["a"], "nothing is risked");
    *up.lock().unwrap() = true;
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()).len(), 20);
    assert_eq!(stage.memory.lost(), 1);
}
