//! Turns, sessions and what is told beside them, as the routes answer them.

use serde_json::{Value, json};

use crate::http::share;
use crate::turn::{CallerProfile, Cause, CostSource, Identity, MemoryOutcome, Outcome, Tier};

use super::records::session_wanted;
use super::schema::{
    Fields, about, dollars, either, list, maybe, number, object, of, page, positive, source, text,
    time, truth, whole, with, words,
};

/// The words of a closed set.
macro_rules! set {
    ($set:ident) => {
        words($set::ALL.iter().map(|word| word.as_str()))
    };
}

pub(super) fn schemas() -> Fields {
    vec![
        ("Turn", object(turn())),
        ("TurnWithAttempts", turn_with_attempts()),
        ("Attempt", attempt()),
        ("TurnPage", page(of("Turn"))),
        ("Session", object([names(), totals()].concat())),
        ("SessionPage", page(of("Session"))),
        ("SessionWithTurns", session_with_turns()),
        ("SessionShown", shown(session_with_turns(), "SharedTurn")),
        ("SharedTurn", shown(turn_with_attempts(), "SharedTurn")),
        ("SessionWanted", session_wanted()),
        ("SessionRevoked", session_revoked()),
        ("Emotion", emotion()),
        ("Now", now()),
        (
            "Switched",
            object(vec![("name", text()), ("value", text())]),
        ),
    ]
}

pub(super) fn tier() -> Value {
    set!(Tier)
}

fn milliseconds() -> Value {
    about(
        positive(),
        "milliseconds from the end of the request's body",
    )
}

fn turn() -> Fields {
    vec![
        ("turn_id", about(text(), "a UUIDv7")),
        (
            "session_id",
            about(text(), "as it is kept: what was signed is not in it"),
        ),
        (
            "user_hash",
            about(maybe(text()), "a keyed hash of the user's id"),
        ),
        ("profile", set!(CallerProfile)),
        ("identity", set!(Identity)),
        ("coach", text()),
        (
            "coach_reason",
            about(
                text(),
                "`keyword:promotion`, `named`, `kept`, `pinned`, `default`",
            ),
        ),
        ("tier", tier()),
        ("complexity", about(maybe(positive()), "0 to 1")),
        ("experiment", maybe(text())),
        ("variant", maybe(text())),
        ("planned_model", text()),
        ("served_model", maybe(text())),
        ("provider", maybe(text())),
        ("generation_id", maybe(text())),
        ("outcome", set!(Outcome)),
        ("auth_ms", maybe(milliseconds())),
        ("memory_ms", maybe(milliseconds())),
        ("plan_ms", maybe(milliseconds())),
        ("upstream_headers_ms", maybe(milliseconds())),
        ("first_token_ms", maybe(milliseconds())),
        ("first_speakable_ms", maybe(milliseconds())),
        ("total_ms", milliseconds()),
        (
            "overhead_ms",
            about(maybe(positive()), "of it, what nobody else was waited for"),
        ),
        ("memory_outcome", set!(MemoryOutcome)),
        ("prompt_tokens", maybe(whole())),
        ("completion_tokens", maybe(whole())),
        ("cached_tokens", maybe(whole())),
        ("reasoning_tokens", maybe(whole())),
        (
            "cost_usd",
            about(maybe(dollars()), "null where it is not known"),
        ),
        ("cost_source", set!(CostSource)),
        (
            "hedged",
            about(truth(), "two models raced for the first words"),
        ),
        (
            "continued",
            about(
                truth(),
                "another model was asked to go on after words were out",
            ),
        ),
        ("lead_in", truth()),
        ("model_reason", maybe(text())),
        (
            "ceiling_usd",
            about(
                maybe(dollars()),
                "what it cost at most, where that is not known",
            ),
        ),
        (
            "satisfaction",
            maybe(with(whole(), json!({ "minimum": 1, "maximum": 5 }))),
        ),
        ("trace_id", text()),
        ("created_at", time()),
    ]
}

fn turn_with_attempts() -> Value {
    let mut fields = turn();
    fields.push(("attempts", list(of("Attempt"))));
    let asked = json!({ "type": "object" });
    let kept = either(
        vec![("user", text()), ("reply", text())],
        vec![(
            "asked",
            about(asked, "what the model was asked, as it was asked"),
        )],
    );
    let missing = words(["off", "expired", "not_kept", "unreadable", "store_away"]);
    either(
        fields,
        vec![
            ("words", about(kept, "there where they were captured")),
            ("words_missing", about(missing, "else why they are not")),
        ],
    )
}

fn attempt() -> Value {
    object(vec![
        ("cause", set!(Cause)),
        (
            "coach",
            about(maybe(text()), "of a council, the specialist that was asked"),
        ),
        ("model", text()),
        ("provider", maybe(text())),
        ("generation_id", maybe(text())),
        (
            "status",
            maybe(with(whole(), json!({ "minimum": 100, "maximum": 999 }))),
        ),
        ("error_kind", maybe(text())),
        ("started_ms", milliseconds()),
        ("headers_ms", maybe(milliseconds())),
        ("first_token_ms", maybe(milliseconds())),
        ("ended_ms", milliseconds()),
        ("prompt_tokens", maybe(whole())),
        ("cached_tokens", maybe(whole())),
        ("completion_tokens", maybe(whole())),
        ("cost_usd", maybe(dollars())),
        ("cost_source", set!(CostSource)),
        (
            "cancelled",
            about(truth(), "closed by us before the stream's own end"),
        ),
    ])
}

fn names() -> Fields {
    vec![
        ("session_id", text()),
        ("user_hash", maybe(text())),
        ("first_turn_at", time()),
        ("last_turn_at", time()),
    ]
}

fn totals() -> Fields {
    vec![
        ("turns", whole()),
        ("failed_turns", whole()),
        ("total_ms", positive()),
        ("prompt_tokens", whole()),
        ("completion_tokens", whole()),
        ("cost_usd", dollars()),
        (
            "unknown_costs",
            about(whole(), "turns whose cost is not in the sum"),
        ),
    ]
}

fn session_with_turns() -> Value {
    let figures = || -> Fields {
        vec![
            ("turns", whole()),
            ("cost_usd", maybe(dollars())),
            ("completion_tokens", maybe(whole())),
        ]
    };
    let model = object([vec![("model", text())], figures()].concat());
    let mut coach: Fields = vec![("coach", text()), ("models", list(model))];
    coach.extend(figures());
    let chat = object(vec![
        (
            "chat_id",
            about(text(), "the voice platform's own name for it"),
        ),
        ("platform", text()),
        ("chat_group_id", maybe(text())),
        ("started_at", maybe(time())),
        ("ended_at", maybe(time())),
        ("end_reason", maybe(text())),
        ("told_at", time()),
    ]);
    let known = "not there while none of its turns has arrived in the store";
    let mut sometimes: Fields = names().split_off(1);
    sometimes.extend([
        ("totals", about(object(totals()), known)),
        ("coaches", about(list(object(coach)), known)),
        ("chats", about(list(chat), known)),
        ("source", source()),
    ]);
    either(
        vec![
            ("session_id", text()),
            ("turns", about(list(of("Turn")), "newest first")),
            ("next_cursor", maybe(text())),
        ],
        sometimes,
    )
}

/// The same for whoever has a link: without what a link does not tell. Its turns are `turns`; a list tells
/// no calls.
fn shown(mut schema: Value, turns: &str) -> Value {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(fields) = fields {
        fields.retain(|name, _| !share::UNTOLD.contains(&name.as_str()));
        fields.remove("words");
        fields.remove("words_missing");
        let list = fields.get_mut("turns").and_then(Value::as_object_mut);
        if let Some(list) = list {
            list.insert("items".to_owned(), of(turns));
            fields.insert("expires_at".to_owned(), about(time(), "the link's end"));
        }
    }
    let required = schema.get_mut("required").and_then(Value::as_array_mut);
    if let Some(required) = required {
        let untold = |name: &Value| name.as_str().is_some_and(|n| share::UNTOLD.contains(&n));
        required.retain(|name| !untold(name) && name != "attempts");
    }
    schema
}

fn session_revoked() -> Value {
    object(vec![
        ("session_id", about(text(), "as it is kept")),
        ("revoked", truth()),
        ("until", about(time(), "then it would have ended by itself")),
        ("ended_here", about(whole(), "turns that spoke in it here")),
    ])
}

pub(super) fn emotion_example() -> Value {
    json!([{ "label": "sad", "confidence": 0.71 }])
}

fn emotion() -> Value {
    let share = with(number(), json!({ "minimum": 0, "maximum": 1 }));
    let label = with(text(), json!({ "minLength": 1, "maxLength": 64 }));
    let named = json!({
        "type": "object",
        "properties": { "label": label, "confidence": share },
        "required": ["label", "confidence"],
    });
    let scored = json!({
        "type": "object",
        "properties": { "name": label, "score": share },
        "required": ["name", "score"],
    });
    let labels = json!({
        "type": "array",
        "items": { "anyOf": [named, scored] },
        "minItems": 1,
        "maxItems": 256,
    });
    let at = json!({ "anyOf": [
        time(),
        { "type": "integer", "minimum": 0, "maximum": crate::clock::LAST_MS },
    ]});
    let dated = json!({
        "type": "object",
        "properties": {
            "labels": labels.clone(),
            "at": about(at, "when it was heard: RFC 3339, or milliseconds since 1970"),
        },
        "required": ["labels"],
    });
    json!({
        "description": "Labels and how sure each is, 0 to 1: a list, or an object with the list as \
                        `labels` and the time as `at`.",
        "anyOf": [labels, dated],
        "examples": [emotion_example()],
    })
}

fn now() -> Value {
    let mut minute: Fields = vec![
        ("turns", whole()),
        ("tokens", whole()),
        ("cost_usd", dollars()),
        ("cost_unknown", whole()),
        ("first_speakable_p50_ms", maybe(positive())),
        ("first_speakable_p95_ms", maybe(positive())),
    ];
    minute.extend(Outcome::ALL.iter().map(|o| (o.as_str(), whole())));
    let today = object(vec![
        ("turns", whole()),
        ("cost_usd", dollars()),
        ("cost_unknown", whole()),
    ]);
    either(
        vec![
            ("scope", words(["shared", "local"])),
            ("machines", whole()),
            ("open_turns", whole()),
            ("last_minute", object(minute)),
            ("today", about(today, "since midnight, UTC")),
            ("as_of", time()),
        ],
        vec![(
            "reason",
            about(text(), "why the numbers are this machine's alone"),
        )],
    )
}
