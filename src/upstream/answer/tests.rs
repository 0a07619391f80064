//! Streams as they really come, and what of them is heard.

use serde_json::json;

use super::*;

fn read(events: &[&str]) -> (Vec<Delta>, Option<&'static str>) {
    let mut reader = Reader {
        takes_tools: true,
        ..Reader::default()
    };
    for event in events {
        if let Err(e) = reader.take(event.as_bytes()) {
            return (reader.ready.into(), Some(e.kind()));
        }
    }
    (reader.ready.into(), None)
}

fn said(deltas: &[Delta]) -> String {
    let words = |d: &Delta| match d {
        Delta::Words(w) => w.clone(),
        _ => String::new(),
    };
    deltas.iter().map(words).collect()
}

const HI: &str = r#"{"id":"gen-1","model":"m","choices":[{"delta":{"content":"Hi"}}]}"#;
const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn odd_chunks_are_survived() {
    let (deltas, error) = read(&[
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":null}"#,
        r#"{"id":"x"}"#,
        r#"{"choices":[]}"#,
        r#"{"choices":[{"delta":{"content":null,"reasoning":"secret"}}]}"#,
        r#"{"choices":[{"delta":{"content":" \n"}}]}"#,
        HI,
        "not json",
        r#"{"choices":[{"delta":{"content":" there"},"finish_reason":"","logprobs":{}}]}"#,
        STOP,
        r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"usage":{"cost":0.1}}"#,
        "[DONE]",
        "[DONE]",
        HI,
    ]);
    assert_eq!(error, None);
    assert_eq!(said(&deltas), " \nHi there");
    let finishes = deltas
        .iter()
        .filter(|d| matches!(d, Delta::Finish(_)))
        .count();
    assert_eq!(finishes, 1);
    assert!(matches!(deltas.last(), Some(Delta::Usage(_))));
}

#[test]
fn marks_alone_are_no_first_words_and_are_not_lost() {
    let chunk = |words: &str| json!({"choices": [{"delta": {"content": words}}]}).to_string();
    let marks = chunk("**");
    let endless = vec![marks.as_str(); 1_000];
    let (deltas, error) = read(&endless);
    assert_eq!((deltas.len(), error), (0, None));
    let (list, word, stop) = (chunk("- "), chunk("Ask"), chunk("."));
    let (deltas, _) = read(&[&list, &marks, &word, &marks, &stop]);
    assert_eq!(said(&deltas), "- **Ask**.");
    let (deltas, _) = read(&[&stop]);
    assert_eq!(said(&deltas), ".", "what ends a sentence is said");
}

/// One field of a type that nobody expects must cost that field, and no words.
#[test]
fn words_are_heard_whatever_is_odd_around_them() {
    for (odd, expected) in [
        (
            r#"{"id":7,"model":[],"provider":{"a":1},"choices":[{"delta":{"content":"Hi"}}]}"#,
            "Hi",
        ),
        (
            r#"{"usage":"none","choices":[{"delta":{"content":"Hi"},"finish_reason":0}]}"#,
            "Hi",
        ),
        (
            r#"{"usage":[1],"choices":[{"delta":{"content":"Hi"},"finish_reason":{"type":"x"}}]}"#,
            "Hi",
        ),
        (
            r#"{"choices":[{"delta":{"content":"a\ud83d b"}}]}"#,
            "a\u{fffd} b",
        ),
        (
            r#"{"id":"\ud83d","choices":[{"delta":{"content":"\ude00 ok"}}]}"#,
            "\u{fffd} ok",
        ),
        (
            r#"{"id":"a","id":"b","choices":[{"delta":{"content":"a","content":"Hi"}}]}"#,
            "Hi",
        ),
        (
            r#"{"choices":[{"delta":{"content":"Hi","tool_calls":"x"}}]}"#,
            "Hi",
        ),
        (
            r#"{"choices":[{"delta":{"content":"Hi","tool_calls":[3,{"index":"0","function":[]}]}}]}"#,
            "Hi",
        ),
        (
            r#"{"choices":[{"delta":{"content":"Hi"}},"x"],"usage":{"cost":"free"}}"#,
            "Hi",
        ),
        (r#"{"choices":{"0":1},"usage":{}}"#, ""),
    ] {
        let (deltas, error) = read(&[odd, HI, STOP]);
        assert_eq!(
            (error, said(&deltas)),
            (None, format!("{expected}Hi")),
            "{odd}"
        );
    }
    let mut reader = Reader::default();
    let bytes = b"{\"choices\":[{\"delta\":{\"content\":\"caf\xc3 au \xff lait\"}}]}";
    reader.take(bytes).unwrap();
    assert_eq!(
        said(reader.ready.make_contiguous()),
        "caf\u{fffd} au \u{fffd} lait"
    );
}

#[test]
fn what_describes_a_stream_is_kept_where_it_is_text() {
    let mut reader = Reader::default();
    for event in [
        r#"{"id":7,"model":"m","provider":null,"choices":[]}"#,
        r#"{"id":"gen-1","model":"n","provider":{},"choices":[]}"#,
        r#"{"id":"gen-2","provider":"P","choices":[]}"#,
    ] {
        reader.take(event.as_bytes()).unwrap();
    }
    let meta = &reader.meta;
    assert_eq!(
        [&meta.generation_id, &meta.model, &meta.provider].map(|s| s.as_deref()),
        [Some("gen-1"), Some("m"), Some("P")]
    );
    assert_eq!(meta.malformed, 0);
}

#[test]
fn an_odd_tool_call_is_whole_or_is_not_made() {
    let call =
        |fields: &str| format!(r#"{{"id":7,"choices":[{{"delta":{{"tool_calls":[{fields}]}}}}]}}"#);
    let end = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    for (fields, arguments) in [
        (
            r#"{"index":"0","id":1,"function":{"name":"f","arguments":"{}"}}"#,
            Some("{}"),
        ),
        (
            r#"{"function":{"name":"f","arguments":{"a":1}}}"#,
            Some(r#"{"a":1}"#),
        ),
        (r#"{"function":{"name":"f","arguments":7}}"#, None),
        (r#"{"function":{"name":7,"arguments":"{}"}}"#, None),
    ] {
        let (deltas, _) = read(&[&call(fields), end]);
        let made = deltas.iter().find_map(|d| match d {
            Delta::Tool(call) => Some(call.arguments.as_str()),
            _ => None,
        });
        assert_eq!(made, arguments, "{fields}");
    }
}

#[test]
fn every_in_band_error_shape_is_an_error() {
    for shape in [
        r#"{"error":{"code":502,"message":"x"},"choices":[{"delta":{},"finish_reason":"error"}]}"#,
        r#"{"error":{"code":"502"},"choices":[],"model":""}"#,
        r#"{"error":{"code":400},"choices":[{"finish_reason":null}],"usage":{"cost":0}}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
        r#"{"choices":[{"error":{"code":1}}]}"#,
        r#"{"error":{"message":"x"},"user_id":"u"}"#,
        r#"{"error":"bare"}"#,
        r#"{"id":7,"error":{"code":502},"choices":[]}"#,
        r#"{"id":7,"choices":[{"delta":{},"finish_reason":"error"}]}"#,
        r#"{"id":7,"choices":[{"error":{"code":1}}]}"#,
    ] {
        assert_eq!(read(&[HI, shape]).1, Some("in_band_error"), "{shape}");
    }
}

#[test]
fn nothing_to_say_is_a_failure() {
    assert_eq!(read(&["[DONE]"]).1, Some("empty"));
    assert_eq!(read(&[STOP]).1, Some("empty"));
    let refusal = r#"{"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}"#;
    assert_eq!(read(&[refusal]).1, Some("empty"));
}

#[test]
fn done_alone_is_a_terminal() {
    let (deltas, error) = read(&[HI, "[DONE]"]);
    assert_eq!(error, None);
    assert_eq!(deltas.last(), Some(&Delta::Finish(FinishReason::Stop)));
}

#[test]
fn three_unreadable_events_in_a_row_are_too_many() {
    assert_eq!(read(&[HI, "a", "b", HI, "c", "d", HI]).1, None);
    assert_eq!(read(&[HI, "a", "b", "c"]).1, Some("malformed"));
}

#[test]
fn one_whole_tool_call_passes_and_a_cut_one_does_not() {
    let piece = |i: u32, rest: &str| {
        format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{i},{rest}}}]}}}}]}}"#)
    };
    let first = piece(
        0,
        r#""id":"c1","function":{"name":"end_call","arguments":"{\"a\":"}"#,
    );
    let rest = piece(0, r#""function":{"arguments":"1}"}"#);
    let second = piece(
        1,
        r#""id":"c2","function":{"name":"other","arguments":"{}"}"#,
    );
    let end = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    let (deltas, error) = read(&[&first, &rest, &second, end]);
    assert_eq!(error, None);
    let Some(Delta::Tool(call)) = deltas.first() else {
        panic!("{deltas:?}")
    };
    assert_eq!(
        (call.name.as_str(), call.arguments.as_str()),
        ("end_call", r#"{"a":1}"#)
    );
    assert_eq!(deltas.last(), Some(&Delta::Finish(FinishReason::ToolCalls)));
    assert_eq!(read(&[&first, end]).1, Some("empty"));
    let cut = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls","native_finish_reason":"length"}]}"#;
    assert_eq!(read(&[&first, &rest, cut]).1, Some("empty"));
    let (deltas, _) = read(&[HI, &first, cut]);
    assert_eq!(deltas.last(), Some(&Delta::Finish(FinishReason::Stop)));
}

#[test]
fn a_raw_control_character_costs_no_words() {
    let (deltas, error) = read(&["{\"choices\":[{\"delta\":{\"content\":\"a\tb\"}}]}", STOP]);
    assert_eq!((said(&deltas).as_str(), error), ("a b", None));
}
