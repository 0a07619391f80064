//! A caller's request, parsed leniently into a clean [`Conversation`].

mod tool;

use std::fmt;

use serde_json::value::RawValue;

use crate::json::{Fields, is_shallow, text};
use crate::turn::{
    Ask, Conversation, Expression, Message, ProsodyPolicy, Reading, Role, Taken, Tools, smoothed,
};

use super::clean::{self, Clean, Kind};
use super::places::{first, id};
use super::{Dialect, Place, emotion};

/// The longest caller's name for a model that is echoed.
const MAX_MODEL_BYTES: usize = 128;
/// A sentence longer than this, in characters, is not said twice to the byte: "yes" is.
const MAX_REPEATED_CHARS: usize = 12;
/// Lines before this one by which the user's tone is told.
const MAX_VOICED: usize = 3;
/// Some clients begin a file, and so a body, with it.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Everything a request says, none of it believed yet.
#[derive(Debug)]
pub struct Decoded {
    pub conversation: Conversation,
    /// The caller's name for the model, if it named one.
    pub model: Option<String>,
    pub stream: Option<bool>,
    pub wants_usage: bool,
    /// A session id from the first place where this dialect keeps it in the body.
    pub session: Option<String>,
    /// `session_id` and the user's id of the body: heeded only where no signing key is set.
    pub body_session: Option<String>,
    pub body_user: Option<String>,
    /// When it was heard how the words of this turn sounded, if the request tells; the conversation's
    /// expressions are the mean of it and of those before.
    pub heard: Option<Taken>,
}

/// Why a body cannot be a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the body is nested too deeply")]
    TooDeep,
    #[error("`messages` is missing or not an array")]
    NoMessages,
}

/// # Errors
/// Only for what is no chat request at all; everything odd within one is survived.
pub fn decode(body: &[u8], dialect: &Dialect) -> Result<Decoded, BadBody> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    if !is_shallow(body) {
        return Err(BadBody::TooDeep);
    }
    let (body, messages) = Fields::and_members(body, "messages").ok_or(BadBody::NotAnObject)?;
    let messages = messages.ok_or(BadBody::NoMessages)?;
    let tools = tools(&body);
    let told = first(&body, dialect.readings, emotion::field);
    let (conversation, heard) = Parsing::new(dialect, tools, told).parse(&messages);
    let nonempty = |name: &str| body.text(name).filter(|s| !s.is_empty());
    let sessions = dialect.sessions.iter().filter_map(|place| match place {
        Place::Body(path) => Some(path),
        Place::Header | Place::Query => None,
    });
    let include_usage = body.object("stream_options").boolean("include_usage");
    Ok(Decoded {
        conversation,
        model: nonempty("model").filter(|m| is_echoable(m)),
        stream: body.boolean("stream"),
        wants_usage: include_usage.unwrap_or(false),
        session: first(&body, sessions, id),
        body_session: nonempty("session_id"),
        body_user: first(&body, dialect.users, id),
        heard,
    })
}

fn is_echoable(model: &str) -> bool {
    model.len() <= MAX_MODEL_BYTES && !model.chars().any(char::is_control)
}

fn tools(body: &Fields<'_>) -> Option<Tools> {
    let offered = body.array("tools").filter(|list| !list.is_empty())?;
    let is_whole = offered.iter().all(|tool| tool.get().starts_with('{'));
    let tools = body.get("tools").filter(|_| is_whole)?;
    Some(Tools {
        tools: tools.to_owned(),
        tool_choice: body.get("tool_choice").map(ToOwned::to_owned),
    })
}

/// A message, taken apart but not yet judged.
struct Line<'a> {
    role: Role,
    fields: &'a Fields<'a>,
    text: String,
    /// Of a tool call or its result: its exact form matters.
    is_tool: bool,
    /// That form, where tools are offered.
    raw: Option<Box<RawValue>>,
}

struct Parsing<'d> {
    dialect: &'d Dialect,
    tools: Option<Tools>,
    /// How the newest words sounded, as the body tells beside the messages.
    told: Option<Reading<'static>>,
    context: Vec<String>,
    /// The newest message with words is the application's own.
    ends_with_context: bool,
}

impl<'d> Parsing<'d> {
    fn new(dialect: &'d Dialect, tools: Option<Tools>, told: Option<Reading<'static>>) -> Self {
        Self {
            dialect,
            tools,
            told,
            context: Vec::new(),
            ends_with_context: false,
        }
    }

    fn parse(mut self, messages: &[Fields<'_>]) -> (Conversation, Option<Taken>) {
        let mut lines: Vec<Line<'_>> = Vec::with_capacity(messages.len());
        let mut before: Option<Delivery<'_>> = None;
        for outer in messages {
            let inner = outer.object("message");
            let delivery = Delivery::of(outer, &inner);
            if before.is_some_and(|before| before.is_repeated_by(&delivery)) {
                continue;
            }
            before = Some(delivery);
            let contexts = self.context.len();
            let line = self.line(outer, &inner);
            if line.as_ref().is_some_and(|line| !is_empty(line)) {
                self.ends_with_context = false;
            }
            self.ends_with_context |= self.context.len() > contexts;
            lines.extend(line);
        }
        self.conclude(lines)
    }

    /// One message. System text is context or nothing; unknown roles are nothing.
    fn line<'a>(&mut self, outer: &'a Fields<'a>, inner: &Fields<'a>) -> Option<Line<'a>> {
        let field = |name: &str| outer.get(name).or_else(|| inner.get(name));
        let content = field("content").map(content).unwrap_or_default();
        let role = match field("role").and_then(text)?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            "system" | "developer" => {
                if self.dialect.heeds_system && !content.trim().is_empty() {
                    self.context.push(content);
                }
                return None;
            }
            _ => return None,
        };
        let is_tool = role == Role::Tool
            || role == Role::Assistant && field("tool_calls").is_some_and(|c| c.get() != "[]");
        let is_kept = is_tool && self.tools.is_some();
        let raw = is_kept.then(|| tool::message(field, &content)).flatten();
        Some(Line {
            role,
            fields: outer,
            text: content,
            is_tool,
            raw,
        })
    }

    fn conclude(mut self, mut lines: Vec<Line<'_>>) -> (Conversation, Option<Taken>) {
        let last = last_said(&mut lines, &mut self.context);
        let has_talk = lines.iter().any(|l| !l.text.trim().is_empty() || l.is_tool);
        let ends_with_result = lines.last().is_some_and(|l| l.role == Role::Tool);
        let mut reading = None;
        let ask = match last {
            Some((line, said)) => {
                reading = emotion::of_message(line.fields).or(self.told);
                match said.kind {
                    Kind::Words => Ask::Words(said.words),
                    Kind::Greeting => Ask::Greeting,
                    Kind::Silence => Ask::Silence,
                    Kind::Nothing => Ask::Nothing,
                }
            }
            None if ends_with_result && self.tools.is_some() => Ask::ToolResult,
            // As LiveKit's `generate_reply(instructions=...)` does in a call, and Pipecat's flows.
            None if has_talk && self.ends_with_context => Ask::Told,
            // Asked again with nothing new from the user: the platform reports silence.
            None if has_talk => Ask::Silence,
            None => Ask::Greeting,
        };
        let expressions = expressions(reading.as_ref(), &lines);
        let silences = silences(&lines);
        let history = lines.into_iter().filter_map(past).collect();
        let conversation = Conversation {
            history,
            ask,
            context: self.context,
            expressions,
            tools: self.tools,
            last_reply: None,
            silences,
        };
        (conversation, reading.as_ref().map(Reading::taken))
    }
}

/// Takes the user's last delivery off the end, and with it whatever is empty behind or around it:
/// an empty line that a platform left at the end must not hide what the user said. The contexts
/// that the platform put into what is taken off are gathered.
fn last_said<'a>(
    lines: &mut Vec<Line<'a>>,
    context: &mut Vec<String>,
) -> Option<(Line<'a>, Clean)> {
    let mut last = None;
    let mut later = Vec::new();
    while let Some(line) = lines.pop_if(|l| l.role == Role::User || is_empty(l)) {
        if line.role != Role::User {
            continue;
        }
        let mut said = clean::clean(&line.text);
        let is_nothing = said.kind == Kind::Nothing;
        later.push(std::mem::take(&mut said.context));
        if !is_nothing {
            last = Some((line, said));
            break;
        }
        last = last.or(Some((line, said)));
    }
    context.extend(later.into_iter().rev().flatten());
    last
}

fn is_empty(line: &Line<'_>) -> bool {
    !line.is_tool && line.text.trim().is_empty()
}

/// Silences that were told of at the end of a history, with no word of the user's between them.
fn silences(lines: &[Line<'_>]) -> usize {
    let users = lines.iter().rev().filter(|line| line.role == Role::User);
    let kinds = users.map(|line| clean::clean(&line.text).kind);
    kinds.take_while(|kind| *kind == Kind::Silence).count()
}

/// A line of the history, or nothing if nothing was said in it.
fn past(line: Line<'_>) -> Option<Message> {
    let text = match line.role {
        Role::User => clean::clean(&line.text).words,
        Role::Assistant | Role::Tool => line.text,
    };
    let is_said = line.raw.is_some() || (line.role != Role::Tool && !text.trim().is_empty());
    is_said.then_some(Message {
        role: line.role,
        text,
        raw: line.raw,
    })
}

/// What tells whether a neighbour is the same delivery, sent twice.
#[derive(Clone, Copy)]
struct Delivery<'a> {
    outer: &'a Fields<'a>,
    role: Option<&'a str>,
    content: Option<&'a RawValue>,
    time: Option<&'a str>,
    /// Of calls and results, whose content says little.
    tool: [Option<&'a str>; 2],
}

impl<'a> Delivery<'a> {
    fn of(outer: &'a Fields<'a>, inner: &Fields<'a>) -> Self {
        let field = |name| outer.get(name).or_else(|| inner.get(name));
        let json = |name| field(name).map(RawValue::get);
        Self {
            outer,
            role: json("role"),
            content: field("content"),
            time: json("time"),
            tool: [json("tool_calls"), json("tool_call_id")],
        }
    }

    /// The same to the byte, and of the same moment. Without a time only the user's own longer
    /// words, in a message that is the same throughout: "yes" is said twice, and calls are made
    /// twice.
    fn is_repeated_by(&self, next: &Self) -> bool {
        let parts = |d: &Self| (d.role, d.content.map(RawValue::get), d.time, d.tool);
        let is_long = |raw| content(raw).chars().nth(MAX_REPEATED_CHARS).is_some();
        parts(self) == parts(next)
            && (self.time.is_some()
                || self.role == Some("\"user\"")
                    && self.outer.are(next.outer)
                    && self.content.is_some_and(is_long))
    }
}

/// Text of a string, or of an array's text parts; nothing of anything else.
fn content(raw: &RawValue) -> String {
    if let Some(text) = text(raw) {
        return text;
    }
    let parts: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let mut out = String::new();
    for part in parts {
        let said = text(part).or_else(|| Fields::of(part).text("text"));
        if let Some(said) = said.filter(|s| !s.is_empty()) {
            if !out.is_empty() && !out.ends_with(char::is_whitespace) {
                out.push(' ');
            }
            out.push_str(&said);
        }
    }
    out
}

/// How the user sounds, by the reading of what was said now and by those of the lines before it.
fn expressions(now: Option<&Reading<'_>>, before: &[Line<'_>]) -> Vec<Expression> {
    let Some(now) = now else {
        return Vec::new();
    };
    let spoken = before.iter().rev().filter(|l| l.role == Role::User);
    let before = spoken.take(MAX_VOICED);
    let before: Vec<_> = before.map(|l| emotion::of_message(l.fields)).collect();
    smoothed(std::iter::once(Some(now)).chain(before.iter().map(Option::as_ref)))
}

impl Decoded {
    /// Applies what may be done with how the user sounded, before anything else sees it. Words whose
    /// own reading is missing, or too old by `now_ms`, sound as `late` knows.
    pub fn hear(
        &mut self,
        policy: ProsodyPolicy,
        now_ms: i64,
        late: impl FnOnce(&Conversation) -> Vec<Expression>,
    ) {
        let heard = self.heard.take();
        if policy == ProsodyPolicy::Off {
            self.conversation.expressions.clear();
            return;
        }
        if heard.is_some_and(|taken| taken.left(now_ms).is_some()) {
            return;
        }
        let has_words = matches!(self.conversation.ask, Ask::Words(_));
        self.conversation.expressions = match has_words {
            true => late(&self.conversation),
            false => Vec::new(),
        };
    }
}

impl fmt::Debug for Parsing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parsing")
    }
}

#[cfg(test)]
mod tests;
