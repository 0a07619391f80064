//! The models the simulated OpenRouter lists, with the prices it charges.

use serde_json::{Value, json};

/// Micro-dollars per million tokens, which are pico-dollars per token: prompt, completion, cache read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    cache_read: u64,
}

const fn price(prompt: u64, completion: u64, cache_read: u64) -> Price {
    Price {
        prompt,
        completion,
        cache_read,
    }
}

/// Slug, name, context length, price.
const MODELS: [(&str, &str, u64, Price); 6] = [
    (
        "openai/gpt-6-luna",
        "OpenAI: GPT-6 Luna",
        1_050_000,
        price(100_000, 500_000, 10_000),
    ),
    (
        "openai/gpt-6.1-terra",
        "OpenAI: GPT-6.1 Terra",
        1_050_000,
        price(1_000_000, 5_000_000, 50_000),
    ),
    (
        "anthropic/claude-haiku-5.5",
        "Anthropic: Claude Haiku 5.5",
        500_000,
        price(100_000, 500_000, 10_000),
    ),
    (
        "anthropic/claude-sonnet-5",
        "Anthropic: Claude Sonnet 5",
        1_000_000,
        price(2_000_000, 10_000_000, 200_000),
    ),
    (
        "anthropic/claude-opus-5",
        "Anthropic: Claude Opus 5",
        1_000_000,
        price(5_000_000, 25_000_000, 500_000),
    ),
    (
        "google/gemini-3.1-flash-lite",
        "Google: Gemini 3.1 Flash Lite",
        1_048_576,
        price(250_000, 1_500_000, 25_000),
    ),
];

/// What simulated models cost.
const CHEAPEST: Price = price(100_000, 500_000, 10_000);

/// Simulated models that are listed: one for each kind of fault, without its arguments.
#[rustfmt::skip]
const SIMULATED: [&str; 50] = [
    "ok", "slow-first", "slow-nth", "cut", "fin", "stall", "stall-comments", "err-chunk", "err-b",
    "err-c", "err-d", "err-e", "err-f", "err-g", "bad-json", "huge-line", "comments-only",
    "role-only", "reasoning-only", "reasoning-first", "empty", "no-done", "finish-twice",
    "usage-nochoices", "no-usage", "refusal", "tool", "tools-two", "tool-truncated", "429", "500",
    "503", "403-limit", "400-context", "400-reasoning", "400-param", "html", "json-error",
    "redirect", "bom", "crlf", "split-utf8", "bytewise", "gzip", "flood", "hang", "slow-headers",
    "repeat-prefill", "reject-prefill", "restart",
];

/// What a model costs; one nobody lists costs what the cheapest does.
pub(super) fn price_of(model: &str) -> Price {
    MODELS
        .iter()
        .find(|(slug, ..)| *slug == model)
        .map_or(CHEAPEST, |(.., price)| *price)
}

/// The company that answers for a model.
pub(super) fn provider_of(model: &str) -> &'static str {
    match model.split('/').next() {
        Some("openai") => "OpenAI",
        Some("anthropic") => "Anthropic",
        Some("google") => "Google AI Studio",
        _ => "Simulated",
    }
}

/// How a provider itself names an ordinary end.
pub(super) fn native_stop(provider: &str) -> &'static str {
    match provider {
        "OpenAI" => "completed",
        "Anthropic" => "end_turn",
        "Google AI Studio" => "STOP",
        _ => "stop",
    }
}

/// Whether hanging up stops the bill.
pub(super) fn cancel_stops_billing(provider: &str) -> bool {
    provider != "Google AI Studio"
}

/// The body of `GET /models`.
pub(super) fn models() -> Value {
    let real = MODELS
        .iter()
        .map(|(slug, name, context, price)| model(slug, name, *context, *price));
    let simulated = SIMULATED
        .iter()
        .map(|name| model(&format!("sim/{name}"), name, 128_000, CHEAPEST));
    let data: Vec<Value> = real.chain(simulated).collect();
    json!({"total_count": data.len(), "data": data, "links": {}})
}

fn model(slug: &str, name: &str, context: u64, price: Price) -> Value {
    let per_token = |pico: u64| {
        let text = format!("0.{pico:012}");
        text.trim_end_matches('0').to_owned()
    };
    json!({
        "id": slug,
        "canonical_slug": format!("{slug}-20260901"),
        "name": name,
        "created": 1_788_220_800,
        "context_length": context,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "Other"},
        "pricing": {
            "prompt": per_token(price.prompt),
            "completion": per_token(price.completion),
            "input_cache_read": per_token(price.cache_read),
        },
        "top_provider": {"context_length": context, "max_completion_tokens": 128_000, "is_moderated": false},
        "per_request_limits": null,
        "supported_parameters": ["max_tokens", "reasoning", "tools"],
        "default_parameters": {},
        "expiration_date": null,
        "reasoning": {"mandatory": false, "default_enabled": true, "default_effort": "medium",
            "supported_efforts": ["none", "low", "medium"]},
    })
}

/// The list of a server that is no OpenRouter: names, and no price.
pub(super) fn unpriced() -> Value {
    let data: Vec<Value> = MODELS
        .iter()
        .map(|(slug, ..)| json!({"id": slug, "object": "model", "owned_by": "library"}))
        .collect();
    json!({"object": "list", "data": data})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Fault;

    #[test]
    fn prices_are_strings_of_dollars_a_token() {
        let list = models();
        assert_eq!(list["data"][0]["id"], "openai/gpt-6-luna");
        assert_eq!(list["data"][0]["pricing"]["prompt"], "0.0000001");
        assert_eq!(
            list["data"][5]["pricing"]["input_cache_read"],
            "0.000000025"
        );
        assert_eq!(list["total_count"], MODELS.len() + SIMULATED.len());
    }

    #[test]
    fn simulated_models_that_are_listed_are_faults() {
        for name in SIMULATED.iter().filter(|name| **name != "ok") {
            assert_ne!(Fault::parse(name), Ok(Fault::Ok), "{name}");
        }
    }
}
