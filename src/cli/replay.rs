//! `clm replay ID`: a turn's question asked again, of the same model or another, to see what it was.
//!
//! The server gives the question, as it was kept under `CAPTURE_TEXT`; the model is asked from here.
//! So nothing on the server moves: no memory, no budget, no record, no breaker, no hedge.

mod again;
mod compare;

use std::io::{self, Write};

use clap::builder::NonEmptyStringValueParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::config::Sources;
use crate::pipeline::Words;

use super::ask::{self, Server, ServerArgs, Unanswered};
use super::figures::{NONE, text_of};
use super::{Exit, format, plain, settings, turn};

use self::compare::Then;

/// `clm replay`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm replay 01a2053a-80c5-7714-aa6e-f58f2924dfaf
  clm replay 01a2053a-80c5-7714-aa6e-f58f2924dfaf --model openai/gpt-6-luna
  clm replay e675c580e7217e99cfbaa5b3a386dd9c --json | jq .now.first_token_ms

The model is asked from here, with OPEN_ROUTER_API_KEY, and costs what it costs. The server's memory,
budget and records know nothing of it.")]
pub(super) struct ReplayArgs {
    /// The turn's id or its trace id: `x-clm-turn-id` or `x-clm-trace-id` of the answer.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// The model to ask; else the one that answered then.
    #[arg(long, value_name = "SLUG", value_parser = NonEmptyStringValueParser::new())]
    model: Option<String>,
    /// Print both answers and their figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks again and prints the difference. [`Exit::Problem`] where the question is not there or
/// the model gave no whole answer.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &ReplayArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(settings) = settings(sources, err)? else {
        return Ok(Exit::Usage);
    };
    let Some(server) = Server::find(&args.server, sources, err)? else {
        return Ok(Exit::Usage);
    };
    if settings.upstream.api_key.is_none() {
        writeln!(
            err,
            "clm: OPEN_ROUTER_API_KEY is not set: the model is asked from here, not by the server"
        )?;
        return Ok(Exit::Usage);
    }
    let request = server.request(Method::GET, &["v1", "turns", &args.id]);
    let recorded = match ask::ask(request).await {
        Ok(recorded) => recorded,
        Err(Unanswered::Refused(StatusCode::NOT_FOUND, _)) => {
            turn::tell_unknown(&args.id, err)?;
            return Ok(Exit::Problem);
        }
        Err(why) => return server.tell(&why, err),
    };
    let (question, then) = match then(&recorded) {
        Ok(then) => then,
        Err(why) => {
            writeln!(err, "clm: {}", plain(&why))?;
            return Ok(Exit::Problem);
        }
    };
    let Some(model) = args.model.clone().or_else(|| then.model.clone()) else {
        writeln!(err, "clm: no model answered then: name one with --model")?;
        return Ok(Exit::Usage);
    };
    let now = match again::ask(&question, &model, &settings, &then.turn_id).await {
        Ok(now) => now,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    if args.json {
        let both = json!({ "turn_id": then.turn_id, "then": then.json(), "now": now.json() });
        writeln!(out, "{both}")?;
    } else {
        compare::print(&then, &now, format(sources), out)?;
    }
    Ok(match now.error {
        None => Exit::Fine,
        Some(_) => Exit::Problem,
    })
}

/// The question of a recorded turn and what was answered to it, or why it cannot be asked again.
fn then(recorded: &Value) -> Result<(crate::pipeline::Question, Then), String> {
    let Some(words) = recorded.get("words") else {
        return Err(missing(text_of(recorded, "words_missing")).to_owned());
    };
    let words: Words = serde_json::from_value(words.clone())
        .map_err(|e| format!("the turn's words cannot be read: {e}"))?;
    match words.asked {
        Some(question) => Ok((*question, Then::of(recorded, words.reply))),
        None => Err(format!(
            "no model was asked in this turn (outcome {}), or its words were kept by an older clm, \
             without the question: there is nothing to ask again",
            text_of(recorded, "outcome").unwrap_or(NONE)
        )),
    }
}

/// What to tell of words that are not there.
fn missing(why: Option<&str>) -> &'static str {
    match why {
        Some("off") => {
            "the words of this turn were not kept: capture is off. `PUT /v1/flags/capture` {\"value\": \
             true} or CAPTURE_TEXT=true keeps those of turns to come"
        }
        Some("expired") => "the words of this turn have expired: it is older than CAPTURE_TTL",
        Some("unreadable") => {
            "the words of this turn are sealed under another data key than the server has"
        }
        Some("store_away") => {
            "the server's store does not answer, and the words are there; see `/readyz`"
        }
        Some(_) => {
            "no words of this turn are there: capture was off when it was spoken, its person was \
             erased, or they are on their way to the store still"
        }
        None => "the server gives no words of this turn, and does not say why: is it an older clm?",
    }
}

#[cfg(test)]
mod tests;
