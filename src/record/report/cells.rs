//! The sums that all reports are made of: turns by everything that is grouped by, calls by model.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::turn::MicroUsd;

use super::sketch::Sketch;

/// What turns are grouped by. `start_ms` is where the hour or the day begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(in crate::record) struct Key {
    #[serde(default)]
    pub(in crate::record) start_ms: i64,
    pub(in crate::record) coach: String,
    pub(in crate::record) model: String,
    pub(in crate::record) tier: String,
    /// Empty for none.
    pub(in crate::record) experiment: String,
    pub(in crate::record) variant: String,
}

/// Sums of turns; the columns of table `summary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(in crate::record) struct Sums {
    pub(in crate::record) turns: u64,
    pub(in crate::record) failed: u64,
    pub(in crate::record) interrupted: u64,
    pub(in crate::record) prompt_tokens: u64,
    pub(in crate::record) completion_tokens: u64,
    pub(in crate::record) cost_microusd: MicroUsd,
    pub(in crate::record) cost_squares: f64,
    pub(in crate::record) estimated_microusd: MicroUsd,
    pub(in crate::record) unknown_costs: u64,
    pub(in crate::record) satisfaction_sum: u64,
    pub(in crate::record) satisfaction_squares: u64,
    pub(in crate::record) satisfied: u64,
    pub(in crate::record) response_sum_ms: f64,
    pub(in crate::record) first_token_sum_ms: f64,
}

/// Turns of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::record) struct Cell {
    pub(in crate::record) sums: Sums,
    pub(in crate::record) responses: Sketch,
    pub(in crate::record) first_tokens: Sketch,
}

/// Upstream calls of one model; the columns of table `summary_call`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(in crate::record) struct Calls {
    pub(in crate::record) calls: u64,
    pub(in crate::record) errors: u64,
    pub(in crate::record) cancelled_calls: u64,
    pub(in crate::record) cost_microusd: MicroUsd,
    pub(in crate::record) unknown_costs: u64,
}

/// All of a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::record) struct Cells {
    pub(in crate::record) turns: BTreeMap<Key, Cell>,
    pub(in crate::record) calls: BTreeMap<String, Calls>,
}

impl Sums {
    pub(in crate::record) fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.failed += other.failed;
        self.interrupted += other.interrupted;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost_microusd = self.cost_microusd + other.cost_microusd;
        self.cost_squares += other.cost_squares;
        self.estimated_microusd = self.estimated_microusd + other.estimated_microusd;
        self.unknown_costs += other.unknown_costs;
        self.satisfaction_sum += other.satisfaction_sum;
        self.satisfaction_squares += other.satisfaction_squares;
        self.satisfied += other.satisfied;
        self.response_sum_ms += other.response_sum_ms;
        self.first_token_sum_ms += other.first_token_sum_ms;
    }
}

impl Cell {
    pub(in crate::record) fn add(&mut self, other: &Self) {
        self.sums.add(&other.sums);
        self.responses.merge(&other.responses);
        self.first_tokens.merge(&other.first_tokens);
    }
}

impl Calls {
    pub(in crate::record) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.cancelled_calls += other.cancelled_calls;
        self.cost_microusd = self.cost_microusd + other.cost_microusd;
        self.unknown_costs += other.unknown_costs;
    }
}

impl Cells {
    pub(in crate::record) fn add_turns(&mut self, key: Key, cell: &Cell) {
        self.turns.entry(key).or_default().add(cell);
    }

    pub(in crate::record) fn add_calls(&mut self, model: String, calls: &Calls) {
        self.calls.entry(model).or_default().add(calls);
    }

    /// Turns added up by whatever `group` makes of their key.
    pub(in crate::record) fn by<G: Ord>(&self, group: impl Fn(&Key) -> G) -> BTreeMap<G, Cell> {
        let mut groups = BTreeMap::new();
        for (key, cell) in &self.turns {
            let sum: &mut Cell = groups.entry(group(key)).or_default();
            sum.add(cell);
        }
        groups
    }
}
