//! Spans and their fields, in `OpenTelemetry`'s names. Fields are declared empty and filled when known.
//!
//! The `GenAI` conventions are in development and have moved once; their names live here, in `names`
//! and in `genai`, and nowhere else.
//!
//! A span that is sent ends where it was last left, not where it is dropped. Those that live on after
//! their first wait are therefore stepped into once more when they end.

use std::time::Duration;

use opentelemetry::{Array, StringValue, Value};
use tracing::{Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::turn::{FinishReason, Outcome, TraceContext, Usage};

use super::traces;

/// The server span of one request. Neither address nor query string: the latter holds session ids.
#[must_use]
pub fn request(method: &str, route: &str, trace: &TraceContext) -> Span {
    let span = info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        trace_id = trace.trace_id(),
        "error.type" = field::Empty,
    );
    traces::begin(&span, trace);
    span
}

/// The status is known when the head is made; how a stream ends is told by [`settled`].
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        failed(span, &status.to_string());
    }
}

/// One turn, from the accepted body to the settled record.
#[must_use]
pub fn turn(turn_id: &str, coach: &str) -> Span {
    info_span!(
        "turn",
        otel.status_code = field::Empty,
        turn_id,
        coach,
        outcome = field::Empty,
        gen_ai.conversation.id = field::Empty,
        "error.type" = field::Empty,
    )
}

/// The guard's last word on a turn. A stream whose status was 200 and that failed later is a failure
/// of its request too.
pub fn settled(span: &Span, request: &Span, outcome: Outcome, conversation: &str) {
    span.record("outcome", outcome.as_str());
    span.record("gen_ai.conversation.id", conversation);
    if matches!(
        outcome,
        Outcome::Failed | Outcome::PartialFailed | Outcome::Shed
    ) {
        failed(request, outcome.as_str());
        failed(span, outcome.as_str());
    }
    end(span);
    end(request);
}

/// The wait for what memory knows.
#[must_use]
pub fn recall(turn: &Span) -> Span {
    info_span!(parent: turn, "memory", stage = "memory")
}

/// The wait for the first words, whoever says them.
#[must_use]
pub fn race(turn: &Span) -> Span {
    info_span!(parent: turn, "upstream", stage = "upstream")
}

/// A council, from its plan to the last specialist that was waited for.
#[must_use]
pub fn council(turn: &Span) -> Span {
    info_span!(parent: turn, "council", stage = "upstream")
}

/// One specialist's part in it; `outcome` is `answered`, `late` or `failed`.
#[must_use]
pub fn specialist(council: &Span, coach: &str) -> Span {
    info_span!(
        parent: council,
        "specialist",
        otel.status_code = field::Empty,
        stage = "upstream",
        coach,
        outcome = field::Empty,
        "error.type" = field::Empty,
    )
}

/// How a specialist's part ended. One that is not heard is no failure of the turn's.
pub fn heard(specialist: &Span, outcome: &str) {
    specialist.record("outcome", outcome);
    end(specialist);
}

/// From one model's first words to its last. Held, never entered: words have no spans.
#[must_use]
pub fn relay(turn: &Span) -> Span {
    info_span!(parent: turn, "relay", stage = "relay")
}

/// One upstream call.
#[must_use]
pub fn chat(model: &str, (address, port): (&str, u16), conversation: &str) -> Span {
    info_span!(
        "chat",
        otel.name = format!("chat {model}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        stage = "upstream",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openrouter",
        gen_ai.request.model = model,
        gen_ai.request.stream = true,
        gen_ai.conversation.id = conversation,
        gen_ai.response.id = field::Empty,
        gen_ai.response.model = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        server.address = address,
        server.port = i64::from(port),
        gen_ai.response.time_to_first_chunk = field::Empty,
        "error.type" = field::Empty,
    )
}

/// The call has begun to speak.
pub fn spoke(span: &Span, generation_id: Option<&str>, after: Duration) {
    if let Some(id) = generation_id {
        span.record("gen_ai.response.id", id);
    }
    span.record("gen_ai.response.time_to_first_chunk", after.as_secs_f64());
}

/// The call has said its last, or was cut off where it stood.
pub fn spoken(
    span: &Span,
    model: Option<&str>,
    finish: Option<FinishReason>,
    usage: Option<&Usage>,
) {
    if span.is_disabled() {
        return;
    }
    if let Some(model) = model {
        span.record("gen_ai.response.model", model);
    }
    if let Some(finish) = finish {
        // A list by convention, which a field cannot be.
        let reasons = vec![StringValue::from(finish.as_str())];
        let reasons = Value::Array(Array::String(reasons));
        span.set_attribute("gen_ai.response.finish_reasons", reasons);
    }
    if let Some(usage) = usage {
        span.record("gen_ai.usage.input_tokens", number(usage.prompt_tokens));
        span.record(
            "gen_ai.usage.output_tokens",
            number(usage.completion_tokens),
        );
    }
    end(span);
}

/// It failed; `kind` is from a closed set.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
    end(span);
}

/// A read from or write to the memory store.
#[must_use]
pub fn retrieval(store: &'static str) -> Span {
    info_span!(
        "retrieval",
        otel.name = format!("retrieval {store}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        stage = "memory",
        gen_ai.operation.name = "retrieval",
        gen_ai.data_source.id = store,
        "error.type" = field::Empty,
    )
}

/// It ends now.
fn end(span: &Span) {
    span.in_scope(|| ());
}

/// Unsigned numbers would be sent as text.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
