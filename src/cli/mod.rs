//! The command line: one file per subcommand. Each writes data to the `out` it is given and words
//! to `err`, and returns how it went; only `main` turns that into an exit code.

mod ask;
mod check;
mod completions;
mod config;
mod demo;
mod erase;
mod export;
mod figures;
mod heap;
mod man;
mod migrate;
mod openapi;
mod rehearse;
mod replay;
mod report;
mod say;
mod serve;
mod simulate;
mod tail;
mod token;
mod turn;
mod waterfall;

#[cfg(test)]
mod scripted;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use reqwest::Url;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::coach::Roster;
use crate::config::{Faults, Settings, Sources};
use crate::descriptors;
use crate::routing::experiment::Experiments;

use self::check::Checkup;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine,
    /// Something is not as it should be.
    Problem,
    /// The command line or the settings are wrong.
    Usage,
    /// Nothing answered.
    Unreachable,
}

impl Exit {
    /// What the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Problem => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Who reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A person, without colours: `NO_COLOR`, or not a terminal.
    Plain,
    /// A person at a terminal.
    Coloured,
    /// A machine.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  clm demo                                   see and hear one turn, no account needed
  clm serve                                  take turns (needs OPEN_ROUTER_API_KEY)
  clm say \"I was passed over for promotion\" one turn to a running server
  clm tail --outcome failed                  turns as they happen
  clm turn ID                                where one turn's time went
  clm report models --since 7d               what they cost and how they did
  clm check                                  is everything in place?

Settings are environment variables, or the same names in a TOML file (--config); see `clm config`.";

/// A voice-coaching language model server.
#[derive(Debug, Parser)]
#[command(name = "clm", version, before_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// Read settings from this TOML file too; the environment wins.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start with a simulated OpenRouter and Zep, speak one turn, keep serving.
    #[command(before_help = demo::EXAMPLES)]
    Demo,
    /// Take turns: the production command.
    #[command(before_help = serve::EXAMPLES)]
    Serve,
    /// Serve the simulated OpenRouter and Zep alone, a fault chosen by the model's name.
    Simulate(simulate::SimulateArgs),
    /// Speak one turn to a running server and show where its time went.
    Say(say::SayArgs),
    /// Show turns as they happen, one line each.
    Tail(tail::TailArgs),
    /// Show where one turn's time went, and what was recorded of it.
    Turn(turn::TurnArgs),
    /// Ask a captured turn's question again, of the same model or another, and show what differs.
    Replay(replay::ReplayArgs),
    /// Report what models and coaches cost and how they did.
    Report(report::ReportArgs),
    /// Export turns or sessions as CSV or JSON lines.
    Export(export::ExportArgs),
    /// Play ten ugly turns on a server with simulated models, and print how long each was silent.
    Rehearse(rehearse::RehearseArgs),
    /// Examine every setting and dependency, and say what to do.
    Check(check::CheckArgs),
    /// List every setting with its default and meaning.
    Config(config::ConfigArgs),
    /// Make a signed session id with SESSION_SIGNING_KEYS.
    Token(token::TokenArgs),
    /// Bring the schema of the store up to date.
    Migrate(migrate::MigrateArgs),
    /// Erase a person from every place that knows of them.
    EraseUser(erase::EraseArgs),
    /// Print the API's document, OpenAPI 3.1.
    #[command(before_help = openapi::EXAMPLES)]
    Openapi,
    /// Print the completion script of a shell.
    Completions(completions::CompletionsArgs),
    /// Print a manual page.
    Man(man::ManArgs),
}

impl Cli {
    /// What can be done to a process only while nothing runs in it: one that is to take turns may open as many files as
    /// the system allows it, and starts itself anew with large pages, and then does not come back from here.
    pub fn prepare_process(&self) {
        if matches!(self.command, Command::Serve | Command::Demo) {
            descriptors::raise_limit();
            heap::enlarge();
        }
    }
}

/// Runs the command line to its end.
///
/// # Errors
/// When an output takes no more, as a closed pipe does.
pub async fn run(cli: Cli) -> io::Result<Exit> {
    // A start anew that failed has left this signal deadly: whoever closes a connection would end the process
    // and all turns in it. Once listened to, it stays a failed write.
    drop(signal(SignalKind::pipe())?);
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let sources = match Sources::from_process(cli.config.as_deref()) {
        Ok(sources) => sources,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    dispatch(cli.command, &sources, &mut out, &mut err).await
}

async fn dispatch(
    command: Command,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    match command {
        Command::Demo => demo::run(sources, out, err).await,
        Command::Serve => serve::run(sources, err).await,
        Command::Simulate(args) => simulate::run(&args, err).await,
        Command::Say(args) => say::run(&args, sources, out, err).await,
        Command::Tail(args) => tail::run(&args, sources, out, err).await,
        Command::Turn(args) => turn::run(&args, sources, out, err).await,
        Command::Replay(args) => replay::run(&args, sources, out, err).await,
        Command::Report(args) => report::run(&args, sources, out, err).await,
        Command::Export(args) => export::run(&args, sources, out, err).await,
        Command::Token(args) => token::run(&args, sources, out, err),
        Command::Migrate(args) => migrate::run(&args, sources, out, err).await,
        Command::EraseUser(args) => erase::run(&args, sources, out, err).await,
        Command::Rehearse(args) => rehearse::run(&args, sources, out, err).await,
        Command::Check(args) => examine(args, sources, out).await,
        Command::Config(args) => config::run(&args, out).map(|()| Exit::Fine),
        Command::Openapi => openapi::run(out).map(|()| Exit::Fine),
        Command::Completions(args) => {
            completions::run(&args, Cli::command(), out).map(|()| Exit::Fine)
        }
        Command::Man(args) => man::run(&args, Cli::command(), out, err),
    }
}

async fn examine(
    args: check::CheckArgs,
    sources: &Sources,
    out: &mut impl Write,
) -> io::Result<Exit> {
    let settings = crate::config::load(sources).ok();
    let roster = settings
        .as_ref()
        .and_then(|s| Roster::load(&s.coaches).ok());
    let mut slugs = roster.as_ref().map(Roster::slugs).unwrap_or_default();
    if let (Some(settings), Some(roster)) = (&settings, &roster) {
        let experiments = Experiments::load(settings.experiments.as_deref(), roster);
        slugs.extend(experiments.map(|e| e.slugs()).unwrap_or_default());
    }
    let format = if args.json {
        Format::Json
    } else {
        format(sources)
    };
    check::run(
        &Checkup {
            sources,
            slugs: &slugs,
            clock: Clock::System,
            format,
            sends_alert: args.send_test_alert,
        },
        out,
    )
    .await
}

/// Colours only for a person who wants them.
fn format(sources: &Sources) -> Format {
    if io::stdout().is_terminal() && !sources.is_set("NO_COLOR") {
        Format::Coloured
    } else {
        Format::Plain
    }
}

/// Parsed settings, or all their faults told at once.
fn settings(sources: &Sources, err: &mut impl Write) -> io::Result<Option<Settings>> {
    told(crate::config::load(sources), err)
}

fn told(loaded: Result<Settings, Faults>, err: &mut impl Write) -> io::Result<Option<Settings>> {
    match loaded {
        Ok(settings) => {
            for warning in &settings.warnings {
                writeln!(err, "clm: warning: {warning}")?;
            }
            Ok(Some(settings))
        }
        Err(faults) => {
            tell(&faults, err)?;
            Ok(None)
        }
    }
}

/// The running server that a command asks: `--url`, else `HOST` and `PORT`.
fn server(url: Option<&Url>, settings: &Settings, err: &mut impl Write) -> io::Result<Option<Url>> {
    let here = format!("http://{}", settings.listen.addr());
    let base = url.cloned().or_else(|| Url::parse(&here).ok());
    if base.is_none() {
        writeln!(err, "clm: HOST and PORT do not make an address; pass --url")?;
    }
    Ok(base)
}

/// The innermost cause, which is the one that helps: a refused connection, a name, a certificate.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// What others said may hold escape codes: a terminal must not obey them.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn tell(faults: &Faults, err: &mut impl Write) -> io::Result<()> {
    for fault in faults.items() {
        writeln!(err, "clm: {fault}")?;
    }
    Ok(())
}
