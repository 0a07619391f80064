//! What is told of prices and of what calls cost.

use tracing::{debug, info, warn};

use super::super::metrics::{count, set_budget, set_catalog};
use super::super::names;

/// The list of models was asked for.
#[derive(Debug)]
pub struct CatalogRefreshed<'a> {
    /// `fresh`, `unpriced`, `unreachable`, `refused`, `unreadable` or `too_large`.
    pub outcome: &'static str,
    /// Whether there is a new list.
    pub is_good: bool,
    /// How many models are known now.
    pub models: usize,
    /// Configured models that the list does not hold.
    pub unlisted: &'a [&'a str],
    /// The time of day, in seconds since the Unix epoch.
    pub at_s: i64,
}

impl CatalogRefreshed<'_> {
    pub fn emit(&self) {
        let (outcome, models) = (self.outcome, self.models);
        let labels = [("outcome", outcome.to_owned())];
        count(names::CATALOG_REFRESHES_TOTAL, &labels);
        if !self.is_good {
            warn!(target: "clm::catalog", outcome, models, "the list of models could not be refreshed");
            return;
        }
        set_catalog(self.at_s, self.unlisted.len());
        info!(target: "clm::catalog", outcome, models, "the list of models was refreshed");
        if !self.unlisted.is_empty() {
            let unlisted = self.unlisted.join(", ");
            warn!(target: "clm::catalog", unlisted, "configured models are not listed any more");
        }
    }
}

/// How the day's money stands, for whoever looks at the metrics.
#[derive(Debug)]
pub struct BudgetSeen {
    /// Spent and budgeted, micro-dollars.
    pub spent: i64,
    pub daily: i64,
}

impl BudgetSeen {
    pub fn emit(&self) {
        set_budget(self.spent, self.daily);
    }
}

/// The store that a day's cap is shared by does not answer: a machine goes no further than its lease.
#[derive(Debug)]
pub struct LeaseRefused {
    pub kind: &'static str,
}

impl LeaseRefused {
    pub fn emit(&self) {
        warn!(
            target: "clm::budget",
            kind = self.kind,
            "the day's cap cannot be shared right now: this machine goes one lease further at most"
        );
    }
}

/// A flag was changed, here or by another machine.
#[derive(Debug)]
pub struct FlagChanged<'a> {
    pub name: &'a str,
    /// `true`, `false`, a percentage, or `unset`.
    pub value: &'a str,
    /// A fingerprint of the key it was changed with.
    pub by: &'a str,
}

impl FlagChanged<'_> {
    pub fn emit(&self) {
        let Self { name, value, by } = *self;
        info!(target: "clm::flags", flag = name, value, by, "a flag was changed");
    }
}

/// A call that brought no bill was looked up, and the search for its cost is over.
#[derive(Debug)]
pub struct CostLookedUp<'a> {
    /// `corrected`; `unchanged`: the estimate was right; `gave_up`: not told within its time;
    /// `crowded_out`: too many were waiting.
    pub result: &'static str,
    pub turn_id: &'a str,
    pub generation_id: &'a str,
}

impl CostLookedUp<'_> {
    pub fn emit(&self) {
        let labels = [("result", self.result.to_owned())];
        count(names::COST_CORRECTIONS_TOTAL, &labels);
        debug!(
            target: "clm::corrections",
            result = self.result,
            turn = self.turn_id,
            generation = self.generation_id,
            "a call without a bill was looked up"
        );
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_failed_refresh_moves_neither_the_time_nor_who_is_gone() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let good = CatalogRefreshed {
                outcome: "fresh",
                is_good: true,
                models: 400,
                unlisted: &["a/b"],
                at_s: 1_795_338_902,
            };
            good.emit();
            CatalogRefreshed {
                outcome: "refused",
                is_good: false,
                unlisted: &[],
                at_s: 1_795_338_999,
                ..good
            }
            .emit();
            CostLookedUp {
                result: "gave_up",
                turn_id: "t",
                generation_id: "gen-1",
            }
            .emit();
        });
        let text = recorder.handle().render();
        for line in [
            r#"clm_catalog_refreshes_total{outcome="fresh"} 1"#,
            r#"clm_catalog_refreshes_total{outcome="refused"} 1"#,
            "clm_catalog_updated_timestamp_seconds 1795338902",
            "clm_models_unlisted 1",
            r#"clm_cost_corrections_total{result="gave_up"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
