//! `clm check`, the doctor: every setting and dependency, how it is, and what to do about it.
//!
//! Checks run side by side, each within its own deadline, so that the whole takes less than ten
//! seconds however dead the network is. To add one: a function in one of the files below that
//! returns rows, and its line in [`examine`].

mod alerts;
mod local;
mod network;
mod remote;
mod stores;

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Exit, Format, plain};
use crate::clock::Clock;
use crate::config::{self, Faults, Settings, Sources};

/// The longest any one check may take.
const PATIENCE: Duration = Duration::from_secs(5);

const LISTED: &str = "`clm config` lists every setting";

/// `clm check`
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm check
  clm check --json | jq '.checks[] | select(.status != \"ok\")'
  clm check --send-test-alert

Exit code 0: all is well; 1: a warning or a failure; 2: `clm serve` would not start.")]
pub(super) struct CheckArgs {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Send a test alert to ALERT_WEBHOOK_URL and wait for the answer.
    #[arg(long)]
    pub(super) send_test_alert: bool,
}

/// What is to be examined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkup<'a> {
    pub(super) sources: &'a Sources,
    /// Every model slug that may be asked, from the roster and the settings.
    pub(super) slugs: &'a [String],
    pub(super) clock: Clock,
    pub(super) format: Format,
    /// Whether a test alert is sent.
    pub(super) sends_alert: bool,
}

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    status: Status,
    detail: String,
    /// What to do; empty when nothing is to be done.
    hint: String,
}

impl Row {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, detail.into())
    }

    fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Warn, detail.into())
    }

    fn fail(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Fail, detail.into())
    }

    fn new(name: &'static str, status: Status, detail: String) -> Self {
        Self {
            name,
            status,
            detail,
            hint: String::new(),
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Examines everything and prints one row per finding. [`Exit::Usage`] when the settings would not
/// let `clm serve` start, [`Exit::Problem`] on any other warning or failure.
///
/// # Errors
/// When `out` takes no more.
pub(super) async fn run(checkup: &Checkup<'_>, out: &mut impl Write) -> io::Result<Exit> {
    let mut rows = Vec::new();
    let faults = config::load_to_serve(checkup.sources).err();
    let mut settings_stand = faults.is_none();
    rows.extend(faults.iter().flat_map(faulty));
    match config::load(checkup.sources) {
        Err(_) => rows.push(local::descriptors(None)),
        Ok(settings) => {
            let warnings = settings.warnings.iter();
            rows.extend(warnings.map(|w| Row::warn("settings", w).hint(LISTED)));
            if rows.is_empty() {
                rows.push(Row::ok("settings", "all can be read"));
            }
            let files = local::files(&settings);
            settings_stand &= files.iter().all(|row| row.status != Status::Fail);
            rows.extend(files);
            rows.extend(examine(checkup, &settings).await);
        }
    }
    let worst = rows.iter().map(|row| row.status).max();
    print(checkup.format, worst.unwrap_or(Status::Ok), &rows, out)?;
    Ok(match worst {
        _ if !settings_stand => Exit::Usage,
        Some(Status::Warn | Status::Fail) => Exit::Problem,
        Some(Status::Ok) | None => Exit::Fine,
    })
}

async fn examine(checkup: &Checkup<'_>, settings: &Settings) -> Vec<Row> {
    let (mut rows, stores, alerts, data_dir) = tokio::join!(
        remote::examine(checkup, settings),
        stores::examine(settings),
        alerts::examine(checkup, settings),
        local::data_dir(&settings.store.data_dir),
    );
    rows.extend(stores);
    rows.extend([alerts, data_dir, local::descriptors(Some(settings))]);
    rows.extend(local::doors(settings));
    rows.push(local::sessions(settings));
    if checkup.sources.is_set("FLY_APP_NAME") {
        rows.push(local::fly(settings));
    }
    rows
}

fn faulty(faults: &Faults) -> impl Iterator<Item = Row> {
    faults
        .items()
        .iter()
        .map(|fault| Row::fail("settings", fault.to_string()).hint(LISTED))
}

fn print(format: Format, worst: Status, rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    if format == Format::Json {
        let all = serde_json::json!({ "status": worst, "checks": rows });
        serde_json::to_writer_pretty(&mut *out, &all)?;
        return writeln!(out);
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in rows {
        let (word, colour) = match row.status {
            Status::Ok => ("ok  ", "\x1b[32m"),
            Status::Warn => ("warn", "\x1b[33m"),
            Status::Fail => ("fail", "\x1b[31m"),
        };
        let (on, off) = match format {
            Format::Coloured => (colour, "\x1b[0m"),
            Format::Plain | Format::Json => ("", ""),
        };
        writeln!(
            out,
            "{on}{word}{off}  {:width$}  {}",
            row.name,
            plain(&row.detail)
        )?;
        if !row.hint.is_empty() {
            writeln!(out, "      {:width$}  -> {}", "", plain(&row.hint))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
