//! `clm export WHAT`: every turn or session of a time, as CSV or JSON lines, streamed.
//!
//! A file gets its name when it is whole: until then it is `FILE.part`, which stays if the stream is
//! cut, and the next export begins it anew.

mod rows;

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response};
use tokio::time::Instant;

use crate::clock::{self, Clock, rfc3339};
use crate::config::Sources;

use super::Exit;
use super::ask::{self, Server, ServerArgs, Unanswered};
use super::tail::Filters;

use self::rows::Rows;

/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(200);

/// `clm export`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm export turns --since 7d -o turns.csv
  clm export turns --since 24h --outcome failed --format jsonl | jq .trace_id
  clm export sessions --since 30d > sessions.csv")]
pub(super) struct ExportArgs {
    /// What to export.
    #[arg(value_enum)]
    what: What,
    /// From when on: how long ago, such as 24h, or a time such as 2026-11-22T09:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = when)]
    since: String,
    /// Until when, not included; else until now.
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<String>,
    /// How rows are written.
    #[arg(long, value_enum, default_value_t = RowFormat::Csv)]
    format: RowFormat,
    /// Write to this file, once whole; else to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Turns,
    Sessions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RowFormat {
    Csv,
    Jsonl,
}

/// A time of day is read by the server; this finds what is neither of the two.
fn when(text: &str) -> Result<String, String> {
    let is_date = text.len() >= 10
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"-:.TZ+".contains(&b));
    match is_date || clock::duration(text).is_some() {
        true => Ok(text.to_owned()),
        false => Err("neither a time ago such as 24h nor one such as 2026-11-22T09:00:00Z".into()),
    }
}

/// A time of day as it is given; a time ago counted back from `now_ms`.
fn instant(text: &str, now_ms: i64) -> String {
    match clock::duration(text) {
        None => text.to_owned(),
        Some(ago) => {
            let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            rfc3339(now_ms.saturating_sub(ago_ms).max(0))
        }
    }
}

/// Exports to the end.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &ExportArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    if args.what == What::Sessions && !args.filters.query().is_empty() {
        writeln!(
            err,
            "clm: sessions are not filtered by what single turns did; export turns"
        )?;
        return Ok(Exit::Usage);
    }
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    let response = match ask::send(request(args, &server)).await {
        Ok(response) => response,
        Err(why) => return server.tell(&why, err),
    };
    let mut progress = Progress::new(args.format, err);
    let copied = match &args.output {
        None => copy(response, out, &mut progress).await?,
        Some(path) => match to_file(response, path, &mut progress).await {
            Ok(copied) => copied,
            Err(e) => {
                writeln!(err, "clm: {} cannot be written: {e}", path.display())?;
                return Ok(Exit::Problem);
            }
        },
    };
    progress.end()?;
    let told = progress.told();
    match copied {
        Ok(()) => {
            writeln!(err, "clm: {told}")?;
            Ok(Exit::Fine)
        }
        Err(why) => {
            let exit = server.tell(&why, err)?;
            let part = args.output.as_deref().map(unfinished);
            let kept = part.map_or_else(String::new, |p| {
                format!("; what came is in {}", p.display())
            });
            writeln!(err, "clm: the export is not whole: {told}{kept}")?;
            Ok(match exit {
                // Somebody did answer.
                Exit::Unreachable => Exit::Problem,
                exit => exit,
            })
        }
    }
}

fn request(args: &ExportArgs, server: &Server) -> RequestBuilder {
    let what = match args.what {
        What::Turns => "turns",
        What::Sessions => "sessions",
    };
    let format = match args.format {
        RowFormat::Csv => "csv",
        RowFormat::Jsonl => "jsonl",
    };
    let now_ms = Clock::System.now_ms();
    let mut window = vec![("since", instant(&args.since, now_ms))];
    let until = args.until.as_deref();
    window.extend(until.map(|until| ("until", instant(until, now_ms))));
    let request = server.request(Method::GET, &["v1", "export", what]);
    let request = request.query(&[("format", format)]).query(&window);
    request.query(&args.filters.query())
}

/// What came, or why not all of it did.
type Copied = Result<(), Unanswered>;

async fn copy<E: Write>(
    response: Response,
    to: &mut impl Write,
    progress: &mut Progress<'_, E>,
) -> io::Result<Copied> {
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) => {
                to.flush()?;
                return Ok(Err(ask::unanswered(e)));
            }
        };
        to.write_all(&piece)?;
        progress.passed(&piece)?;
    }
    to.flush()?;
    Ok(Ok(()))
}

/// The file is on the disk before it gets its name.
async fn to_file<E: Write>(
    response: Response,
    path: &Path,
    progress: &mut Progress<'_, E>,
) -> io::Result<Copied> {
    let part = unfinished(path);
    let mut file = BufWriter::new(File::create(&part)?);
    let copied = copy(response, &mut file, progress).await?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    if copied.is_ok() {
        fs::rename(&part, path)?;
    }
    Ok(copied)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// How far it is, for a person at a terminal. The whole is not known beforehand.
struct Progress<'a, E> {
    err: &'a mut E,
    rows: Rows,
    began: Instant,
    shown: Option<Instant>,
    is_shown: bool,
}

impl<'a, E: Write> Progress<'a, E> {
    fn new(format: RowFormat, err: &'a mut E) -> Self {
        Self {
            err,
            rows: Rows::new(format),
            began: Instant::now(),
            shown: None,
            is_shown: io::stderr().is_terminal(),
        }
    }

    fn passed(&mut self, piece: &[u8]) -> io::Result<()> {
        self.rows.passed(piece);
        if !self.is_shown || self.shown.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        // The line before may have been longer.
        write!(self.err, "\r{:<60}", self.told())?;
        self.err.flush()
    }

    /// Leaves the line to the words that follow.
    fn end(&mut self) -> io::Result<()> {
        match self.shown.take() {
            Some(_) => write!(self.err, "\r{:<60}\r", ""),
            None => Ok(()),
        }
    }

    fn told(&self) -> String {
        rows::told(self.rows.count(), self.began.elapsed())
    }
}

#[cfg(test)]
#[path = "export/tests.rs"]
mod tests;
