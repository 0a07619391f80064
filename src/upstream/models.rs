//! The list of models as `OpenRouter` gives it (`GET /models`), and its keeping fresh.
//!
//! Read field by field: one model that is odd costs that model, and a price that is none is unknown
//! and never zero. What is no list at all changes nothing. Long-context and time-of-day prices
//! (`pricing.overrides`) and fees for a request are left out: no voice turn is as long, and no model
//! of the roster has the others.
//!
//! Source: `OpenRouter` API reference (list of models) and a recorded answer of August 2026.

use std::time::Duration;

use reqwest::Client;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use crate::clock::{Clock, parse_rfc3339};
use crate::json::Fields;
use crate::lifecycle::Lifecycle;
use crate::routing::catalog::{Catalog, Facts, Listed, Listing, Price};
use crate::telemetry::events::CatalogRefreshed;
use crate::turn::MicroUsd;

use super::lookup::{Bounds, Told, Untold, ask};
use super::openrouter::Target;
use super::wire::written;

/// The real list is about a megabyte.
const BOUNDS: Bounds = Bounds {
    bytes: 16 << 20,
    wait: Duration::from_secs(20),
};
/// The real list has some four hundred.
const MOST_MODELS: usize = 20_000;
/// A longer name is nobody's.
const LONGEST_SLUG: usize = 200;
/// Prices move within weeks.
const REFRESH_EVERY: Duration = Duration::from_secs(24 * 3600);
/// After a failure, doubled with each up to the longest.
const RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// How one try to refresh the catalogue went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Fresh,
    /// A list without a single price, as of a server that is no `OpenRouter`.
    Unpriced,
    Unreachable,
    /// Any status but 200.
    Refused,
    /// No list of models.
    Unreadable,
    TooLarge,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Unpriced => "unpriced",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
        }
    }
}

/// Reads a list of models; `None` where it is none, or has no model in it.
#[must_use]
pub fn read(body: &[u8]) -> Option<Listing> {
    let raw: &RawValue = serde_json::from_slice(body).ok()?;
    let list = Fields::of(raw);
    let rows = list.array("data")?;
    if rows.len() > MOST_MODELS {
        return None;
    }
    // Pages are opt-in today; a list that says it is a part must make nobody look gone.
    let total = written(&list, "total_count").and_then(|n| n.parse::<usize>().ok());
    let is_last = list.object("links").get("next").is_none();
    let models: Vec<Listed> = rows.iter().filter_map(|row| listed(row)).collect();
    let is_whole = is_last && models.len() == rows.len() && total.is_none_or(|n| n <= rows.len());
    (!models.is_empty()).then_some(Listing { models, is_whole })
}

fn listed(row: &RawValue) -> Option<Listed> {
    let fields = Fields::of(row);
    let name = |field| {
        let name = fields.text(field);
        name.filter(|n| !n.is_empty() && n.len() <= LONGEST_SLUG)
    };
    Some(Listed {
        slug: name("id")?,
        dated: name("canonical_slug"),
        facts: Facts {
            price: price(&fields.object("pricing")),
            ends_ms: fields
                .text("expiration_date")
                .and_then(|at| day_or_time(&at)),
            must_think: must_think(&fields.object("reasoning")),
        },
    })
}

/// A day, which lasts to its end, or a time.
fn day_or_time(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}T23:59:59Z")))
}

/// The least effort of a model that always thinks.
fn must_think(reasoning: &Fields<'_>) -> Option<&'static str> {
    const EFFORTS: [&str; 4] = ["minimal", "low", "medium", "high"];
    if reasoning.boolean("mandatory") != Some(true) {
        return None;
    }
    let supported = reasoning.array("supported_efforts").unwrap_or_default();
    let is_supported = |effort: &&str| {
        let quoted = |raw: &&RawValue| raw.get().trim_matches('"') == *effort;
        supported.iter().any(|raw| quoted(&&**raw))
    };
    // One that does not say takes the least that all are said to take.
    Some(EFFORTS.into_iter().find(is_supported).unwrap_or("low"))
}

/// Both prices or none: half a price would make an estimate of half the cost.
fn price(pricing: &Fields<'_>) -> Option<Price> {
    let of = |name| MicroUsd::price_per_million(written(pricing, name)?);
    Some(Price {
        input: of("prompt")?,
        output: of("completion")?,
        cache_read: of("input_cache_read"),
    })
}

/// Keeps the catalogue fresh until the soft token: at once, then daily, after failures sooner.
/// `watched` are the models that may be asked: which of them are not listed any more is told.
pub fn keep_fresh(
    catalog: Catalog,
    target: Target,
    client: Client,
    lifecycle: &Lifecycle,
    watched: Vec<String>,
) {
    let soft = lifecycle.soft().clone();
    let work = async move {
        let mut failures = 0;
        loop {
            let (outcome, asked_rest) = refresh(&catalog, &target, &client).await;
            tell(outcome, &catalog, &watched);
            let pause = match outcome {
                Outcome::Fresh | Outcome::Unpriced => {
                    failures = 0;
                    REFRESH_EVERY
                }
                _ => {
                    failures += 1;
                    backoff(failures).max(asked_rest.unwrap_or_default().min(LONGEST_RETRY))
                }
            };
            sleep(jittered(pause)).await;
        }
    };
    lifecycle.spawn(async move {
        soft.run_until_cancelled(work).await;
    });
}

/// Asks once, and takes what is good.
pub(super) async fn refresh(
    catalog: &Catalog,
    target: &Target,
    client: &Client,
) -> (Outcome, Option<Duration>) {
    let told = ask(target.ask_models(client), BOUNDS).await;
    let rest = told.as_ref().ok().and_then(|told| told.retry_after);
    (take(catalog, told), rest)
}

fn take(catalog: &Catalog, told: Result<Told, Untold>) -> Outcome {
    let body = match told {
        Err(Untold::Unreachable) => return Outcome::Unreachable,
        Err(Untold::TooLarge) => return Outcome::TooLarge,
        Ok(told) if told.status != 200 => return Outcome::Refused,
        Ok(told) => told.body,
    };
    let Some(listing) = read(&body) else {
        return Outcome::Unreadable;
    };
    let is_priced = listing
        .models
        .iter()
        .any(|model| model.facts.price.is_some());
    catalog.replace(listing, Instant::now());
    match is_priced {
        true => Outcome::Fresh,
        false => Outcome::Unpriced,
    }
}

fn tell(outcome: Outcome, catalog: &Catalog, watched: &[String]) {
    let is_gone = |slug: &&str| catalog.is_listed(slug) == Some(false);
    let watched = watched.iter().map(String::as_str);
    CatalogRefreshed {
        outcome: outcome.as_str(),
        is_good: matches!(outcome, Outcome::Fresh | Outcome::Unpriced),
        models: catalog.models(),
        unlisted: &watched.filter(is_gone).collect::<Vec<_>>(),
        at_s: Clock::System.now_s(),
    }
    .emit();
}

fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    RETRY.saturating_mul(doubled).min(LONGEST_RETRY)
}

/// Up to a tenth longer, so that a fleet that started together does not ask together.
fn jittered(pause: Duration) -> Duration {
    pause + pause * rand::random_range(0..100_u32) / 1000
}

#[cfg(test)]
mod tests;
