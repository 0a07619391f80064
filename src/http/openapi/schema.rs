//! JSON Schema (2020-12) from short words. Objects that we answer with are closed: every field is there,
//! and no other.

use serde_json::{Map, Value, json};

/// Fields by name.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// A schema of the document's components.
pub(super) fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with exactly these fields.
pub(super) fn object(fields: Fields) -> Value {
    either(fields, Vec::new())
}

/// An object with the first fields, and perhaps some of the others.
pub(super) fn either(always: Fields, sometimes: Fields) -> Value {
    let required: Vec<&str> = always.iter().map(|(name, _)| *name).collect();
    let all = always.into_iter().chain(sometimes);
    let properties: Map<String, Value> = all.map(|(name, s)| (name.to_owned(), s)).collect();
    let schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    match required.as_slice() {
        [] => schema,
        required => with(schema, json!({ "required": required })),
    }
}

/// The same object, that may hold more than is told.
pub(super) fn open(object: Value) -> Value {
    with(object, json!({ "additionalProperties": true }))
}

pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// One of these words.
pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "enum": words })
}

/// A time in RFC 3339.
pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// Dollars as a decimal string, to the millionth.
pub(super) fn dollars() -> Value {
    json!({ "type": "string", "pattern": r"^-?[0-9]+\.[0-9]{6}$" })
}

pub(super) fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn number() -> Value {
    json!({ "type": "number" })
}

/// A number of milliseconds, or a share.
pub(super) fn positive() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

pub(super) fn truth() -> Value {
    json!({ "type": "boolean" })
}

/// The same, or null.
pub(super) fn maybe(schema: Value) -> Value {
    let Some(kind) = schema.get("type").and_then(Value::as_str) else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    };
    let mut more = json!({ "type": [kind, "null"] });
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<&Value> = words.iter().chain([&Value::Null]).collect();
        more = with(more, json!({ "enum": words }));
    }
    with(schema, more)
}

/// The same with what it means.
pub(super) fn about(schema: Value, meaning: &str) -> Value {
    with(schema, json!({ "description": meaning }))
}

/// The same with bounds and whatever else a schema may say.
pub(super) fn with(mut schema: Value, more: Value) -> Value {
    if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
        schema.extend(more);
    }
    schema
}

/// A page of a list.
pub(super) fn page(items: Value) -> Value {
    either(
        vec![
            ("items", list(items)),
            (
                "next_cursor",
                about(
                    maybe(text()),
                    "where the next page begins; null on the last",
                ),
            ),
        ],
        vec![("source", source())],
    )
}

/// What an answer has where the store could not be asked.
pub(super) fn source() -> Value {
    about(
        words(["recent"]),
        "there only where the store does not answer: the last turns of this process alone",
    )
}
