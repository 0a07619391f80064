//! Each caller on its own routes: where its session comes from, in which form it is answered, and that
//! its bursts and repeats are one answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::caller::Request;
use crate::errors::refused;
use crate::heard::Heard;

const PREFIXES: &[(&str, &str)] = &[
    ("", "hume"),
    ("/api/hume-clm-sse", "hume"),
    ("/v1", "openai"),
    ("/elevenlabs", "elevenlabs"),
    ("/elevenlabs/v1", "elevenlabs"),
    ("/vapi", "vapi"),
    ("/vapi/v1", "vapi"),
];

fn post(prefix: &str, body: &Value) -> Request {
    Request::post(&format!("{prefix}/chat/completions"), body)
}

fn said(words: &str) -> Value {
    json!({"stream": true, "messages": [{"role": "user", "content": words}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_caller_has_its_routes_also_doubled_and_a_page_for_people() {
    let app = TestApp::spawn(&[]).await;
    for (prefix, profile) in PREFIXES {
        for path in [
            format!("{prefix}/chat/completions"),
            format!("{prefix}/chat/completions/chat/completions"),
        ] {
            let heard = app.hear(&Request::post(&path, &said("Hi"))).await;
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["profile"], *profile, "{path}");
            let browser = Request::get(&path).header("accept", "text/html,*/*");
            let page = app.send(&browser).await;
            assert_eq!(page.status, 200, "{path}");
            assert!(page.text().contains("curl -N"));
            let machine = app.send(&Request::get(&path)).await;
            refused(&machine, 405, "method_not_allowed");
            assert_eq!(machine.headers["allow"], "POST", "{path}");
        }
        refused(
            &app.send(&post(&format!("{prefix}/x"), &said("Hi"))).await,
            404,
            "not_found",
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_stream_field_decides_the_form() {
    let app = TestApp::spawn(&[]).await;
    for (prefix, profile) in PREFIXES {
        for (stream, streams) in [
            (json!(true), true),
            (json!(false), false),
            (json!(null), *profile != "openai"),
            (json!("false"), *profile != "openai"),
            (json!(0), *profile != "openai"),
        ] {
            for accept in ["application/json", "text/event-stream", "*/*"] {
                let mut body = said("Hi");
                body["stream"] = stream.clone();
                let request = post(prefix, &body).header("accept", accept);
                let response = app.send(&request).await;
                let kind = &response.headers["content-type"];
                let is_stream = kind == "text/event-stream";
                assert_eq!(is_stream, streams, "{prefix} {stream} {accept}");
                match streams {
                    true => assert_eq!(Heard::strictly(response).finish_reason, "stop"),
                    false => assert_eq!(response.json()["object"], "chat.completion"),
                }
            }
        }
        // Absent is as null.
        let body = json!({"messages": [{"role": "user", "content": "Hi"}]});
        let response = app.send(&post(prefix, &body)).await;
        let is_stream = response.headers["content-type"] == "text/event-stream";
        assert_eq!(is_stream, *profile != "openai", "{prefix}");
    }
    app.stop().await;
}

/// One request with a session in every place at and after this one: the places in the order in which
/// they count, and what is named there.
fn named_from(prefix: &str, first: usize) -> (Request, String) {
    let mut body = said("Hi");
    let mut call = json!({});
    let named = |at: usize| (at >= first).then(|| format!("place-{at}"));
    let inner = |at| json!({"session_id": named(at)});
    body["custom_session_id"] = json!(named(2));
    body["elevenlabs_extra_body"] = inner(3);
    body["metadata"] = inner(4);
    body["extra_metadata"] = inner(5);
    call["metadata"] = inner(6);
    call["id"] = json!(named(7));
    body["call"] = call;
    body["user"] = json!(named(8));
    let query = named(1).map(|id| format!("?custom_session_id={id}"));
    let path = format!("{prefix}/chat/completions{}", query.unwrap_or_default());
    let request = Request::post(&path, &body);
    let request = match named(0) {
        Some(id) => request.header("x-clm-session", &id),
        None => request,
    };
    (request, format!("place-{first}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_comes_from_the_first_place_that_names_it() {
    let app = TestApp::spawn(&[]).await;
    for (prefix, profile) in PREFIXES {
        for first in 0..=8 {
            let (request, expected) = named_from(prefix, first);
            let session = app.hear(&request).await.session;
            match (*profile, first) {
                // The query is all that Hume has.
                ("hume", 0 | 1) => assert_eq!(session, "place-1", "{prefix}"),
                ("hume", _) => assert!(!session.starts_with("place"), "{prefix}: {session}"),
                _ => assert_eq!(session, expected, "{prefix}"),
            }
        }
    }
    let mut body = said("Hi");
    body["call"] =
        json!({"id": "call-id", "assistantOverrides": {"metadata": {"session_id": "page"}}});
    assert_eq!(app.hear(&post("/vapi", &body)).await.session, "page");
    assert_eq!(app.hear(&post("/v1", &body)).await.session, "call-id");
    app.stop().await;
}

/// Six requests for one turn, as platforms send them in doubt; all but the last are broken off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_one_turn_is_one_answer_and_one_cost() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(5));
    for (at, (prefix, profile)) in PREFIXES.iter().enumerate().filter(|(_, p)| p.1 != "hume") {
        let before = app.chats().len();
        let mut body = said("I was passed over for a promotion.");
        body["user"] = json!(format!("burst-{at}"));
        let request = post(prefix, &body);
        let mut dropped = Vec::new();
        for _ in 0..5 {
            let mut call = app.call(&request).await;
            call.hear_words().await;
            dropped.push(call);
        }
        let mut last = app.call(&request).await;
        // It listens by now; nobody's leaving ends the answer.
        last.turn_id().await;
        for call in dropped {
            call.reset();
        }
        let heard = Heard::strictly(last.response().await);
        assert_eq!(heard.finish_reason, "stop");
        // Once more, when it is over: ElevenLabs' third try.
        let again = app.hear(&request).await;
        assert_eq!((&again.text, &again.turn_id), (&heard.text, &heard.turn_id));
        assert_eq!(app.chats().len() - before, 1, "{profile}: one paid call");
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["outcome"], "complete", "{profile}");
    }
    app.stop().await;
}

/// A transcript that grows, each request dropped for the next: ElevenLabs' and LiveKit's speculation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_sentence_that_grows_only_the_last_is_answered() {
    let app = TestApp::spawn(&[]).await;
    app.options(|o| o.gap = Duration::from_millis(20));
    for (at, (prefix, profile)) in PREFIXES.iter().enumerate().filter(|(_, p)| p.1 != "hume") {
        let mut calls = Vec::new();
        for words in ["I was", "I was passed", "I was passed over"] {
            let mut body = said(words);
            body["user"] = json!(format!("grows-{at}"));
            let mut call = app.call(&post(prefix, &body)).await;
            call.hear_words().await;
            calls.push(call);
        }
        let mut turns = Vec::new();
        for mut call in calls {
            turns.push(call.turn_id().await);
            let rest = call.whole().await.text();
            assert!(rest.ends_with("data: [DONE]\n\n"), "{profile}: {rest}");
        }
        let mut outcomes = Vec::new();
        for turn in &turns {
            outcomes.push(app.record(turn).await["outcome"].clone());
        }
        assert_eq!(
            outcomes,
            ["superseded", "superseded", "complete"],
            "{profile}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_applications_instructions_are_quoted_and_unknown_fields_passed_over() {
    let app = TestApp::spawn(&[("ZEP_API_KEY", "")]).await;
    let elevenlabs = json!({"model": "coach", "stream": true, "temperature": null, "max_tokens": -1,
        "messages": [{"role": "system", "content": "Her name is Ines."},
            {"role": "assistant", "content": "Hi, how are you today?"},
            {"role": "user", "content": "A bit tired."}],
        "tools": [{"type": "function", "function": {"name": "end_call", "description": "Ends the call.",
            "parameters": {}}}],
        "user_id": "u-77", "elevenlabs_extra_body": {"session_id": "s-1", "token": "opaque"}});
    let vapi = json!({"model": "coach", "stream": true, "temperature": 0.5, "max_tokens": 250,
        "messages": [{"role": "system", "content": "Her name is Ines."},
            {"role": "user", "content": "A bit tired."}],
        "metadata": {"session_id": "s-2"}, "phoneNumber": {"number": "+15550100"},
        "customer": {"number": "+15550101"}, "timestamp": 1_790_000_000_000_i64,
        "call": {"id": "c", "type": "webCall", "serverUrlSecret": "hush",
            "monitor": {"controlUrl": "https://example.com/hush"}}});
    for (prefix, body, session, offers) in [
        ("/elevenlabs", &elevenlabs, "s-1", true),
        ("/vapi", &vapi, "s-2", false),
    ] {
        let heard = app.hear(&post(prefix, body)).await;
        assert_eq!(heard.session, session);
        let asked = app.asked();
        let messages = asked["messages"].to_string();
        assert!(messages.contains("background notes") && messages.contains("| Her name is Ines."));
        assert_eq!(asked.get("tools").is_some(), offers, "{prefix}");
        for untold in ["hush", "opaque", "+1555", "u-77"] {
            assert!(!asked.to_string().contains(untold), "{untold}: {asked}");
        }
    }
    // What Vapi sends to a wrong address is no turn.
    let event = json!({"message": {"type": "status-update", "status": "ended"}});
    refused(
        &app.send(&post("/vapi", &event)).await,
        400,
        "invalid_request",
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_of_the_platforms_is_called_in_one_whole_delta() {
    let app = TestApp::spawn(&[]).await;
    for (prefix, _) in PREFIXES {
        app.script(&["tool"]);
        let mut body = said("Let us stop here.");
        body["tools"] =
            json!([{"type": "function", "function": {"name": "end_call", "parameters": {}}}]);
        let heard = app.hear(&post(prefix, &body)).await;
        assert_eq!(heard.finish_reason, "tool_calls", "{prefix}");
        let [call] = heard.tool_calls.as_slice() else {
            panic!("{:?}", heard.tool_calls)
        };
        let arguments = call["function"]["arguments"].as_str().unwrap();
        assert!(serde_json::from_str::<Value>(arguments).is_ok(), "{call}");
    }
    app.stop().await;
}
