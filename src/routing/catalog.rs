//! What models cost: a list that ships with the house, and over it the newest one that upstream gave.
//! Pure: who fetches the list is `upstream/models.rs`.
//!
//! **Source of the list that ships.** `OpenRouter`'s catalogue (`GET /models`) as of 10 November 2026;
//! the two Mercury models from genai-prices 0.2.3.
//!
//! **What a price here is good for.** An estimate where upstream sent no bill, which is what a
//! cancelled stream never does. A reported cost always goes before it: within 2026 list prices
//! doubled from one week to the next, and providers of one model differ.
//!
//! To add a model: a row in `PRICES`, in the order of the makers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::turn::MicroUsd;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: MicroUsd,
    pub output: MicroUsd,
    /// Of input that the provider had in its cache; absent where no such price is listed.
    pub cache_read: Option<MicroUsd>,
}

impl Price {
    /// What so many tokens cost, rounded up to a micro-dollar.
    #[must_use]
    pub fn of(&self, prompt_tokens: u64, completion_tokens: u64) -> MicroUsd {
        let part = |tokens: u64, per_million: MicroUsd| {
            u128::from(tokens) * u128::from(per_million.0.unsigned_abs())
        };
        // Rounded once, over both: two roundings would be up to a micro-dollar more.
        let sum = part(prompt_tokens, self.input) + part(completion_tokens, self.output);
        let micro = sum.div_ceil(1_000_000);
        MicroUsd(i64::try_from(micro).unwrap_or(i64::MAX))
    }
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

/// What a model is taken to cost by budgets where nobody tells its price: what the dearest does that
/// ships with the house.
pub const CEILING: Price = plain(5_000_000, 25_000_000);

/// The model whose price simulated ones have.
const SIMULATED: &str = "openai/gpt-6-luna";

/// Slugs that stand for others and need not be on any list: aliases, presets, simulated models.
const STANDS_FOR_OTHERS: [&str; 3] = ["~", "@", "sim/"];
/// Ways of routing to a model, which are part of its slug and not of its row.
const HINTS: [&str; 4] = [":nitro", ":floor", ":online", ":exacto"];

/// A model as upstream lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub slug: String,
    /// The dated name of the same model.
    pub dated: Option<String>,
    pub facts: Facts,
}

/// What a list says of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Absent where none is told, or none that is a price.
    pub price: Option<Price>,
    /// When it is retired, milliseconds since the Unix epoch; absent where nobody says. Lists have been
    /// silent about models that died.
    pub ends_ms: Option<i64>,
    /// Set where the model cannot be asked without thinking: the least of it that it takes.
    pub must_think: Option<&'static str>,
}

/// A list that upstream gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub models: Vec<Listed>,
    /// Whether these are all: else a model that is not among them may yet be there.
    pub is_whole: bool,
}

/// What is known of models now; the same for everybody who has a clone. Reading takes a lock for as
/// long as a pointer is copied.
#[derive(Clone, Debug, Default)]
pub struct Catalog(Arc<RwLock<Option<Arc<Known>>>>);

/// The newest list.
#[derive(Debug)]
struct Known {
    facts: HashMap<String, Facts>,
    models: usize,
    is_whole: bool,
    since: Instant,
}

impl Catalog {
    /// Takes a new list for the old one. One without any model is none, and changes nothing.
    pub fn replace(&self, listing: Listing, now: Instant) {
        if listing.models.is_empty() {
            return;
        }
        let models = listing.models.len();
        let mut facts = HashMap::with_capacity(listing.models.len() * 2);
        let mut dated = Vec::new();
        for model in listing.models {
            dated.extend(model.dated.map(|name| (name, model.facts)));
            facts.insert(model.slug, model.facts);
        }
        // A model's own slug goes before another's dated one.
        for (name, of) in dated {
            facts.entry(name).or_insert(of);
        }
        let known = Known {
            facts,
            models,
            is_whole: listing.is_whole,
            since: now,
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(known));
    }

    /// What a model costs, by its slug. A variant (`…:nitro`, `…:free`) without a row of its own costs
    /// what its base does, which is too much for `:free` and may be too little for `:nitro`. One that
    /// upstream does not list any more costs what it did when this was built; one that it lists
    /// without a price costs nobody knows what.
    #[must_use]
    pub fn price(&self, model: &str) -> Option<Price> {
        let known = self.known();
        let listed = |slug: &str| {
            let live = known.as_ref().and_then(|known| known.facts.get(slug));
            let live = live.map(|facts| facts.price);
            live.or_else(|| shipped(slug).map(Some))
        };
        let base = || model.split_once(':').and_then(|(base, _)| listed(base));
        // A simulated model has its fault for a name, and one price.
        let simulated = || listed(SIMULATED).filter(|_| model.starts_with("sim/"));
        let found = listed(model).or_else(base).or_else(simulated);
        found.flatten()
    }

    /// What so many tokens cost at list price, rounded up to a micro-dollar; `None`, never zero, for a
    /// model without a price. No input is taken for cached, so with a warm cache it is too much.
    #[must_use]
    pub fn estimate(
        &self,
        model: &str,
        prompt_tokens: u64,
        completion_tokens: u64,
    ) -> Option<MicroUsd> {
        Some(self.price(model)?.of(prompt_tokens, completion_tokens))
    }

    /// The same with the highest price for a model without one: what budgets count.
    #[must_use]
    pub fn ceiling(&self, model: &str, prompt_tokens: u64, completion_tokens: u64) -> MicroUsd {
        let price = self.price(model).unwrap_or(CEILING);
        price.of(prompt_tokens, completion_tokens)
    }

    /// Whether upstream lists this model: `None` until it gave a list, where the list was not whole,
    /// and for a slug that stands for others. Not being listed is the practical sign of a retired
    /// model.
    #[must_use]
    pub fn is_listed(&self, model: &str) -> Option<bool> {
        let known = self.known()?;
        let bare = HINTS.iter().find_map(|hint| model.strip_suffix(hint));
        let has = |slug: &str| known.facts.contains_key(slug);
        if has(model) || bare.is_some_and(has) {
            return Some(true);
        }
        let may_be = !known.is_whole || STANDS_FOR_OTHERS.iter().any(|s| model.starts_with(s));
        (!may_be).then_some(false)
    }

    /// When upstream says that a model is retired, milliseconds since the Unix epoch.
    #[must_use]
    pub fn ends_ms(&self, model: &str) -> Option<i64> {
        self.facts(model)?.ends_ms
    }

    /// The least a model thinks that cannot be asked without; `None` for one that can, as far as anybody
    /// knows.
    #[must_use]
    pub fn must_think(&self, model: &str) -> Option<&'static str> {
        self.facts(model)?.must_think
    }

    fn facts(&self, model: &str) -> Option<Facts> {
        let known = self.known()?;
        let bare = HINTS.iter().find_map(|hint| model.strip_suffix(hint));
        let of = |slug: &str| known.facts.get(slug).copied();
        of(model).or_else(|| of(bare?))
    }

    /// How many models the newest list has; none until there was one.
    #[must_use]
    pub fn models(&self) -> usize {
        self.known().map_or(0, |known| known.models)
    }

    /// How old the newest list is; `None` until there was one.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let since = self.known()?.since;
        Some(now.saturating_duration_since(since))
    }

    fn known(&self) -> Option<Arc<Known>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// The price that ships with the house.
fn shipped(slug: &str) -> Option<Price> {
    let row = PRICES.iter().find(|(known, _)| *known == slug);
    row.map(|(_, price)| *price)
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
mod tests;
