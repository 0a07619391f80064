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

/// The longest decimal that is read. Float noise fills twenty digits.
const LONGEST_DECIMAL: usize = 64;
/// Beyond a dollar for one token a price is a mistake.
const HIGHEST_PRICE: i64 = 1_000_000_000_000;
/// Beyond a billion dollars an amount is a mistake.
const HIGHEST_AMOUNT: i64 = 1_000_000_000_000_000;

impl MicroUsd {
    /// An amount in dollars as it is written: `0.00016`, `6e-7`. Rounded to the nearest micro-dollar.
    /// What is negative, beyond a billion dollars or no decimal is none.
    #[must_use]
    pub fn from_decimal(dollars: &str) -> Option<Self> {
        Self::from_decimals([dollars])
    }

    /// The sum of such amounts, rounded once.
    #[must_use]
    pub fn from_decimals<'a>(dollars: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        const GRAIN: u128 = 1_000_000;
        let mut sum: u128 = 0;
        for amount in dollars {
            sum = sum.checked_add(scaled(amount, 12)?)?;
        }
        let micro = i64::try_from(sum.checked_add(GRAIN / 2)? / GRAIN).ok()?;
        (micro <= HIGHEST_AMOUNT).then_some(Self(micro))
    }

    /// A price in dollars a token, as it is written, as the price of a million tokens. Finer than a
    /// micro-dollar is rounded, but never to nothing: only a written zero is one. What is negative,
    /// beyond a dollar a token or no decimal is none.
    #[must_use]
    pub fn price_per_million(dollars_per_token: &str) -> Option<Self> {
        let micro = i64::try_from(scaled(dollars_per_token, 12)?).ok()?;
        let mantissa = dollars_per_token.split(['e', 'E']).next()?;
        let is_zero = !mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
        let micro = if is_zero { 0 } else { micro.max(1) };
        (micro <= HIGHEST_PRICE).then_some(Self(micro))
    }
}

/// A decimal times ten to the power of `places`, rounded to the nearest whole. Digits only, at most
/// one point, at most one exponent; blanks around it are nobody's fault.
fn scaled(text: &str, places: i32) -> Option<u128> {
    let text = text.trim();
    if text.len() > LONGEST_DECIMAL {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes()).map(|b| match b {
        b'0'..=b'9' => Some(u128::from(b - b'0')),
        _ => None,
    });
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let kept = i32::try_from(whole.len()).ok()? + i32::from(exponent) + places;
    let mut value: u128 = 0;
    for _ in 0..kept {
        let digit = match digits.next() {
            Some(digit) => digit?,
            // Nothing times ten is nothing, however often.
            None if value == 0 => break,
            None => 0,
        };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    // Of what is cut off the first digit decides, and none where it is cut off before that; the rest
    // must still be digits.
    let mut round = 0;
    for (at, digit) in (kept.min(0)..).zip(digits) {
        let is_first = at == kept.min(0) && kept >= 0;
        round |= u128::from(digit? >= 5 && is_first);
    }
    value.checked_add(round)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, micro) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.00016", Some(160)),
            ("0.0076509169000000005", Some(7651)),
            ("6e-7", Some(1)),
            ("4.9e-7", Some(0)),
            ("5E-7", Some(1)),
            ("4.5e-8", Some(0)),
            ("9e-300", Some(0)),
            ("12.5", Some(12_500_000)),
            ("1.25e+1", Some(12_500_000)),
            (" 7 ", Some(7_000_000)),
            (".5", Some(500_000)),
            ("1000000000", Some(1_000_000_000_000_000)),
            ("1000000001", None),
            ("1e300", None),
            ("0e300", Some(0)),
            ("1e99999", None),
            ("-1", None),
            ("-0.0", None),
            ("+1", None),
            ("", None),
            (".", None),
            ("e5", None),
            ("1e", None),
            ("1.2.3", None),
            ("0.00x", None),
            ("0.0000000000000000000000000x", None),
            ("1,5", None),
            ("NaN", None),
            ("Infinity", None),
            ("０", None),
        ] {
            assert_eq!(MicroUsd::from_decimal(text), micro.map(MicroUsd), "{text}");
        }
        assert_eq!(MicroUsd::from_decimal(&"1".repeat(65)), None);
        // 0.4 and 0.4 of a micro-dollar are one, and not nothing.
        let parts = MicroUsd::from_decimals(["0.0000004", "4e-7"]);
        assert_eq!(parts, Some(MicroUsd(1)));
        assert_eq!(MicroUsd::from_decimals(["1", "x"]), None);
    }

    #[test]
    fn a_price_of_a_token_is_that_of_a_million_and_only_zero_is_zero() {
        for (text, micro) in [
            ("0.0000001", Some(100_000)),
            ("0.00000001", Some(10_000)),
            ("1e-7", Some(100_000)),
            ("0.000000825", Some(825_000)),
            ("0.00000009999999999999999", Some(100_000)),
            ("0.0000002000000000000001", Some(200_000)),
            ("0.0000000000001", Some(1)),
            ("1e-30", Some(1)),
            ("0", Some(0)),
            ("0.000", Some(0)),
            ("0e-9", Some(0)),
            ("1", Some(1_000_000_000_000)),
            ("1.01", None),
            ("-1", None),
            ("free", None),
            ("", None),
        ] {
            let price = MicroUsd::price_per_million(text);
            assert_eq!(price, micro.map(MicroUsd), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_within_bounds_or_none(text in "[-+0-9.eE x]{0,70}|.*") {
            for read in [MicroUsd::from_decimal(&text), MicroUsd::price_per_million(&text)] {
                prop_assert!(read.is_none_or(|m| (0..=HIGHEST_AMOUNT).contains(&m.0)));
            }
        }

        #[test]
        fn what_is_printed_is_read_again(micro in 0..HIGHEST_AMOUNT) {
            let text = MicroUsd(micro).to_string();
            prop_assert_eq!(MicroUsd::from_decimal(&text), Some(MicroUsd(micro)));
        }
    }

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
