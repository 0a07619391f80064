//! What a turn costs: its attempts together.

use crate::turn::{AttemptRecord, CostSource, MicroUsd};

/// What all attempts of a turn cost.
pub(super) struct Cost {
    pub(super) sum: Option<MicroUsd>,
    pub(super) source: CostSource,
}

impl Cost {
    /// An attempt that never reached a model costs nothing; one that did and whose price nobody
    /// knows makes the sum unknown.
    pub(super) fn of(attempts: &[AttemptRecord]) -> Self {
        let paid = attempts
            .iter()
            .filter(|a| a.cost_microusd.is_some() || a.status == Some(200));
        let mut sum = MicroUsd::default();
        let mut source = CostSource::Reported;
        for attempt in paid {
            let Some(cost) = attempt.cost_microusd else {
                return Self {
                    sum: None,
                    source: CostSource::Unknown,
                };
            };
            sum = [sum, cost].into_iter().sum();
            if attempt.cost_source == CostSource::Estimated {
                source = CostSource::Estimated;
            }
        }
        Self {
            sum: Some(sum),
            source,
        }
    }
}
