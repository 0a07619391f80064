//! The answer in `OpenAI`'s form: chunks of an event stream, or one JSON body.
//!
//! What is the same in every chunk of a turn is written down once; a token costs its escaping.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::json;

use crate::http::error::Refusal;
use crate::pipeline::Mouth;
use crate::sse;
use crate::turn::{Fault, FinishReason, ToolCall, Usage};

/// Room that a turn keeps for what it says next, in bytes: some chunks of a token each.
const KEPT_BYTES: usize = 2 << 10;

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
    /// Told with an error, so that its turn can be found.
    pub trace_id: String,
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
    trace_id: String,
    out: BytesMut,
    wants_usage: bool,
    spoke: bool,
    ended: bool,
    /// Nobody takes anything any more.
    left: bool,
}

impl EventMouth {
    /// The role chunk is said at once: the caller's first byte does not wait for any model.
    #[must_use]
    pub fn new(frame: &Frame, wants_usage: bool) -> Self {
        let mut mouth = Self {
            head: frame.head("chat.completion.chunk"),
            trace_id: frame.trace_id.clone(),
            out: BytesMut::with_capacity(1024),
            wants_usage,
            spoke: false,
            ended: false,
            left: false,
        };
        mouth.chunk(|o| {
            o.put_slice(br#""delta":{"role":"assistant","content":""},"finish_reason":null"#)
        });
        mouth
    }

    /// Takes away what was said since the last taking.
    pub fn take(&mut self) -> Bytes {
        let said = self.out.split().freeze();
        // A model may say half of its answer in one piece; the room for that would be held until the end.
        if self.out.capacity() + said.len() > KEPT_BYTES {
            self.out = BytesMut::new();
        }
        said
    }

    fn chunk(&mut self, choice: impl FnOnce(&mut BytesMut)) {
        if self.left {
            return;
        }
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
        self.spoke = true;
        self.chunk(|o| {
            o.put_slice(br#""delta":{"content":"#);
            put_json(o, words);
            o.put_slice(br#"},"finish_reason":null"#);
        });
    }

    fn tool(&mut self, call: &ToolCall) {
        self.spoke = true;
        self.chunk(|o| {
            o.put_slice(br#""delta":{"tool_calls":["#);
            put_json(o, &WireCall::new(call, Some(0)));
            o.put_slice(br#"]},"finish_reason":null"#);
        });
    }

    fn end(&mut self, reason: FinishReason, usage: Option<&Usage>) {
        if std::mem::replace(&mut self.ended, true) || self.left {
            return;
        }
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

    /// Without `[DONE]`: a program takes that for success.
    fn fault(&mut self, fault: Fault) {
        if std::mem::replace(&mut self.ended, true) || self.left {
            return;
        }
        let error = Refusal::from(fault).json(&self.trace_id);
        sse::data(&mut self.out, |o| put_json(o, &error));
    }

    fn leave(&mut self) {
        self.left = true;
        self.out = BytesMut::new();
    }

    fn has_spoken(&self) -> bool {
        self.spoke
    }

    fn has_ended(&self) -> bool {
        self.ended
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
    fault: Option<Fault>,
}

impl JsonMouth {
    #[must_use]
    pub fn new(frame: &Frame) -> Self {
        Self {
            head: frame.head("chat.completion"),
            text: String::new(),
            call: None,
            end: None,
            fault: None,
        }
    }

    /// Why there is no answer, where its caller wants to be told.
    #[must_use]
    pub fn failure(&self) -> Option<Refusal> {
        self.fault.map(Refusal::from)
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

    fn fault(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    fn leave(&mut self) {}

    fn has_spoken(&self) -> bool {
        !self.text.is_empty() || self.call.is_some()
    }

    fn has_ended(&self) -> bool {
        self.end.is_some() || self.fault.is_some()
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
mod tests;
