//! What is known of models before they are asked: what they cost, who is asked for them first, and
//! whose bill stops when a stream is closed. Constant and pure.
//!
//! **Sources.** Prices: `OpenRouter`'s catalogue (`GET /models`) as of 10 November 2026; the two
//! Mercury models from genai-prices 0.2.3. Providers: the two lists in `OpenRouter`'s documentation
//! of streaming, "stream cancellation".
//!
//! **What a price here is good for.** An estimate where upstream sent no bill, which is what a
//! cancelled stream never does. A reported cost always goes before it: within 2026 list prices
//! doubled from one week to the next, and providers of one model differ.
//!
//! To add a model: a row in `PRICES`, in the order of the makers. To add a provider: its name in
//! small letters and digits alone, in `STOPS` or `GOES_ON`.

use crate::turn::MicroUsd;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: MicroUsd,
    pub output: MicroUsd,
    /// Of input that the provider had in its cache; absent where no such price is listed.
    pub cache_read: Option<MicroUsd>,
}

/// Whether a provider goes on writing, and billing, an answer whose stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    Stops,
    /// The whole answer is billed, up to `max_tokens`.
    GoesOn,
    /// On neither list. To be treated as `GoesOn` by whoever spends money.
    Unknown,
}

const fn cached(input: i64, output: i64, cache_read: i64) -> Price {
    Price {
        input: MicroUsd(input),
        output: MicroUsd(output),
        cache_read: Some(MicroUsd(cache_read)),
    }
}

const fn plain(input: i64, output: i64) -> Price {
    Price {
        input: MicroUsd(input),
        output: MicroUsd(output),
        cache_read: None,
    }
}

/// Slug, and micro-dollars per million tokens of input, output and cached input: 1_000_000 is one
/// dollar. Prices of long prompts are left out: gpt-6-luna doubles its input beyond 272,000 tokens,
/// claude-haiku-5.5 costs five times as much beyond 100,000. No voice turn is as long.
const PRICES: &[(&str, Price)] = &[
    (
        "anthropic/claude-haiku-4.5",
        cached(1_000_000, 5_000_000, 100_000),
    ),
    (
        "anthropic/claude-haiku-5.5",
        cached(100_000, 500_000, 10_000),
    ),
    (
        "anthropic/claude-opus-5",
        cached(5_000_000, 25_000_000, 500_000),
    ),
    (
        "anthropic/claude-opus-5.5",
        cached(4_000_000, 20_000_000, 200_000),
    ),
    (
        "anthropic/claude-sonnet-4.6",
        cached(3_000_000, 15_000_000, 300_000),
    ),
    (
        "anthropic/claude-sonnet-5",
        cached(2_000_000, 10_000_000, 200_000),
    ),
    (
        "anthropic/claude-sonnet-5.5",
        cached(2_000_000, 10_000_000, 100_000),
    ),
    (
        "google/gemini-2.5-flash-lite",
        cached(100_000, 400_000, 10_000),
    ),
    (
        "google/gemini-3.1-flash-lite",
        cached(250_000, 1_500_000, 25_000),
    ),
    (
        "google/gemini-3.5-flash-lite",
        cached(300_000, 2_500_000, 30_000),
    ),
    (
        "google/gemini-3.8-flash",
        cached(825_000, 4_125_000, 82_500),
    ),
    ("inception/mercury-2.5", plain(40_000, 150_000)),
    ("inception/mercury-3", plain(100_000, 350_000)),
    ("meta-llama/llama-3.3-70b-instruct", plain(710_000, 710_000)),
    (
        "mistralai/mistral-small-2603",
        cached(150_000, 600_000, 15_000),
    ),
    ("openai/gpt-4.1-mini", cached(400_000, 1_600_000, 100_000)),
    ("openai/gpt-4o-mini", cached(150_000, 600_000, 75_000)),
    ("openai/gpt-5-mini", cached(250_000, 2_000_000, 25_000)),
    ("openai/gpt-5.4-mini", cached(750_000, 4_500_000, 75_000)),
    ("openai/gpt-5.6-luna", cached(200_000, 1_200_000, 20_000)),
    (
        "openai/gpt-5.6-terra",
        cached(2_000_000, 12_000_000, 200_000),
    ),
    ("openai/gpt-6-luna", cached(100_000, 500_000, 10_000)),
    ("openai/gpt-6-sol", cached(2_000_000, 10_000_000, 200_000)),
    ("openai/gpt-6.1-sol", cached(2_000_000, 10_000_000, 100_000)),
    ("openai/gpt-6.1-terra", cached(1_000_000, 5_000_000, 50_000)),
];

/// Makers whose own endpoint stops billing when the stream is closed; a barge-in is then not paid
/// in full. Asked for first, others stay allowed.
const PINNED: &[(&str, &[&str])] = &[
    ("anthropic/", &["anthropic"]),
    ("openai/", &["openai", "azure"]),
    ("x-ai/", &["xai"]),
    ("deepseek/", &["deepseek"]),
    ("cohere/", &["cohere"]),
];

/// Providers that stop. Letters and digits alone; with what `OpenRouter` calls some of them besides.
#[rustfmt::skip]
const STOPS: &[&str] = &[
    "anthropic", "anyscale", "avian", "azure", "azureopenai", "chutes", "cloudflare", "cohere",
    "deepinfra", "deepseek", "fireworks", "friendli", "hyperbolic", "infermatic", "lepton",
    "liquid", "mancer", "mancer2", "nineteen", "novita", "novitaai", "octoai", "openai",
    "recursal", "sfcompute", "together", "xai",
];

/// Providers that do not.
#[rustfmt::skip]
const GOES_ON: &[&str] = &[
    "01ai", "ai21", "aionlabs", "alibaba", "amazonbedrock", "awsbedrock", "bedrock", "featherless",
    "google", "googleaistudio", "googlevertex", "groq", "huggingface", "inferencenet",
    "inflection", "kluster", "klusterai", "lambda", "lynn", "minimax", "mistral", "modal",
    "nebius", "nebiusaistudio", "perplexity", "reflection", "replicate", "sambanova", "targon",
    "vertex", "vertexai", "zerooneai",
];

/// What a model costs, by its slug. A variant (`…:nitro`, `…:free`) without a row of its own costs
/// what its base does, which is too much for `:free` and may be too little for `:nitro`.
#[must_use]
pub fn price(model: &str) -> Option<Price> {
    let listed = |slug: &str| PRICES.iter().find(|(known, _)| *known == slug);
    let base = || model.split_once(':').and_then(|(base, _)| listed(base));
    // A simulated model has its fault for a name, and one price.
    let simulated = || listed(SIMULATED).filter(|_| model.starts_with("sim/"));
    let found = listed(model).or_else(base).or_else(simulated);
    found.map(|(_, price)| *price)
}

/// The model whose price simulated ones have.
const SIMULATED: &str = "openai/gpt-6-luna";

/// What so many tokens cost at list price, rounded up to a micro-dollar; `None`, never zero, for a
/// model without a price. No input is taken for cached, so with a warm cache it is too much.
#[must_use]
pub fn estimate(model: &str, prompt_tokens: u64, completion_tokens: u64) -> Option<MicroUsd> {
    let price = price(model)?;
    let part = |tokens: u64, per_million: MicroUsd| {
        u128::from(tokens) * u128::from(per_million.0.unsigned_abs())
    };
    // Rounded once, over both: two roundings would be up to a micro-dollar more.
    let sum = part(prompt_tokens, price.input) + part(completion_tokens, price.output);
    let micro = sum.div_ceil(1_000_000);
    Some(MicroUsd(i64::try_from(micro).unwrap_or(i64::MAX)))
}

/// How many tokens a text of so many bytes is, where nobody counted: four bytes each, rounded up.
///
/// A rule of thumb for English prose, not measured here: take it as right to a quarter either way,
/// and low by more with the newest Claude models, which count about a third more tokens than their
/// predecessors. Code, digits and tool arguments take up to twice as many. In other scripts a letter
/// is two or three bytes and more tokens as well, so that the error stays of the same order.
#[must_use]
pub fn tokens_of(text_bytes: usize) -> u64 {
    u64::try_from(text_bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// The providers to ask for first, by their slugs; empty for a model of no maker above.
#[must_use]
pub fn pinned(model: &str) -> &'static [&'static str] {
    PINNED
        .iter()
        .find(|(maker, _)| model.starts_with(maker))
        .map_or(&[], |(_, order)| order)
}

/// What a provider does when its stream is closed. Takes its name as a stream reports it ("Amazon
/// Bedrock") and its slug ("amazon-bedrock", "amazon-bedrock/eu"), in any case.
#[must_use]
pub fn on_cancel(provider: &str) -> OnCancel {
    let name = provider.split('/').next().unwrap_or_default();
    let among = |list: &[&str]| {
        list.iter().any(|known| {
            let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
            letters.map(|b| b.to_ascii_lowercase()).eq(known.bytes())
        })
    };
    if among(STOPS) {
        OnCancel::Stops
    } else if among(GOES_ON) {
        OnCancel::GoesOn
    } else {
        OnCancel::Unknown
    }
}

/// Whether closing a stream of this model is expected to stop its bill: everybody it is asked of
/// first stops. Not a promise. Other providers stay allowed, and an open-weight model of a pinned
/// maker (`openai/gpt-oss-…`) is served by others; who answered is known from the stream alone.
#[must_use]
pub fn stops_billing(model: &str) -> bool {
    let order = pinned(model);
    !order.is_empty() && order.iter().all(|p| on_cancel(p) == OnCancel::Stops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coach::Roster;

    #[test]
    fn every_model_of_the_built_in_roster_has_a_price() {
        for coach in Roster::built_in().unwrap().iter() {
            let m = &coach.models;
            for model in [&m.cost_saving, &m.balanced, &m.high, &m.fallback] {
                assert!(price(model).is_some(), "{}: {model}", coach.id);
            }
        }
    }

    #[test]
    fn rows_are_in_order_once_each_and_plausible() {
        assert!(PRICES.is_sorted_by(|a, b| a.0 < b.0));
        for (slug, price) in PRICES {
            assert!(slug.contains('/') && !slug.contains(':'), "{slug}");
            assert!(price.input.0 > 0 && price.output >= price.input, "{slug}");
            assert!(price.cache_read.is_none_or(|c| c < price.input), "{slug}");
        }
    }

    #[test]
    fn an_estimate_is_exact_and_rounds_up() {
        for (model, prompt, completion, micro) in [
            ("openai/gpt-6-luna", 1_200, 80, Some(160)),
            ("openai/gpt-6-luna", 1, 0, Some(1)),
            ("openai/gpt-6-luna", 0, 0, Some(0)),
            // 0.0825 and 0.5 of a micro-dollar are one, not two.
            ("google/gemini-3.8-flash", 1, 0, Some(1)),
            ("google/gemini-3.1-flash-lite", 1, 1, Some(2)),
            ("google/gemini-3.8-flash", 1_000, 40, Some(990)),
            ("anthropic/claude-opus-5", 1_000_000, 0, Some(5_000_000)),
            ("anthropic/claude-sonnet-5:nitro", 10, 1, Some(30)),
            ("inception/mercury-3:free", 10, 0, Some(1)),
            (
                "anthropic/claude-opus-5",
                u64::MAX,
                u64::MAX,
                Some(i64::MAX),
            ),
            ("sim/429:2", 10, 10, Some(6)),
            ("gpt-6-luna", 10, 10, None),
            ("", 10, 10, None),
        ] {
            let estimate = estimate(model, prompt, completion);
            assert_eq!(estimate, micro.map(MicroUsd), "{model}");
        }
    }

    #[test]
    fn tokens_round_up() {
        for (bytes, tokens) in [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)] {
            assert_eq!(tokens_of(bytes), tokens);
        }
    }

    #[test]
    fn providers_are_known_by_name_and_by_slug() {
        use OnCancel::{GoesOn, Stops, Unknown};
        for (provider, expected) in [
            ("OpenAI", Stops),
            ("openai", Stops),
            ("Azure", Stops),
            ("azure/swc", Stops),
            ("Anthropic", Stops),
            ("xAI", Stops),
            ("DeepInfra", Stops),
            ("deepinfra/fp8", Stops),
            ("SF Compute", Stops),
            ("Amazon Bedrock", GoesOn),
            ("amazon-bedrock", GoesOn),
            ("AWS Bedrock", GoesOn),
            ("Google", GoesOn),
            ("GOOGLE AI STUDIO", GoesOn),
            ("google-ai-studio", GoesOn),
            ("google-vertex/us-east5", GoesOn),
            ("AI21", GoesOn),
            ("Minimax", GoesOn),
            ("Groq", GoesOn),
            ("Simulated", Unknown),
            ("Cerebras", Unknown),
            ("Öpenai", Unknown),
            ("/", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(on_cancel(provider), expected, "{provider}");
        }
    }

    #[test]
    fn a_provider_is_on_one_list_and_spelled_as_it_is_looked_up() {
        for (list, expected) in [(STOPS, OnCancel::Stops), (GOES_ON, OnCancel::GoesOn)] {
            assert!(list.is_sorted_by(|a, b| a < b));
            for name in list {
                assert_eq!(on_cancel(name), expected, "{name}");
            }
        }
        assert!(STOPS.iter().all(|name| !GOES_ON.contains(name)));
    }

    #[test]
    fn a_pinned_model_stops_billing_and_another_does_not() {
        for (maker, order) in PINNED {
            assert!(stops_billing(&format!("{maker}any")), "{maker}: {order:?}");
        }
        assert_eq!(pinned("openai/gpt-6-luna"), ["openai", "azure"]);
        for model in ["google/gemini-3.1-flash-lite", "mistralai/x", "openai", ""] {
            assert!(pinned(model).is_empty() && !stops_billing(model), "{model}");
        }
    }
}
