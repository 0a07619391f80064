//! A stream as a list of steps: what is written, when, and how it breaks.
//!
//! Pure: the answer, the fault and the pace go in, [`Plan`] comes out. `body.rs` plays it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::fault::{ErrorShape, Fault};
use super::frame::{COMMENT, DONE, Generation};
use super::voice;
use super::{catalog, cuts};

/// Something the body does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Keeps quiet.
    Wait(Duration),
    /// Writes; so many content tokens are in it.
    Write(Bytes, u64),
    /// Writes so many bytes of one letter.
    Filler(usize),
    /// Keeps quiet for ever.
    Silence,
    /// A comment after each such wait, for ever.
    Comments(Duration),
    /// Drops the connection.
    Break,
}

/// A whole stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Completion tokens of the whole answer.
    pub(super) tokens: u64,
}

/// What a stream is made of.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) generation: &'a Generation,
    pub(super) text: &'a str,
    pub(super) first_token: Duration,
    pub(super) gap: Duration,
    pub(super) max_tokens: Option<u64>,
}

const COMMENT_EVERY: Duration = Duration::from_millis(500);
const FLOOD_TOKENS: usize = 10_000;

/// Lays out the stream.
pub(super) fn plan(fault: &Fault, script: &Script<'_>) -> Plan {
    let mut making = Making {
        script,
        steps: Vec::new(),
        sent: 0,
    };
    making.whole(fault);
    let steps = match fault {
        Fault::Bom => std::iter::once(Step::Write(Bytes::from_static(b"\xEF\xBB\xBF"), 0))
            .chain(making.steps)
            .collect(),
        Fault::Crlf => cuts::rewrite(making.steps, |bytes| {
            let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
            vec![Bytes::from(text)]
        }),
        Fault::Bytewise => cuts::rewrite(making.steps, cuts::single_bytes),
        Fault::SplitUtf8 => cuts::rewrite(making.steps, |bytes| {
            if bytes.is_ascii() {
                vec![bytes.clone()]
            } else {
                cuts::around_wide(bytes)
            }
        }),
        _ => making.steps,
    };
    Plan {
        steps,
        tokens: making.sent,
    }
}

/// The tokens of the answer under this fault, before any limit.
pub(super) fn tokens(fault: &Fault, text: &str) -> Vec<String> {
    match fault {
        Fault::Text(said) => small_pieces(said),
        Fault::Flood => (0..FLOOD_TOKENS)
            .map(|number| format!(" word{number}"))
            .collect(),
        _ => voice::tokens(text).into_iter().map(str::to_owned).collect(),
    }
}

struct Making<'a> {
    script: &'a Script<'a>,
    steps: Vec<Step>,
    sent: u64,
}

impl Making<'_> {
    fn whole(&mut self, fault: &Fault) {
        let generation = self.script.generation;
        self.raw(COMMENT);
        match fault {
            Fault::CommentsOnly => {
                return self.steps.push(Step::Comments(Duration::from_millis(100)));
            }
            Fault::Empty => {
                self.wait(self.script.first_token);
                return self.raw(DONE);
            }
            _ => {}
        }
        self.first_wait(match fault {
            Fault::SlowFirst(wait) => *wait,
            _ => self.script.first_token,
        });
        match fault {
            Fault::RoleOnly => self.raw(&generation.token("")),
            Fault::ReasoningOnly => self.reasoning(12),
            Fault::Refusal => {
                self.delta(&json!({"role": "assistant", "content": "", "refusal": "I'm sorry, I can't help with that."}));
            }
            Fault::Tool | Fault::ToolsTwo | Fault::ToolTruncated => return self.tools(fault),
            Fault::Flood => self.flood(),
            _ => {
                if let Fault::ReasoningFirst(thoughts) = fault {
                    self.reasoning(*thoughts);
                }
                if self.answer(fault) {
                    return;
                }
            }
        }
        self.end(fault);
    }

    /// Speaks; true when the fault ended the stream.
    fn answer(&mut self, fault: &Fault) -> bool {
        let tokens = tokens(fault, self.script.text);
        let limit = self.limit(tokens.len());
        for (at, token) in tokens.iter().take(limit).enumerate() {
            if at > 0 {
                self.wait(self.script.gap);
            }
            match fault {
                Fault::SlowNth(nth, wait) if at + 1 == *nth => self.wait(*wait),
                Fault::BadJson(n) if at == *n => {
                    self.raw("data: {\"id\":\"gen-1\",\"choices\":[{\"delta\n\n")
                }
                Fault::HugeLine(n, size) if at == *n => {
                    self.raw("data: {\"filler\":\"");
                    self.steps.push(Step::Filler(*size));
                    self.raw("\"}\n\n");
                }
                _ => {}
            }
            if self.ended(fault, at, false) {
                return true;
            }
            self.sent += 1;
            let bytes = Bytes::from(self.script.generation.token(token));
            self.steps.push(Step::Write(bytes, 1));
        }
        self.ended(fault, limit, true)
    }

    /// Ends the stream when the fault comes due after `sent` tokens, or at the end of the words.
    fn ended(&mut self, fault: &Fault, sent: usize, spoken: bool) -> bool {
        let due = |n: usize| spoken || sent >= n;
        let last = match fault {
            Fault::Cut(n) if due(*n) => Step::Break,
            Fault::Stall(n) if due(*n) => Step::Silence,
            Fault::StallComments(n) if due(*n) => Step::Comments(COMMENT_EVERY),
            Fault::Fin(n) if due(*n) => return true,
            Fault::Error(shape, n) if due(*n) => {
                self.error(*shape);
                return true;
            }
            Fault::NoDone(n) if due(*n) => {
                self.end(fault);
                return true;
            }
            _ => return false,
        };
        self.steps.push(last);
        true
    }

    fn end(&mut self, fault: &Fault) {
        let generation = self.script.generation;
        let native = catalog::native_stop(generation.provider);
        let cut_short = self.script.max_tokens.is_some_and(|max| self.sent >= max);
        let (reason, native) = if cut_short {
            ("length", "length")
        } else {
            ("stop", native)
        };
        self.raw(&generation.finish(reason, native));
        if *fault == Fault::FinishTwice {
            self.raw(&generation.finish(reason, native));
        }
        match fault {
            Fault::NoUsage => {}
            Fault::UsageNoChoices => {
                let usage = generation.usage_json(self.sent);
                self.raw(&generation.event(&format!(r#""choices":[],"usage":{usage}"#)));
            }
            _ => self.raw(&generation.usage(reason, native, self.sent)),
        }
        match fault {
            Fault::NoDone(_) => {}
            Fault::FinishTwice => {
                self.raw(DONE);
                self.raw(DONE);
            }
            _ => self.raw(DONE),
        }
    }

    fn error(&mut self, shape: ErrorShape) {
        let generation = self.script.generation;
        let error = json!({"code": 502, "message": "Provider returned error",
            "metadata": {"error_type": "provider_unavailable", "provider_code": null}});
        let choice = |finish: &str, tail: &str| {
            format!(
                r#""choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":{finish},"native_finish_reason":{finish}{tail}}}]"#
            )
        };
        let event = match shape {
            ErrorShape::Finish => format!(r#""error":{error},{}"#, choice("\"error\"", "")),
            ErrorShape::NoChoices => format!(r#""error":{error},"choices":[]"#),
            ErrorShape::WithUsage => {
                self.raw(&generation.finish("length", "length"));
                let usage = generation.usage_json(self.sent);
                format!(
                    r#""error":{{"code":400,"message":"Token limit reached"}},{},"usage":{usage}"#,
                    choice("null", "")
                )
            }
            ErrorShape::NoObject => choice("\"error\"", ""),
            ErrorShape::InChoice => choice("null", &format!(r#","error":{error}"#)),
            ErrorShape::NullChoices => r#""choices":null"#.to_owned(),
            ErrorShape::Bare => {
                let bare = json!({"error": error, "user_id": "user_simulated"});
                return self.raw(&format!("data: {bare}\n\n"));
            }
        };
        self.raw(&generation.event(&event));
        if !matches!(shape, ErrorShape::Finish | ErrorShape::NoChoices) {
            self.raw(DONE);
        }
    }

    fn reasoning(&mut self, thoughts: usize) {
        for number in 0..thoughts {
            let text = if number == 0 { "The" } else { " user" };
            self.delta(&json!({"role": "assistant", "content": "", "reasoning": text, "reasoning_details":
                [{"type": "reasoning.text", "text": text, "index": 0, "format": "anthropic-claude-v1"}]}));
            self.wait(self.script.gap);
        }
    }

    fn tools(&mut self, fault: &Fault) {
        let calls: &[(&str, &[&str])] = match fault {
            Fault::ToolsTwo => &[
                ("set_reminder", &["{\"day\"", ":\"Monday\"}"]),
                ("save_goal", &["{\"goal\":", "\"speak up\"", "}"]),
            ],
            Fault::ToolTruncated => &[("save_goal", &["{\"goal\":", "\"speak up in the sta"])],
            _ => &[("save_goal", &["{\"goal\":", "\"speak", " up\"", "}"])],
        };
        for (index, (name, fragments)) in calls.iter().enumerate() {
            let first = json!({"index": index, "id": format!("call_{index}"), "type": "function",
                "function": {"name": name, "arguments": ""}});
            self.delta(&json!({"role": "assistant", "content": null, "tool_calls": [first]}));
            for fragment in *fragments {
                self.wait(self.script.gap);
                let call = json!({"index": index, "type": "function", "function": {"arguments": fragment}});
                self.delta(&json!({"role": "assistant", "content": null, "tool_calls": [call]}));
                self.sent += 1;
            }
        }
        let native = if *fault == Fault::ToolTruncated {
            "length"
        } else {
            "tool_calls"
        };
        self.raw(&self.script.generation.finish("tool_calls", native));
        self.raw(
            &self
                .script
                .generation
                .usage("tool_calls", native, self.sent),
        );
        self.raw(DONE);
    }

    fn flood(&mut self) {
        let tokens = tokens(&Fault::Flood, "");
        let limit = self.limit(tokens.len());
        let events = tokens.iter().take(limit);
        let bytes: String = events
            .map(|token| self.script.generation.token(token))
            .collect();
        let count = u64::try_from(limit).unwrap_or(u64::MAX);
        self.sent += count;
        self.steps.push(Step::Write(Bytes::from(bytes), count));
    }

    /// Waits for the first token with the comments the wait brings.
    fn first_wait(&mut self, mut left: Duration) {
        while left > COMMENT_EVERY {
            self.wait(COMMENT_EVERY);
            self.raw(COMMENT);
            left -= COMMENT_EVERY;
        }
        self.wait(left);
    }

    fn limit(&self, count: usize) -> usize {
        let max = self
            .script
            .max_tokens
            .and_then(|max| usize::try_from(max).ok());
        count.min(max.unwrap_or(usize::MAX))
    }

    fn delta(&mut self, delta: &serde_json::Value) {
        self.raw(&self.script.generation.delta(delta));
    }

    fn raw(&mut self, text: &str) {
        self.steps
            .push(Step::Write(Bytes::copy_from_slice(text.as_bytes()), 0));
    }

    fn wait(&mut self, wait: Duration) {
        if !wait.is_zero() {
            self.steps.push(Step::Wait(wait));
        }
    }
}

/// A recording, cut into writes of `every` bytes (0: one write).
pub(super) fn replay(bytes: &Bytes, every: usize) -> Plan {
    let every = if every == 0 {
        bytes.len().max(1)
    } else {
        every
    };
    let steps = bytes
        .chunks(every)
        .map(|piece| Step::Write(Bytes::copy_from_slice(piece), 0))
        .collect();
    Plan { steps, tokens: 0 }
}

/// Pieces of at most four characters.
fn small_pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(4)
        .map(|piece| piece.iter().collect())
        .collect()
}
