//! Ordinary turns on both routes: what is asked, said and recorded.

use serde_json::{Value, json};

use crate::app::{AS_WRITTEN, TestApp, saying, until};
use crate::caller::Request;

const ODD: &str =
    "First\nsecond \"quoted\" \\ back\u{2028}\u{2029} naïve 🎉👩‍👩‍👧 \u{7f} </script> end.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_spoken_token_by_token_and_recorded() {
    let app = TestApp::spawn(&[]).await;
    let heard = app.say("s-1", "I was passed over for a promotion.").await;
    assert!(heard.text.split_whitespace().count() > 20, "{}", heard.text);
    assert!(heard.events.len() > 20, "tokens come one by one");
    assert_eq!(
        (heard.finish_reason.as_str(), heard.session.as_str()),
        ("stop", "s-1")
    );
    assert_eq!(heard.events[0]["model"], "coach-1");
    assert_eq!(heard.usage, None);
    // The stream ends before the bill has come, and so before the model's does.
    until("the end of the model's answer", async || {
        app.chats()[0].finished().then_some(())
    })
    .await;
    let chats = app.chats();
    assert_eq!(chats.len(), 1);
    assert!(chats[0].authorized);
    assert_eq!(heard.headers["x-clm-coach"], "career");
    assert_eq!(heard.headers["x-clm-model"], chats[0].model);
    let trace = &heard.headers["x-clm-trace-id"];
    assert!(heard.headers["traceparent"].contains(trace.as_str()));
    assert!(heard.headers["server-timing"].contains("auth;dur="));
    let record = app.record(&heard.turn_id).await;
    for (field, expected) in [
        ("turn_id", json!(heard.turn_id)),
        ("session_id", json!("s-1")),
        ("trace_id", json!(trace)),
        ("profile", json!("hume")),
        ("identity", json!("body")),
        ("coach", json!("career")),
        ("coach_reason", json!("keyword:promotion")),
        ("outcome", json!("complete")),
        ("planned_model", json!(chats[0].model)),
        ("served_model", json!(chats[0].model)),
        ("generation_id", json!(chats[0].id)),
        ("completion_tokens", json!(chats[0].tokens_sent)),
        ("cost_source", json!("reported")),
    ] {
        assert_eq!(record[field], expected, "{field}: {record}");
    }
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
    assert!(!record["cost_usd"].is_null());
    assert_eq!(app.record(trace).await["turn_id"], heard.turn_id.as_str());
    assert_eq!(app.stop().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstream_is_asked_for_voice_once_and_politely() {
    let app = TestApp::spawn(&[("APP_URL", "https://quest.example"), ("APP_TITLE", "Quest")]).await;
    app.say("s-1", "My team ignores me.").await;
    let chat = app.chats().remove(0);
    assert_eq!(chat.referer.as_deref(), Some("https://quest.example"));
    assert_eq!(
        (chat.title.as_deref(), chat.openrouter_title.as_deref()),
        (Some("Quest"), Some("Quest"))
    );
    let body = &chat.body;
    assert_eq!(body["stream"], true);
    assert_eq!(body["reasoning"]["enabled"], false);
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(1200), &json!(0.9))
    );
    assert!(body.get("models").is_none() && body.get("tools").is_none());
    // Stable names of the speaker, and not the speaker's own.
    for field in ["user", "session_id"] {
        let name = body[field].as_str().unwrap();
        assert!(!name.is_empty() && !name.contains("s-1"), "{field}: {name}");
    }
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0]["role"], "system");
    assert_eq!(
        messages.last().unwrap(),
        &json!({"role": "user", "content": "My team ignores me."})
    );
    app.say("s-1", "They do it every day.").await;
    assert_eq!(app.asked()["user"], body["user"]);
    assert_eq!(app.asked()["session_id"], body["session_id"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_arrive_to_the_byte_however_they_are_cut() {
    let app = TestApp::spawn(&[AS_WRITTEN]).await;
    app.script(&[&saying(ODD)]);
    assert_eq!(app.say("s-1", "Hello").await.text, ODD);
    app.script(&["ok"]);
    let plain = app.say("s-2", "Hello").await.text;
    for fault in ["bytewise", "crlf", "bom"] {
        app.script(&[fault]);
        assert_eq!(app.ask("Hello").await.text, plain, "{fault}");
    }
    app.script(&["split-utf8"]);
    let cut = app.ask("Hello").await.text;
    assert!(!cut.is_ascii() && !cut.contains('\u{fffd}'), "{cut}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_comes_at_once_and_the_end_before_the_bill() {
    let app = TestApp::spawn(&[AS_WRITTEN]).await;
    app.script(&["slow-first:400"]);
    let heard = app.say("s-1", "Hello").await;
    let (first, spoke) = (heard.first.as_millis(), heard.spoke.unwrap().as_millis());
    assert!(
        spoke >= 400 && first + 200 < spoke,
        "the role after {first} ms, words after {spoke} ms"
    );
    app.script(&["flood"]);
    let flood = app.say("s-1", "Hello again").await;
    let roster = quest_clm::coach::Roster::built_in().unwrap();
    let clause = format!("... {}", roster.master().unfinished());
    let words = flood
        .text
        .strip_suffix(&clause)
        .expect("a clause at the end");
    // The last may be half a word, so it is not said.
    assert_eq!(
        words.split_whitespace().count(),
        1499,
        "the coach's max_tokens less one"
    );
    assert_eq!(flood.finish_reason, "length");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_route_answers_and_a_doubled_suffix_too() {
    let app = TestApp::spawn(&[]).await;
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    for path in [
        "/chat/completions",
        "/api/hume-clm-sse/chat/completions",
        "/v1/chat/completions",
        "/chat/completions/chat/completions",
        "/v1/chat/completions/chat/completions",
    ] {
        let heard = app.hear(&Request::post(path, &body)).await;
        assert!(!heard.text.is_empty(), "{path}");
        assert!(!heard.session.is_empty() && heard.events[0]["model"] == "clm");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_route_answers_in_one_body_unless_asked_to_stream() {
    let app = TestApp::spawn(&[AS_WRITTEN]).await;
    app.script(&[&saying("Hi \"there\"\n🎉")]);
    let body =
        json!({"model": "clm", "messages": [{"role": "user", "content": "Hi"}], "user": "u-1"});
    let response = app
        .send(&Request::post("/v1/chat/completions", &body))
        .await;
    assert_eq!(
        (response.status, response.headers["content-type"].as_str()),
        (200, "application/json")
    );
    let whole = response.json();
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["system_fingerprint"], "u-1");
    assert_eq!(
        whole["choices"][0]["message"],
        json!({"role": "assistant", "content": "Hi \"there\"\n🎉"})
    );
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    assert!(whole["usage"]["total_tokens"].as_u64().unwrap() > 0);
    let streamed = json!({"stream": true, "stream_options": {"include_usage": true}, "messages": body["messages"]});
    let heard = app
        .hear(&Request::post("/v1/chat/completions", &streamed))
        .await;
    let usage = heard.usage.expect("it was asked for");
    assert_eq!(
        usage.as_object().unwrap().len(),
        3,
        "no price, no details: {usage}"
    );
    let silent = json!({"stream": false, "messages": body["messages"]});
    let hume = app.send(&Request::post("/chat/completions", &silent)).await;
    assert_eq!(hume.json()["object"], "chat.completion");
    app.script(&["500", "500", "500"]);
    let failed = app
        .send(&Request::post("/v1/chat/completions", &silent))
        .await;
    let said = failed.json()["choices"][0]["message"]["content"].clone();
    assert!(
        crate::app::is_fallback_line(said.as_str().unwrap()),
        "{said}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_session_id_that_is_not_empty_counts() {
    let app = TestApp::spawn(&[]).await;
    for (header, query, body, expected) in [
        ("h", "?custom_session_id=q", "b", "h"),
        ("é", "?custom_session_id=q", "b", "é"),
        ("", "?custom_session_id=q", "b", "q"),
        ("", "?custom_session_id=&custom%5Fsession_id=q", "b", "q"),
        ("", "?custom_session_id=", "b", "b"),
    ] {
        let path = format!("/v1/chat/completions{query}");
        let body = json!({"stream": true, "messages": [], "custom_session_id": body});
        let request = Request::post(&path, &body).header("x-clm-session", header);
        let heard = app.hear(&request).await;
        assert_eq!(heard.events[0]["system_fingerprint"], expected, "{query}");
    }
    app.stop().await;
}

fn with_tools(session: &str) -> Request {
    let tool = json!({"type": "function", "function": {"name": "save_goal", "parameters": {}}});
    let body = json!({"stream": true, "tools": [tool], "tool_choice": "auto",
        "messages": [{"role": "user", "content": "Save that."}]});
    Request::post(
        &format!("/chat/completions?custom_session_id={session}"),
        &body,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_call_passes_whole_to_a_caller_with_tools() {
    let app = TestApp::spawn(&[]).await;
    for fault in ["tool", "tools-two"] {
        app.script(&[fault]);
        let heard = app.hear(&with_tools("s-1")).await;
        assert_eq!(heard.finish_reason, "tool_calls", "{fault}");
        let [call] = heard.tool_calls.as_slice() else {
            panic!("one call: {:?}", heard.tool_calls)
        };
        assert_eq!(
            (&call["index"], &call["type"]),
            (&json!(0), &json!("function"))
        );
        assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()));
        let arguments = call["function"]["arguments"].as_str().unwrap();
        assert!(
            serde_json::from_str::<Value>(arguments)
                .unwrap()
                .is_object()
        );
        assert_eq!(heard.text, "", "{fault}");
    }
    let asked = app.asked();
    assert_eq!(
        (&asked["tool_choice"], &asked["parallel_tool_calls"]),
        (&json!("auto"), &json!(false))
    );
    assert_eq!(asked["tools"][0]["function"]["name"], "save_goal");
    app.script(&["tool-truncated"]);
    let cut = app.hear(&with_tools("s-2")).await;
    assert!(cut.tool_calls.is_empty() && cut.finish_reason == "stop" && !cut.text.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_call_nobody_asked_for_is_neither_spoken_nor_passed_on() {
    let app = TestApp::spawn(&[]).await;
    for fault in ["tool", "tools-two", "tool-truncated"] {
        app.script(&[fault]);
        let heard = app.say("s-1", "Save that.").await;
        assert_eq!(heard.finish_reason, "stop", "{fault}");
        assert!(
            heard.tool_calls.is_empty() && !heard.text.is_empty(),
            "{fault}"
        );
        assert!(
            !heard.text.contains(['{', '}']) && !heard.text.contains("goal\""),
            "{fault}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_result_goes_back_without_what_the_platform_attached() {
    let app = TestApp::spawn(&[]).await;
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": "save_goal", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "call_0", "content": "saved"});
    let wrapped = json!({"type": "assistant_message", "message": call,
        "models": {"prosody": {"scores": {"Joy": 0.9}}}});
    let mut voiced = result.clone();
    voiced["time"] = json!({"begin": 1});
    let body = json!({"stream": true, "tools": [{"type": "function", "function": {"name": "save_goal"}}],
        "messages": [{"role": "user", "content": "Save it."}, wrapped, voiced]});
    let heard = app
        .hear(&Request::post("/v1/chat/completions", &body))
        .await;
    assert!(!heard.text.is_empty());
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap();
    assert_eq!(&messages[messages.len() - 2..], &[call, result]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_places_there_are_a_turn_is_shed_with_a_sentence() {
    let app = TestApp::spawn(&[("MAX_TURNS", "1")]).await;
    app.script(&["stall:3"]);
    let mut first = app.call(&Request::hume("s-1", "Hello")).await;
    first.hear_words().await;
    let shed = app.say("s-2", "Hello").await;
    let roster = quest_clm::coach::Roster::built_in().unwrap();
    let busy = &roster.master().busy_lines;
    assert!(busy.contains(&shed.text), "{}", shed.text);
    assert_eq!(app.chats().len(), 1, "nothing is paid for");
    assert_eq!(app.record(&shed.turn_id).await["outcome"], "shed");
    first.reset();
    until("the place is free", async || {
        let heard = app.say("s-3", "Hello").await;
        (!busy.contains(&heard.text)).then_some(())
    })
    .await;
    app.stop().await;
}
