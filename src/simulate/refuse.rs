//! Answers of OpenRouter that are no stream: errors before one, pages, redirects.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::fault::Fault;

/// The answer in place of a stream, when the fault asks for one.
pub(super) fn refusal(fault: &Fault, body: &Value) -> Option<HttpResponse> {
    Some(match fault {
        Fault::Status(code, retry_after) => status(*code, *retry_after),
        Fault::KeyLimit => error(403, "Key limit exceeded (monthly limit)", Value::Null, None),
        Fault::ContextTooLong(most) if count(body) > *most => error(
            400,
            "This endpoint's maximum context length is 8192 tokens. However, you requested more.",
            json!({"error_type": "context_length_exceeded"}),
            None,
        ),
        Fault::ReasoningMandatory if reasoning_is_off(body) => error(
            400,
            "Reasoning is mandatory for this endpoint and cannot be disabled.",
            json!({"error_type": "invalid_request"}),
            None,
        ),
        Fault::UnknownParameter(name) if body.get(name).is_some() => error(
            400,
            &format!("Unsupported parameter: '{name}' is not supported with this model."),
            json!({"error_type": "invalid_request"}),
            None,
        ),
        Fault::RejectPrefill if ends_on_assistant(body) => error(
            400,
            "This model does not support assistant message prefill. The conversation must end with a user message.",
            json!({"error_type": "invalid_request"}),
            None,
        ),
        Fault::Html => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body("<!doctype html><title>Just a moment…</title><p>Checking your browser."),
        Fault::JsonError => HttpResponse::Ok()
            .content_type("application/json")
            .body(format!(
                "\n\n   {}",
                error_json(502, "Provider returned error", &Value::Null)
            )),
        Fault::Redirect => HttpResponse::MovedPermanently()
            .insert_header(("location", "/__trap"))
            .finish(),
        _ => return None,
    })
}

/// An error with OpenRouter's body.
pub(super) fn error(
    code: u16,
    message: &str,
    metadata: Value,
    retry_after: Option<u64>,
) -> HttpResponse {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = retry_after {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    response.json(error_json(code, message, &metadata))
}

fn status(code: u16, retry_after: Option<u64>) -> HttpResponse {
    let (message, kind) = match code {
        400 => ("Invalid request", "invalid_request"),
        401 => ("User not found.", "authentication"),
        402 => (
            "Insufficient credits. Add more and retry.",
            "payment_required",
        ),
        403 => ("Input was flagged by moderation", "permission_denied"),
        404 => ("No endpoints found for this model.", "not_found"),
        429 => ("Provider returned error", "rate_limit_exceeded"),
        502 => ("Provider returned error", "provider_unavailable"),
        503 | 529 => ("Provider is overloaded", "provider_overloaded"),
        504 | 408 | 524 => ("Upstream timed out", "timeout"),
        _ => ("Internal server error", "server"),
    };
    let metadata = json!({"error_type": kind, "provider_name": "Simulated"});
    error(code, message, metadata, retry_after)
}

fn error_json(code: u16, message: &str, metadata: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "metadata": metadata}, "user_id": "user_simulated"})
}

fn count(body: &Value) -> usize {
    let messages = body.get("messages").and_then(Value::as_array);
    messages.map_or(0, Vec::len)
}

fn ends_on_assistant(body: &Value) -> bool {
    let messages = body.get("messages").and_then(Value::as_array);
    let role = messages.and_then(|all| all.last()?.get("role")?.as_str());
    role == Some("assistant")
}

fn reasoning_is_off(body: &Value) -> bool {
    let reasoning = body.get("reasoning");
    let field = |name: &str| reasoning.and_then(|reasoning| reasoning.get(name));
    field("enabled") == Some(&Value::Bool(false))
        || field("effort").and_then(Value::as_str) == Some("none")
        || field("max_tokens").and_then(Value::as_u64) == Some(0)
        || body.get("reasoning_effort").and_then(Value::as_str) == Some("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_refusals_look_at_the_body() {
        let refused =
            |fault: &Fault, body: Value| refusal(fault, &body).map(|r| r.status().as_u16());
        let two = json!([{"role": "user"}, {"role": "assistant"}]);
        for (fault, body, expected) in [
            (Fault::Ok, json!({}), None),
            (Fault::Status(429, Some(7)), json!({}), Some(429)),
            (
                Fault::ContextTooLong(0),
                json!({"messages": two}),
                Some(400),
            ),
            (Fault::ContextTooLong(2), json!({"messages": two}), None),
            (
                Fault::ReasoningMandatory,
                json!({"reasoning": {"enabled": false}}),
                Some(400),
            ),
            (
                Fault::ReasoningMandatory,
                json!({"reasoning": {"effort": "none"}}),
                Some(400),
            ),
            (Fault::ReasoningMandatory, json!({}), None),
            (
                Fault::UnknownParameter("seed".into()),
                json!({"seed": 1}),
                Some(400),
            ),
            (Fault::UnknownParameter("seed".into()), json!({}), None),
            (Fault::RejectPrefill, json!({"messages": two}), Some(400)),
            (Fault::Redirect, json!({}), Some(301)),
        ] {
            assert_eq!(refused(&fault, body.clone()), expected, "{fault:?} {body}");
        }
    }
}
