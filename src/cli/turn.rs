//! `clm turn ID`: where one turn's time went, and everything that was recorded of it.

use std::io::{self, Write};

use clap::builder::NonEmptyStringValueParser;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::config::Sources;

use super::ask::{self, Server, ServerArgs, Unanswered};
use super::figures::{NONE, cost, count_of, is, list_of, number_of, text_of, time};
use super::{Exit, plain, waterfall};

/// `clm turn`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm turn 01a2053a-80c5-7714-aa6e-f58f2924dfaf
  clm turn e675c580e7217e99cfbaa5b3a386dd9c      the trace id of a user's report
  clm turn 01a2053a-80c5-7714-aa6e-f58f2924dfaf --json | jq .attempts")]
pub(super) struct TurnArgs {
    /// The turn's id or its trace id, `x-clm-turn-id` or `x-clm-trace-id` of the answer; or OpenRouter's id
    /// for one of its calls.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Print the record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks for one turn and prints it.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &TurnArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    let request = server.request(Method::GET, &["v1", "turns", &args.id]);
    match ask::ask(request).await {
        Ok(turn) if args.json => writeln!(out, "{turn}")?,
        Ok(turn) => print(&turn, out)?,
        Err(Unanswered::Refused(StatusCode::NOT_FOUND, _)) => {
            tell_unknown(&args.id, err)?;
            return Ok(Exit::Problem);
        }
        Err(why) => return server.tell(&why, err),
    }
    Ok(Exit::Fine)
}

/// Says that no turn has this id, and why that may be.
pub(super) fn tell_unknown(id: &str, err: &mut impl Write) -> io::Result<()> {
    writeln!(
        err,
        "clm: no turn has the id {}: it may still be speaking, be older than RETENTION_DAYS, \
         or have been another server's; `clm tail --last 20` shows the last ones",
        plain(id)
    )
}

fn print(turn: &Value, out: &mut impl Write) -> io::Result<()> {
    waterfall::print(turn, out)?;
    writeln!(out)?;
    for (name, fact) in facts(turn) {
        writeln!(out, "  {name:<11} {}", plain(&fact))?;
    }
    for (number, attempt) in (1..).zip(list_of(turn, "attempts")) {
        writeln!(out, "  attempt {number:<3} {}", plain(&told(attempt)))?;
    }
    Ok(())
}

/// What was recorded, for whoever looks for the reason.
fn facts(turn: &Value) -> Vec<(&'static str, String)> {
    let text = |field: &str| text_of(turn, field).unwrap_or(NONE);
    let given = |field: &str| text_of(turn, field).filter(|text| !text.is_empty());
    let identity = format!(
        "{}, identity {}, tier {}, caller {}",
        text("session_id"),
        text("identity"),
        text("tier"),
        text("profile")
    );
    let memory = format!(
        "{} after {}",
        text("memory_outcome"),
        time(number_of(turn, "memory_ms"))
    );
    let mut facts = vec![
        ("began", text("created_at").to_owned()),
        ("session", identity),
        (
            "coach",
            format!("{}, because {}", text("coach"), text("coach_reason")),
        ),
        ("model", model(turn)),
        ("outcome", text("outcome").to_owned()),
        ("memory", memory),
        ("tokens", tokens(turn)),
        ("cost", cost(turn)),
        ("trace", text("trace_id").to_owned()),
    ];
    let generation = given("generation_id").map(|id| ("generation", id.to_owned()));
    facts.extend(generation);
    if let Some(experiment) = given("experiment") {
        let variant = text("variant");
        facts.push(("experiment", format!("{experiment}, variant {variant}")));
    }
    let rated = count_of(turn, "satisfaction").map(|s| ("satisfied", format!("{s} of 5")));
    facts.extend(rated);
    facts
}

fn model(turn: &Value) -> String {
    let planned = text_of(turn, "planned_model").unwrap_or(NONE);
    let by = text_of(turn, "provider").map_or_else(String::new, |by| format!(" by {by}"));
    let because =
        text_of(turn, "model_reason").map_or_else(String::new, |why| format!(", because {why}"));
    match text_of(turn, "served_model") {
        None => format!("none answered; {planned} was planned{because}"),
        Some(served) if served == planned => format!("{served}{by}, as planned{because}"),
        Some(served) => format!("{served}{by}; {planned} was planned{because}"),
    }
}

fn tokens(turn: &Value) -> String {
    let count = |field: &str| count_of(turn, field);
    let number = |field: &str| count(field).map_or_else(|| NONE.to_owned(), |n| n.to_string());
    let part = |field: &str, name: &str| match count(field) {
        Some(n) if n > 0 => format!(" ({n} {name})"),
        _ => String::new(),
    };
    format!(
        "{} in{}, {} out{}",
        number("prompt_tokens"),
        part("cached_tokens", "cached"),
        number("completion_tokens"),
        part("reasoning_tokens", "reasoning")
    )
}

/// One upstream call in a line.
fn told(attempt: &Value) -> String {
    let text = |field: &str| text_of(attempt, field);
    let took = |from: &str, to: &str| {
        let from = number_of(attempt, from)?;
        Some(time(Some(number_of(attempt, to)? - from)))
    };
    let mut parts = vec![
        text("cause").unwrap_or(NONE).to_owned(),
        text("model").unwrap_or(NONE).to_owned(),
    ];
    parts.extend(text("provider").map(|by| format!("by {by}")));
    parts.extend(count_of(attempt, "status").map(|status| status.to_string()));
    parts.extend(text("error_kind").map(str::to_owned));
    parts.extend(took("started_ms", "first_token_ms").map(|t| format!("first token after {t}")));
    parts.extend(took("started_ms", "ended_ms").map(|t| format!("ended after {t}")));
    if is(attempt, "cancelled") {
        parts.push("closed by us".to_owned());
    }
    parts.push(format!("cost {}", cost(attempt)));
    parts.join(", ")
}

#[cfg(test)]
#[path = "turn/tests.rs"]
mod tests;
