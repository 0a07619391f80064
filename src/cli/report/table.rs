//! The columns of each report, and how a table is laid out: names to the left, figures to the right.

use serde_json::Value;

use crate::cli::figures::NONE;

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Text,
    /// A time to the minute.
    Minute,
    Count,
    Dollars,
    Ms,
    /// A share of one, as percent.
    Share,
    /// Percent already.
    Percent,
    /// 1 to 5.
    Rating,
}

/// A field, its heading, and how it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(&'static str, &'static str, As);

const MODELS: &[Column] = &[
    Column("model", "model", As::Text),
    Column("count", "turns", As::Count),
    Column("cost_usd", "cost", As::Dollars),
    Column("unknown_costs", "unpriced", As::Count),
    Column("calls", "calls", As::Count),
    Column("error_rate", "errors", As::Share),
    Column("mean_response_ms", "whole mean", As::Ms),
    Column("p50_response_ms", "p50", As::Ms),
    Column("p95_response_ms", "p95", As::Ms),
    Column("mean_first_token_ms", "first mean", As::Ms),
    Column("p50_first_token_ms", "p50", As::Ms),
    Column("p95_first_token_ms", "p95", As::Ms),
    Column("mean_satisfaction", "rating", As::Rating),
];

const COACHES: &[Column] = &[
    Column("coach", "coach", As::Text),
    Column("count", "turns", As::Count),
    Column("cost_usd", "cost", As::Dollars),
    Column("unknown_costs", "unpriced", As::Count),
    Column("interrupted", "interrupted", As::Count),
    Column("error_rate", "errors", As::Share),
    Column("mean_response_ms", "whole mean", As::Ms),
    Column("p50_response_ms", "p50", As::Ms),
    Column("p95_response_ms", "p95", As::Ms),
    Column("mean_first_token_ms", "first mean", As::Ms),
    Column("p50_first_token_ms", "p50", As::Ms),
    Column("p95_first_token_ms", "p95", As::Ms),
    Column("mean_satisfaction", "rating", As::Rating),
];

const SAVINGS: &[Column] = &[
    Column("coach", "coach", As::Text),
    Column("tier", "tier", As::Text),
    Column("count", "turns", As::Count),
    Column("prompt_tokens", "tokens in", As::Count),
    Column("completion_tokens", "out", As::Count),
    Column("cost_usd", "paid", As::Dollars),
    Column("baseline_usd", "baseline", As::Dollars),
    Column("saved_usd", "saved", As::Dollars),
    Column("saved_percent", "share", As::Percent),
    Column("unknown_costs", "unpriced", As::Count),
];

const SPEND: &[Column] = &[
    Column("start", "from (UTC)", As::Minute),
    Column("count", "turns", As::Count),
    Column("cost_usd", "cost", As::Dollars),
    Column("estimated_usd", "of it estimated", As::Dollars),
    Column("unknown_costs", "unpriced", As::Count),
    Column("prompt_tokens", "tokens in", As::Count),
    Column("completion_tokens", "out", As::Count),
];

const EXPERIMENTS: &[Column] = &[
    Column("experiment", "experiment", As::Text),
    Column("variant", "variant", As::Text),
    Column("count", "turns", As::Count),
    Column("error_rate", "errors", As::Share),
    Column("error_rate_95", "95 %", As::Share),
    Column("mean_cost_usd", "mean cost", As::Dollars),
    Column("mean_cost_usd_95", "95 %", As::Dollars),
    Column("p50_first_token_ms", "first p50", As::Ms),
    Column("p95_first_token_ms", "p95", As::Ms),
    Column("mean_satisfaction", "rating", As::Rating),
    Column("mean_satisfaction_95", "95 %", As::Rating),
    Column("verdict", "verdict", As::Text),
];

pub(super) fn columns(kind: &str) -> &'static [Column] {
    match kind {
        "models" => MODELS,
        "coaches" => COACHES,
        "savings" => SAVINGS,
        "spend" => SPEND,
        _ => EXPERIMENTS,
    }
}

impl As {
    fn is_name(self) -> bool {
        matches!(self, Self::Text | Self::Minute)
    }

    fn write(self, value: &Value) -> String {
        if let [low, high] = value.as_array().map_or(&[][..], Vec::as_slice) {
            return format!("{} to {}", self.write(low), self.write(high));
        }
        let written = match self {
            Self::Text => value.as_str().map(str::to_owned),
            Self::Minute => value.as_str().map(minute),
            Self::Count => value.as_u64().map(grouped),
            Self::Dollars => dollars(value),
            Self::Ms => value.as_f64().map(|ms| format!("{ms:.0} ms")),
            Self::Share => value
                .as_f64()
                .map(|share| format!("{:.1} %", share * 100.0)),
            Self::Percent => value.as_f64().map(|percent| format!("{percent:.1} %")),
            Self::Rating => value.as_f64().map(|rating| format!("{rating:.2}")),
        };
        written.unwrap_or_else(|| NONE.to_owned())
    }
}

fn minute(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

/// Sums come as decimals in text, which are shown to the last digit; means are numbers.
fn dollars(value: &Value) -> Option<String> {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None => format!("{:.6}", value.as_f64()?),
    };
    Some(match text.strip_prefix('-') {
        Some(less) => format!("-${less}"),
        None => format!("${text}"),
    })
}

/// A count with its thousands apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The headings, a line an item, and what all come to.
pub(super) fn lines(columns: &[Column], items: &[Value], totals: &Value) -> Vec<String> {
    let cells = |row: &Value| -> Vec<String> {
        let cell = |column: &Column| column.2.write(row.get(column.0).unwrap_or(&Value::Null));
        columns.iter().map(cell).collect()
    };
    let mut rows = vec![columns.iter().map(|c| c.1.to_owned()).collect()];
    rows.extend(items.iter().map(cells));
    let mut last = cells(totals);
    for (at, (cell, column)) in last.iter_mut().zip(columns).enumerate() {
        // No item's name is the totals'.
        if column.2.is_name() {
            *cell = if at == 0 { "total" } else { "" }.to_owned();
        }
    }
    rows.push(last);
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(columns).zip(&widths);
        let cells = cells.map(|((cell, column), &width)| match column.2.is_name() {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
