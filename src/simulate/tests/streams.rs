//! The simulated OpenRouter, fault by fault.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::{Rig, turn};
use crate::simulate::Options;
use crate::turn::MicroUsd;

impl Rig {
    /// The body as far as it came, and whether it ended well.
    pub(super) async fn read(&self, model: &str) -> (String, bool) {
        let mut body = self.open(model).await.bytes_stream();
        let mut read = Vec::new();
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => read.extend_from_slice(&piece),
                Err(_) => return (String::from_utf8_lossy(&read).into_owned(), false),
            }
        }
        (String::from_utf8(read).unwrap(), true)
    }
}

fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect()
}

fn words(body: &str) -> String {
    events(body)
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect()
}

fn count(body: &str) -> usize {
    let said = |event: &&Value| {
        event["choices"][0]["delta"]["content"]
            .as_str()
            .is_some_and(|c| !c.is_empty())
    };
    events(body).iter().filter(said).count()
}

#[tokio::test]
async fn an_ordinary_stream_has_the_recorded_shape() {
    let rig = Rig::start().await;
    let request = rig
        .chat(&turn("openai/gpt-6.1-terra"))
        .header("HTTP-Referer", "https://a.test");
    let response = request
        .header("X-Title", "T")
        .bearer_auth("k")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let id = response.headers()["x-generation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(id.starts_with("gen-") && id.rsplit('-').next().unwrap().len() == 20);
    let body = response.text().await.unwrap();
    assert!(body.starts_with(": OPENROUTER PROCESSING\n\ndata: {\"id\":\"gen-"));
    assert!(body.ends_with("\n\ndata: [DONE]\n\n"));
    let events = events(&body);
    assert!(
        events
            .iter()
            .all(|e| e["id"] == *id && e["choices"][0]["delta"]["role"] == "assistant")
    );
    let [.., finish, usage] = events.as_slice() else {
        panic!("{body}")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["usage"]["completion_tokens"], count(&body));
    assert!((40..=70).contains(&count(&body)) && words(&body).ends_with('?'));
    assert!(words(&body).contains("deserves") || words(&body).len() > 100);
    let call = rig.simulator.ledger().chat(&id).unwrap();
    assert!(call.finished() && call.authorized);
    assert_eq!(
        (call.referer.as_deref(), call.title.as_deref()),
        (Some("https://a.test"), Some("T"))
    );
    assert_eq!(call.billed_tokens, call.tokens_sent);
    assert_eq!(
        call.body["messages"][1]["content"],
        "Should I take the new job?"
    );
    rig.simulator.stop().await;
}

#[tokio::test]
async fn each_event_is_a_write_of_its_own() {
    let options = Options {
        first_token: Duration::ZERO,
        gap: Duration::ZERO,
        ..Options::default()
    };
    let rig = Rig::with(options).await;
    let mut socket = tokio::net::TcpStream::connect(rig.simulator.addr())
        .await
        .unwrap();
    let body = turn("bytewise").to_string();
    let head = format!(
        "POST /api/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, (head + &body).as_bytes())
        .await
        .unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"0\r\n\r\n") {
        assert!(
            tokio::io::AsyncReadExt::read_buf(&mut socket, &mut read)
                .await
                .unwrap()
                > 0
        );
    }
    // Each byte is an HTTP chunk; the last one ends the body.
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n1\r\na\r\n"));
}

#[tokio::test]
async fn streams_break_where_they_are_told() {
    let rig = Rig::start().await;
    for (model, ends_well, tokens, done) in [
        ("sim/cut:3", false, 3, false),
        ("cut:0", false, 0, false),
        ("cut:9999", false, 0, false),
        ("fin:4", true, 4, false),
        ("no-done:4", true, 4, false),
        ("err-chunk:2", true, 2, false),
        ("err-b:2", true, 2, false),
        ("err-c:2", true, 2, true),
        ("err-d:0", true, 0, true),
        ("err-e:1", true, 1, true),
        ("err-f:1", true, 1, false),
        ("err-g:1", true, 1, true),
        ("empty", true, 0, true),
        ("role-only", true, 0, true),
        ("reasoning-only", true, 0, true),
        ("refusal", true, 0, true),
        ("tool", true, 0, true),
        ("flood", true, 10_000, true),
        ("text:SGksIHlvdSDwn5GLIQ", true, 3, true),
    ] {
        let (body, well) = rig.read(model).await;
        assert_eq!(well, ends_well, "{model}: {body}");
        assert_eq!(body.contains("[DONE]"), done, "{model}: {body}");
        if model != "cut:9999" {
            assert_eq!(count(&body), tokens, "{model}: {body}");
        }
    }
    assert_eq!(
        words(&rig.read("text:SGksIHlvdSDwn5GLIQ").await.0),
        "Hi, you 👋!"
    );
    assert!(
        rig.simulator
            .ledger()
            .chats()
            .iter()
            .all(|call| call.end.is_some())
    );
}

#[tokio::test]
async fn odd_streams_still_say_the_same_words() {
    let rig = Rig::start().await;
    let ok = words(&rig.read("ok").await.0);
    for model in [
        "bom",
        "crlf",
        "bytewise",
        "bad-json:3",
        "huge-line:2:70000",
        "reasoning-first:3",
        "finish-twice",
        "usage-nochoices",
        "no-usage",
        "slow-first:20",
        "slow-nth:3:20",
        "slow-headers:5",
        "gzip",
        "400-reasoning",
        "restart",
        "repeat-prefill",
    ] {
        let (body, well) = rig.read(model).await;
        assert!(
            well && words(body.trim_start_matches('\u{feff}')) == ok,
            "{model}: {body}"
        );
    }
    assert!(rig.read("huge-line:2:70000").await.0.len() > 70_000);
    assert!(words(&rig.read("split-utf8").await.0).contains("🎉 and you earned it 👏🏽"));
    assert_eq!(
        events(&rig.read("no-usage").await.0)
            .last()
            .unwrap()
            .get("usage"),
        None
    );
}

#[tokio::test]
async fn refusals_have_their_status_and_body() {
    let rig = Rig::start().await;
    for (model, status) in [
        ("429:7", 429),
        ("529", 529),
        ("401", 401),
        ("402", 402),
        ("403-limit", 403),
        ("404", 404),
        ("400-context", 400),
        ("status:418", 418),
        ("html", 200),
        ("json-error", 200),
        ("redirect", 301),
        ("cut:x", 400),
    ] {
        assert_eq!(rig.open(model).await.status(), status, "{model}");
    }
    assert_eq!(rig.open("429:7").await.headers()["retry-after"], "7");
    assert!(
        rig.open("html").await.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    let limit: Value = rig.open("403-limit").await.json().await.unwrap();
    assert!(
        limit["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Key limit exceeded")
    );
    assert_eq!(rig.simulator.ledger().trap_hits(), 0);
    rig.simulator.script(vec!["503", "ok"]);
    assert_eq!(rig.open("ok").await.status(), 503);
    assert_eq!(rig.open("503").await.status(), 200);
    assert_eq!(rig.open("503").await.status(), 503);
}

#[tokio::test]
async fn a_hang_up_is_in_the_ledger() {
    let rig = Rig::start().await;
    for model in ["stall:2", "stall-comments:2", "google/stall:2"] {
        rig.simulator.ledger().reset();
        let mut body = rig.open(model).await.bytes_stream();
        rig.until(|ledger| ledger.chats().iter().any(|call| call.tokens_sent == 2))
            .await;
        assert!(body.next().await.unwrap().is_ok());
        assert!(rig.simulator.ledger().chats()[0].end.is_none());
        drop(body);
        rig.until(|ledger| ledger.chats()[0].aborted_at().is_some())
            .await;
        assert_eq!(rig.simulator.ledger().chats()[0].billed_tokens, 2);
    }
    rig.simulator.ledger().reset();
    tokio::select! {
        _ = rig.chat(&turn("hang")).send() => panic!("a hanging model answered"),
        () = rig.until(|ledger| !ledger.chats().is_empty()) => {}
    }
    rig.until(|ledger| ledger.chats()[0].aborted_at().is_some())
        .await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_cancelled_bills_the_whole_answer() {
    let rig = Rig::start().await;
    rig.simulator.script(vec!["slow-nth:3:60000"]);
    let mut body = rig
        .open("google/gemini-3.1-flash-lite")
        .await
        .bytes_stream();
    rig.until(|ledger| ledger.chats()[0].tokens_sent == 2).await;
    assert!(body.next().await.is_some());
    drop(body);
    rig.until(|ledger| ledger.chats()[0].aborted_at().is_some())
        .await;
    let call = rig.simulator.ledger().chats().remove(0);
    assert!(call.tokens_sent == 2 && call.billed_tokens >= 40);
    let url = format!(
        "{}/generation?id={}",
        rig.simulator.openrouter_url(),
        call.id
    );
    let early = rig.client.get(&url).send().await.unwrap().status();
    // Only a machine too busy to ask in time gets another answer.
    assert!(early == 404 || call.aborted_at().unwrap().elapsed() > Duration::from_millis(900));
    tokio::time::sleep_until(call.aborted_at().unwrap() + Duration::from_millis(901)).await;
    let told: Value = rig
        .client
        .get(&url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(told["data"]["cancelled"], true);
    let cost = told["data"]["total_cost"].as_f64().unwrap();
    let bill = MicroUsd::from_dollars(cost).unwrap().0;
    assert!(bill > 0 && bill == call.bill_microusd());
    assert_eq!(rig.simulator.ledger().bill_microusd(), bill);
    assert_eq!(rig.simulator.ledger().chats()[0].lookups, 2);
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_one_body() {
    let rig = Rig::start().await;
    let ask =
        json!({"model": "ok", "max_tokens": 6, "messages": [{"role": "user", "content": "Hi"}]});
    let answer: Value = rig.chat(&ask).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    let models = format!("{}/models", rig.simulator.openrouter_url());
    let models: Value = rig
        .client
        .get(models)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let slugs: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert!(slugs.contains(&&json!("openai/gpt-6-luna")) && slugs.contains(&&json!("sim/cut")));
}

#[tokio::test]
async fn a_recording_is_replayed_byte_for_byte() {
    let rig = Rig::start().await;
    let recording = ": OPENROUTER PROCESSING\n\ndata: {\"é\":1}\n\ndata: [DONE]\n\n";
    rig.simulator.add_recording("short", recording, 3);
    assert_eq!(rig.read("replay:short").await, (recording.to_owned(), true));
    assert_eq!(rig.open("replay:unknown").await.status(), 404);
}

#[tokio::test]
async fn a_cut_answer_is_continued_as_the_fault_says() {
    let rig = Rig::start().await;
    let whole = words(&rig.read("ok").await.0);
    let start = words(&rig.read("cut:7").await.0);
    let rest = whole.strip_prefix(&start).unwrap().to_owned();
    for (model, expected) in [
        ("ok", rest.clone()),
        ("repeat-prefill", whole.clone()),
        (
            "restart",
            format!("Sure, let me answer that from the beginning. {whole}"),
        ),
    ] {
        let mut ask = turn(model);
        let messages = ask["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": start}));
        let body = rig.chat(&ask).send().await.unwrap().text().await.unwrap();
        assert_eq!(words(&body), expected, "{model}");
        ask["model"] = json!("reject-prefill");
        assert_eq!(rig.chat(&ask).send().await.unwrap().status(), 400);
    }
}
