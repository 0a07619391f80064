//! `clm report KIND`: what models and coaches cost and how they did, as a table for people.

mod table;

use std::io::{self, Write};

use clap::builder::PossibleValuesParser;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::Value;

use crate::clock;
use crate::config::Sources;
use crate::record::ReportKind;

use super::ask::{self, Server, ServerArgs, Unanswered};
use super::figures::{is, list_of, text_of};
use super::{Exit, plain};

/// `clm report`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm report models
  clm report savings --since 30d
  clm report spend --since 7d --csv > spend.csv")]
pub(super) struct ReportArgs {
    /// What to report on.
    #[arg(value_name = "KIND", value_parser = kinds())]
    kind: String,
    /// How far back: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = range)]
    since: String,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print the server's JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(ReportKind::ALL.map(ReportKind::as_str))
}

fn range(text: &str) -> Result<String, String> {
    let range = clock::duration(text).filter(|range| !range.is_zero());
    let range = range.map(|_| text.to_owned());
    range.ok_or_else(|| "not a time such as 24h or 30d".to_owned())
}

/// Asks for a report and prints it.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &ReportArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    let request = server.request(Method::GET, &["v1", "analytics", &args.kind]);
    let request = request.query(&[("range", &args.since)]);
    if args.csv {
        let copied = match ask::send(request.query(&[("format", "csv")])).await {
            Ok(response) => copy(response, out).await?,
            Err(why) => Err(why),
        };
        return match copied {
            Ok(()) => Ok(Exit::Fine),
            Err(why) => server.tell(&why, err),
        };
    }
    let report = match ask::ask(request).await {
        Ok(report) => report,
        Err(why) => return server.tell(&why, err),
    };
    if is(&report, "stale") {
        writeln!(
            err,
            "clm: the store does not answer: these are figures from before; see `clm check`"
        )?;
    }
    if args.json {
        writeln!(out, "{report}")?;
    } else {
        print(args, &report, out, err)?;
    }
    Ok(Exit::Fine)
}

async fn copy(
    response: reqwest::Response,
    out: &mut impl Write,
) -> io::Result<Result<(), Unanswered>> {
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => out.write_all(&piece)?,
            Err(e) => return Ok(Err(ask::unanswered(e))),
        }
    }
    out.flush()?;
    Ok(Ok(()))
}

fn print(
    args: &ReportArgs,
    report: &Value,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    let items = list_of(report, "items");
    if items.is_empty() {
        let since = &args.since;
        return writeln!(err, "clm: nothing to report of the last {since}");
    }
    let totals = report.get("totals").unwrap_or(&Value::Null);
    for line in table::lines(table::columns(&args.kind), items, totals) {
        writeln!(out, "{}", plain(&line))?;
    }
    if let Some(model) = text_of(totals, "baseline_model") {
        let price = |field: &str| text_of(totals, field).unwrap_or_default();
        writeln!(
            out,
            "\nbaseline: {} at ${} in and ${} out for a million tokens",
            plain(model),
            plain(price("baseline_usd_per_million_input")),
            plain(price("baseline_usd_per_million_output"))
        )?;
    }
    if let Some(note) = text_of(totals, "left_out").or_else(|| text_of(report, "left_out")) {
        writeln!(out, "left out: {}", plain(note))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
