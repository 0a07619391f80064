//! Curves and lines through what was measured, and where they reach a bound.

use crate::measured::{Memory, Mode, Processor};

/// `busy = min(1, a * rate^b + practice)`: what one core is busy with so many tokens a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) practice: Practice,
}

/// Turns of practice, which fill the gaps between real ones: `most * e^(-rate / fades)`, since turns come by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Practice {
    /// Of one core, where turns are rare.
    pub(crate) most: f64,
    /// Tokens a second at which as many gaps as one in e are long enough.
    pub(crate) fades: f64,
}

impl Practice {
    fn busy(self, tokens_per_s: f64) -> f64 {
        self.most * (-tokens_per_s / self.fades).exp()
    }
}

impl Curve {
    /// Least squares of the logarithms of what is left without practice, over the points whose core had
    /// something left.
    pub(crate) fn fit(points: &[Processor], practice: Practice) -> Self {
        let logs = points.iter().filter(|p| !p.full).map(|p| {
            let busy = p.tokens_per_s * p.us_per_token / 1e6 - practice.busy(p.tokens_per_s);
            (p.tokens_per_s.ln(), busy.ln())
        });
        let (slope, at_zero) = line(logs);
        Self {
            a: at_zero.exp(),
            b: slope,
            practice,
        }
    }

    /// How much of one core so many tokens a second take.
    pub(crate) fn busy(self, tokens_per_s: f64) -> f64 {
        let turns = self.a * tokens_per_s.powf(self.b);
        (turns + self.practice.busy(tokens_per_s)).min(1.0)
    }

    pub(crate) fn us_per_token(self, tokens_per_s: f64) -> f64 {
        self.busy(tokens_per_s) / tokens_per_s * 1e6
    }

    /// The tokens a second at which a core is so busy.
    pub(crate) fn rate_at(self, busy: f64) -> f64 {
        reached_at(busy, |tokens_per_s| self.busy(tokens_per_s))
    }
}

/// Memory of streams: `fixed + each * streams`, KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) each: f64,
    pub(crate) fixed: f64,
}

impl Room {
    pub(crate) fn fit(points: &[Memory], mode: Mode) -> Self {
        let of_mode = points.iter().filter(|p| p.mode == mode);
        let (each, fixed) = line(of_mode.map(|p| (p.streams, p.streams * p.kib_per_stream)));
        Self { each, fixed }
    }

    /// Never less than nothing.
    pub(crate) fn kib(self, streams: f64) -> f64 {
        (self.each * streams + self.fixed).max(0.0)
    }
}

/// The straight line of least squares: slope, and value at zero.
fn line(points: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let points: Vec<_> = points.collect();
    let count = points.iter().map(|_| 1.0).sum::<f64>();
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let across: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let along: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = across / along;
    (slope, y - slope * x)
}

/// Where something that grows with so many, calls or tokens, reaches its bound.
pub(crate) fn reached_at(bound: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e12);
    for _ in 0..200 {
        let middle: f64 = (low + high) / 2.0;
        if of(middle) <= bound {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
