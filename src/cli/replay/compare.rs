//! Two answers to one question, side by side: the time each took, and the words that differ.

use std::io::{self, Write};

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use crate::cli::figures::{NONE, cost, count_of, list_of, number_of, text_of, time};
use crate::cli::{Format, plain};

use super::again::Now;

/// What was answered when the turn was spoken.
pub(super) struct Then {
    pub(super) turn_id: String,
    pub(super) model: Option<String>,
    coach: String,
    outcome: String,
    reply: String,
    /// The call that answered, as it was recorded.
    call: Value,
}

impl Then {
    pub(super) fn of(recorded: &Value, reply: String) -> Self {
        let text = |field: &str| text_of(recorded, field).unwrap_or(NONE).to_owned();
        let model = text_of(recorded, "served_model");
        let spoke = |call: &&Value| {
            text_of(call, "model") == model && number_of(call, "first_token_ms").is_some()
        };
        let call = list_of(recorded, "attempts").iter().rev().find(spoke);
        let planned = || text_of(recorded, "planned_model");
        Self {
            turn_id: text("turn_id"),
            model: model.or_else(planned).map(str::to_owned),
            coach: text("coach"),
            outcome: text("outcome"),
            reply,
            call: call.cloned().unwrap_or_default(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let call = &self.call;
        let after = |field: &str| Some(number_of(call, field)? - number_of(call, "started_ms")?);
        json!({
            "model": self.model,
            "provider": text_of(call, "provider"),
            "reply": self.reply,
            "first_token_ms": after("first_token_ms"),
            "total_ms": after("ended_ms"),
            "completion_tokens": count_of(call, "completion_tokens"),
            "cost_usd": text_of(call, "cost_usd"),
            "cost_source": text_of(call, "cost_source"),
            "error_kind": text_of(call, "error_kind"),
        })
    }
}

/// Prints both.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn print(
    then: &Then,
    now: &Now,
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
    let (coach, outcome) = (plain(&then.coach), plain(&then.outcome));
    writeln!(
        out,
        "turn {}, coach {coach}, outcome {outcome}; asked again without memory, budget or record\n",
        plain(&then.turn_id)
    )?;
    let rows = [("then", then.json()), ("now", now.json())];
    let width = rows.iter().map(|(_, row)| model(row).chars().count());
    let width = width.max().unwrap_or(0).max("model".len());
    writeln!(
        out,
        "        {:<width$}  {:>11}  {:>8}  {:>6}  cost",
        "model", "first token", "whole", "tokens"
    )?;
    for (name, row) in &rows {
        let tokens = count_of(row, "completion_tokens").map(|n| n.to_string());
        let failed = text_of(row, "error_kind").map(|kind| format!(", {kind}"));
        writeln!(
            out,
            "  {name:<4}  {:<width$}  {:>11}  {:>8}  {:>6}  {}{}",
            model(row),
            time(number_of(row, "first_token_ms")),
            time(number_of(row, "total_ms")),
            tokens.as_deref().unwrap_or(NONE),
            plain(&cost(row)),
            plain(&failed.unwrap_or_default()),
        )?;
    }
    writeln!(out)?;
    differences(&then.reply, &now.reply, format, out)
}

fn model(row: &Value) -> String {
    plain(text_of(row, "model").unwrap_or(NONE))
}

/// As `git diff --word-diff` writes it: what is gone in `[-…-]`, what is new in `{+…+}`.
fn differences(then: &str, now: &str, format: Format, out: &mut impl Write) -> io::Result<()> {
    let (then, now) = (plain(then), plain(now));
    if then == now {
        return writeln!(out, "The words are the same:\n{now}");
    }
    writeln!(out, "[-then-] {{+now+}}:")?;
    let diff = TextDiff::from_words(then.as_str(), now.as_str());
    let mut open = ChangeTag::Equal;
    for change in diff.iter_all_changes() {
        if change.tag() != open {
            write!(out, "{}{}", end(open, format), start(change.tag(), format))?;
            open = change.tag();
        }
        write!(out, "{}", change.value())?;
    }
    writeln!(out, "{}", end(open, format))
}

fn start(tag: ChangeTag, format: Format) -> &'static str {
    match (tag, format) {
        (ChangeTag::Equal, _) => "",
        (ChangeTag::Delete, Format::Coloured) => "\x1b[31m[-",
        (ChangeTag::Insert, Format::Coloured) => "\x1b[32m{+",
        (ChangeTag::Delete, _) => "[-",
        (ChangeTag::Insert, _) => "{+",
    }
}

fn end(tag: ChangeTag, format: Format) -> &'static str {
    match (tag, format) {
        (ChangeTag::Equal, _) => "",
        (ChangeTag::Delete, Format::Coloured) => "-]\x1b[0m",
        (ChangeTag::Insert, Format::Coloured) => "+}\x1b[0m",
        (ChangeTag::Delete, _) => "-]",
        (ChangeTag::Insert, _) => "+}",
    }
}
