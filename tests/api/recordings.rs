//! Streams that OpenRouter really sent, replayed byte by byte and cut everywhere.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use quest_clm::coach::Roster;
use quest_clm::sse::Decoder;
use serde_json::Value;

use crate::app::{AS_WRITTEN, TestApp};

const SMALL: &[&str] = &[
    "text-gpt4omini-azure-2026-05",
    "text-haiku45-bedrock-2026-06",
    "length-gpt4omini-openai-2026-08.normalised",
    "reasoning-sonnet45-google-2025-12",
    "error-midstream-minimax-m2-2025-11",
];
const LARGE: &str = "reasoning-haiku45-bedrock-comments-midstream-2026-06";

fn recording(name: &str) -> Vec<u8> {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openrouter");
    fs::read(fixtures.join(format!("{name}.sse"))).unwrap()
}

/// What the recording says, read line by line and not by the service's own decoder.
struct Told {
    text: String,
    finish: Option<String>,
    cost: f64,
    id: String,
    failed: bool,
}

fn told(bytes: &[u8]) -> Told {
    let mut told = Told {
        text: String::new(),
        finish: None,
        cost: 0.0,
        id: String::new(),
        failed: false,
    };
    for line in std::str::from_utf8(bytes).unwrap().lines() {
        let Some(json) = line.strip_prefix("data: {") else {
            continue;
        };
        let event: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
        let choice = &event["choices"][0];
        told.text += choice["delta"]["content"].as_str().unwrap_or_default();
        told.finish = told
            .finish
            .or_else(|| Some(choice["finish_reason"].as_str()?.to_owned()));
        told.cost = event["usage"]["cost"].as_f64().unwrap_or(told.cost);
        told.id = event["id"].as_str().unwrap_or(&told.id).to_owned();
        told.failed |= event.get("error").is_some();
    }
    told
}

async fn replay(app: &TestApp, name: &str, cut_every: usize) {
    let bytes = recording(name);
    let told = told(&bytes);
    app.simulator().add_recording(name, bytes, cut_every);
    app.script(&[
        &format!("replay:{name}"),
        &crate::app::saying("Somebody else."),
    ]);
    let heard = app.ask("Hello").await;
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], "complete", "{name} / {cut_every}");
    if told.failed {
        assert_eq!(told.text, "", "this one says nothing before it fails");
        assert_eq!(heard.text, "Somebody else.", "{name} / {cut_every}");
        return;
    }
    let mut whole = told.text;
    // What its provider cut off ends as a clause.
    if told.finish.as_deref() == Some("length") && !whole.ends_with('.') {
        let roster = quest_clm::coach::Roster::built_in().unwrap();
        whole += &format!("... {}", roster.master().unfinished());
    }
    assert_eq!(heard.text, whole, "{name} / {cut_every}");
    assert_eq!(
        Some(heard.finish_reason),
        told.finish,
        "{name} / {cut_every}"
    );
    assert_eq!(record["generation_id"], told.id.as_str());
    assert_eq!(record["cost_source"], "reported");
    let cost: f64 = record["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(
        (cost - told.cost).abs() <= 1e-6,
        "{name}: {cost} for {}",
        told.cost
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_streams_pass_whole_however_they_are_cut() {
    for name in SMALL {
        for cut_every in [0, 1, 2, 3, 7, 64, 1448] {
            // A service each: a stream that fails teaches it to leave the model alone.
            let app = TestApp::spawn(&[AS_WRITTEN]).await;
            replay(&app, name, cut_every).await;
            app.stop().await;
        }
    }
    let app = TestApp::spawn(&[AS_WRITTEN]).await;
    for cut_every in [0, 64, 1448] {
        replay(&app, LARGE, cut_every).await;
    }
    app.stop().await;
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"{{"id":"gen-1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    )
}

/// Shapes that the standard or the reference allow and nobody has recorded in public.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_only_described_pass_as_well() {
    let app = TestApp::spawn(&[AS_WRITTEN, ("RESUME", "false")]).await;
    let words = |text: &str| {
        format!(
            "data: {}\n\n",
            chunk(&format!(r#"{{"content":"{text}"}}"#), "null")
        )
    };
    let end = |reason: &str| {
        format!(
            "data: {}\n\ndata: [DONE]\n\n",
            chunk("{}", &format!("\"{reason}\""))
        )
    };
    let plain = words("Hi") + &words(" there") + &end("stop");
    let multi_line = plain.replace(r#","choices""#, ",\ndata: \"choices\"");
    let roster = Roster::built_in().unwrap();
    let filtered = format!("Hi {}", roster.master().refusal());
    let table = [
        (
            "crlf",
            plain.replace('\n', "\r\n"),
            "Hi there",
            "stop",
            "complete",
        ),
        (
            "cr",
            plain.replace('\n', "\r"),
            "Hi there",
            "stop",
            "complete",
        ),
        (
            "no space",
            plain.replace("data: ", "data:"),
            "Hi there",
            "stop",
            "complete",
        ),
        ("several lines", multi_line, "Hi there", "stop", "complete"),
        (
            "names and ids",
            plain.replace("data: {", "event: x\nid: 7\nretry: 1\ndata: {"),
            "Hi there",
            "stop",
            "complete",
        ),
        (
            "after the end",
            plain.clone() + &words(" no") + "data: [DONE]\n\n",
            "Hi there",
            "stop",
            "complete",
        ),
        (
            "escapes",
            words(r"\ud83c\udf89 \u2028 \n \\ \u0022") + &end("stop"),
            "🎉 \u{2028} \n \\ \"",
            "stop",
            "complete",
        ),
        (
            "filtered",
            words("Hi") + &end("content_filter"),
            // What the maker would not say is not left hanging.
            filtered.as_str(),
            "content_filter",
            "complete",
        ),
        (
            "unheard-of finish",
            words("Hi") + &end("error"),
            "Hi",
            "stop",
            "partial_failed",
        ),
        ("no terminal", words("Hi"), "Hi", "stop", "partial_failed"),
        (
            "done alone",
            words("Hi") + "data: [DONE]\n\n",
            "Hi",
            "stop",
            "complete",
        ),
        (
            "bare error",
            words("Hi") + "data: {\"error\":\"x\"}\n\n",
            "Hi",
            "stop",
            "partial_failed",
        ),
    ];
    for (name, stream, text, finish, outcome) in table {
        for cut_every in [0, 1, 5] {
            app.simulator()
                .add_recording("odd", stream.clone(), cut_every);
            app.script(&["replay:odd"]);
            let heard = app.ask("Hello").await;
            assert_eq!(
                (heard.text.as_str(), heard.finish_reason.as_str()),
                (text, finish),
                "{name} / {cut_every}"
            );
            assert_eq!(
                app.record(&heard.turn_id).await["outcome"],
                outcome,
                "{name} / {cut_every}"
            );
        }
    }
    app.stop().await;
}

fn decode(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(data) = decoder.next_event().unwrap() {
            events.push(data.to_vec());
        }
    }
    events
}

/// Neighbouring events, so that each piece begins where an event does.
fn neighbours(bytes: &[u8]) -> Vec<&[u8]> {
    let ends = memchr::memmem::find_iter(bytes, b"\n\n").map(|at| at + 2);
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in ends {
        if end - start >= 2048 || end == bytes.len() {
            pieces.push(&bytes[start..end]);
            start = end;
        }
    }
    assert_eq!(pieces.concat(), bytes);
    pieces
}

#[test]
fn a_recording_decodes_alike_at_every_split() {
    for name in SMALL.iter().chain([&LARGE]) {
        let bytes = recording(name);
        for piece in neighbours(&bytes) {
            let whole = decode(&[piece]);
            for at in 0..=piece.len() {
                assert_eq!(
                    decode(&[&piece[..at], &piece[at..]]),
                    whole,
                    "{name} at {at}"
                );
            }
        }
        let singly: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&singly), decode(&[&bytes]), "{name} byte by byte");
    }
}
