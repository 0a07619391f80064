//! Where a turn's time went, as bars that read over any terminal.

use std::io::{self, Write};

use serde_json::Value;

/// Columns of the widest bar.
const WIDTH: f64 = 40.0;

/// One stage: from and to, in milliseconds of the turn's clock.
struct Bar<'a> {
    name: &'a str,
    from: f64,
    to: f64,
    note: String,
}

/// Prints a turn's record as `GET /v1/turns/{id}` gives it.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn print(turn: &Value, out: &mut impl Write) -> io::Result<()> {
    let text = |field: &str| text_of(turn, field).unwrap_or("-").to_owned();
    let time = |field: &str| turn.get(field).and_then(Value::as_f64);
    let total = time("total_ms").unwrap_or(0.0).max(0.001);
    let memory = time("memory_ms").unwrap_or(0.0);
    let plan = time("plan_ms").unwrap_or(memory);
    let headers = time("upstream_headers_ms");
    let first = time("first_speakable_ms");
    let mut bars = vec![
        bar(
            "auth",
            0.0,
            time("auth_ms").unwrap_or(0.0),
            text("identity"),
        ),
        bar("memory", 0.0, memory, text("memory_outcome")),
        bar(
            "coach",
            memory,
            plan,
            format!("{} ({})", text("coach"), text("coach_reason")),
        ),
    ];
    if let Some(headers) = headers {
        let model = text_of(turn, "served_model").unwrap_or("-").to_owned();
        bars.push(bar("upstream headers", plan, headers, model));
    }
    if let Some(first) = first {
        bars.push(bar(
            "first token",
            headers.unwrap_or(plan),
            first,
            String::new(),
        ));
    }
    bars.push(bar("total", 0.0, total, outcome(turn)));
    for bar in &bars {
        line(bar, total, out)?;
    }
    let cost = text_of(turn, "cost_usd").map_or_else(|| "unknown".to_owned(), |c| format!("${c}"));
    let own = time("overhead_ms").map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2} ms"));
    writeln!(
        out,
        "  our own share {own}, cost {cost}, turn {}",
        text("turn_id")
    )
}

fn bar(name: &str, from: f64, to: f64, note: String) -> Bar<'_> {
    Bar {
        name,
        from,
        to: to.max(from),
        note,
    }
}

fn text_of<'t>(value: &'t Value, field: &str) -> Option<&'t str> {
    value.get(field).and_then(Value::as_str)
}

fn outcome(turn: &Value) -> String {
    let attempts = turn
        .get("attempts")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let errors: Vec<&str> = attempts
        .iter()
        .filter_map(|a| text_of(a, "error_kind"))
        .collect();
    let tries = if attempts.len() > 1 {
        format!(", {} attempts", attempts.len())
    } else {
        String::new()
    };
    let why = if errors.is_empty() {
        String::new()
    } else {
        format!(" ({})", errors.join(", "))
    };
    format!("{}{tries}{why}", text_of(turn, "outcome").unwrap_or("-"))
}

fn line(bar: &Bar<'_>, total: f64, out: &mut impl Write) -> io::Result<()> {
    let column = |ms: f64| columns(ms / total * WIDTH);
    let (from, to) = (column(bar.from), column(bar.to));
    let blocks = "█".repeat((to - from).max(1));
    let room = columns(WIDTH) + 1;
    let drawn = format!("{}{blocks}", " ".repeat(from));
    writeln!(
        out,
        "  {:<16} {drawn:<room$} {:>9.2} ms  {}",
        bar.name,
        bar.to - bar.from,
        bar.note
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the width, bounded just here"
)]
fn columns(share: f64) -> usize {
    share.clamp(0.0, WIDTH).round() as usize
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_turn_reads_from_top_to_bottom() {
        let turn = json!({
            "turn_id": "t", "identity": "body", "outcome": "complete", "coach": "career",
            "coach_reason": "keyword:promotion", "memory_outcome": "hit", "auth_ms": 0.01,
            "memory_ms": 40.0, "plan_ms": 40.2, "upstream_headers_ms": 60.0,
            "first_speakable_ms": 240.0, "total_ms": 1000.0, "overhead_ms": 0.3,
            "served_model": "anthropic/claude-sonnet-5", "cost_usd": "0.000160",
            "attempts": [{ "error_kind": "status_429" }, {}],
        });
        let mut out = Vec::new();
        print(&turn, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "memory",
            "40.00 ms  hit",
            "career (keyword:promotion)",
            "first token",
            "180.00 ms",
            "complete, 2 attempts (status_429)",
            "our own share 0.30 ms, cost $0.000160",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_turn_that_said_nothing_still_reads() {
        let mut out = Vec::new();
        print(&json!({}), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("cost unknown"));
    }
}
