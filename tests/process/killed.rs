//! A process that is killed: what was confirmed and not written yet is written by the next one.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quest_clm::memory::Person;
use serde_json::{Value, json};

use crate::caller::Request;
use crate::heard::Heard;
use crate::service::{Service, until};

/// Without lead-ins: on a busy machine a coach would say one before the planted answer. As it is
/// written: figures and dashes are looked for later.
const MEMORY: &[(&str, &str)] = &[
    ("ZEP_API_KEY", "zep-test"),
    ("LEAD_INS", "false"),
    ("SPEECH_FILTER", "false"),
];
const SESSIONS: usize = 4;

/// Conversations, each confirming with its next request what was said before.
struct Talks(Vec<(String, Vec<Value>)>);

impl Talks {
    fn new(name: &str) -> Self {
        Self(
            (0..SESSIONS)
                .map(|n| (format!("{name}-{n}"), Vec::new()))
                .collect(),
        )
    }

    /// Every session says something more. What is confirmed is all but that.
    async fn go_on(&mut self, service: &Service) {
        for (name, talk) in &mut self.0 {
            let words = format!("Planted {} in {name}.", talk.len() / 2);
            talk.push(json!({"role": "user", "content": words}));
            let reply = format!("My planted answer to {words}");
            let script = format!("text:{}", URL_SAFE_NO_PAD.encode(&reply));
            service.simulate(&json!({"script": [script]})).await;
            let request = Request::talk(name, &json!(talk));
            let heard = Heard::strictly(service.send(&request).await);
            assert_eq!(heard.text, reply);
            talk.push(json!({"role": "assistant", "content": reply}));
        }
    }

    /// As if every session had gone on: what it said last is confirmed.
    fn end(&mut self) {
        for (_, talk) in &mut self.0 {
            talk.extend([Value::Null, Value::Null]);
        }
    }

    fn confirmed(&self) -> usize {
        self.0.iter().map(|(_, talk)| talk.len() / 2 - 1).sum()
    }

    /// Holds that all that was confirmed is stored, each once and in order.
    async fn are_stored(&self, service: &Service) {
        let ledger = service.ledger().await;
        for (name, talk) in &self.0 {
            let thread = Person::new(name, name);
            let threads = ledger["zep_threads"].as_array().unwrap();
            let stored = threads
                .iter()
                .find(|t| t["thread_id"] == thread.zep_thread())
                .unwrap_or_else(|| panic!("nothing of {name}"));
            let said = |m: &Value| (m["role"].clone(), m["content"].clone());
            let stored: Vec<_> = stored["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(said)
                .collect();
            let expected: Vec<_> = talk[..talk.len() - 2].iter().map(said).collect();
            assert_eq!(stored, expected, "{name}");
        }
    }
}

async fn memory(service: &Service) -> Value {
    let ready = service.send(&Request::get("/readyz")).await.json();
    ready["dependencies"]["memory"].clone()
}

async fn wait_until(service: &Service, what: &str, field: &str, count: usize) {
    until(what, async || {
        (memory(service).await[field] == count).then_some(())
    })
    .await;
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let deep = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    entries.flat_map(deep).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_what_was_confirmed_outlives_a_kill_and_cannot_be_read() {
    let mut service = Service::start(MEMORY).await;
    service.simulate(&json!({"memory_fault": "429-text"})).await;
    let mut talks = Talks::new("talk");
    for _ in 0..6 {
        talks.go_on(&service).await;
    }
    wait_until(&service, "all on the disk", "on_disk", talks.confirmed()).await;
    assert_eq!(memory(&service).await["kind"], "rate_limited");
    service.simulate(&json!({"memory_fault": "none"})).await;
    // Looked at before it starts again: what is written then is deleted while it is read.
    service.kill();
    for path in files(service.data()) {
        let bytes = fs::read(&path).unwrap();
        for words in ["Planted", "planted", "clm-u-"] {
            let found = bytes.windows(words.len()).any(|w| w == words.as_bytes());
            assert!(!found, "{words} in {path:?}");
        }
    }
    service.start_again().await;
    wait_until(&service, "all written", "writes_waiting", 0).await;
    talks.are_stored(&service).await;
    assert!(service.metric("clm_memory_backlog").await < 1.0);
    service.signal("TERM");
    assert_eq!(service.ended().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_kills_amid_writing_neither_lose_nor_double() {
    let mut service = Service::start(MEMORY).await;
    service.simulate(&json!({"memory_latency_ms": 15})).await;
    let mut all = Vec::new();
    for round in 0..8 {
        // What a killed process had not seen confirmed is lost with it, so each round is new.
        let mut talks = Talks::new(&format!("round-{round}"));
        for _ in 0..3 {
            talks.go_on(&service).await;
        }
        // Every exchange is written, being written, or on the disk.
        until("nothing is in memory alone", async || {
            let memory = memory(&service).await;
            (memory["writes_waiting"] == memory["on_disk"]).then_some(())
        })
        .await;
        service.kill_and_start(MEMORY).await;
        all.push(talks);
    }
    service.simulate(&json!({"memory_latency_ms": 0})).await;
    wait_until(&service, "all written", "writes_waiting", 0).await;
    for talks in all {
        talks.are_stored(&service).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d8_an_outage_over_a_stop_loses_nothing_and_is_no_failure() {
    let mut service = Service::start(MEMORY).await;
    service.simulate(&json!({"memory_fault": "429-text"})).await;
    let mut talks = Talks::new("talk");
    for _ in 0..3 {
        talks.go_on(&service).await;
    }
    service.signal("TERM");
    assert_eq!(service.ended().await, 0, "kept is not lost");
    // The last turns were read to their end, which a stop takes for a yes.
    talks.end();
    service.simulate(&json!({"memory_fault": "none"})).await;
    service.kill_and_start(MEMORY).await;
    wait_until(&service, "all written", "writes_waiting", 0).await;
    talks.are_stored(&service).await;
}
