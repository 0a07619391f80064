//! A message of a tool exchange as it goes on to the model.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Bytes of a result that go on: a model reads no more of it than of a line, and all would be paid for.
const MOST: usize = 16_000;

/// Each field as the caller sent it. Only these: what else callers attach, such as how the user sounded,
/// is not the model's.
#[derive(Serialize)]
struct ToolMessage<'a> {
    role: Option<&'a RawValue>,
    /// Said to be null where it is: next to calls it has to be.
    content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a RawValue>,
}

/// The message with these fields; `content` is what its own says. Of one that is too long the beginning
/// is kept, which says what it is.
pub(super) fn message<'a>(
    field: impl Fn(&str) -> Option<&'a RawValue>,
    content: &str,
) -> Option<Box<RawValue>> {
    let end = content.floor_char_boundary(MOST);
    let beginning = content.get(..end).filter(|_| content.len() > MOST);
    let short = match beginning {
        Some(beginning) => Some(to_raw_value(&format!("{beginning}…")).ok()?),
        None => None,
    };
    let message = ToolMessage {
        role: field("role"),
        content: short.as_deref().or_else(|| field("content")),
        tool_calls: field("tool_calls"),
        tool_call_id: field("tool_call_id"),
        name: field("name"),
    };
    to_raw_value(&message).ok()
}
