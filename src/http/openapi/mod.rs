//! The API's document, OpenAPI 3.1: every route that is served, who may use it, what it takes and what it
//! answers. Closed sets, bounds and the names of parameters are those of the code itself.
//!
//! A table of plain values beside the routes: the handlers answer JSON that they make by hand, so there
//! are no types from which a macro could make it. What keeps it true are the tests: `tests/api/openapi.rs`
//! holds it against the router, both ways, and `tests/contract` against a running server.
//!
//! What an event stream carries is in `x-events`, a schema for each event's name: OpenAPI 3.1 has no words for
//! it. The types of errors are in `x-errors`, for `/docs` to explain.
//!
//! To add an operation: a row in the file of its kind, and its shapes beside it.

mod callers;
mod operation;
mod operator;
mod operator_schemas;
mod parameters;
mod platform;
mod record_schemas;
mod records;
mod schema;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::dashboard::Asset;

use super::error::Kind;
use operation::Operation;
use schema::{about, object, text, truth, words};

/// How the groups are called, in the order in which they are read.
const TAGS: &[(&str, &str)] = &[
    (
        "Turns of callers",
        "What voice platforms and other programs ask: one turn each.",
    ),
    ("Turns", "What became of turns."),
    ("Sessions", "Session ids, and what became of sessions."),
    (
        "Council and speech",
        "Several coaches as one; what would be said of a text.",
    ),
    ("Reports and money", "What it costs and how it goes."),
    ("Switches", "What is changed without a deploy."),
    ("People", "Being forgotten."),
    ("Webhooks", "What voice platforms tell of their calls."),
    ("Process", "Whether it runs, and how."),
    ("Pages", "What a browser opens."),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
static ASSET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("openapi.json", operation::JSON, DOCUMENT.to_string()));

/// The document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as it is served.
pub(super) fn asset() -> &'static Asset {
    &ASSET
}

fn operations() -> Vec<Operation> {
    let all = [
        callers::operations(),
        records::operations(),
        operator::operations(),
        platform::operations(),
    ];
    let all = all.concat().into_iter().flat_map(|operation| {
        let has_head = operation.method == "GET" && !operation.never_ends();
        let head = has_head.then(|| operation.head());
        [Some(operation), head].into_iter().flatten()
    });
    all.collect()
}

fn make() -> Value {
    let operations = operations();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut responses = Map::new();
    for operation in &operations {
        let method = operation.method.to_ascii_lowercase();
        let methods = paths.entry(&operation.path).or_default();
        methods.insert(method, operation.json());
        responses.extend(operation.shared());
    }
    let tags = TAGS
        .iter()
        .map(|(name, what)| json!({ "name": name, "description": what }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "clm",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A voice-coaching language model server",
            "description": INFO,
        },
        "servers": [{ "url": "/", "description": "this server" }],
        "tags": tags.collect::<Value>(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": responses,
            "headers": headers(),
            "securitySchemes": security(),
        },
        "x-errors": errors(),
    })
}

const INFO: &str = "One service that a voice platform calls as its language model. Turns answer in OpenAI's \
    chat format, as Server-Sent Events or as one body; everything else is JSON.\n\nTimes are RFC 3339 in UTC, \
    durations milliseconds, money a decimal string of dollars. Lists answer `items` and `next_cursor`. Where \
    neither caller nor admin keys are set, everything is open to this machine alone. What is refused is \
    refused in one shape, with a `type` of a closed list.";

fn schemas() -> Map<String, Value> {
    let error = object(vec![
        ("type", words(Kind::ALL.map(Kind::as_str))),
        ("message", about(text(), "what was wrong")),
        ("hint", about(text(), "what to do")),
        ("docs", about(text(), "where the type is explained")),
        (
            "retryable",
            about(truth(), "whether the same request may succeed later"),
        ),
        (
            "trace_id",
            about(text(), "as in the logs and in `x-clm-trace-id`"),
        ),
    ]);
    let all = [
        vec![("Error", object(vec![("error", error)]))],
        callers::schemas(),
        record_schemas::schemas(),
        operator_schemas::schemas(),
        platform::schemas(),
    ];
    let named = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    all.concat().into_iter().map(named).collect()
}

/// The types of errors, as `/docs` explains them.
fn errors() -> Value {
    let one = |kind: Kind| {
        let statuses = kind.statuses().iter().map(|status| status.as_u16());
        json!({
            "type": kind.as_str(),
            "statuses": statuses.collect::<Vec<_>>(),
            "retryable": kind.is_retryable(),
            "meaning": kind.meaning(),
        })
    };
    Kind::ALL.map(one).into_iter().collect()
}

fn security() -> Value {
    let header = |name: &str, what: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": what });
    json!({
        "callerKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "One of CLM_API_KEYS. Where none is set, turns need none on loopback.",
        },
        "adminKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "One of ADMIN_API_KEYS.",
        },
        "sessionId": header("x-clm-session", "The signed id of this very session."),
        "shareLink": header("x-clm-share", "What stands behind the # of a link to a session."),
        "login": {
            "type": "apiKey",
            "in": "cookie",
            "name": "clm_login",
            "description": "What POST /login gives a browser for an admin key. Changes something only where \
                            our own page asks.",
        },
        "humeSignature": header(
            "x-hume-ai-webhook-signature",
            "HMAC-SHA256 under HUME_WEBHOOK_KEY, as Hume makes it.",
        ),
        "elevenlabsSignature": header(
            "elevenlabs-signature",
            "HMAC-SHA256 under ELEVENLABS_WEBHOOK_SECRET, as ElevenLabs makes it.",
        ),
    })
}

fn headers() -> Value {
    let header = |what: &str, schema: Value| json!({ "description": what, "schema": schema });
    json!({
        "TraceId": header("The request's trace, as in the logs.", text()),
        "TurnId": header("The turn, as in GET /v1/turns/{id}.", text()),
        "Coach": header("Who was chosen to answer.", text()),
        "Model": header("The model planned first.", text()),
        "Traceparent": header("The trace, for who continues it.", text()),
        "ServerTiming": header("Milliseconds until the turn began.", text()),
        "RetryAfter": header(
            "Seconds until it is worth asking again.",
            json!({ "type": "integer", "minimum": 1 }),
        ),
    })
}

/// What every turn's response carries.
fn turn_headers() -> Value {
    let header = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    json!({
        "x-clm-trace-id": header("TraceId"),
        "x-clm-turn-id": header("TurnId"),
        "x-clm-coach": header("Coach"),
        "x-clm-model": header("Model"),
        "traceparent": header("Traceparent"),
        "server-timing": header("ServerTiming"),
    })
}

#[cfg(test)]
mod tests;
