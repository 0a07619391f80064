//! The answer in `OpenAI`'s form: chunks of an event stream, or one JSON body.
//!
//! What is the same in every chunk of a turn is written down once; a token costs its escaping.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::json;

use crate::pipeline::Mouth;
use crate::sse;
use crate::turn::{FinishReason, ToolCall, Usage};

/// What is the same in every chunk of one turn.
#[derive(Debug)]
pub struct Frame {
    pub id: String,
    /// Seconds since the Unix epoch.
    pub created: i64,
    /// Never empty.
    pub model: String,
    /// The caller's session id, or the one minted for it; upstream's own never passes.
    pub fingerprint: String,
}

impl Frame {
    fn head(&self, object: &str) -> String {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        format!(
            r#"{{"id":{},"object":"{object}","created":{},"model":{},"system_fingerprint":{},"#,
            quoted(&self.id),
            self.created,
            quoted(&self.model),
            quoted(&self.fingerprint),
        )
    }
}

/// Says a turn as an event stream.
#[derive(Debug)]
pub struct EventMouth {
    head: String,
    out: BytesMut,
    wants_usage: bool,
}

impl EventMouth {
    /// The role chunk is said at once: the caller's first byte does not wait for any model.
    #[must_use]
    pub fn new(frame: &Frame, wants_usage: bool) -> Self {
        let mut mouth = Self {
            head: frame.head("chat.completion.chunk"),
            out: BytesMut::with_capacity(1024),
            wants_usage,
        };
        mouth.chunk(|o| {
            o.put_slice(br#""delta":{"role":"assistant","content":""},"finish_reason":null"#)
        });
        mouth
    }

    /// Takes away what was said since the last taking.
    pub fn take(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    fn chunk(&mut self, choice: impl FnOnce(&mut BytesMut)) {
        let head = &self.head;
        sse::data(&mut self.out, |o| {
            o.put_slice(head.as_bytes());
            o.put_slice(br#""choices":[{"index":0,"#);
            choice(o);
            o.put_slice(b"}]}");
        });
    }
}

impl Mouth for EventMouth {
    fn words(&mut self, words: &str) {
        self.chunk(|o| {
            o.put_slice(br#""delta":{"content":"#);
            put_json(o, words);
            o.put_slice(br#"},"finish_reason":null"#);
        });
    }

    fn tool(&mut self, call: &ToolCall) {
        self.chunk(|o| {
            o.put_slice(br#""delta":{"tool_calls":["#);
            put_json(o, &WireCall::new(call, Some(0)));
            o.put_slice(br#"]},"finish_reason":null"#);
        });
    }

    fn end(&mut self, reason: FinishReason, usage: Option<&Usage>) {
        self.chunk(|o| {
            o.put_slice(br#""delta":{},"finish_reason":""#);
            o.put_slice(reason.as_str().as_bytes());
            o.put_slice(b"\"");
        });
        if let Some(usage) = usage.filter(|_| self.wants_usage) {
            let head = &self.head;
            sse::data(&mut self.out, |o| {
                o.put_slice(head.as_bytes());
                o.put_slice(br#""choices":[],"usage":"#);
                put_json(o, &WireUsage::new(usage));
                o.put_slice(b"}");
            });
        }
        self.out.put_slice(sse::DONE);
    }

    fn wants_usage(&self) -> bool {
        self.wants_usage
    }

    fn backlog(&self) -> usize {
        self.out.len()
    }
}

/// Says a turn as one JSON body.
#[derive(Debug)]
pub struct JsonMouth {
    head: String,
    text: String,
    call: Option<ToolCall>,
    end: Option<(FinishReason, Option<Usage>)>,
}

impl JsonMouth {
    #[must_use]
    pub fn new(frame: &Frame) -> Self {
        Self {
            head: frame.head("chat.completion"),
            text: String::new(),
            call: None,
            end: None,
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn body(&self) -> String {
        let (reason, usage) = self.end.unwrap_or((FinishReason::Stop, None));
        let content = Some(&self.text).filter(|text| !text.is_empty() || self.call.is_none());
        let message = match &self.call {
            None => json!({ "role": "assistant", "content": content }),
            Some(call) => json!({
                "role": "assistant",
                "content": content,
                "tool_calls": [WireCall::new(call, None)],
            }),
        };
        let usage = usage.unwrap_or_default();
        format!(
            r#"{}"choices":[{{"index":0,"message":{message},"finish_reason":"{reason}"}}],"usage":{}}}"#,
            self.head,
            json!(WireUsage::new(&usage)),
        )
    }
}

impl Mouth for JsonMouth {
    fn words(&mut self, words: &str) {
        self.text.push_str(words);
    }

    fn tool(&mut self, call: &ToolCall) {
        self.call = Some(call.clone());
    }

    fn end(&mut self, reason: FinishReason, usage: Option<&Usage>) {
        self.end = Some((reason, usage.copied()));
    }

    fn wants_usage(&self) -> bool {
        true
    }

    /// Nobody takes anything before the end, so nothing is held back.
    fn backlog(&self) -> usize {
        0
    }
}

fn put_json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Writing plain values into memory cannot fail.
    let _ = serde_json::to_writer(out.writer(), value);
}

#[derive(Serialize)]
struct WireCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    id: &'a str,
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> WireCall<'a> {
    fn new(call: &'a ToolCall, index: Option<u32>) -> Self {
        let arguments = if call.arguments.is_empty() {
            "{}"
        } else {
            &call.arguments
        };
        let function = WireFunction {
            name: &call.name,
            arguments,
        };
        Self {
            index,
            id: &call.id,
            r#type: "function",
            function,
        }
    }
}

#[derive(Serialize)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl WireUsage {
    fn new(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn frame() -> Frame {
        Frame {
            id: "chatcmpl-1".into(),
            created: 7,
            model: "clm".into(),
            fingerprint: "a\"b".into(),
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
}
