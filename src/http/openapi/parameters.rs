//! Parameters by the names with which the routes know them.

use serde_json::{Value, json};

use crate::record::MAX_PAGE;
use crate::turn::Outcome;

use super::schema::{positive, text, whole, with, words};

/// What no text of a query string may hold.
const NO_CONTROLS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

/// A parameter of a query string.
pub(super) fn query(name: &str) -> Value {
    let (meaning, schema) = meant(name);
    json!({ "name": name, "in": "query", "description": meaning, "schema": schema })
}

/// A query parameter that takes one of some words, the first where it is absent.
pub(super) fn choice(name: &str, meaning: &str, all: &[&str]) -> Value {
    let schema = with(
        words(all.iter().copied()),
        json!({ "default": all.first() }),
    );
    json!({ "name": name, "in": "query", "description": meaning, "schema": schema })
}

/// A part of the path, with what stands there in the example.
pub(super) fn path(name: &str, meaning: &str, schema: Value, example: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": meaning,
        "schema": schema,
        "example": example,
    })
}

pub(super) fn header(name: &str, meaning: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": meaning, "schema": schema })
}

/// An id as it may stand in a path.
pub(super) fn id() -> Value {
    with(text(), json!({ "minLength": 1 }))
}

/// A session id as everybody may send it.
pub(super) fn session_id() -> Value {
    with(
        text(),
        json!({ "minLength": 1, "maxLength": 255, "pattern": NO_CONTROLS }),
    )
}

fn plain() -> Value {
    with(text(), json!({ "pattern": NO_CONTROLS }))
}

fn instant() -> Value {
    json!({ "anyOf": [
        { "type": "string", "format": "date-time" },
        { "type": "integer", "minimum": 0, "maximum": crate::clock::LAST_MS },
    ]})
}

/// What a query parameter means, and what it takes.
fn meant(name: &str) -> (&'static str, Value) {
    match name {
        "session" => (
            "Only turns of this session: by the id that its caller sent, or by the voice platform's id \
             of a chat of it.",
            plain(),
        ),
        "coach" => ("Only turns of this coach.", plain()),
        "model" => ("Only turns that this model answered.", plain()),
        "outcome" => (
            "Only turns that ended so.",
            words(Outcome::ALL.iter().map(|outcome| outcome.as_str())),
        ),
        "slow_over" => (
            "Only turns whose first words took longer, such as `1500ms` or `1.5s`.",
            with(
                text(),
                json!({ "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$" }),
            ),
        ),
        "slow_over_ms" => ("The same in milliseconds; not both.", positive()),
        "user" => ("Only sessions of this user.", plain()),
        "range" => (
            "Back from now, `1m` to `3650d`, such as `24h`. Not beside `since` or `until`.",
            with(text(), json!({ "pattern": "^[0-9]+[smhd]$" })),
        ),
        "since" => (
            "From this time on: RFC 3339, or milliseconds since 1970.",
            instant(),
        ),
        "until" => ("Until this time, which is not included.", instant()),
        "limit" => (
            "Rows of a page.",
            with(
                whole(),
                json!({ "minimum": 1, "maximum": MAX_PAGE, "default": 50 }),
            ),
        ),
        "cursor" => ("`next_cursor` of the page before.", text()),
        "replay" => (
            "Turns of before that are shown first.",
            with(whole(), json!({ "maximum": 1000, "default": 0 })),
        ),
        // The test of the whole document wants a meaning of each.
        _ => ("", text()),
    }
}
