//! `GET /generation`: what a call cost, told some time after it ended, as the real one does.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::catalog;
use super::fault::{Fault, Lookup};
use super::frame::Generation;
use super::ledger::{CallEnd, ChatCall};
use super::refuse::error;
use super::server::{Request, State};

/// A hang-up takes so many times as long to be in the books as a proper end.
const INTERRUPTED: u32 = 3;

/// Answers `GET /generation?id=…`.
pub(super) fn answer(state: &State, request: &Request) -> HttpResponse {
    let id = request.query("id").unwrap_or_default();
    let Some(call) = state.ledger.look_up(&id) else {
        return not_yet();
    };
    let Ok(Fault::Lookup(trouble)) = Fault::parse(&call.fault) else {
        return booked(state, &call, None);
    };
    match trouble {
        Lookup::Status {
            code,
            times,
            retry_after,
        } if times.is_none_or(|times| call.lookups <= times) => {
            error(code, "No answer for you", Value::Null, retry_after)
        }
        Lookup::Html => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body("<!doctype html><title>Just a moment…</title>"),
        other => booked(state, &call, Some(other)),
    }
}

fn not_yet() -> HttpResponse {
    error(404, "Generation not found", Value::Null, None)
}

/// What is in the books, once it is.
fn booked(state: &State, call: &ChatCall, trouble: Option<Lookup>) -> HttpResponse {
    let lag = state.options().generation_lag;
    let end = call.end.filter(|(end, at)| {
        let interrupted = *end != CallEnd::Finished;
        at.elapsed() >= if interrupted { lag * INTERRUPTED } else { lag }
    });
    let Some((end, _)) = end else {
        return not_yet();
    };
    let billed = Generation {
        id: call.id.clone(),
        created: 0,
        model: call.model.clone(),
        provider: catalog::provider_of(&call.model),
        prompt_tokens: call.prompt_tokens,
    };
    let cost = billed.cost(call.billed_tokens);
    let is_byok = trouble == Some(Lookup::Byok);
    let (total, upstream) = match trouble {
        // A twentieth is the fee; the provider's own bill makes up the rest.
        Some(Lookup::Byok) => (cost * 0.05, json!(cost * 0.95)),
        Some(Lookup::Zero(times)) if call.lookups <= times => (0.0, Value::Null),
        _ => (cost, Value::Null),
    };
    HttpResponse::Ok().json(json!({"data": {
        "id": call.id, "model": call.model, "provider_name": billed.provider,
        "total_cost": total, "usage": total, "upstream_inference_cost": upstream,
        "is_byok": is_byok, "cancelled": end == CallEnd::Aborted,
        "streamed": call.body.get("stream"),
        "finish_reason": if end == CallEnd::Finished { Some("stop") } else { None },
        "tokens_prompt": call.prompt_tokens, "tokens_completion": call.billed_tokens,
        "native_tokens_prompt": call.prompt_tokens, "native_tokens_completion": call.billed_tokens,
        "native_tokens_reasoning": 0, "native_tokens_cached": 0,
    }}))
}
