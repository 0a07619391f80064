//! The turn routes of each caller, and the coaches as models.

use serde_json::{Value, json};

use crate::http::TURN;
use crate::http::callers::{self, Dialect, Place};
use crate::http::error::Kind;
use crate::turn::{CallerProfile, FinishReason};

use super::operation::{EVENTS, JSON, Operation, Who};
use super::parameters::{header, session_id};
use super::schema::{
    Fields, about, either, list, maybe, object, of, open, text, truth, whole, with, words,
};

const TAG: &str = "Turns of callers";
const SENTENCE: &str = "I was passed over for a promotion.";

pub(super) fn operations() -> Vec<Operation> {
    let mut all: Vec<Operation> = callers::ALL.iter().flat_map(|d| turns_of(d)).collect();
    for (path, id) in [("/models", "listModels"), ("/v1/models", "listModelsV1")] {
        all.push(
            Operation::new("GET", path, id, "The coaches as models")
                .tag(TAG)
                .about("`clm` first, which chooses among them. Some clients ask when a session begins.")
                .who(Who::Caller)
                .answers(200, "All of them.", of("Models")),
        );
    }
    all
}

pub(super) fn schemas() -> Fields {
    let model = object(vec![
        ("id", text()),
        ("object", words(["model"])),
        ("created", whole()),
        ("owned_by", text()),
    ]);
    vec![
        ("ChatRequest", chat_request()),
        ("ChatCompletion", chat_completion()),
        ("ChatChunk", chat_chunk()),
        (
            "Models",
            object(vec![("object", words(["list"])), ("data", list(model))]),
        ),
    ]
}

/// A caller's routes: each of its addresses, and the same with the suffix doubled.
fn turns_of(dialect: &'static Dialect) -> Vec<Operation> {
    let mut all = Vec::new();
    for (at, prefix) in dialect.prefixes.iter().enumerate() {
        let id = format!("{}Turn{}", dialect.profile, number(at));
        let path = format!("{prefix}{TURN}");
        let summary = format!("One turn, for {}", name(dialect.profile));
        all.push(turn(dialect, &path, &id, &summary).about(description(dialect)));
        let doubled = format!("{path}{TURN}");
        let mistaken = turn(dialect, &doubled, &format!("{id}Doubled"), &summary);
        all.push(
            mistaken
                .about(
                    "The same with the suffix doubled: a caller whose base URL already holds it.",
                )
                .deprecated(),
        );
    }
    all
}

fn number(at: usize) -> String {
    match at {
        0 => String::new(),
        at => (at + 1).to_string(),
    }
}

fn name(profile: CallerProfile) -> &'static str {
    match profile {
        CallerProfile::Hume => "Hume EVI",
        CallerProfile::Openai => "OpenAI clients: SDKs, LiveKit, Pipecat",
        CallerProfile::Elevenlabs => "ElevenLabs Agents",
        CallerProfile::Vapi => "Vapi",
        CallerProfile::Council => "the council",
    }
}

fn description(dialect: &Dialect) -> String {
    let streams = match dialect.streams_by_default {
        true => "Answers with an event stream, unless `stream` is false.",
        false => "Answers with one JSON body, unless `stream` is true.",
    };
    let comments = match dialect.keeps_alive {
        true => " A comment is sent every 5 s while nothing else is.",
        false => "",
    };
    let places = dialect.sessions.iter().map(|place| match place {
        Place::Header => "header `x-clm-session`".to_owned(),
        Place::Query => "query `custom_session_id`".to_owned(),
        Place::Body(path) => format!("body `{}`", path.join(".")),
    });
    let places = places.collect::<Vec<_>>().join(", ");
    format!(
        "{streams}{comments} Failures are spoken with status 200, unless the request says \
         `x-clm-errors: signal`. The session is named by the first that is there of: {places}. A `GET` \
         from a browser shows a page with a curl; any other method is a 405."
    )
}

fn turn(dialect: &Dialect, path: &str, id: &str, summary: &str) -> Operation {
    let model = if dialect.model_names_coach {
        "career"
    } else {
        "clm"
    };
    let example = json!({
        "model": model,
        "messages": [{ "role": "user", "content": SENTENCE }],
    });
    let signal =
        "`signal` where a failure is to be told as a status or an error object, not spoken.";
    let as_written = "`as-written` where the words are wanted as the model writes them.";
    let fault = "Simulated models to ask first, by their faults, such as `cut:7,ok`. Heeded only where all \
                 models are simulated.";
    let mut operation = Operation::new("POST", path, id, summary)
        .tag(TAG)
        .who(Who::Caller);
    for place in dialect.sessions {
        operation = match place {
            Place::Header => operation.parameter(header(
                "x-clm-session",
                "The session id, signed by this service or the caller's own.",
                session_id(),
            )),
            Place::Query => operation.parameter(json!({
                "name": "custom_session_id",
                "in": "query",
                "description": "The session id, signed by this service or the caller's own.",
                "schema": session_id(),
            })),
            Place::Body(_) => operation,
        };
    }
    operation
        .parameter(header("x-clm-errors", signal, words(["signal"])))
        .parameter(header("x-clm-speech", as_written, words(["as-written"])))
        .parameter(header("x-clm-fault", fault, text()))
        .parameter(header(
            "traceparent",
            "The caller's trace, which is continued (W3C Trace Context).",
            text(),
        ))
        .takes(of("ChatRequest"), example)
        .refuses(&[
            Kind::InvalidSessionId,
            Kind::RateLimited,
            Kind::BudgetExhausted,
            Kind::Overloaded,
            Kind::UpstreamFailed,
            Kind::UpstreamBrokeOff,
        ])
        .answers_in(
            200,
            "The answer, as a stream or as one body.",
            EVENTS,
            json!({
                "x-events": { "message": of("ChatChunk") },
                "x-ends-with": "data: [DONE]",
            }),
        )
        .answers_in(200, "", JSON, json!({ "schema": of("ChatCompletion") }))
        .headers(200, super::turn_headers())
}

fn chat_request() -> Value {
    let message = open(either(
        Vec::new(),
        vec![
            (
                "role",
                about(
                    text(),
                    "`user`, `assistant`, `tool`; `system` and `developer` count where the caller's dialect heeds them; others are passed over",
                ),
            ),
            (
                "content",
                json!({ "anyOf": [
                    { "type": ["string", "null"] },
                    { "type": "array", "items": { "type": ["object", "string"] } },
                ]}),
            ),
            ("emotion", about(of("Emotion"), "how these words sounded")),
            (
                "models",
                about(json!({ "type": "object" }), "Hume's `prosody.scores`"),
            ),
            ("tool_calls", json!({ "type": "array" })),
            ("tool_call_id", text()),
            (
                "time",
                about(json!({ "type": ["object", "null"] }), "as Hume sends it"),
            ),
        ],
    ));
    let sometimes = vec![
        (
            "model",
            about(
                with(text(), json!({ "maxLength": 128 })),
                "echoed; but for Hume, a coach's id asks for that coach and `council` for several",
            ),
        ),
        (
            "stream",
            about(maybe(truth()), "an event stream, or one JSON body"),
        ),
        (
            "stream_options",
            open(either(Vec::new(), vec![("include_usage", truth())])),
        ),
        (
            "tools",
            json!({ "type": "array", "items": { "type": "object" } }),
        ),
        ("tool_choice", json!({ "type": ["string", "object"] })),
        (
            "emotion",
            about(of("Emotion"), "how the newest words sounded"),
        ),
        (
            "user",
            about(text(), "names the session where nothing better does"),
        ),
        (
            "user_id",
            about(text(), "heeded only where no signing key is set"),
        ),
    ];
    let messages = about(list(message), "the whole conversation, oldest first");
    let request = open(either(vec![("messages", messages)], sometimes));
    about(
        request,
        "OpenAI's chat completion request. Unknown fields are passed over, and odd ones are survived.",
    )
}

fn frame(object: &'static str, choices: Value) -> Fields {
    vec![
        ("id", text()),
        ("object", words([object])),
        ("created", about(whole(), "seconds since 1970")),
        ("model", about(text(), "as the request named it")),
        (
            "system_fingerprint",
            about(text(), "the session id; Hume sends it back from then on"),
        ),
        ("choices", choices),
    ]
}

fn usage() -> Value {
    object(vec![
        ("prompt_tokens", whole()),
        ("completion_tokens", whole()),
        ("total_tokens", whole()),
    ])
}

fn tool_call(index: Fields) -> Value {
    let function = object(vec![("name", text()), ("arguments", text())]);
    let mut fields = index;
    fields.extend([
        ("id", text()),
        ("type", words(["function"])),
        ("function", function),
    ]);
    object(fields)
}

fn reason() -> Value {
    words(FinishReason::ALL.iter().map(|reason| reason.as_str()))
}

fn chat_completion() -> Value {
    let message = either(
        vec![("role", words(["assistant"])), ("content", maybe(text()))],
        vec![("tool_calls", list(tool_call(Vec::new())))],
    );
    let choice = object(vec![
        ("index", whole()),
        ("message", message),
        ("finish_reason", reason()),
    ]);
    let mut fields = frame("chat.completion", list(choice));
    fields.push(("usage", usage()));
    object(fields)
}

fn chat_chunk() -> Value {
    let delta = either(
        Vec::new(),
        vec![
            ("role", words(["assistant"])),
            ("content", text()),
            ("tool_calls", list(tool_call(vec![("index", whole())]))),
        ],
    );
    let choice = object(vec![
        ("index", whole()),
        ("delta", delta),
        ("finish_reason", maybe(reason())),
    ]);
    let choices = about(list(choice), "empty in the chunk that carries the usage");
    either(
        frame("chat.completion.chunk", choices),
        vec![(
            "usage",
            about(usage(), "in the last chunk, where it was asked for"),
        )],
    )
}
