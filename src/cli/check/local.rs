//! What can be told without asking anybody.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

use super::{PATIENCE, Row};
use crate::coach::Roster;
use crate::config::{RequireSigned, Settings};
use crate::routing::experiment::{ExperimentError, Experiments};
use crate::{app, descriptors};

/// So many turns as MAX_TURNS has by itself want more open files than this: a turn takes two.
const FEW_DESCRIPTORS: u64 = 8192;
/// A shorter key can be guessed.
const SHORT_KEY_BYTES: usize = 16;
/// The longest that Fly waits before it kills.
const FLY_LONGEST_KILL_S: u64 = 300;
/// What the process needs after the last turn to flush its records and its telemetry.
const FLUSH_S: u64 = 12;

/// Whether records can be kept.
pub(super) async fn data_dir(dir: &Path) -> Row {
    const NAME: &str = "data directory";
    let outcome = match tokio::time::timeout(PATIENCE, try_write(dir)).await {
        Ok(Ok(said)) => return Row::ok(NAME, format!("{} {said}", dir.display())),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "does not answer".to_owned(),
    };
    Row::fail(
        NAME,
        format!("{} is not writable: {outcome}", dir.display()),
    )
    .hint("set DATA_DIR to a directory that this user may write")
}

/// A directory that is not there yet is judged by the nearest one that is, and not made.
pub(super) async fn try_write(dir: &Path) -> std::io::Result<&'static str> {
    let mut at = std::path::absolute(dir)?;
    let mut said = "is writable";
    while !tokio::fs::try_exists(&at).await? && at.pop() {
        said = "can be made";
    }
    let probe = at.join(format!(".clm-check-{}", std::process::id()));
    let mut file = tokio::fs::File::create_new(&probe).await?;
    let written = match file.write_all(&[0; 4096]).await {
        Ok(()) => file.sync_all().await,
        failed => failed,
    };
    tokio::fs::remove_file(&probe).await?;
    written.map(|()| said)
}

/// What the files that settings name hold. A failure would not let `clm serve` start.
pub(super) fn files(settings: &Settings) -> Vec<Row> {
    const NAME: &str = "experiments";
    let roster = match Roster::load(&settings.coaches) {
        Ok(roster) => roster,
        Err(error) => {
            return vec![Row::fail("coaches", error.to_string()).hint("mend COACHES_FILE")];
        }
    };
    match Experiments::load(settings.experiments.as_deref(), &roster) {
        Ok(experiments) => {
            let warnings = experiments.warnings().iter();
            let warnings = warnings.map(|w| Row::warn(NAME, w).hint("mend EXPERIMENTS_FILE"));
            let mut rows: Vec<Row> = warnings.collect();
            if !experiments.is_empty() && rows.is_empty() {
                rows.push(Row::ok(NAME, format!("{} can be read", experiments.len())));
            }
            rows
        }
        Err(ExperimentError::Invalid(faults)) => {
            let rows = faults.into_iter().map(|fault| Row::fail(NAME, fault));
            rows.map(|row| row.hint("mend EXPERIMENTS_FILE")).collect()
        }
        Err(error) => vec![Row::fail(NAME, error.to_string()).hint("mend EXPERIMENTS_FILE")],
    }
}

/// Whether enough files may be open at once.
pub(super) fn descriptors(settings: Option<&Settings>) -> Row {
    descriptors::raise_limit();
    judge_descriptors(descriptors::limit(), settings)
}

pub(super) fn judge_descriptors(limit: Option<u64>, settings: Option<&Settings>) -> Row {
    const NAME: &str = "open files";
    let Some(most) = limit else {
        return Row::ok(NAME, "unlimited");
    };
    let is_few = match settings {
        Some(settings) => app::turns(settings, limit) < settings.limits.max_turns,
        None => most < FEW_DESCRIPTORS,
    };
    let told = format!("at most {most}");
    if is_few {
        Row::warn(NAME, format!("{told}, too few for MAX_TURNS"))
            .hint("raise the hard limit, `ulimit -Hn 65536` or LimitNOFILE=65536: a turn takes two")
    } else {
        Row::ok(NAME, told)
    }
}

/// Who may call, and who may look.
pub(super) fn doors(settings: &Settings) -> Vec<Row> {
    let keys = &settings.keys;
    let loopback = settings.listen.host.is_loopback();
    let callers = match keys.callers.len() {
        0 if loopback => Row::ok("caller keys", "none: open to this machine only")
            .hint("set CLM_API_KEYS before a voice platform shall call"),
        0 => Row::warn(
            "caller keys",
            "none: open to everybody who reaches the port",
        )
        .hint("set CLM_API_KEYS to the key given to the voice platform"),
        n => strong("caller keys", n, &keys.callers),
    };
    let admins = match keys.admins.len() {
        0 if loopback && keys.callers.is_empty() => {
            Row::ok("admin keys", "none: open to this machine only")
        }
        0 => Row::warn(
            "admin keys",
            "none: records, /metrics and minting are closed to all",
        )
        .hint("set ADMIN_API_KEYS to open them to yourself"),
        n => strong("admin keys", n, &keys.admins),
    };
    let mut rows = vec![callers, admins];
    rows.extend(settings.listen.ops.map(|addr| {
        Row::ok(
            "operators' port",
            format!("{addr}: /metrics and how we are, without a key"),
        )
        .hint("let only your own network reach it")
    }));
    rows
}

fn strong(name: &'static str, count: usize, keys: &[SecretString]) -> Row {
    let short = |key: &&SecretString| key.expose_secret().len() < SHORT_KEY_BYTES;
    match keys.iter().filter(short).count() {
        0 => Row::ok(name, format!("{count} set")),
        n => Row::warn(
            name,
            format!("{n} of {count} shorter than {SHORT_KEY_BYTES} bytes"),
        )
        .hint("make one with `openssl rand -hex 32`"),
    }
}

/// How far a session id is trusted.
pub(super) fn sessions(settings: &Settings) -> Row {
    const NAME: &str = "signed sessions";
    match settings.sessions.require_signed {
        RequireSigned::Off => {
            Row::warn(NAME, "off: whoever guesses a session id reads that memory").hint(
                "set SESSION_SIGNING_KEYS, `openssl rand -hex 32`, and mint ids on your server",
            )
        }
        RequireSigned::Spoken => Row::ok(NAME, "others are answered without memory"),
        RequireSigned::Strict => Row::ok(NAME, "others are refused"),
    }
}

/// Whether Fly gives the process the time it needs to end well.
pub(super) fn fly(settings: &Settings) -> Row {
    const NAME: &str = "fly";
    let stopping = settings.shutdown_delay + settings.shutdown_grace;
    let needed = stopping.as_secs() + FLUSH_S;
    if settings.listen.host.is_loopback() {
        return Row::warn(
            NAME,
            "HOST is loopback: Fly's proxy cannot reach the service",
        )
        .hint("set HOST=0.0.0.0");
    }
    if needed > FLY_LONGEST_KILL_S {
        return Row::warn(
            NAME,
            format!("SHUTDOWN_DELAY_S and SHUTDOWN_GRACE_S need {needed} s to end"),
        )
        .hint(format!(
            "Fly kills after {FLY_LONGEST_KILL_S} s at the latest: lower them"
        ));
    }
    Row::ok(NAME, format!("needs {needed} s to end well")).hint(format!(
        "fly.toml must say kill_signal = \"SIGTERM\" and kill_timeout = {needed} or more"
    ))
}
