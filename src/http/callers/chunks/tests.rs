use serde_json::Value;

use super::*;

fn frame() -> Frame {
    Frame {
        id: "chatcmpl-1".into(),
        created: 7,
        model: "clm".into(),
        fingerprint: "a\"b".into(),
        trace_id: "t".into(),
    }
}

fn events(mouth: &mut EventMouth) -> Vec<Value> {
    let text = String::from_utf8(mouth.take().to_vec()).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"));
    text.split_terminator("\n\n")
        .map(|e| e.strip_prefix("data: ").unwrap())
        .filter(|e| *e != "[DONE]")
        .map(|e| serde_json::from_str(e).unwrap())
        .collect()
}

#[test]
fn a_stream_is_role_words_finish_done() {
    let mut mouth = EventMouth::new(&frame(), true);
    let odd = "line\nquote\" \u{2028} \u{1f600} \\";
    mouth.words(odd);
    mouth.end(
        FinishReason::Stop,
        Some(&Usage {
            prompt_tokens: 3,
            ..Usage::default()
        }),
    );
    let events = events(&mut mouth);
    assert_eq!(events.len(), 4);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[1]["choices"][0]["delta"]["content"], odd);
    assert_eq!(events[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[3]["usage"]["total_tokens"], 3);
    assert_eq!(events[3]["choices"], json!([]));
    for event in &events {
        assert_eq!(event["id"], "chatcmpl-1");
        assert_eq!(event["created"], 7);
        assert_eq!(event["system_fingerprint"], "a\"b");
    }
}

#[test]
fn room_for_a_long_piece_is_given_back() {
    let mut mouth = EventMouth::new(&frame(), false);
    for words in ["word ".repeat(2_000), "word ".to_owned()] {
        mouth.words(&words);
        let said = mouth.take();
        assert!(said.len() > words.len());
        assert!(mouth.out.capacity() < KEPT_BYTES);
    }
}

#[test]
fn a_tool_call_is_one_whole_delta() {
    let mut mouth = EventMouth::new(&frame(), false);
    mouth.tool(&ToolCall {
        id: "c".into(),
        name: "f".into(),
        arguments: String::new(),
    });
    mouth.end(FinishReason::ToolCalls, None);
    let events = events(&mut mouth);
    let call = &events[1]["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!(
        (&call["index"], &call["function"]["arguments"]),
        (&json!(0), &json!("{}"))
    );
    assert_eq!(events[2]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_fault_is_the_last_thing_and_no_success() {
    let mut mouth = EventMouth::new(&frame(), false);
    mouth.words("Well");
    mouth.fault(Fault::BrokenOff);
    mouth.end(FinishReason::Stop, None);
    let text = String::from_utf8(mouth.take().to_vec()).unwrap();
    let last = text.trim_end().rsplit("data: ").next().unwrap();
    let error: Value = serde_json::from_str(last).unwrap();
    assert_eq!(error["error"]["type"], "upstream_broke_off");
    assert_eq!(error["error"]["retryable"], true);
    assert!(!text.contains("[DONE]"));
}

#[test]
fn one_body_holds_it_all() {
    let mut mouth = JsonMouth::new(&frame());
    mouth.words("Hi ");
    mouth.words("there");
    mouth.end(FinishReason::Length, None);
    let body: Value = serde_json::from_str(&mouth.body()).unwrap();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Hi there");
    assert_eq!(body["choices"][0]["finish_reason"], "length");
}
