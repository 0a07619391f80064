//! Spans and their fields, in `OpenTelemetry`'s names. Fields are declared empty and filled when known.
//!
//! The `GenAI` conventions are in development and have moved once; their names live here and nowhere
//! else.

use std::time::Duration;

use tracing::{Span, field, info_span};

use crate::turn::{FinishReason, Usage};

/// The server span of one request. Neither address nor query string: the latter holds session ids.
#[must_use]
pub fn request(method: &str, route: &str, trace_id: &str) -> Span {
    info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        trace_id,
        "error.type" = field::Empty,
    )
}

/// The status is known when the head is made; how a stream ends is the turn span's business.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
}

/// One turn, from the accepted body to the settled record.
#[must_use]
pub fn turn(turn_id: &str, coach: &str) -> Span {
    info_span!(
        "turn",
        turn_id,
        coach,
        outcome = field::Empty,
        gen_ai.conversation.id = field::Empty
    )
}

/// The guard's last word on a turn.
pub fn settled(span: &Span, outcome: &str, conversation: &str) {
    span.record("outcome", outcome);
    span.record("gen_ai.conversation.id", conversation);
}

/// One upstream call.
#[must_use]
pub fn chat(model: &str, address: &str) -> Span {
    info_span!(
        "chat",
        otel.name = format!("chat {model}"),
        otel.kind = "client",
        stage = "upstream",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openrouter",
        gen_ai.request.model = model,
        gen_ai.request.stream = true,
        gen_ai.response.id = field::Empty,
        gen_ai.response.model = field::Empty,
        gen_ai.response.finish_reasons = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        server.address = address,
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
    if let Some(model) = model {
        span.record("gen_ai.response.model", model);
    }
    if let Some(finish) = finish {
        span.record("gen_ai.response.finish_reasons", finish.as_str());
    }
    if let Some(usage) = usage {
        span.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
        span.record("gen_ai.usage.output_tokens", usage.completion_tokens);
    }
}

/// The call failed; `kind` is from a closed set.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
}

/// A read from or write to the memory store.
#[must_use]
pub fn retrieval(store: &'static str) -> Span {
    info_span!(
        "retrieval",
        otel.name = format!("retrieval {store}"),
        otel.kind = "client",
        stage = "memory",
        gen_ai.operation.name = "retrieval",
        gen_ai.data_source.id = store,
        "error.type" = field::Empty,
    )
}
