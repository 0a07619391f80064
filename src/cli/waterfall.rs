//! Where a turn's time went, as bars that read over any terminal: 100 columns at most.
//!
//! A turn of one upstream call shows that call's stages. One of several shows each call as a bar of
//! its own, since they may overlap: light until its first token, full after it.

use std::io::{self, Write};

use serde_json::Value;

use super::figures::{cost, count_of, is, list_of, number_of, text_of};

/// Columns of the widest bar.
const WIDTH: f64 = 32.0;
/// Columns of a stage's name.
const NAME: usize = 11;
/// Columns of an attempt's note: what 100 leave.
const NOTE: usize = 39;

/// One stage: from and to, in milliseconds of the turn's clock.
struct Bar {
    name: String,
    from: f64,
    /// Drawn light before this and full after it.
    full: f64,
    to: f64,
    note: String,
}

/// Prints a turn's record as `GET /v1/turns/{id}` gives it.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn print(turn: &Value, out: &mut impl Write) -> io::Result<()> {
    let total = number_of(turn, "total_ms").unwrap_or(0.0).max(0.001);
    let attempts = list_of(turn, "attempts");
    let mut bars = before_upstream(turn);
    if attempts.len() > 1 {
        bars.extend((1..).zip(attempts).map(|(n, a)| attempt(n, a)));
        if let Some(first) = number_of(turn, "first_speakable_ms") {
            bars.push(until_words("first words", planned(turn), first));
        }
    } else {
        bars.extend(one_call(turn));
    }
    bars.push(bar("total", 0.0, total, outcome(turn)));
    for bar in &bars {
        line(bar, total, out)?;
    }
    if attempts.len() > 1 {
        writeln!(out, "  ░ until a model's first token, █ after it")?;
    }
    for (flag, note) in [
        (
            "hedged",
            "hedged: a second model was asked because the first was slow",
        ),
        (
            "continued",
            "continued: another model went on where one broke off",
        ),
        ("lead_in", "lead-in: a phrase was said before the answer"),
    ] {
        if is(turn, flag) {
            writeln!(out, "  {note}")?;
        }
    }
    let own =
        number_of(turn, "overhead_ms").map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2} ms"));
    let id = text_of(turn, "turn_id").unwrap_or("-");
    writeln!(out, "  our own share {own}, cost {}, turn {id}", cost(turn))
}

fn before_upstream(turn: &Value) -> Vec<Bar> {
    let text = |field: &str| text_of(turn, field).unwrap_or("-").to_owned();
    let auth = number_of(turn, "auth_ms").unwrap_or(0.0);
    let memory = number_of(turn, "memory_ms").unwrap_or(0.0);
    let coach = format!("{} ({})", text("coach"), text("coach_reason"));
    vec![
        bar("auth", 0.0, auth, text("identity")),
        bar("memory", 0.0, memory, text("memory_outcome")),
        bar("coach", memory, planned(turn), coach),
    ]
}

/// The stages of a turn's only upstream call, as far as it got.
fn one_call(turn: &Value) -> Vec<Bar> {
    let plan = planned(turn);
    let headers = number_of(turn, "upstream_headers_ms");
    let first = number_of(turn, "first_speakable_ms");
    let model = || text_of(turn, "served_model").unwrap_or("-").to_owned();
    let mut bars = Vec::new();
    bars.extend(headers.map(|at| bar("headers", plan, at, model())));
    let from = headers.unwrap_or(plan);
    bars.extend(first.map(|at| until_words("first token", from, at)));
    bars
}

/// The way to the first words; a council's opening waits for nothing before it.
fn until_words(name: &str, from: f64, first: f64) -> Bar {
    let from = if first < from { 0.0 } else { from };
    bar(name, from, first, String::new())
}

/// One of several upstream calls.
fn attempt(number: usize, attempt: &Value) -> Bar {
    let started = number_of(attempt, "started_ms").unwrap_or(0.0);
    let ended = number_of(attempt, "ended_ms").unwrap_or(started);
    let first = number_of(attempt, "first_token_ms");
    // An error's kind says by itself whether we closed the call.
    let result = match text_of(attempt, "error_kind") {
        Some(kind) => kind.to_owned(),
        None => {
            let status = count_of(attempt, "status");
            let status = status.map_or_else(|| "-".to_owned(), |s| s.to_string());
            match is(attempt, "cancelled") {
                true => format!("{status} cancelled"),
                false => status,
            }
        }
    };
    let room = NOTE.saturating_sub(result.chars().count() + 1);
    let model = shortened(text_of(attempt, "model").unwrap_or("-"), room);
    // Of a council, who was asked says more than that a specialist was.
    let what = text_of(attempt, "coach").or_else(|| text_of(attempt, "cause"));
    let what = what.unwrap_or("-");
    Bar {
        full: first.unwrap_or(ended),
        ..bar(
            &shortened(&format!("{number} {what}"), NAME),
            started,
            ended,
            format!("{model} {result}"),
        )
    }
}

fn bar(name: &str, from: f64, to: f64, note: String) -> Bar {
    Bar {
        name: name.to_owned(),
        from,
        full: from,
        to: to.max(from),
        note,
    }
}

/// When the turn was ready to ask a model.
fn planned(turn: &Value) -> f64 {
    let either = number_of(turn, "plan_ms").or_else(|| number_of(turn, "memory_ms"));
    either.unwrap_or(0.0)
}

/// How it ended; with the error of the only attempt, since several show theirs themselves.
fn outcome(turn: &Value) -> String {
    let outcome = text_of(turn, "outcome").unwrap_or("-");
    match list_of(turn, "attempts") {
        [] => outcome.to_owned(),
        [one] => match text_of(one, "error_kind") {
            Some(kind) => format!("{outcome} ({kind})"),
            None => outcome.to_owned(),
        },
        several => format!("{outcome}, {} attempts", several.len()),
    }
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn line(bar: &Bar, total: f64, out: &mut impl Write) -> io::Result<()> {
    let column = |ms: f64| columns(ms / total * WIDTH);
    let from = column(bar.from);
    // However short, it is seen.
    let length = column(bar.to).saturating_sub(from).max(1);
    let light = if bar.full < bar.to {
        column(bar.full).saturating_sub(from).min(length - 1)
    } else {
        length
    };
    let drawn = format!(
        "{}{}{}",
        " ".repeat(from),
        "░".repeat(light),
        "█".repeat(length - light)
    );
    let room = columns(WIDTH) + 1;
    let (name, time, note) = (&bar.name, bar.to - bar.from, &bar.note);
    let row = format!("  {name:<NAME$} {drawn:<room$} {time:>8.2} ms  {note}");
    writeln!(out, "{}", row.trim_end())
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
mod tests;
