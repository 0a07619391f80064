//! Durations counted in buckets, each 2 % wider than the one before: what is read from them is true to
//! 1 %, and counts of any two hours can be added, which percentiles themselves cannot.

use std::collections::BTreeMap;

/// Buckets to an e-fold: neighbours are 2 % apart.
const STEPS: f64 = 50.0;
/// Bucket of the longest duration told apart, about a day.
const LAST: i32 = 920;

/// Counts by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::record) struct Sketch(BTreeMap<i32, u64>);

/// The bucket of a duration in milliseconds; below one millisecond it is the first.
///
/// PostgreSQL has the same function from its migrations.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
pub(in crate::record) fn bucket(ms: f64) -> i32 {
    if ms >= 1.0 {
        (STEPS * ms.ln()).floor().min(f64::from(LAST)) as i32
    } else {
        0
    }
}

/// The middle of a bucket on its own scale, milliseconds.
fn middle(bucket: i32) -> f64 {
    ((f64::from(bucket) + 0.5) / STEPS).exp()
}

impl Sketch {
    pub(in crate::record) fn add(&mut self, bucket: i32, count: u64) {
        *self.0.entry(bucket).or_default() += count;
    }

    pub(in crate::record) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add(*bucket, *count);
        }
    }

    /// The duration in milliseconds that `share` of all (0 to 1) do not exceed; `None` without any.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among counted rows: beyond 2^52 of them one more or less does not matter"
    )]
    pub(in crate::record) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// Sum, sum of squares and count.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of turns, far below 2^52"
    )]
    pub(in crate::record) fn moments(&self) -> (f64, f64, f64) {
        self.0
            .iter()
            .fold((0.0, 0.0, 0.0), |sums, (bucket, count)| {
                let (ms, count) = (middle(*bucket), *count as f64);
                (
                    sums.0 + ms * count,
                    sums.1 + ms * ms * count,
                    sums.2 + count,
                )
            })
    }

    /// How many were counted.
    pub(in crate::record) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// `[[bucket, count], …]`.
    pub(in crate::record) fn to_json(&self) -> String {
        let pairs: Vec<(i32, u64)> = self.0.iter().map(|(b, n)| (*b, *n)).collect();
        serde_json::json!(pairs).to_string()
    }

    /// Reads what [`Sketch::to_json`] wrote; anything else is empty.
    pub(in crate::record) fn from_json(text: &str) -> Self {
        let pairs: Vec<(i32, u64)> = serde_json::from_str(text).unwrap_or_default();
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_durations_have_a_bucket() {
        for (ms, expected) in [
            (0.0, 0),
            (-1.0, 0),
            (f64::NAN, 0),
            (1.0, 0),
            (1e300, LAST),
            (f64::INFINITY, LAST),
        ] {
            assert_eq!(bucket(ms), expected, "{ms}");
        }
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert_eq!(Sketch::from_json("no"), Sketch::default());
    }

    proptest! {
        #[test]
        fn a_quantile_is_true_to_one_percent(
            mut times in prop::collection::vec(1.5_f64..600_000.0, 1..200),
            share in 0.01_f64..=1.0,
        ) {
            let mut sketch = Sketch::default();
            for ms in &times {
                sketch.add(bucket(*ms), 1);
            }
            times.sort_by(f64::total_cmp);
            let rank = (1..times.len()).find(|n| *n as f64 >= share * times.len() as f64);
            let rank = rank.unwrap_or(times.len());
            let exact = times[rank - 1];
            let told = sketch.quantile(share).unwrap();
            prop_assert!((told / exact - 1.0).abs() < 0.0102, "{told} for {exact}");
            let (sum, squares, count) = sketch.moments();
            prop_assert_eq!(count, times.len() as f64);
            let exact: f64 = times.iter().sum();
            prop_assert!((sum / exact - 1.0).abs() < 0.0102, "{sum} for {exact}");
            let exact: f64 = times.iter().map(|ms| ms * ms).sum();
            prop_assert!((squares / exact - 1.0).abs() < 0.0205, "{squares} for {exact}");
        }

        #[test]
        fn halves_add_up_and_survive_json(
            a in prop::collection::vec(0_i32..=LAST, 0..50),
            b in prop::collection::vec(0_i32..=LAST, 0..50),
        ) {
            let of = |buckets: &[i32]| {
                let mut sketch = Sketch::default();
                buckets.iter().for_each(|bucket| sketch.add(*bucket, 1));
                sketch
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let both: Vec<i32> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(&merged, &of(&both));
            prop_assert_eq!(Sketch::from_json(&merged.to_json()), merged);
        }
    }
}
