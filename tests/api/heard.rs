//! What a caller heard, judged strictly: every stream of every test keeps every promise of the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{Piece, Response};

/// A whole stream that kept every promise of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) headers: BTreeMap<String, String>,
    /// The JSON events, in order.
    pub(crate) events: Vec<Value>,
    pub(crate) text: String,
    pub(crate) finish_reason: String,
    pub(crate) tool_calls: Vec<Value>,
    pub(crate) usage: Option<Value>,
    /// `system_fingerprint`: the session id.
    pub(crate) session: String,
    pub(crate) turn_id: String,
    /// From the request's end to the first piece, the first words, the end.
    pub(crate) first: Duration,
    pub(crate) spoke: Option<Duration>,
    pub(crate) ended: Duration,
}

impl Heard {
    /// # Panics
    /// At any promise of the wire that is broken.
    pub(crate) fn strictly(response: Response) -> Self {
        let headers = &response.headers;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["transfer-encoding"], "chunked");
        assert_eq!(headers["cache-control"], "no-cache, no-transform");
        assert!(
            !headers.contains_key("content-encoding") && !headers.contains_key("content-length")
        );
        for piece in &response.pieces {
            assert!(
                piece.bytes.ends_with(b"\n\n"),
                "an event is cut over writes"
            );
        }
        let text = response.text();
        let body = text
            .strip_suffix("data: [DONE]\n\n")
            .expect("[DONE] is last");
        let events: Vec<Value> = body
            .split_terminator("\n\n")
            .filter(|event| *event != ": keep-alive")
            .map(|event| {
                let data = event
                    .strip_prefix("data: ")
                    .unwrap_or_else(|| panic!("{event:?}"));
                assert!(!data.contains(['\n', '\r']));
                serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"))
            })
            .collect();
        let spoken = |p: &&Piece| p.bytes.windows(19).any(|w| w == br#""delta":{"content":"#);
        let since = |piece: Option<&Piece>| piece.map(|p| p.at - response.began);
        let mut heard = Self {
            turn_id: headers["x-clm-turn-id"].clone(),
            session: events[0]["system_fingerprint"].as_str().unwrap().to_owned(),
            headers: response.headers.clone(),
            text: String::new(),
            finish_reason: String::new(),
            tool_calls: Vec::new(),
            usage: None,
            first: since(response.pieces.first()).unwrap(),
            spoke: since(response.pieces.iter().find(spoken)),
            ended: since(response.pieces.last()).unwrap(),
            events: Vec::new(),
        };
        for (at, event) in events.iter().enumerate() {
            heard.take(at, event, &events[0]);
        }
        assert!(!heard.finish_reason.is_empty(), "no finish reason: {text}");
        heard.events = events;
        heard
    }

    fn take(&mut self, at: usize, event: &Value, first: &Value) {
        let finished = !self.finish_reason.is_empty();
        for field in ["id", "object", "created", "model", "system_fingerprint"] {
            assert_eq!(event[field], first[field], "{field} is constant");
        }
        assert_eq!(event["object"], "chat.completion.chunk");
        assert!(event["created"].is_u64() && event["id"].as_str().is_some_and(|s| !s.is_empty()));
        assert!(event["model"].as_str().is_some_and(|s| !s.is_empty()));
        let choices = event["choices"].as_array().unwrap();
        if choices.is_empty() {
            assert!(finished && self.usage.is_none());
            assert_eq!(event.as_object().unwrap().len(), 7, "{event}");
            self.usage = Some(event["usage"].clone());
            return;
        }
        assert_eq!(
            event.as_object().unwrap().len(),
            6,
            "upstream's extras: {event}"
        );
        let [choice] = choices.as_slice() else {
            panic!("{event}")
        };
        assert_eq!(choice["index"], 0);
        assert_eq!(choice.as_object().unwrap().len(), 3, "{event}");
        let delta = choice["delta"].as_object().unwrap();
        assert!(!finished, "something after the finish: {event}");
        match at {
            0 => assert_eq!(delta.len(), 2),
            _ => assert!(delta.len() <= 1, "{event}"),
        }
        for (field, value) in delta {
            match field.as_str() {
                "role" => assert_eq!((at, value), (0, &json!("assistant"))),
                "content" => self.text.push_str(value.as_str().unwrap()),
                "tool_calls" => self.tool_calls.extend(value.as_array().unwrap().clone()),
                _ => panic!("{event}"),
            }
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            assert!(delta.is_empty(), "{event}");
            reason.clone_into(&mut self.finish_reason);
        } else {
            assert!(choice["finish_reason"].is_null());
        }
    }
}
