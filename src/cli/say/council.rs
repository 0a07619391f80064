//! `clm say --council TEXT`: the whole team heard as one answer, its words on `out`, and how it gets on
//! beside them.

use std::io::{self, Write};

use futures::StreamExt as _;
use reqwest_eventsource::{Error, Event, EventSource, retry};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Turn, Unheard, refusal};
use crate::cli::ask;
use crate::cli::figures::{NONE, count_of, number_of, text_of, time};
use crate::outbound;

/// Holds one council and shows it. Gives the turn's id.
pub(super) async fn hold(
    turn: &Turn,
    words: &str,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<String, Unheard> {
    let client = outbound::client().map_err(|e| Unheard::Broken(e.to_string()))?;
    let address = ask::join(&turn.base, &["v1", "council"]);
    let body = json!({ "message": words, "session_id": turn.session, "stream": true });
    let mut request = client.post(address).json(&body);
    if let Some(key) = &turn.admin_key {
        request = request.bearer_auth(key.expose_secret());
    }
    let mut events = EventSource::new(request).map_err(|e| Unheard::Broken(e.to_string()))?;
    // A council is paid for: it is never held twice behind anybody's back.
    events.set_retry_policy(Box::new(retry::Never));
    let mut told = Err(Unheard::Broken("the council broke off".to_owned()));
    while let Some(event) = events.next().await {
        let message = match event {
            Ok(Event::Open) => continue,
            Ok(Event::Message(message)) => message,
            Err(Error::StreamEnded) => break,
            Err(Error::InvalidStatusCode(_, response)) => return Err(refusal(response).await),
            Err(Error::Transport(e)) if e.is_connect() => return Err(Unheard::Unreachable),
            Err(e) => return Err(Unheard::Broken(e.to_string())),
        };
        let data: Value = serde_json::from_str(&message.data).unwrap_or_default();
        match message.event.as_str() {
            "totals" => told = Ok(text_of(&data, "turn_id").unwrap_or_default().to_owned()),
            "error" => {
                let why = data.pointer("/error/message").and_then(Value::as_str);
                let why = why.unwrap_or("the council failed").to_owned();
                told = Err(Unheard::Refused(why));
            }
            _ => {}
        }
        show(&message.event, &data, out, err).map_err(Unheard::Output)?;
    }
    events.close();
    told
}

/// One event: words to `out`, the rest to `err`.
fn show(event: &str, data: &Value, out: &mut impl Write, err: &mut impl Write) -> io::Result<()> {
    let text = |field| text_of(data, field).unwrap_or(NONE);
    match event {
        "opening" | "delta" => {
            out.write_all(text_of(data, "text").unwrap_or_default().as_bytes())?;
            out.flush()
        }
        "plan" => {
            let plan = data.get("plan").and_then(Value::as_array);
            writeln!(err)?;
            for named in plan.into_iter().flatten() {
                let why = text_of(named, "why").filter(|why| !why.is_empty());
                let coach = text_of(named, "coach").unwrap_or(NONE);
                writeln!(
                    err,
                    "plan: {coach}{}",
                    why.map(|w| format!(", {w}")).unwrap_or_default()
                )?;
            }
            Ok(())
        }
        "specialist" => match text_of(data, "state") {
            Some("asked") | None => Ok(()),
            Some(state) => writeln!(
                err,
                "{}: {state}, {}, cost {}",
                text("coach"),
                text("model"),
                cost(data)
            ),
        },
        "totals" => {
            writeln!(out)?;
            let tokens = count_of(data, "tokens").unwrap_or_default();
            let took = time(number_of(data, "duration_ms"));
            writeln!(err, "in all: cost {}, {tokens} tokens, {took}", cost(data))
        }
        _ => Ok(()),
    }
}

fn cost(data: &Value) -> String {
    let cost = text_of(data, "cost_usd");
    cost.map_or_else(|| "unknown".to_owned(), |cost| format!("${cost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_progress_go_their_own_ways() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for (event, data) in [
            ("opening", json!({ "text": "Let me ask. " })),
            (
                "plan",
                json!({ "plan": [{ "coach": "career", "why": "an offer" }, { "coach": "skills", "why": "" }] }),
            ),
            (
                "specialist",
                json!({ "coach": "career", "state": "asked", "model": null }),
            ),
            (
                "specialist",
                json!({ "coach": "career", "state": "answered", "model": "a/b", "cost_usd": "0.000100" }),
            ),
            (
                "specialist",
                json!({ "coach": "skills", "state": "late", "model": "c/d", "cost_usd": null }),
            ),
            ("delta", json!({ "text": "Go." })),
            (
                "totals",
                json!({ "cost_usd": "0.000300", "tokens": 7, "duration_ms": 1.5 }),
            ),
            ("strange", json!(null)),
        ] {
            show(event, &data, &mut out, &mut err).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "Let me ask. Go.\n");
        insta::assert_snapshot!(String::from_utf8(err).unwrap(), @r"

        plan: career, an offer
        plan: skills
        career: answered, a/b, cost $0.000100
        skills: late, c/d, cost unknown
        in all: cost $0.000300, 7 tokens, 1.50ms
        ");
    }
}
