//! What turns add up to. Two tallies are added number by number, be they of two seconds or of two
//! machines; so are the speeds, whose bins are the same everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::turn::{MicroUsd, Outcome, TurnRecord};

use super::{Minute, Today};

/// Numbers of some turns. No field of it can name anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// In the order of [`Outcome::ALL`].
    outcomes: [u64; Outcome::ALL.len()],
    tokens: u64,
    cost_microusd: MicroUsd,
    /// Turns whose cost nobody knows. They are not in the sum: unknown is not zero.
    cost_unknown: u64,
    first_speakable: Speeds,
}

impl Tally {
    pub(super) fn count(&mut self, turn: &TurnRecord) {
        if let Some(turns) = self.outcomes.get_mut(turn.outcome as usize) {
            *turns += 1;
        }
        self.tokens += turn.completion_tokens.unwrap_or_default();
        match turn.cost_microusd {
            Some(cost) => self.cost_microusd = self.cost_microusd + cost,
            None => self.cost_unknown += 1,
        }
        if let Some(ms) = turn.first_speakable_ms {
            self.first_speakable.count(ms);
        }
    }

    /// What comes from other machines may be any number: nothing overflows.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, turns) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum = sum.saturating_add(turns);
        }
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost_microusd = self.cost_microusd + other.cost_microusd;
        self.cost_unknown = self.cost_unknown.saturating_add(other.cost_unknown);
        self.first_speakable.add(&other.first_speakable);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outcomes.iter().all(|turns| *turns == 0)
    }

    pub(super) fn minute(&self) -> Minute {
        let named = Outcome::ALL.iter().map(|outcome| outcome.as_str());
        let outcomes: BTreeMap<_, _> = named.zip(self.outcomes).collect();
        Minute {
            turns: sum(&self.outcomes),
            outcomes,
            tokens: self.tokens,
            cost_usd: self.cost_microusd,
            cost_unknown: self.cost_unknown,
            first_speakable_p50_ms: self.first_speakable.quantile(50),
            first_speakable_p95_ms: self.first_speakable.quantile(95),
        }
    }
}

impl Today {
    pub(super) fn count(&mut self, turn: &TurnRecord) {
        self.turns += 1;
        match turn.cost_microusd {
            Some(cost) => self.cost_usd = self.cost_usd + cost,
            None => self.cost_unknown += 1,
        }
    }
}

fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |sum, n| sum.saturating_add(*n))
}

/// The first bin holds everything up to so many milliseconds, the last all that is slower than a
/// minute; in between each reaches 15 % further than the one before it, so that a quantile is told
/// within 8 %.
const FIRST_MS: f64 = 10.0;
const GROWTH: f64 = 1.15;
const BINS: usize = 64;

/// How many turns were how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(usize, u64)>", into = "Vec<(usize, u64)>")]
struct Speeds([u64; BINS]);

impl Default for Speeds {
    fn default() -> Self {
        Self([0; BINS])
    }
}

impl Speeds {
    fn count(&mut self, ms: f64) {
        let (mut bin, mut bound) = (0, FIRST_MS);
        while ms > bound && bin + 1 < BINS {
            bin += 1;
            bound *= GROWTH;
        }
        if let Some(turns) = self.0.get_mut(bin) {
            *turns += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        for (sum, turns) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(turns);
        }
    }

    /// The speed that so many in a hundred turns were no slower than, in milliseconds: the middle
    /// of its bin.
    fn quantile(&self, percent: u64) -> Option<f64> {
        let all = sum(&self.0);
        let rank = u128::from(all) * u128::from(percent);
        let rank = u64::try_from(rank.div_ceil(100)).unwrap_or(u64::MAX);
        let (mut seen, mut bound) = (0_u64, FIRST_MS);
        for (bin, turns) in self.0.iter().enumerate() {
            seen = seen.saturating_add(*turns);
            if *turns > 0 && seen >= rank {
                let middle = if bin == 0 {
                    bound
                } else {
                    bound / GROWTH.sqrt()
                };
                return Some((middle * 10.0).round() / 10.0);
            }
            bound *= GROWTH;
        }
        None
    }
}

/// Most bins are empty: only the others are told.
impl From<Speeds> for Vec<(usize, u64)> {
    fn from(speeds: Speeds) -> Self {
        let bins = speeds.0.into_iter().enumerate();
        bins.filter(|(_, turns)| *turns > 0).collect()
    }
}

/// A bin that there is not is left out.
impl From<Vec<(usize, u64)>> for Speeds {
    fn from(bins: Vec<(usize, u64)>) -> Self {
        let mut speeds = Self::default();
        for (bin, turns) in bins {
            if let Some(sum) = speeds.0.get_mut(bin) {
                *sum = sum.saturating_add(turns);
            }
        }
        speeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_told_within_eight_percent() {
        let mut speeds = Speeds::default();
        assert_eq!(speeds.quantile(50), None);
        (1..=1000_u32).for_each(|ms| speeds.count(f64::from(ms)));
        for (percent, exact) in [(1, 10.0), (50, 500.0), (95, 950.0), (100, 1000.0)] {
            let told = speeds.quantile(percent).unwrap();
            assert!((told / exact - 1.0_f64).abs() < 0.08, "{percent}: {told}");
        }
        for odd in [f64::NAN, -1.0, 0.0, f64::INFINITY, 1e12] {
            speeds.count(odd);
        }
        assert_eq!(sum(&speeds.0), 1005);
    }

    #[test]
    fn a_single_turn_is_every_quantile() {
        let mut speeds = Speeds::default();
        speeds.count(300.0);
        assert_eq!(speeds.quantile(50), speeds.quantile(95));
        assert!((speeds.quantile(50).unwrap() / 300.0 - 1.0).abs() < 0.08);
    }

    #[test]
    fn a_tally_survives_the_journey_and_odd_numbers_do_no_harm() {
        let mut tally = Tally::default();
        assert!(tally.is_empty());
        tally.first_speakable.count(250.0);
        tally.outcomes[0] = 3;
        tally.cost_microusd = MicroUsd(70);
        let told = serde_json::to_string(&tally).unwrap();
        let mut back: Tally = serde_json::from_str(&told).unwrap();
        assert_eq!(back, tally);
        let odd = format!(
            r#"{{"outcomes":[{0},0,0,0,0,0,0],"tokens":{0},"cost_microusd":{1},"cost_unknown":{0},
                 "first_speakable":[[0,{0}],[63,{0}],[64,1],[999999,1]]}}"#,
            u64::MAX,
            i64::MAX
        );
        back.add(&serde_json::from_str(&odd).unwrap());
        back.add(&serde_json::from_str(&odd).unwrap());
        assert_eq!(back.minute().turns, u64::MAX);
        assert_eq!(back.minute().first_speakable_p50_ms, Some(10.0));
    }
}
