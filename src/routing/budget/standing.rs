//! How a day's money stands.

use crate::turn::MicroUsd;

use super::{LOW, Limits};

/// How the day stands, of all machines as far as they told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where the day begins, milliseconds since the Unix epoch.
    pub day_ms: i64,
    pub limits: Limits,
    /// What settled turns cost.
    pub spent: MicroUsd,
    /// What running turns of this machine may cost at most.
    pub reserved: MicroUsd,
    /// What this machine may spend without asking anybody; of a machine alone, all that is left.
    pub at_hand: MicroUsd,
    /// The store that the cap is shared by does not answer.
    pub is_apart: bool,
}

impl Standing {
    /// What is left of the day's budget; negative where it is overdrawn.
    #[must_use]
    pub fn left(&self) -> MicroUsd {
        MicroUsd(self.limits.daily.0.saturating_sub(self.spent.0))
    }

    /// Hundredths of the day's budget that are spent; a budget of nothing is all spent.
    #[must_use]
    pub fn percent(&self) -> i64 {
        match self.limits.daily.0 {
            0 => 100,
            daily => self.spent.0.saturating_mul(100) / daily,
        }
    }

    #[must_use]
    pub fn is_low(&self) -> bool {
        self.left() < LOW
    }
}
