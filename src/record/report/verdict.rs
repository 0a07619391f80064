//! Which arm of an experiment is better, in plain words. Pure.
//!
//! Each arm is compared with the control: the variant called `control`, else the first by name. Four things
//! are compared: how often a turn failed (Newcombe's interval), what users thought of turns, what a turn
//! cost, and how long the first words took (Welch's). With more than one comparison something always seems
//! to differ, so each interval is as wide as it takes for all of them together to be true with 95 %
//! (Bonferroni: four for each arm beside the control). Two things no interval knows: whoever looks every
//! day and stops at the first difference finds one too often, and turns of one session are alike, so that
//! an experiment of few long sessions is less sure than it looks.
//!
//! Where nothing differs it is told how many more turns would show a difference worth having, if there is
//! one, in four cases of five.

use serde_json::{Value, json};

use super::cells::Cell;
use super::interval::{Interval, Sample, difference_of_means, difference_of_shares, normal};
use super::items::{count, micro};

const CONTROL: &str = "control";
/// What is compared of each arm.
const METRICS: f64 = 4.0;
/// One less the confidence of everything together.
const ALPHA: f64 = 0.05;
/// The share of real differences that may be missed.
const MISSED: f64 = 0.2;
/// Fewer values than this tell nothing of their spread.
const FEWEST: f64 = 10.0;
/// Differences worth having: of the error rate, of satisfaction, of the control's cost, of milliseconds.
const ERROR_RATE: f64 = 0.02;
const SATISFACTION: f64 = 0.2;
const COST: f64 = 0.05;
const FIRST_TOKEN_MS: f64 = 50.0;

/// What is told of one arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Whom it is compared with; nobody for the control.
    compared_with: Option<String>,
    error_rate: Option<Interval>,
    satisfaction: Option<Interval>,
    /// Dollars a turn.
    cost: Option<Interval>,
    first_token_ms: Option<Interval>,
    words: String,
}

impl Verdict {
    /// As columns of a report.
    pub(super) fn columns(&self) -> Value {
        let pair = |interval: Option<Interval>| interval.map(|(low, high)| [low, high]);
        json!({
            "compared_with": self.compared_with,
            "error_rate_difference_95": pair(self.error_rate),
            "satisfaction_difference_95": pair(self.satisfaction),
            "cost_difference_usd_95": pair(self.cost),
            "first_token_difference_ms_95": pair(self.first_token_ms),
            "verdict": self.words,
        })
    }
}

/// One word about each arm of an experiment, in the order of the arms.
pub(super) fn judge(arms: &[(&str, &Cell)]) -> Vec<Verdict> {
    let named = arms.iter().find(|(name, _)| *name == CONTROL);
    let first = arms.iter().min_by_key(|(name, _)| *name);
    let Some((control, base)) = named.or(first) else {
        return Vec::new();
    };
    let others = arms.len().saturating_sub(1);
    let z = normal(ALPHA / 2.0 / METRICS / f64::from(u32::try_from(others.max(1)).unwrap_or(1)));
    let of = |(name, cell): &(&str, &Cell)| match name == control {
        true => Verdict {
            words: match others {
                0 => "nothing to compare it with".to_owned(),
                _ => "the others are compared with it".to_owned(),
            },
            ..Verdict::default()
        },
        false => Verdict {
            compared_with: Some((*control).to_owned()),
            ..compare(&Figures::of(base), &Figures::of(cell), z)
        },
    };
    arms.iter().map(of).collect()
}

/// What is known of an arm.
struct Figures {
    turns: f64,
    failed: f64,
    satisfaction: Option<Sample>,
    /// Dollars.
    cost: Option<Sample>,
    first_token: Option<Sample>,
}

impl Figures {
    fn of(cell: &Cell) -> Self {
        let s = &cell.sums;
        let (sum, squares) = (count(s.satisfaction_sum), count(s.satisfaction_squares));
        let priced = count(s.turns.saturating_sub(s.unknown_costs));
        let (ms, square_ms, timed) = cell.first_tokens.moments();
        let enough = |sample: &Sample| sample.n >= FEWEST;
        let cost = Sample::of(
            micro(s.cost_microusd) * 1e-6,
            s.cost_squares * 1e-12,
            priced,
        );
        Self {
            turns: count(s.turns),
            failed: count(s.failed),
            satisfaction: Sample::of(sum, squares, count(s.satisfied)).filter(enough),
            cost: cost.filter(enough),
            first_token: Sample::of(ms, square_ms, timed).filter(enough),
        }
    }

    /// The spread of a turn's failing or not; never none, for it may still happen.
    fn error_variance(&self) -> f64 {
        let p = (self.failed + 1.0) / (self.turns + 2.0);
        p * (1.0 - p)
    }
}

/// What two arms have of one metric, and the least difference worth having.
struct Metric {
    name: &'static str,
    samples: Option<(Sample, Sample)>,
    worth: f64,
}

fn compare(base: &Figures, arm: &Figures, z: f64) -> Verdict {
    let both = |a: Option<Sample>, b: Option<Sample>| a.zip(b);
    let differ = |(a, b): (Sample, Sample)| difference_of_means(a, b, z);
    let satisfaction = both(base.satisfaction, arm.satisfaction);
    let cost = both(base.cost, arm.cost);
    let first_token = both(base.first_token, arm.first_token);
    let rates = (base.turns > 0.0 && arm.turns > 0.0).then(|| {
        let of = |f: &Figures| (f.failed, f.turns);
        difference_of_shares(of(base), of(arm), z)
    });
    let mut verdict = Verdict {
        compared_with: None,
        error_rate: rates,
        satisfaction: satisfaction.map(differ),
        cost: cost.map(differ),
        first_token_ms: first_token.map(differ),
        words: String::new(),
    };
    // Newcombe's interval is not even about what it is of.
    let error_rate = arm.failed / arm.turns - base.failed / base.turns;
    verdict.words = differences(&verdict, error_rate);
    if verdict.words.is_empty() {
        let metric = |name, samples, worth| Metric {
            name,
            samples,
            worth,
        };
        let metrics = [
            metric("satisfaction", satisfaction, SATISFACTION),
            metric("cost", cost, cost.map_or(0.0, |(a, _)| a.mean * COST)),
            metric("first words", first_token, FIRST_TOKEN_MS),
        ];
        verdict.words = more(base, arm, &metrics, z + normal(MISSED));
    }
    verdict
}

/// What is surely different, most important first; empty where nothing is.
fn differences(verdict: &Verdict, error_rate: f64) -> String {
    let signs = |interval: Option<Interval>| {
        let (low, high) = interval.filter(|(low, high)| *low > 0.0 || *high < 0.0)?;
        let middle = f64::midpoint(low, high).abs();
        let (near, far) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
        Some((low > 0.0, [middle, near, far]))
    };
    let errors = signs(verdict.error_rate).map(|(is_more, [_, low, high])| {
        let (by, low, high) = (error_rate.abs() * 100.0, low * 100.0, high * 100.0);
        let (word, side) = match is_more {
            true => ("worse", "higher"),
            false => ("better", "lower"),
        };
        format!("{word}: error rate {by:.1} points {side} ({low:.1} to {high:.1})")
    });
    let satisfaction = signs(verdict.satisfaction).map(|(is_more, [by, low, high])| {
        let word = if is_more { "better" } else { "worse" };
        format!("{word} by {by:.2} satisfaction ({low:.2} to {high:.2})")
    });
    let cost = signs(verdict.cost).map(|(is_more, [by, low, high])| {
        let word = if is_more { "dearer" } else { "cheaper" };
        format!("{word} by ${by:.6} a turn (${low:.6} to ${high:.6})")
    });
    let first_token = signs(verdict.first_token_ms).map(|(is_more, [by, low, high])| {
        let word = if is_more { "slower" } else { "faster" };
        format!("{word} by {by:.0} ms to the first words ({low:.0} to {high:.0})")
    });
    let all = [errors, satisfaction, cost, first_token]
        .into_iter()
        .flatten();
    all.collect::<Vec<_>>().join("; ")
}

/// How many more turns it takes until a difference worth having would show, by what takes most.
fn more(base: &Figures, arm: &Figures, metrics: &[Metric], points: f64) -> String {
    let needed = |variances: f64, effect: f64| points.powi(2) * variances / effect.powi(2);
    // Of both arms, where only some of their turns have a value.
    let lacks = |needed: f64, has: [f64; 2]| -> f64 {
        let each = [base.turns, arm.turns].into_iter().zip(has);
        each.map(|(turns, n)| (needed * turns / n - turns).max(0.0))
            .sum()
    };
    let errors = needed(base.error_variance() + arm.error_variance(), ERROR_RATE);
    let mut most = ("error rate", lacks(errors, [base.turns, arm.turns]));
    for metric in metrics.iter().filter(|metric| metric.worth > 0.0) {
        let Some((a, b)) = metric.samples else {
            continue;
        };
        let lack = lacks(needed(a.variance + b.variance, metric.worth), [a.n, b.n]);
        if lack > most.1 {
            most = (metric.name, lack);
        }
    }
    match most {
        (_, lack) if lack < 1.0 => "no difference worth having".to_owned(),
        (name, lack) => {
            let turns = two_digits(lack);
            format!("no difference yet, about {turns} more turns needed ({name})")
        }
    }
}

/// Rounded up to two digits: more are not known.
fn two_digits(n: f64) -> f64 {
    let step = 10_f64.powf((n.log10().floor() - 1.0).max(0.0));
    (n / step).ceil() * step
}

#[cfg(test)]
mod tests;
