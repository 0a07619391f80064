//! `clm say TEXT`: one turn to a running server, through the route that voice platforms use.

mod council;

use std::io::{self, Write};
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Url;
use reqwest_eventsource::{Error, Event, EventSource, retry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::config::Sources;
use crate::outbound;

use super::{Exit, ask, server, settings, waterfall};

/// `clm say`
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  clm say \"I have an interview on Monday\" --session demo\n  clm say --council \"Two offers, which one?\""
)]
pub(super) struct SayArgs {
    /// What the user says.
    text: String,
    /// The server's address; else HOST and PORT.
    #[arg(long, value_name = "URL", value_parser = ask::address)]
    url: Option<Url>,
    /// The caller key; else the first of CLM_API_KEYS.
    #[arg(long)]
    key: Option<String>,
    /// The session id: turns with the same id are one conversation, and the same words said again
    /// within two minutes are answered by the same words; else a session of its own.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// What the models do wrong, in order, such as `cut:7,restart`: heeded by `clm demo` alone.
    #[arg(long, value_name = "FAULTS")]
    fault: Option<String>,
    /// Hear the whole team as one answer; needs an admin key.
    #[arg(long, conflicts_with = "fault")]
    council: bool,
    /// Print the turn's record as JSON instead of the words and the waterfall.
    #[arg(long)]
    json: bool,
}

/// One turn as a caller sends it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) base: Url,
    pub(super) key: Option<SecretString>,
    /// Opens the record for the waterfall; without it only the caller's own clock is shown.
    pub(super) admin_key: Option<SecretString>,
    /// Absent: a session of its own.
    pub(super) session: Option<String>,
    /// The talk so far and the user's words, in `OpenAI`'s form.
    pub(super) messages: Vec<Value>,
    /// What simulated models shall do wrong.
    pub(super) faults: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) turn_id: String,
    pub(super) first_word: Option<Duration>,
    pub(super) total: Duration,
}

/// Whether to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    On,
    /// Hang up.
    Leave,
}

/// Why nothing was heard.
#[derive(Debug)]
pub(super) enum Unheard {
    /// Nobody answers there.
    Unreachable,
    /// The server refused; its message and hint.
    Refused(String),
    /// The stream broke.
    Broken(String),
    /// Our own output is closed.
    Output(io::Error),
}

/// Speaks one turn and shows it.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &SayArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(settings) = settings(sources, err)? else {
        return Ok(Exit::Usage);
    };
    let Some(base) = server(args.url.as_ref(), &settings, err)? else {
        return Ok(Exit::Usage);
    };
    let key = args.key.clone().map(SecretString::from);
    let admin_key = settings.keys.admins.first().cloned();
    let turn = Turn {
        base,
        admin_key: key.clone().filter(|_| args.council).or(admin_key),
        key: key.or_else(|| settings.keys.callers.first().cloned()),
        session: args.session.clone(),
        messages: vec![json!({ "role": "user", "content": args.text })],
        faults: args.fault.clone(),
    };
    let spoken = match (args.council, args.json) {
        (true, true) => held(&turn, args, (&mut io::sink(), &mut io::sink())).await,
        (true, false) => held(&turn, args, (out, err)).await,
        (false, true) => speak(&turn, &mut io::sink()).await,
        (false, false) => speak(&turn, out).await,
    };
    let heard = match spoken {
        Ok(heard) => heard,
        Err(Unheard::Output(e)) => return Err(e),
        Err(Unheard::Unreachable) => {
            writeln!(
                err,
                "clm: nothing answers at {}; is `clm serve` or `clm demo` running?",
                turn.base
            )?;
            return Ok(Exit::Unreachable);
        }
        Err(Unheard::Refused(why) | Unheard::Broken(why)) => {
            writeln!(err, "clm: {why}")?;
            return Ok(Exit::Problem);
        }
    };
    let record = record(&turn, &heard.turn_id).await;
    if args.json {
        let fallback = json!({ "turn_id": heard.turn_id });
        writeln!(out, "{}", record.unwrap_or(fallback))?;
        return Ok(Exit::Fine);
    }
    writeln!(out, "\n")?;
    match record {
        Some(record) => waterfall::print(&record, err)?,
        None => writeln!(
            err,
            "first word after {} ms, whole answer after {} ms (set ADMIN_API_KEYS to see the turn's own clock)",
            heard.first_word.unwrap_or_default().as_millis(),
            heard.total.as_millis()
        )?,
    }
    Ok(Exit::Fine)
}

/// A council, timed as a turn is.
async fn held(
    turn: &Turn,
    args: &SayArgs,
    (out, err): (&mut impl Write, &mut impl Write),
) -> Result<Heard, Unheard> {
    let began = Instant::now();
    let turn_id = council::hold(turn, &args.text, out, err).await?;
    Ok(Heard {
        turn_id,
        first_word: None,
        total: began.elapsed(),
    })
}

/// Speaks one turn; the words go to `out` as they come.
pub(super) async fn speak(turn: &Turn, out: &mut impl Write) -> Result<Heard, Unheard> {
    listen(turn, |_, words| {
        out.write_all(words.as_bytes())?;
        out.flush()?;
        Ok(Go::On)
    })
    .await
}

/// Speaks one turn; `hear` is given the words as they come, and when.
pub(super) async fn listen(
    turn: &Turn,
    mut hear: impl FnMut(Duration, &str) -> io::Result<Go>,
) -> Result<Heard, Unheard> {
    let request = request(turn)?;
    let began = Instant::now();
    let mut events = EventSource::new(request).map_err(|e| Unheard::Broken(e.to_string()))?;
    // A turn is paid for: it is never sent twice behind anybody's back.
    events.set_retry_policy(Box::new(retry::Never));
    let mut heard = Heard {
        turn_id: String::new(),
        first_word: None,
        total: Duration::ZERO,
    };
    while let Some(event) = events.next().await {
        let message = match event {
            Ok(Event::Open) => continue,
            Ok(Event::Message(message)) if message.data == "[DONE]" => break,
            Ok(Event::Message(message)) => message,
            Err(Error::InvalidStatusCode(_, response)) => return Err(refusal(response).await),
            Err(Error::Transport(e)) if e.is_connect() => return Err(Unheard::Unreachable),
            Err(e) => return Err(Unheard::Broken(e.to_string())),
        };
        let Ok(chunk) = serde_json::from_str::<Value>(&message.data) else {
            continue;
        };
        let text = |at: &str| chunk.pointer(at).and_then(Value::as_str);
        if let Some(id) = text("/id").and_then(|id| id.strip_prefix("chatcmpl-")) {
            id.clone_into(&mut heard.turn_id);
        }
        if let Some(words) = text("/choices/0/delta/content").filter(|w| !w.is_empty()) {
            let at = began.elapsed();
            heard.first_word.get_or_insert(at);
            if hear(at, words).map_err(Unheard::Output)? == Go::Leave {
                break;
            }
        }
    }
    events.close();
    heard.total = began.elapsed();
    Ok(heard)
}

/// The turn as a request.
fn request(turn: &Turn) -> Result<reqwest::RequestBuilder, Unheard> {
    let mut address = ask::join(&turn.base, &["chat", "completions"]);
    if let Some(session) = &turn.session {
        address
            .query_pairs_mut()
            .append_pair("custom_session_id", session);
    }
    let client = outbound::client().map_err(|e| Unheard::Broken(e.to_string()))?;
    let body = json!({ "stream": true, "messages": turn.messages });
    let mut request = client.post(address).json(&body);
    if let Some(key) = &turn.key {
        request = request.bearer_auth(key.expose_secret());
    }
    if let Some(faults) = &turn.faults {
        request = request.header("x-clm-fault", faults);
    }
    Ok(request)
}

/// Which model the server would ask first for this turn. Its words are not waited for.
pub(super) async fn planned_model(turn: &Turn) -> Result<String, Unheard> {
    let response = match request(turn)?.send().await {
        Ok(response) if response.status().is_success() => response,
        Ok(response) => return Err(refusal(response).await),
        Err(e) if e.is_connect() => return Err(Unheard::Unreachable),
        Err(e) => return Err(Unheard::Broken(e.to_string())),
    };
    let model = response.headers().get("x-clm-model");
    let model = model.and_then(|model| model.to_str().ok());
    Ok(model.unwrap_or_default().to_owned())
}

/// What the server said when it refused.
async fn refusal(response: reqwest::Response) -> Unheard {
    Unheard::Refused(ask::refusal(response).await)
}

/// The turn's record, once it is settled; `None` where it cannot be had.
pub(super) async fn record(turn: &Turn, turn_id: &str) -> Option<Value> {
    let client = outbound::client().ok()?;
    let address = ask::join(&turn.base, &["v1", "turns", turn_id]);
    // The bill may come up to two seconds after the last word, and settles the turn.
    for _ in 0..50 {
        let mut request = client.get(address.clone());
        if let Some(key) = turn.admin_key.as_ref().or(turn.key.as_ref()) {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.ok()?;
        match response.status().as_u16() {
            200 => return response.json().await.ok(),
            404 => sleep(Duration::from_millis(50)).await,
            _ => return None,
        }
    }
    None
}
