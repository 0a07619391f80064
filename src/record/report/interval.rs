//! Confidence intervals for experiments: of shares and means, and of what two of them differ by.

/// The normal distribution's two-sided 95 % point.
const Z: f64 = 1.959_964;

/// An interval's two ends.
pub(super) type Interval = (f64, f64);

/// Some numbers: how many, their mean, their variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) n: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Sample {
    /// From sum, sum of squares and count; `None` below two.
    pub(super) fn of(sum: f64, squares: f64, n: f64) -> Option<Self> {
        if n < 2.0 {
            return None;
        }
        let mean = sum / n;
        // Rounding may leave a hair below nothing.
        let variance = ((squares - sum * mean) / (n - 1.0)).max(0.0);
        Some(Self { n, mean, variance })
    }
}

/// Wilson's interval for a share of `hits` in `all`; `None` without any.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns, far below 2^52"
)]
pub(super) fn share(hits: u64, all: u64) -> Option<Interval> {
    (all > 0).then(|| wilson(hits as f64 / all as f64, all as f64, Z))
}

fn wilson(p: f64, n: f64, z: f64) -> Interval {
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    (
        ((middle - half) / whole).max(0.0),
        ((middle + half) / whole).min(1.0),
    )
}

/// The normal interval for a mean, from sum, sum of squares and count; `None` below two.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns, far below 2^52"
)]
pub(super) fn mean(sum: f64, squares: f64, count: u64) -> Option<Interval> {
    let Sample { n, mean, variance } = Sample::of(sum, squares, count as f64)?;
    let half = Z * (variance / n).sqrt();
    Some((mean - half, mean + half))
}

/// How much more the second share is than the first, each as hits and all (not 0).
///
/// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions",
/// 1998: method 10, from Wilson's intervals.
pub(super) fn difference_of_shares(a: (f64, f64), b: (f64, f64), z: f64) -> Interval {
    let (p, q) = (a.0 / a.1, b.0 / b.1);
    let ((p_low, p_high), (q_low, q_high)) = (wilson(p, a.1, z), wilson(q, b.1, z));
    (
        q - p - (q - q_low).hypot(p_high - p),
        q - p + (q_high - q).hypot(p - p_low),
    )
}

/// How much more the second mean is than the first, where variances may differ.
///
/// Source: B. L. Welch, "The generalization of Student's problem when several different population
/// variances are involved", 1947.
pub(super) fn difference_of_means(a: Sample, b: Sample, z: f64) -> Interval {
    let (u, v) = (a.variance / a.n, b.variance / b.n);
    let error = (u + v).sqrt();
    let difference = b.mean - a.mean;
    if error <= 0.0 {
        return (difference, difference);
    }
    let freedom = (u + v).powi(2) / (u * u / (a.n - 1.0) + v * v / (b.n - 1.0));
    let half = student(z, freedom) * error;
    (difference - half, difference + half)
}

/// The point of the normal distribution that a share of `beyond` lies beyond, on one side; 0 < `beyond`
/// <= 0.5.
///
/// Source: Abramowitz and Stegun, "Handbook of mathematical functions", 26.2.17, true to 1e-7, searched by
/// halving.
pub(super) fn normal(beyond: f64) -> f64 {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let tail = |z: f64| {
        let t = 1.0 / (1.0 + 0.231_641_9 * z);
        let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
        density * B.iter().rev().fold(0.0, |sum, b| (sum + b) * t)
    };
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if tail(middle) > beyond {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Student's point for the normal distribution's `z`; good to 1 % from five degrees of freedom on.
///
/// Source: as of [`normal`], 26.7.5.
fn student(z: f64, freedom: f64) -> f64 {
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * freedom)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * freedom.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_wilsons() {
        assert_eq!(share(0, 0), None);
        // Values of R's binom::binom.wilson.
        for (hits, all, low, high) in [
            (0, 10, 0.0, 0.2775),
            (5, 10, 0.2366, 0.7634),
            (10, 10, 0.7225, 1.0),
        ] {
            let (l, h) = share(hits, all).unwrap();
            assert!((l - low).abs() < 1e-4 && (h - high).abs() < 1e-4, "{l} {h}");
        }
    }

    #[test]
    fn means_have_the_width_of_their_standard_error() {
        assert_eq!(mean(5.0, 25.0, 1), None);
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let (low, high) = mean(values.iter().sum(), values.iter().map(|v| v * v).sum(), 5).unwrap();
        // A standard deviation of sqrt(2.5) over five.
        assert!((low - (3.0 - 1.3859)).abs() < 1e-4 && (high - (3.0 + 1.3859)).abs() < 1e-4);
        assert_eq!(mean(6.0, 12.0, 3), Some((2.0, 2.0)));
    }

    #[test]
    fn points_are_those_of_tables() {
        for (beyond, z) in [
            (0.5, 0.0),
            (0.2, 0.841_621),
            (0.025, 1.959_964),
            (0.003_125, 2.734_369),
        ] {
            assert!((normal(beyond) - z).abs() < 1e-5, "{}", normal(beyond));
        }
        // The two-sided 95 % points of Student's distribution, of any table.
        for (freedom, t) in [(5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (1e9, 1.960)] {
            let told = student(Z, freedom);
            assert!((told / t - 1.0).abs() < 0.005, "{freedom}: {told}");
        }
    }

    #[test]
    fn differences_of_shares_are_newcombes() {
        // His first examples, 56 of 70 less 48 of 80 and 9 of 10 less 3 of 10, and two of no hits.
        for (a, b, low, high) in [
            ((48.0, 80.0), (56.0, 70.0), 0.0524, 0.3339),
            ((3.0, 10.0), (9.0, 10.0), 0.1705, 0.8090),
            ((0.0, 10.0), (0.0, 10.0), -0.2775, 0.2775),
        ] {
            let (l, h) = difference_of_shares(a, b, Z);
            assert!((l - low).abs() < 1e-4 && (h - high).abs() < 1e-4, "{l} {h}");
        }
    }

    #[test]
    fn differences_of_means_are_welchs() {
        let a = Sample {
            n: 10.0,
            mean: 20.0,
            variance: 4.0,
        };
        let b = Sample {
            n: 20.0,
            mean: 22.0,
            variance: 16.0,
        };
        // Standard error sqrt(0.4 + 0.8); 1.44 / (0.16 / 9 + 0.64 / 19) = 27.98 degrees, so 2.0484.
        let (low, high) = difference_of_means(a, b, Z);
        assert!(
            (low - (2.0 - 2.2440)).abs() < 2e-3 && (high - (2.0 + 2.2440)).abs() < 2e-3,
            "{low} {high}"
        );
        let (same, steady) = (Sample { variance: 0.0, ..a }, Sample { variance: 0.0, ..b });
        assert_eq!(difference_of_means(same, steady, Z), (2.0, 2.0));
    }
}
