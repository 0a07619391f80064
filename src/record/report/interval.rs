//! 95 % confidence intervals for experiments.

/// The normal distribution's two-sided 95 % point.
const Z: f64 = 1.959_964;

/// Wilson's interval for a share of `hits` in `all`; `None` without any.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns, far below 2^52"
)]
pub(super) fn share(hits: u64, all: u64) -> Option<(f64, f64)> {
    if all == 0 {
        return None;
    }
    let n = all as f64;
    let p = hits as f64 / n;
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    Some((
        ((middle - half) / whole).max(0.0),
        ((middle + half) / whole).min(1.0),
    ))
}

/// The normal interval for a mean, from sum, sum of squares and count; `None` below two.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns, far below 2^52"
)]
pub(super) fn mean(sum: f64, squares: f64, count: u64) -> Option<(f64, f64)> {
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let mean = sum / n;
    // Rounding may leave a hair below nothing.
    let variance = ((squares - sum * mean) / (n - 1.0)).max(0.0);
    let half = Z * (variance / n).sqrt();
    Some((mean - half, mean + half))
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
}
