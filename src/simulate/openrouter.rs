//! The simulated OpenRouter: `/api/v1`.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::body::{Call, play};
use super::fault::{ErrorShape, Fault};
use super::frame::{Generation, prompt_tokens};
use super::ledger::{CallEnd, ChatCall};
use super::plan::{self, Plan, Script};
use super::refuse::{error, refusal};
use super::server::{Request, State};
use super::{catalog, generation, models_fault, voice};
use crate::clock::Clock;

/// Answers a request whose path goes on with `path` after `/api/v1`.
pub(super) async fn answer(state: &State, request: &Request, path: &[&str]) -> HttpResponse {
    let authorized = !state.options().require_key || request.has_key("Bearer ");
    match (&request.method, path) {
        (&Method::POST, ["chat", "completions"]) => chat(state, request, authorized).await,
        // The list answers without a key, as the real one does.
        (&Method::GET, ["models"]) => models_fault::models(state.options().models_fault).await,
        _ if !authorized => unauthorized(),
        (&Method::GET, ["key"]) => HttpResponse::Ok().json(json!({"data": {
            "label": "sk-or-v1-sim...ulated", "limit": null, "limit_remaining": null, "limit_reset": null,
            "usage": 0, "usage_daily": 0, "usage_weekly": 0, "usage_monthly": 0, "byok_usage": 0,
            "include_byok_in_limit": false, "is_free_tier": false, "is_management_key": false,
            "expires_at": null,
        }})),
        (&Method::GET, ["generation"]) => generation::answer(state, request),
        _ => error(404, "Not Found", Value::Null, None),
    }
}

fn unauthorized() -> HttpResponse {
    error(401, "No auth credentials found", Value::Null, None)
}

async fn chat(state: &State, request: &Request, authorized: bool) -> HttpResponse {
    let body = &request.body;
    let model = body
        .get("model")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = state.next_script().unwrap_or_else(|| model.to_owned());
    let generation = Generation {
        id: state.generation_id(),
        created: Clock::System.now_s(),
        model: model.to_owned(),
        provider: catalog::provider_of(model),
        prompt_tokens: prompt_tokens(body),
    };
    let progress = state.ledger.open_chat(
        request.bytes,
        ChatCall {
            id: generation.id.clone(),
            model: model.to_owned(),
            fault: name.clone(),
            authorized: request.authorization.is_some(),
            referer: request.header("http-referer"),
            openrouter_title: request.header("x-openrouter-title"),
            title: request.header("x-title"),
            body: body.clone(),
            received_at: request.received_at,
            tokens_sent: 0,
            prompt_tokens: 0,
            billed_tokens: 0,
            lookups: 0,
            end: None,
        },
    );
    // From here on a hang-up is seen: the guard is dropped with this future.
    let call = Call::new(progress, state.stopping.clone());
    let refused = if !authorized {
        Some(unauthorized())
    } else if body.get("messages").and_then(Value::as_array).is_none() {
        Some(error(
            400,
            "Input required: specify messages",
            Value::Null,
            None,
        ))
    } else {
        None
    };
    let fault = match (refused, Fault::parse(&name)) {
        (Some(refused), _) => return settled(&call, refused),
        (None, Err(bad)) => return settled(&call, error(400, &bad.to_string(), Value::Null, None)),
        (None, Ok(fault)) => fault,
    };
    match &fault {
        Fault::Hang => std::future::pending().await,
        Fault::SlowHeaders(wait) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    if let Some(refused) = refusal(&fault, body) {
        return settled(&call, refused);
    }
    if body.get("stream") == Some(&Value::Bool(true)) {
        stream(
            state,
            body,
            Streamed {
                fault,
                generation,
                call,
            },
        )
    } else {
        whole(
            state,
            body,
            Streamed {
                fault,
                generation,
                call,
            },
        )
        .await
    }
}

struct Streamed {
    fault: Fault,
    generation: Generation,
    call: Call,
}

fn stream(state: &State, body: &Value, streamed: Streamed) -> HttpResponse {
    let Streamed {
        fault,
        generation,
        mut call,
    } = streamed;
    let options = state.options();
    let plan: Plan = if let Fault::Replay(name) = &fault {
        match state.recording(name) {
            Some((bytes, every)) => plan::replay(&bytes, every),
            None => return settled(&call, error(404, "no such recording", Value::Null, None)),
        }
    } else {
        plan::plan(
            &fault,
            &Script {
                generation: &generation,
                text: &words(&fault, body),
                first_token: options.first_token,
                gap: options.gap,
                max_tokens: max_tokens(body),
            },
        )
    };
    let cancellable = catalog::cancel_stops_billing(generation.provider);
    call.charge(generation.prompt_tokens, plan.tokens, cancellable);
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-generation-id", generation.id))
        .insert_header(("access-control-expose-headers", "X-Generation-Id"));
    if fault == Fault::GzipClaimed {
        response.insert_header(("content-encoding", "gzip"));
    }
    response.streaming(play(plan, call))
}

async fn whole(state: &State, body: &Value, streamed: Streamed) -> HttpResponse {
    let Streamed {
        fault,
        generation,
        mut call,
    } = streamed;
    let options = state.options();
    let mut tokens = plan::tokens(&fault, &words(&fault, body));
    let max = max_tokens(body).and_then(|max| usize::try_from(max).ok());
    let finish = if max.is_some_and(|max| max <= tokens.len()) {
        "length"
    } else {
        "stop"
    };
    tokens.truncate(max.unwrap_or(usize::MAX));
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    // Not streamed means not cancellable.
    call.charge(generation.prompt_tokens, u64::from(count), false);
    tokio::time::sleep(options.first_token + options.gap * count).await;
    if let Fault::Error(shape, _) = &fault {
        return settled(&call, broken_whole(&generation, *shape));
    }
    call.sent(u64::from(count));
    let answer = generation.whole(&tokens.concat(), finish, u64::from(count));
    settled(&call, HttpResponse::Ok().json(answer))
}

/// An error in the body of a 200: inside the choice, or bare.
fn broken_whole(generation: &Generation, shape: ErrorShape) -> HttpResponse {
    let told = json!({"code": 502, "message": "Provider returned error"});
    if shape != ErrorShape::InChoice {
        return HttpResponse::Ok().json(json!({"error": told, "user_id": "user_simulated"}));
    }
    let mut body = generation.whole("", "error", 0);
    if let Some(choice) = body
        .pointer_mut("/choices/0")
        .and_then(Value::as_object_mut)
    {
        choice.insert("error".to_owned(), told);
    }
    HttpResponse::Ok().json(body)
}

fn settled(call: &Call, response: HttpResponse) -> HttpResponse {
    call.settle(CallEnd::Finished);
    response
}

/// What is said under this fault.
fn words(fault: &Fault, body: &Value) -> String {
    let answer = voice::answer(body);
    let spoken = answer.spoken.unwrap_or_default();
    match fault {
        Fault::Text(text) => text.clone(),
        Fault::SplitUtf8 => voice::EMOJI.to_owned(),
        Fault::RepeatPrefill => spoken + &answer.rest,
        Fault::Restart if !spoken.is_empty() => {
            format!("{}{spoken}{}", voice::OTHER_START, answer.rest)
        }
        _ => answer.rest,
    }
}

fn max_tokens(body: &Value) -> Option<u64> {
    ["max_tokens", "max_completion_tokens"]
        .iter()
        .find_map(|name| body.get(name)?.as_u64())
}
