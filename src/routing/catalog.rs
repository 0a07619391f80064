//! What models cost. Constant and pure.
//!
//! **Source.** `OpenRouter`'s catalogue (`GET /models`) as of 10 November 2026; the two Mercury models
//! from genai-prices 0.2.3.
//!
//! **What a price here is good for.** An estimate where upstream sent no bill, which is what a
//! cancelled stream never does. A reported cost always goes before it: within 2026 list prices
//! doubled from one week to the next, and providers of one model differ.
//!
//! To add a model: a row in `PRICES`, in the order of the makers.

use crate::turn::MicroUsd;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: MicroUsd,
    pub output: MicroUsd,
    /// Of input that the provider had in its cache; absent where no such price is listed.
    pub cache_read: Option<MicroUsd>,
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
}
