//! How a simulated model misbehaves, told by its name.
//!
//! The part after the last `/` counts, so `sim/cut:5` and `cut:5` are one fault. A name nobody
//! knows is [`Fault::Ok`], which lets every real slug answer; a known name with an argument that
//! cannot be read is an error, since a test with a typing mistake must not pass.
//!
//! To add one: a variant, a row in [`Fault::parse`], its bytes in `plan.rs` (or its answer in
//! `refuse.rs`), and a row in the table test below.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A known fault with an argument that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fault {name:?} takes {takes}")]
pub struct BadFault {
    name: String,
    takes: &'static str,
}

/// The shape of an error told inside a stream that began well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// Top-level `error`, finish `error`, then the end.
    Finish,
    /// Top-level `error`, `choices: []`, no `[DONE]`.
    NoChoices,
    /// Top-level `error`, finish null, with usage, then `[DONE]`.
    WithUsage,
    /// Finish `error` and no error object, then `[DONE]`.
    NoObject,
    /// The error inside `choices[0]`.
    InChoice,
    /// An error object and nothing else.
    Bare,
    /// `choices: null` and no error.
    NullChoices,
}

/// What goes wrong. Counts are tokens sent before it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Ok,
    /// The first token takes this long.
    SlowFirst(Duration),
    /// Before the token of this number (from 1) lies this much silence.
    SlowNth(usize, Duration),
    /// The connection is dropped in the middle of the body.
    Cut(usize),
    /// The body ends cleanly, without finish and without `[DONE]`.
    Fin(usize),
    /// Silence for ever.
    Stall(usize),
    /// Comments for ever.
    StallComments(usize),
    /// An error inside the stream.
    Error(ErrorShape, usize),
    /// One event is no JSON; the answer goes on after it.
    BadJson(usize),
    /// One event has this many bytes on one line; the answer goes on after it.
    HugeLine(usize, usize),
    /// Comments and never an event.
    CommentsOnly,
    /// A role, empty content, a finish.
    RoleOnly,
    /// Thoughts and no answer.
    ReasoningOnly,
    /// This many thoughts, then the answer.
    ReasoningFirst(usize),
    /// `[DONE]` at once.
    Empty,
    /// Finish and usage, but no `[DONE]`.
    NoDone(usize),
    /// The finish chunk comes twice, and so does `[DONE]`.
    FinishTwice,
    /// The usage chunk has `choices: []`.
    UsageNoChoices,
    /// No usage chunk.
    NoUsage,
    /// The answer comes in `delta.refusal`.
    Refusal,
    /// One tool call in fragments.
    Tool,
    /// Two parallel tool calls.
    ToolsTwo,
    /// A tool call cut by the token limit, finished as `tool_calls`.
    ToolTruncated,
    /// An HTTP error, with `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// 403: the key's own limit is reached.
    KeyLimit,
    /// 400: context too long, when there are more messages than this.
    ContextTooLong(usize),
    /// 400 while reasoning is disabled.
    ReasoningMandatory,
    /// 400 while the body has this parameter.
    UnknownParameter(String),
    /// 200 with a page.
    Html,
    /// 200 with a JSON error body.
    JsonError,
    /// 301 to the trap.
    Redirect,
    /// The body begins with a byte order mark.
    Bom,
    /// Lines end with CR LF.
    Crlf,
    /// Emoji cut across writes.
    SplitUtf8,
    /// Every byte is a write.
    Bytewise,
    /// The head claims gzip; the body is plain.
    GzipClaimed,
    /// 10,000 tokens at once.
    Flood,
    /// Never a head.
    Hang,
    /// The head takes this long.
    SlowHeaders(Duration),
    /// A continued answer begins with the words it should continue.
    RepeatPrefill,
    /// 400 when the last message is the assistant's.
    RejectPrefill,
    /// A continued answer starts over with other words.
    Restart,
    /// Speaks exactly this.
    Text(String),
    /// Plays the recording of this name.
    Replay(String),
    /// Answers as it should; asked afterwards what that cost, there is trouble.
    Lookup(Lookup),
}

/// Trouble with `GET /generation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This status, with `Retry-After` in seconds; so often, or for ever.
    Status {
        code: u16,
        times: Option<u64>,
        retry_after: Option<u64>,
    },
    /// 200 with a page.
    Html,
    /// The account's own provider key: the cost is the fee alone, the inference stands beside it.
    Byok,
    /// So often it has cost nothing; after that what it really cost.
    Zero(u64),
}

impl Fault {
    /// Reads the fault out of a model's name.
    ///
    /// # Errors
    /// When the name is known and an argument cannot be read.
    pub fn parse(model: &str) -> Result<Self, BadFault> {
        use ErrorShape as E;
        let name = model.rsplit('/').next().unwrap_or(model);
        let mut parts = name.split(':');
        let head = parts.next().unwrap_or_default();
        let args = Args {
            name,
            args: parts.collect(),
        };
        Ok(match head {
            "slow-first" => Self::SlowFirst(args.millis(0)?),
            "slow-nth" => Self::SlowNth(args.required(0)?, args.millis(1)?),
            "cut" => Self::Cut(args.tokens()?),
            "fin" => Self::Fin(args.tokens()?),
            "stall" => Self::Stall(args.tokens()?),
            "stall-comments" => Self::StallComments(args.tokens()?),
            "err-chunk" | "err-a" => Self::Error(E::Finish, args.tokens()?),
            "err-b" => Self::Error(E::NoChoices, args.tokens()?),
            "err-c" => Self::Error(E::WithUsage, args.tokens()?),
            "err-d" => Self::Error(E::NoObject, args.tokens()?),
            "err-e" => Self::Error(E::InChoice, args.tokens()?),
            "err-f" => Self::Error(E::Bare, args.tokens()?),
            "err-g" => Self::Error(E::NullChoices, args.tokens()?),
            "bad-json" => Self::BadJson(args.tokens()?),
            "huge-line" => Self::HugeLine(args.required(0)?, args.required(1)?),
            "comments-only" => Self::CommentsOnly,
            "role-only" => Self::RoleOnly,
            "reasoning-only" => Self::ReasoningOnly,
            "reasoning-first" => Self::ReasoningFirst(args.tokens()?),
            "empty" => Self::Empty,
            "no-done" => Self::NoDone(args.tokens()?),
            "finish-twice" => Self::FinishTwice,
            "usage-nochoices" => Self::UsageNoChoices,
            "no-usage" => Self::NoUsage,
            "refusal" => Self::Refusal,
            "tool" => Self::Tool,
            "tools-two" => Self::ToolsTwo,
            "tool-truncated" => Self::ToolTruncated,
            "401" | "402" | "404" | "429" | "500" | "502" | "503" | "504" | "529" => {
                Self::Status(args.status(head)?, args.optional(0)?)
            }
            "status" | "5xx" => Self::Status(
                args.status(args.args.first().copied().unwrap_or_default())?,
                args.optional(1)?,
            ),
            "403-limit" => Self::KeyLimit,
            "400-context" => Self::ContextTooLong(args.optional(0)?.unwrap_or(0)),
            "400-reasoning" => Self::ReasoningMandatory,
            "400-param" => Self::UnknownParameter(args.word().unwrap_or("temperature").to_owned()),
            "html" => Self::Html,
            "json-error" => Self::JsonError,
            "redirect" => Self::Redirect,
            "bom" => Self::Bom,
            "crlf" => Self::Crlf,
            "split-utf8" => Self::SplitUtf8,
            "bytewise" => Self::Bytewise,
            "gzip" | "gzip-claimed" => Self::GzipClaimed,
            "flood" => Self::Flood,
            "hang" => Self::Hang,
            "slow-headers" => Self::SlowHeaders(args.millis(0)?),
            "repeat-prefill" => Self::RepeatPrefill,
            "reject-prefill" => Self::RejectPrefill,
            "restart" => Self::Restart,
            "text" => Self::Text(args.text()?),
            "replay" => Self::Replay(args.word().ok_or(args.bad("a name"))?.to_owned()),
            _ if let Some(trouble) = head.strip_prefix("generation-") => {
                Self::Lookup(args.lookup(trouble)?)
            }
            _ => Self::Ok,
        })
    }
}

/// The arguments of one name.
struct Args<'a> {
    name: &'a str,
    args: Vec<&'a str>,
}

impl<'a> Args<'a> {
    fn bad(&self, takes: &'static str) -> BadFault {
        BadFault {
            name: self.name.to_owned(),
            takes,
        }
    }

    fn word(&self) -> Option<&'a str> {
        self.args.first().copied().filter(|word| !word.is_empty())
    }

    fn optional<T: std::str::FromStr>(&self, at: usize) -> Result<Option<T>, BadFault> {
        let Some(arg) = self.args.get(at) else {
            return Ok(None);
        };
        let number = arg.parse().map_err(|_| self.bad("whole numbers"))?;
        Ok(Some(number))
    }

    fn required<T: std::str::FromStr>(&self, at: usize) -> Result<T, BadFault> {
        self.optional(at)?.ok_or(self.bad("whole numbers"))
    }

    /// How many tokens come first: 5 when not told.
    fn tokens(&self) -> Result<usize, BadFault> {
        Ok(self.optional(0)?.unwrap_or(5))
    }

    fn millis(&self, at: usize) -> Result<Duration, BadFault> {
        self.required(at).map(Duration::from_millis)
    }

    fn status(&self, code: &str) -> Result<u16, BadFault> {
        code.parse()
            .ok()
            .filter(|code| (400..600).contains(code))
            .ok_or(self.bad("a status from 400 to 599"))
    }

    fn lookup(&self, trouble: &str) -> Result<Lookup, BadFault> {
        Ok(match trouble {
            "html" => Lookup::Html,
            "byok" => Lookup::Byok,
            "zero" => Lookup::Zero(self.required(0)?),
            status => Lookup::Status {
                code: self.status(status)?,
                times: self.optional(0)?,
                retry_after: self.optional(1)?,
            },
        })
    }

    fn text(&self) -> Result<String, BadFault> {
        let encoded = self.word().unwrap_or_default().trim_end_matches('=');
        URL_SAFE_NO_PAD
            .decode(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(self.bad("base64url of UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_faults() {
        let ms = Duration::from_millis;
        for (name, fault) in [
            ("ok", Fault::Ok),
            ("openai/gpt-6-luna", Fault::Ok),
            ("meta-llama/llama-3.3-70b-instruct:free", Fault::Ok),
            ("sim/slow-first:900", Fault::SlowFirst(ms(900))),
            ("slow-nth:4:400", Fault::SlowNth(4, ms(400))),
            ("sim/cut:7", Fault::Cut(7)),
            ("cut", Fault::Cut(5)),
            ("fin:0", Fault::Fin(0)),
            ("stall:3", Fault::Stall(3)),
            ("stall-comments:3", Fault::StallComments(3)),
            ("err-chunk:2", Fault::Error(ErrorShape::Finish, 2)),
            ("err-b:0", Fault::Error(ErrorShape::NoChoices, 0)),
            ("err-c", Fault::Error(ErrorShape::WithUsage, 5)),
            ("err-g:1", Fault::Error(ErrorShape::NullChoices, 1)),
            ("bad-json:3", Fault::BadJson(3)),
            ("huge-line:2:70000", Fault::HugeLine(2, 70_000)),
            ("429:7", Fault::Status(429, Some(7))),
            ("429", Fault::Status(429, None)),
            ("529", Fault::Status(529, None)),
            ("status:418", Fault::Status(418, None)),
            ("5xx:503", Fault::Status(503, None)),
            ("403-limit", Fault::KeyLimit),
            ("400-context", Fault::ContextTooLong(0)),
            ("400-context:12", Fault::ContextTooLong(12)),
            ("400-param", Fault::UnknownParameter("temperature".into())),
            ("gzip", Fault::GzipClaimed),
            ("slow-headers:50", Fault::SlowHeaders(ms(50))),
            ("text:SGkg8J-RiyE", Fault::Text("Hi 👋!".into())),
            ("replay:haiku", Fault::Replay("haiku".into())),
            ("sim/generation-byok", Fault::Lookup(Lookup::Byok)),
            (
                "generation-429:2:1",
                Fault::Lookup(Lookup::Status {
                    code: 429,
                    times: Some(2),
                    retry_after: Some(1),
                }),
            ),
        ] {
            assert_eq!(Fault::parse(name), Ok(fault), "{name}");
        }
    }

    #[test]
    fn a_known_name_with_a_bad_argument_is_refused() {
        for name in [
            "cut:x",
            "slow-first",
            "slow-nth:3",
            "huge-line:2",
            "status:42",
            "status",
            "text:!!",
            "replay",
            "429:soon",
            "generation-200",
            "generation-404:often",
        ] {
            assert!(Fault::parse(name).is_err(), "{name}");
        }
    }
}
