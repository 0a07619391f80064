//! `clm migrate`: brings the schema of the store up to date. `serve` does it by itself; this is for
//! whoever wants it done, and seen, before.

use std::io::{self, Write};

use serde_json::json;

use crate::config::Sources;
use crate::lifecycle::Lifecycle;
use crate::record;

use super::{Exit, plain, settings};

/// `clm migrate`
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  DATABASE_URL=postgres://clm@db/clm clm migrate
  clm migrate --json")]
pub(super) struct MigrateArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Applies what is missing and prints it.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &MigrateArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(settings) = settings(sources, err)? else {
        return Ok(Exit::Usage);
    };
    let store = &settings.store;
    let kind = match store.database {
        Some(_) => "postgres",
        None => "embedded",
    };
    let done = match record::migrate(store, &Lifecycle::new()).await {
        Ok(done) => done,
        Err(error) => {
            let why = plain(&error.with_cause());
            writeln!(err, "clm: {why}")?;
            let (hint, exit) = match error.is_unreachable() {
                true => (
                    "is the database running, and does DATABASE_URL name it?",
                    Exit::Unreachable,
                ),
                false => (
                    "nothing was changed; the user of DATABASE_URL needs a right to create tables",
                    Exit::Problem,
                ),
            };
            if store.database.is_some() {
                writeln!(err, "clm: {hint}")?;
            }
            return Ok(exit);
        }
    };
    if args.json {
        let told = json!({ "store": kind, "version": done.version, "applied": done.applied });
        writeln!(out, "{told}")?;
        return Ok(Exit::Fine);
    }
    for name in &done.applied {
        writeln!(out, "applied  {name}")?;
    }
    let verb = match done.applied.is_empty() {
        true => "was",
        false => "is",
    };
    writeln!(
        out,
        "the {kind} store {verb} up to date: schema version {}",
        done.version
    )?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn migrated(pairs: &[(&str, &str)], json: bool) -> (Exit, String, String) {
        let sources = Sources::from_pairs(pairs.iter().copied());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run(&MigrateArgs { json }, &sources, &mut out, &mut err).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit.unwrap(), text(out), text(err))
    }

    #[tokio::test]
    async fn the_embedded_store_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = [("DATA_DIR", dir.path().to_str().unwrap())];
        let (exit, out, err) = migrated(&data, false).await;
        assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
        assert!(out.starts_with("applied  "), "{out}");
        assert!(out.contains("\nthe embedded store is up to date: schema version "));
        let (_, out, _) = migrated(&data, true).await;
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["applied"], json!([]));
        assert!(told["version"].as_i64().unwrap() > 0);
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_3_and_a_wrong_setting_2() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let url = format!("postgres://u:hunter2@127.0.0.1:{port}/clm");
        let (exit, out, err) = migrated(&[("DATABASE_URL", &url)], false).await;
        assert_eq!((exit, out.as_str()), (Exit::Unreachable, ""));
        assert!(err.contains("is the database running"), "{err}");
        assert!(!err.contains("hunter2"), "{err}");
        assert_eq!(
            migrated(&[("DATABASE_URL", "x")], false).await.0,
            Exit::Usage
        );
    }
}
