//! The log: whoever reads it may stop reading, and nobody who calls can write into it.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use serde_json::Value;

use crate::caller::Request;
use crate::service::{Service, nine_of_ten, until};

/// Until the first words of so many turns.
async fn first_words(service: &Service, name: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0..count {
        let heard = service.say(&format!("{name}-{n}"), "Hello").await;
        assert!(!heard.text.is_empty() && heard.finish_reason == "stop");
        times.push(heard.spoke.unwrap());
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_a_log_that_nobody_reads_costs_lines_and_no_time() {
    // Everything is logged, by libraries too: a pipe and a queue are soon full. Nobody reads
    // standard output either.
    let mut service = Service::start(&[("RUST_LOG", "trace")]).await;
    let read = nine_of_ten(first_words(&service, "read", 50).await);
    assert!(
        service.metric("clm_log_dropped_total").await < 1.0,
        "who is read loses nothing"
    );
    service.fall_deaf();
    let mut turns = 0;
    while service.metric("clm_log_dropped_total").await < 1.0 {
        assert!(turns < 2000, "the log is never full");
        first_words(&service, &format!("fill-{turns}"), 20).await;
        turns += 20;
    }
    let unread = nine_of_ten(first_words(&service, "unread", 50).await);
    let lost = service.metric("clm_log_dropped_total").await;
    println!(
        "first words for nine of ten: {read:?} with a reader, {unread:?} without; \
         {lost} lines lost after {turns} turns"
    );
    assert!(lost > 1.0);
    // A turn that waited for the log would wait for ever; the margin is the machine's.
    assert!(unread < read + Duration::from_millis(100));
    service.signal("TERM");
    assert_eq!(service.ended().await, 0, "it stops all the same");
    service.records().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c16_nobody_writes_into_the_log() {
    let mut service = Service::start(&[("RUST_LOG", "debug")]).await;
    for id in [
        "a%0d%0aX-Evil:%201",
        "a%0a%7B%22message%22:%22forged%22%7D",
        "%1b%5B31mred",
        "%22,%22forged%22:%22",
        "%5C%22forged",
        "%E2%80%A8forged",
    ] {
        let path = format!("/chat/completions?custom_session_id={id}");
        let body = r#"{"messages":[{"role":"user","content":"secret\nwords"}]}"#;
        let request = Request::bytes(&path, body)
            .header("user-agent", "\"},{\"forged\":\"")
            .header("traceparent", "00-forged");
        let response = service.send(&request).await;
        assert!(matches!(response.status, 200 | 400), "{id}");
        assert!(!response.headers.contains_key("x-evil"), "{id}");
    }
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    let lines = service.lines();
    assert!(lines.len() > 6, "{lines:?}");
    for line in lines {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["timestamp", "level", "target", "message"] {
            assert!(parsed[key].is_string(), "{key}: {line}");
        }
        // One object a line, and nothing within it: `jq` and the like need no more than a key.
        let fields = parsed.as_object().unwrap().values();
        assert!(
            fields.clone().all(|v| !v.is_object() && !v.is_array()),
            "{line}"
        );
        assert!(parsed.get("forged").is_none() && parsed["message"] != "forged");
        assert!(!line.contains("secret"), "somebody's words: {line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

/// The store writes on into a file that has another name now; whoever opens it by its own finds nothing, and can
/// make nothing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_log_does_not_reach_the_disk_says_so_once_an_outage() {
    let mut service = Service::start(&[]).await;
    let [log, away, nowhere] =
        ["clm.db-wal", "away", "nowhere/at-all"].map(|name| service.data().join(name));
    let told = async |service: &Service, words: &str, times: usize| {
        let told = until(words, async || {
            let lines = service.lines();
            let told: Vec<_> = lines.into_iter().filter(|l| l.contains(words)).collect();
            (told.len() == times).then_some(told)
        });
        let line = told.await.pop().unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    for outage in 1..=2 {
        fs::rename(&log, &away).unwrap();
        symlink(&nowhere, &log).unwrap();
        service.say(&format!("outage-{outage}"), "Hello").await;
        let line = told(&service, "does not reach the disk", outage).await;
        assert_eq!(
            (&line["level"], &line["target"]),
            (&"WARN".into(), &"clm::record".into())
        );
        let why = line["why"].as_str().unwrap();
        assert!(why.contains("No such file"), "{line}");
        // Tried again three times or so, and said no more.
        tokio::time::sleep(Duration::from_millis(700)).await;
        fs::rename(&away, &log).unwrap();
        told(&service, "reaches the disk again", outage).await;
        told(&service, "does not reach the disk", outage).await;
    }
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
    assert_eq!(service.records().await.len(), 2, "nothing was lost by it");
}
