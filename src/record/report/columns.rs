//! The columns of each report in the order in which people read them: what it is about, how often, what
//! it cost, how it went. An item is a JSON object and keeps no order; an empty report has no item.

use super::ReportKind;

impl ReportKind {
    /// The names in every item of this report.
    #[must_use]
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Models => &[
                "model",
                "count",
                "cost_usd",
                "unknown_costs",
                "calls",
                "errors",
                "error_rate",
                "cancelled",
                "mean_response_ms",
                "p50_response_ms",
                "p95_response_ms",
                "mean_first_token_ms",
                "p50_first_token_ms",
                "p95_first_token_ms",
                "mean_satisfaction",
                "rated",
                "prompt_tokens",
                "completion_tokens",
            ],
            Self::Coaches => &[
                "coach",
                "count",
                "cost_usd",
                "unknown_costs",
                "errors",
                "error_rate",
                "interrupted",
                "mean_response_ms",
                "p50_response_ms",
                "p95_response_ms",
                "mean_first_token_ms",
                "p50_first_token_ms",
                "p95_first_token_ms",
                "mean_satisfaction",
                "rated",
                "prompt_tokens",
                "completion_tokens",
            ],
            Self::Savings => &[
                "coach",
                "tier",
                "count",
                "prompt_tokens",
                "completion_tokens",
                "cost_usd",
                "baseline_usd",
                "saved_usd",
                "saved_percent",
                "unknown_costs",
            ],
            Self::Spend => &[
                "start",
                "hours",
                "count",
                "cost_usd",
                "estimated_usd",
                "unknown_costs",
                "prompt_tokens",
                "completion_tokens",
            ],
            Self::Experiments => &[
                "experiment",
                "variant",
                "count",
                "errors",
                "error_rate",
                "error_rate_95",
                "cost_usd",
                "mean_cost_usd",
                "mean_cost_usd_95",
                "mean_satisfaction_95",
                "mean_response_ms",
                "p50_response_ms",
                "p95_response_ms",
                "mean_first_token_ms",
                "p50_first_token_ms",
                "p95_first_token_ms",
                "mean_satisfaction",
                "rated",
                "prompt_tokens",
                "completion_tokens",
                "compared_with",
                "error_rate_difference_95",
                "satisfaction_difference_95",
                "cost_difference_usd_95",
                "first_token_difference_ms_95",
                "verdict",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::cells::{Cell, Cells, Key};
    use super::super::items;
    use super::*;
    use crate::config::Baseline;
    use crate::turn::MicroUsd;

    #[test]
    fn every_item_has_the_columns_of_its_report_and_no_others() {
        let baseline = Baseline {
            model: "m".to_owned(),
            input: MicroUsd(1),
            output: MicroUsd(1),
        };
        let mut cells = Cells::default();
        let key = Key {
            experiment: "e".to_owned(),
            ..Key::default()
        };
        cells.turns.insert(key, Cell::default());
        for kind in ReportKind::ALL {
            let (items, _) = match kind {
                ReportKind::Models => items::models(&cells),
                ReportKind::Coaches => items::coaches(&cells),
                ReportKind::Savings => items::savings(&cells, &baseline),
                ReportKind::Spend => items::spend(&cells, true),
                ReportKind::Experiments => items::experiments(&cells),
            };
            let has: BTreeSet<&str> = items[0].keys().map(String::as_str).collect();
            let told: BTreeSet<&str> = kind.columns().iter().copied().collect();
            assert_eq!(has, told, "{kind:?}");
            assert_eq!(told.len(), kind.columns().len(), "{kind:?}");
        }
    }
}
