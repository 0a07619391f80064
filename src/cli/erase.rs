//! `clm erase-user USER`: takes one person out of every place that knows of them.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use clap::builder::NonEmptyStringValueParser;
use reqwest::Method;
use serde_json::Value;

use crate::config::Sources;

use super::ask::{self, Server, ServerArgs};
use super::{Exit, plain};

/// `clm erase-user`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm erase-user u-42
  clm erase-user u-42 --yes --json")]
pub(super) struct EraseArgs {
    /// The user's id, as the front end gave it when it minted the session.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the server's answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Who is asked whether it shall be.
enum Asked {
    /// `--yes` said so.
    Nobody,
    /// The person at the terminal.
    Person,
    /// A script, which cannot answer.
    Script,
}

/// Asks, erases, and prints what was done.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &EraseArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let asked = match args.yes {
        true => Asked::Nobody,
        false if io::stdin().is_terminal() => Asked::Person,
        false => Asked::Script,
    };
    erase(args, sources, asked, out, err).await
}

async fn erase(
    args: &EraseArgs,
    sources: &Sources,
    asked: Asked,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    // Whoever reads an address would take them for a step up, and another route.
    if matches!(args.user.as_str(), "." | "..") {
        writeln!(
            err,
            "clm: a user cannot be called {} in an address",
            args.user
        )?;
        return Ok(Exit::Usage);
    }
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    let is_meant = match asked {
        Asked::Nobody => true,
        Asked::Person => is_confirmed(&args.user, err)?,
        Asked::Script => {
            writeln!(err, "clm: nobody is there to confirm it: pass --yes")?;
            return Ok(Exit::Usage);
        }
    };
    if !is_meant {
        writeln!(err, "clm: nothing was erased")?;
        return Ok(Exit::Problem);
    }
    let request = server.request(Method::DELETE, &["v1", "users", &args.user]);
    let done = match ask::ask(request).await {
        Ok(done) => done,
        Err(why) => return server.tell(&why, err),
    };
    if args.json {
        writeln!(out, "{done}")?;
    } else {
        let lines = told(&done);
        let width = lines.iter().map(|(place, _)| place.len()).max();
        let width = width.unwrap_or_default();
        for (place, what) in lines {
            writeln!(out, "{place:<width$}  {}", plain(&what))?;
        }
    }
    let memory = done.pointer("/erased/memory/store").and_then(Value::as_str);
    if matches!(memory, Some("failed" | "under_way")) {
        writeln!(
            err,
            "clm: memory has not confirmed it; ask again until it has"
        )?;
        return Ok(Exit::Problem);
    }
    Ok(Exit::Fine)
}

fn is_confirmed(user: &str, err: &mut impl Write) -> io::Result<bool> {
    write!(
        err,
        "Erase everything that is kept of user {}, for good? Type yes: ",
        plain(user)
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

/// The answer's places as they are, whichever a server has: name and what was done there.
fn told(done: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    flat("", done.get("erased").unwrap_or(done), &mut lines);
    lines
}

fn flat(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |key: &str| match name {
        "" => key.to_owned(),
        name => format!("{name}.{key}"),
    };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flat(&below(&plain(key)), value, lines);
            }
        }
        Value::Array(items) => {
            for (number, item) in (1..).zip(items) {
                flat(&below(&format!("{number}")), item, lines);
            }
        }
        Value::String(text) => lines.push((name.to_owned(), text.clone())),
        other => lines.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
#[path = "erase/tests.rs"]
mod tests;
