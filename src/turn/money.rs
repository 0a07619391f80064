//! Money in integer micro-dollars; floats appear only at the border.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// An amount in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Rounds dollars to the nearest micro-dollar. Not finite, negative or beyond a billion
    /// dollars is `None`: such a figure is not a cost.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        (dollars.is_finite() && (0.0..1e9).contains(&dollars))
            .then(|| Self((dollars * 1e6).round() as i64))
    }
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self(0), Self::add)
    }
}

/// A decimal of dollars, such as `0.001100`.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", abs / 1_000_000, abs % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_round_to_micro_dollars_and_print_as_decimals() {
        for (dollars, micro, text) in [
            (0.007_650_916_900_000_000_5, 7651, "0.007651"),
            (6e-7, 1, "0.000001"),
            (12.5, 12_500_000, "12.500000"),
        ] {
            let money = MicroUsd::from_dollars(dollars).unwrap();
            assert_eq!(money, MicroUsd(micro));
            assert_eq!(money.to_string(), text);
        }
        for odd in [f64::NAN, f64::INFINITY, -1.0, 1e10] {
            assert_eq!(MicroUsd::from_dollars(odd), None);
        }
    }
}
