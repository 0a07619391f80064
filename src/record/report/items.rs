//! What each report says, from the sums.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::clock::rfc3339;
use crate::config::Baseline;
use crate::turn::MicroUsd;

use super::cells::{Calls, Cell, Cells, Sums};
use super::interval;
use super::source::{DAY_MS, HOUR_MS};
use super::verdict;

/// One line of a report, by the names of [`super::ReportKind::columns`].
pub type Item = Map<String, Value>;

pub(super) fn models(cells: &Cells) -> (Vec<Item>, Item) {
    let turns = cells.by(|key| key.model.clone());
    let names: BTreeSet<&String> = turns.keys().chain(cells.calls.keys()).collect();
    let mut items: Vec<Item> = names
        .into_iter()
        .map(|model| {
            let nothing = Cell::default();
            let cell = turns.get(model).unwrap_or(&nothing);
            let calls = cells.calls.get(model).copied().unwrap_or_default();
            let mut item = object(json!({ "model": model }));
            item.extend(model_figures(cell, &calls));
            item
        })
        .collect();
    by_count(&mut items);
    let mut all = Calls::default();
    cells.calls.values().for_each(|calls| all.add(calls));
    (items, model_figures(&whole(cells), &all))
}

/// Turns are a model's that answered them; cost and errors are its calls', also those that lost.
fn model_figures(cell: &Cell, calls: &Calls) -> Item {
    let mut figures = object(json!({
        "count": cell.sums.turns,
        "cost_usd": calls.cost_microusd.to_string(),
        "unknown_costs": calls.unknown_costs,
        "calls": calls.calls,
        "errors": calls.errors,
        "error_rate": ratio(calls.errors, calls.calls),
        "cancelled": calls.cancelled_calls,
    }));
    figures.extend(times(cell));
    figures
}

pub(super) fn coaches(cells: &Cells) -> (Vec<Item>, Item) {
    let figures = |cell: &Cell| {
        let s = &cell.sums;
        let mut figures = object(json!({
            "count": s.turns,
            "cost_usd": s.cost_microusd.to_string(),
            "unknown_costs": s.unknown_costs,
            "errors": s.failed,
            "error_rate": ratio(s.failed, s.turns),
            "interrupted": s.interrupted,
        }));
        figures.extend(times(cell));
        figures
    };
    let groups = cells.by(|key| key.coach.clone());
    let mut items: Vec<Item> = groups
        .iter()
        .map(|(coach, cell)| {
            let mut item = object(json!({ "coach": coach }));
            item.extend(figures(cell));
            item
        })
        .collect();
    by_count(&mut items);
    (items, figures(&whole(cells)))
}

fn times(cell: &Cell) -> Item {
    let s = &cell.sums;
    let responses = cell.responses.count();
    let first_tokens = cell.first_tokens.count();
    object(json!({
        "mean_response_ms": mean(s.response_sum_ms, responses),
        "p50_response_ms": rounded(cell.responses.quantile(0.5)),
        "p95_response_ms": rounded(cell.responses.quantile(0.95)),
        "mean_first_token_ms": mean(s.first_token_sum_ms, first_tokens),
        "p50_first_token_ms": rounded(cell.first_tokens.quantile(0.5)),
        "p95_first_token_ms": rounded(cell.first_tokens.quantile(0.95)),
        "mean_satisfaction": mean_satisfaction(s),
        "rated": s.satisfied,
        "prompt_tokens": s.prompt_tokens,
        "completion_tokens": s.completion_tokens,
    }))
}

/// What was paid, and what the same tokens would have cost on the baseline.
pub(super) fn savings(cells: &Cells, baseline: &Baseline) -> (Vec<Item>, Item) {
    let groups = cells.by(|key| (key.coach.clone(), key.tier.clone()));
    let items = groups.iter().map(|((coach, tier), cell)| {
        let mut item = object(json!({ "coach": coach, "tier": tier }));
        item.extend(saved(&cell.sums, baseline));
        item
    });
    let items = items.collect();
    let mut totals = saved(&whole(cells).sums, baseline);
    totals.extend(object(json!({
        "baseline_model": baseline.model,
        "baseline_usd_per_million_input": baseline.input.to_string(),
        "baseline_usd_per_million_output": baseline.output.to_string(),
        "left_out": "turns of unknown cost are left out of what was paid, not of the baseline's \
                     cost; the baseline pays list price without cached input, and is taken to need \
                     the same number of tokens, those of calls that lost a race or broke off too; \
                     memory, voice and hosting are in neither",
    })));
    (items, totals)
}

fn saved(s: &Sums, baseline: &Baseline) -> Item {
    let of = |tokens: u64, price: MicroUsd| i128::from(tokens) * i128::from(price.0);
    let would = (of(s.prompt_tokens, baseline.input) + of(s.completion_tokens, baseline.output))
        / 1_000_000;
    let would = i64::try_from(would).unwrap_or(i64::MAX);
    let paid = s.cost_microusd.0;
    object(json!({
        "count": s.turns,
        "prompt_tokens": s.prompt_tokens,
        "completion_tokens": s.completion_tokens,
        "cost_usd": s.cost_microusd.to_string(),
        "baseline_usd": MicroUsd(would).to_string(),
        "saved_usd": MicroUsd(would.saturating_sub(paid)).to_string(),
        "saved_percent": percent(would.saturating_sub(paid), would),
        "unknown_costs": s.unknown_costs,
    }))
}

/// What was spent an hour, or a day where the time is longer than two.
pub(super) fn spend(cells: &Cells, days: bool) -> (Vec<Item>, Item) {
    let step = if days { DAY_MS } else { HOUR_MS };
    let figures = |s: &Sums| {
        object(json!({
            "count": s.turns,
            "cost_usd": s.cost_microusd.to_string(),
            "estimated_usd": s.estimated_microusd.to_string(),
            "unknown_costs": s.unknown_costs,
            "prompt_tokens": s.prompt_tokens,
            "completion_tokens": s.completion_tokens,
        }))
    };
    let groups = cells.by(|key| key.start_ms - key.start_ms.rem_euclid(step));
    let items = groups.iter().map(|(start, cell)| {
        let mut item = object(json!({ "start": rfc3339(*start), "hours": step / HOUR_MS }));
        item.extend(figures(&cell.sums));
        item
    });
    (items.collect(), figures(&whole(cells).sums))
}

/// How the arms of each experiment did, with 95 % intervals, and which is better. Only turns that count
/// are told of.
pub(super) fn experiments(cells: &Cells) -> (Vec<Item>, Item) {
    let mut groups: BTreeMap<(String, String), Cell> =
        cells.by(|key| (key.experiment.clone(), key.variant.clone()));
    groups.retain(|(experiment, _), _| !experiment.is_empty());
    let turns: u64 = groups.values().map(|cell| cell.sums.turns).sum();
    let names: BTreeSet<&String> = groups.keys().map(|(experiment, _)| experiment).collect();
    let verdicts = names.into_iter().flat_map(|name| {
        let arms = groups
            .iter()
            .filter(|((experiment, _), _)| experiment == name);
        let arms: Vec<_> = arms
            .map(|((_, variant), cell)| (variant.as_str(), cell))
            .collect();
        verdict::judge(&arms)
    });
    let items = groups
        .iter()
        .zip(verdicts)
        .map(|(((experiment, variant), cell), verdict)| {
            let s = &cell.sums;
            let priced = s.turns - s.unknown_costs.min(s.turns);
            let cost = interval::mean(micro(s.cost_microusd), s.cost_squares, priced);
            let satisfaction = interval::mean(
                count(s.satisfaction_sum),
                count(s.satisfaction_squares),
                s.satisfied,
            );
            let mut item = object(json!({
                "experiment": experiment,
                "variant": variant,
                "count": s.turns,
                "errors": s.failed,
                "error_rate": ratio(s.failed, s.turns),
                "error_rate_95": pair(interval::share(s.failed, s.turns), 1.0),
                "cost_usd": s.cost_microusd.to_string(),
                "mean_cost_usd": mean(micro(s.cost_microusd) / 1e6, priced),
                "mean_cost_usd_95": pair(cost, 1e-6),
                "mean_satisfaction_95": pair(satisfaction, 1.0),
            }));
            item.extend(times(cell));
            item.extend(object(verdict.columns()));
            item
        });
    let items = items.collect();
    (items, object(json!({ "count": turns })))
}

fn whole(cells: &Cells) -> Cell {
    cells.by(|_| ()).remove(&()).unwrap_or_default()
}

fn by_count(items: &mut [Item]) {
    let count = |item: &Item| item.get("count").and_then(Value::as_u64).unwrap_or(0);
    items.sort_by_key(|item| std::cmp::Reverse(count(item)));
}

fn object(value: Value) -> Item {
    match value {
        Value::Object(item) => item,
        _ => Item::new(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns, far below 2^52"
)]
pub(super) fn count(n: u64) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "billions of dollars would be needed"
)]
pub(super) fn micro(amount: MicroUsd) -> f64 {
    amount.0 as f64
}

fn ratio(hits: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| count(hits) / count(all))
}

fn mean(sum: f64, n: u64) -> Option<f64> {
    let mean = (n > 0).then(|| sum / count(n))?;
    Some((mean * 1e6).round() / 1e6)
}

fn mean_satisfaction(s: &Sums) -> Option<f64> {
    mean(count(s.satisfaction_sum), s.satisfied)
}

/// To a tenth: more was never measured.
fn rounded(ms: Option<f64>) -> Option<f64> {
    ms.map(|ms| (ms * 10.0).round() / 10.0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "billions of dollars would be needed"
)]
fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1000.0).round() / 10.0)
}

fn pair(interval: Option<(f64, f64)>, unit: f64) -> Option<[f64; 2]> {
    interval.map(|(low, high)| [low * unit, high * unit])
}
