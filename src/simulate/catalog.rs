//! The models the simulated OpenRouter lists, with the prices it charges.

use serde_json::{Value, json};

/// Micro-dollars per token: prompt, completion, cache read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    pub(super) prompt: f64,
    pub(super) completion: f64,
    cache_read: f64,
}

const fn price(prompt: f64, completion: f64, cache_read: f64) -> Price {
    Price {
        prompt,
        completion,
        cache_read,
    }
}

/// Slug, name, context length, price per token in micro-dollars (per million in dollars).
const MODELS: [(&str, &str, u64, Price); 6] = [
    (
        "openai/gpt-6-luna",
        "OpenAI: GPT-6 Luna",
        1_050_000,
        price(0.10, 0.50, 0.01),
    ),
    (
        "openai/gpt-6.1-terra",
        "OpenAI: GPT-6.1 Terra",
        1_050_000,
        price(1.0, 5.0, 0.05),
    ),
    (
        "anthropic/claude-haiku-5.5",
        "Anthropic: Claude Haiku 5.5",
        500_000,
        price(0.10, 0.50, 0.01),
    ),
    (
        "anthropic/claude-sonnet-5",
        "Anthropic: Claude Sonnet 5",
        1_000_000,
        price(2.0, 10.0, 0.20),
    ),
    (
        "anthropic/claude-opus-5",
        "Anthropic: Claude Opus 5",
        1_000_000,
        price(5.0, 25.0, 0.50),
    ),
    (
        "google/gemini-3.1-flash-lite",
        "Google: Gemini 3.1 Flash Lite",
        1_048_576,
        price(0.25, 1.50, 0.025),
    ),
];

/// What a model costs; one nobody lists costs what the cheapest does.
pub(super) fn price_of(model: &str) -> Price {
    MODELS
        .iter()
        .find(|(slug, ..)| *slug == model)
        .map_or(price(0.10, 0.50, 0.01), |(.., price)| *price)
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
    let per_token = |micro: f64| {
        format!("{:.10}", micro / 1e6)
            .trim_end_matches('0')
            .to_owned()
    };
    let data: Vec<Value> = MODELS
        .iter()
        .map(|(slug, name, context, price)| {
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
        })
        .collect();
    json!({"total_count": data.len(), "data": data, "links": {}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_strings_of_dollars_a_token() {
        let list = models();
        assert_eq!(list["data"][0]["id"], "openai/gpt-6-luna");
        assert_eq!(list["data"][0]["pricing"]["prompt"], "0.0000001");
        assert_eq!(
            list["data"][5]["pricing"]["input_cache_read"],
            "0.000000025"
        );
        assert_eq!(list["total_count"], 6);
    }
}
