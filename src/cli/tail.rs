//! `clm tail`: settled turns as they happen, one line each, until Ctrl-C.
//!
//! The server filters. A stream that breaks is asked for again, later each time, and a turn that was
//! shown is not shown twice.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder};
use reqwest_eventsource::{Error, Event, EventSource, retry};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::config::Sources;
use crate::telemetry::events::short_session;
use crate::turn::Outcome;

use super::ask::{self, Server, ServerArgs, Unanswered};
use super::figures::{NONE, count_of, errors, is, list_of, number_of, text_of, time};
use super::{Exit, Format, cause, format, plain};

/// The first wait before a stream is asked for again, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Turns that are known to have been shown: as many as a server remembers.
const SHOWN: usize = 1000;

/// Which turns: the server's filters.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filters {
    /// Only turns that ended so.
    #[arg(long, value_parser = outcomes())]
    pub(super) outcome: Option<String>,
    /// Only this coach's.
    #[arg(long, value_name = "ID")]
    pub(super) coach: Option<String>,
    /// Only those that this model answered.
    #[arg(long, value_name = "SLUG")]
    pub(super) model: Option<String>,
    /// Only this session's.
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Only those whose first words took longer, such as 1500ms or 2s.
    #[arg(long, value_name = "TIME", value_parser = slow)]
    pub(super) slow: Option<String>,
}

/// `clm tail`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm tail
  clm tail --outcome failed --coach career --slow 1500ms
  clm tail --last 20 --json | jq .coach_reason")]
pub(super) struct TailArgs {
    #[command(flatten)]
    filters: Filters,
    /// Begin with so many of the last turns.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    last: Option<u32>,
    /// Print each turn's record as a line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(Outcome::ALL.iter().map(|outcome| outcome.as_str()))
}

/// The server reads it itself; this finds what it would refuse.
fn slow(text: &str) -> Result<String, String> {
    let is_number = |n: &str| !n.is_empty() && n.len() < 8 && n.bytes().all(|b| b.is_ascii_digit());
    let is_time = text.strip_suffix("ms").is_some_and(is_number);
    match is_time || clock::duration(text).is_some() {
        true => Ok(text.to_owned()),
        false => Err("not a time such as 1500ms or 2s".to_owned()),
    }
}

impl Filters {
    /// As parameters of an address.
    pub(super) fn query(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("outcome", &self.outcome),
            ("coach", &self.coach),
            ("model", &self.model),
            ("session", &self.session),
            ("slow_over", &self.slow),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }
}

/// Shows turns until Ctrl-C.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &TailArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    let format = match args.json {
        true => Format::Json,
        false => format(sources),
    };
    let mut screen = Screen::new(out, err, format);
    tokio::select! {
        ended = watch(args, &server, &mut screen) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Fine),
    }
}

/// How a stream ended.
enum Cut {
    /// Asking again would help nobody.
    Refused(Unanswered),
    /// It may be had again; why it ended.
    Broke(String),
}

/// Follows the stream, again and again, until it is refused.
async fn watch<O: Write, E: Write>(
    args: &TailArgs,
    server: &Server,
    screen: &mut Screen<'_, O, E>,
) -> io::Result<Exit> {
    let (first, longest) = WAITS;
    let mut wait = first;
    loop {
        let mut request = server.request(Method::GET, &["v1", "turns", "live"]);
        request = request.query(&args.filters.query());
        if let Some(last) = args.last {
            request = request.query(&[("replay", last)]);
        }
        let began = Instant::now();
        match follow(request, screen).await? {
            Cut::Refused(why) => return server.tell(&why, screen.err),
            Cut::Broke(why) => {
                // One that held is no reason to wait longer than the first time.
                if began.elapsed() > longest {
                    wait = first;
                }
                let seconds = wait.as_secs_f64();
                let why = plain(&why);
                writeln!(screen.err, "clm: {why}; asking again in {seconds} s")?;
                sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
        }
    }
}

/// Shows one stream to its end.
async fn follow<O: Write, E: Write>(
    request: RequestBuilder,
    screen: &mut Screen<'_, O, E>,
) -> io::Result<Cut> {
    let Ok(mut events) = EventSource::new(request) else {
        let why = "the request cannot be sent".to_owned();
        return Ok(Cut::Refused(Unanswered::Broken(why)));
    };
    // It would begin anew even where nobody ever answered, and not where a proxy says 503.
    events.set_retry_policy(Box::new(retry::Never));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Open) => screen.opened()?,
            Ok(Event::Message(event)) => screen.show(&event.event, &event.data)?,
            Err(error) => return Ok(cut(error, screen.was_open).await),
        }
    }
    Ok(Cut::Broke("the stream ended".to_owned()))
}

async fn cut(error: Error, was_open: bool) -> Cut {
    match error {
        Error::StreamEnded => Cut::Broke("the server ended the stream".to_owned()),
        Error::InvalidStatusCode(status, response) => {
            let words = ask::refusal(response).await;
            // While a server restarts whoever stands before it answers so.
            match was_open && status.is_server_error() {
                true => Cut::Broke(words),
                false => Cut::Refused(Unanswered::Refused(status, words)),
            }
        }
        Error::InvalidContentType(..) => Cut::Refused(Unanswered::Broken(
            "the answer is no event stream; is it clm that listens there?".to_owned(),
        )),
        Error::Transport(error) => match ask::unanswered(error) {
            why @ Unanswered::Unreachable(_) if !was_open => Cut::Refused(why),
            Unanswered::Unreachable(why) => Cut::Broke(format!("nothing answers ({why})")),
            Unanswered::Refused(_, why) | Unanswered::Broken(why) => Cut::Broke(why),
        },
        other => Cut::Broke(format!("the stream broke ({})", cause(&other))),
    }
}

/// Where turns are shown.
struct Screen<'a, O, E> {
    out: &'a mut O,
    err: &'a mut E,
    format: Format,
    /// Ids of the last turns that were shown, the newest last.
    shown: VecDeque<String>,
    was_open: bool,
}

impl<'a, O: Write, E: Write> Screen<'a, O, E> {
    fn new(out: &'a mut O, err: &'a mut E, format: Format) -> Self {
        Self {
            out,
            err,
            format,
            shown: VecDeque::new(),
            was_open: false,
        }
    }

    fn opened(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.was_open, true) {
            let lost =
                "turns that ended meanwhile may be missing here; `clm export turns` has them";
            writeln!(self.err, "clm: connected again; {lost}")?;
        }
        Ok(())
    }

    fn show(&mut self, name: &str, data: &str) -> io::Result<()> {
        if name == "missed" {
            let count = plain(data);
            return writeln!(
                self.err,
                "clm: {count} turns are missing here: more came than could be shown"
            );
        }
        let turn: Value = serde_json::from_str(data).unwrap_or_default();
        if name == "flag" {
            let text = |field: &str| plain(text_of(&turn, field).unwrap_or(NONE));
            let (flag, value) = (text("name"), text("value"));
            return writeln!(self.err, "clm: the flag {flag} is {value} from now on");
        }
        if name != "turn" || !turn.is_object() {
            return Ok(());
        }
        let id = text_of(&turn, "turn_id").unwrap_or_default();
        if self.shown.iter().any(|shown| shown == id) {
            return Ok(());
        }
        if self.shown.len() == SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(id.to_owned());
        match self.format {
            Format::Json => writeln!(self.out, "{turn}")?,
            format => writeln!(self.out, "{}", line(&turn, format))?,
        }
        self.out.flush()
    }
}

/// One turn, with the keys of the log's turn line.
fn line(turn: &Value, format: Format) -> String {
    let text = |field: &str| plain(text_of(turn, field).unwrap_or(NONE));
    let ms = |field: &str| time(number_of(turn, field));
    let created = text("created_at");
    let session = short_session(text_of(turn, "session_id").unwrap_or_default());
    let model = text_of(turn, "served_model").or_else(|| text_of(turn, "planned_model"));
    let model = plain(model.unwrap_or(NONE));
    let memory = format!("{}({})", ms("memory_ms"), text("memory_outcome"));
    let cost = text_of(turn, "cost_usd").map_or_else(|| "unknown".to_owned(), |c| format!("${c}"));
    let mut line = format!(
        "{time} turn={id} sess={session} coach={coach:<10} model={model:<27} out={out} \
         mem={memory:<14} first={first:<6} total={total:<6} own={own:<6} tok={tokens:<4} \
         cost={cost} att={attempts}",
        // The date is the reader's own; a record from elsewhere is shown as it came.
        time = created.get(11..24).unwrap_or(&created),
        id = text("turn_id"),
        coach = text("coach"),
        out = outcome(&text("outcome"), format),
        first = ms("first_speakable_ms"),
        total = ms("total_ms"),
        own = ms("overhead_ms"),
        tokens = count_of(turn, "completion_tokens").unwrap_or(0),
        attempts = list_of(turn, "attempts").len(),
    );
    for (word, field) in [
        ("hedge", "hedged"),
        ("cont", "continued"),
        ("lead", "lead_in"),
    ] {
        if is(turn, field) {
            line.push_str(&format!(" {word}=1"));
        }
    }
    if let Some(reason) = text_of(turn, "model_reason") {
        line.push_str(&format!(" plan={}", plain(reason)));
    }
    let errors = errors(turn).join(",");
    if !errors.is_empty() {
        line.push_str(&format!(" err={}", plain(&errors)));
    }
    line
}

/// As wide as most are, and coloured by how bad it is.
fn outcome(outcome: &str, format: Format) -> String {
    let colour = match outcome {
        "complete" => "\x1b[32m",
        "partial_recovered" | "shed" => "\x1b[33m",
        "failed" | "partial_failed" => "\x1b[31m",
        // Normal in a conversation.
        _ => "\x1b[36m",
    };
    match format {
        Format::Coloured => format!("{colour}{outcome:<11}\x1b[0m"),
        Format::Plain | Format::Json => format!("{outcome:<11}"),
    }
}

#[cfg(test)]
#[path = "tail/tests.rs"]
mod tests;
