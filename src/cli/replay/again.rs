//! One call to one model, outside of any turn.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::config::{Deadlines, Settings};
use crate::outbound;
use crate::pipeline::Question;
use crate::prompt::PromptMessage;
use crate::routing::catalog::Catalog;
use crate::speech;
use crate::turn::{AttemptRecord, Cause, Delta, Tools};
use crate::upstream::{
    AttemptError, AttemptLog, Call, Health, OpenRouter, Search, Speaking, Target,
};

/// What came of asking again.
pub(super) struct Now {
    pub(super) model: String,
    /// As it would have been said.
    pub(super) reply: String,
    /// The last call: a second one is the same question mended.
    pub(super) call: Option<AttemptRecord>,
    /// The error's kind, where there was no whole answer.
    pub(super) error: Option<String>,
}

impl Now {
    pub(super) fn json(&self) -> Value {
        let call = self.call.as_ref();
        let after = |at: Option<f64>| Some(at? - call?.started_ms);
        json!({
            "model": self.model,
            "provider": call.and_then(|c| c.provider.as_deref()),
            "reply": self.reply,
            "first_token_ms": after(call.and_then(|c| c.first_token_ms)),
            "total_ms": after(call.map(|c| c.ended_ms)),
            "completion_tokens": call.and_then(|c| c.completion_tokens),
            "cost_usd": call.and_then(|c| c.cost_microusd).map(|cost| cost.to_string()),
            "cost_source": call.map(|c| c.cost_source),
            "error_kind": self.error,
        })
    }
}

/// Asks the model. It is given the whole turn's time for its first word: how slow it is, is part of
/// the answer.
///
/// # Errors
/// A client that cannot be made, in words.
pub(super) async fn ask(
    question: &Question,
    model: &str,
    settings: &Settings,
    turn_id: &str,
) -> Result<Now, String> {
    let catalog = Catalog::default();
    let target = Target::new(&settings.upstream, catalog.clone()).map_err(|e| e.to_string())?;
    let client = outbound::client().map_err(|e| e.to_string())?;
    let upstream = OpenRouter::new(target, client);
    let health = Arc::<Health>::default();
    let whole = settings.deadlines.turn;
    let deadlines = Deadlines {
        first_token: whole,
        fallback_first_token: whole,
        ..settings.deadlines
    };
    let began = Instant::now();
    let log = AttemptLog::new(began, catalog);
    let messages = messages(&question.messages);
    let tools = question.tools.as_ref().and_then(|tools| {
        Some(Tools {
            tools: to_raw_value(tools).ok()?,
            tool_choice: question
                .tool_choice
                .as_ref()
                .and_then(|c| to_raw_value(c).ok()),
        })
    });
    let candidates = [model.to_owned()];
    let search = Search {
        upstream: &upstream,
        health: &health,
        allowance: None,
        call: Call {
            messages: &messages,
            tools: tools.as_ref(),
            max_tokens: question.max_tokens,
            temperature: question.temperature,
            user: None,
            session: turn_id,
        },
        cause: Cause::First,
        coach: None,
        said: None,
        candidates: &candidates,
        fallback: false,
        deadlines: &deadlines,
        due: began + whole,
        log: &log,
    };
    let mut words = String::new();
    let answered = timeout(whole, hear(&search, &mut words)).await;
    Ok(told(question, model, words, &log, answered.is_ok()))
}

/// What the log holds of it.
fn told(
    question: &Question,
    model: &str,
    words: String,
    log: &Rc<AttemptLog>,
    in_time: bool,
) -> Now {
    let call = log.take().pop();
    let kind = call.as_ref().and_then(|call| call.error_kind.clone());
    let late = (!in_time).then(|| "turn_timeout".to_owned());
    Now {
        model: model.to_owned(),
        reply: match question.spoken_in {
            Some(language) => speech::normalize(&words, language),
            None => words,
        },
        error: kind.or(late),
        call,
    }
}

/// To the bill; what goes wrong is in the log.
async fn hear(search: &Search<'_>, words: &mut String) {
    let Ok(speaking) = search.first_words().await else {
        return;
    };
    let Speaking {
        mut answer,
        first,
        row,
        ..
    } = speaking;
    let mut next = Ok(Some(first));
    let ended = loop {
        match next {
            Ok(Some(Delta::Words(some))) => {
                row.words(some.len());
                words.push_str(&some);
            }
            Ok(Some(Delta::Tool(call))) => words.push_str(&format!("[calls {}]", call.name)),
            Ok(Some(Delta::Usage(usage))) => row.usage(&usage),
            Ok(Some(Delta::Finish(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        next = match timeout(search.deadlines.idle, answer.next()).await {
            Ok(next) => next,
            Err(_) => Err(AttemptError::Idle(search.deadlines.idle)),
        };
    };
    row.describe(answer.meta());
    match ended {
        Ok(()) => row.close(),
        Err(error) => row.failed(&error),
    }
}

/// The messages as the prompt had them.
fn messages(kept: &Value) -> Vec<PromptMessage> {
    let kept = kept.as_array().map(Vec::as_slice).unwrap_or_default();
    kept.iter().filter_map(message).collect()
}

fn message(kept: &Value) -> Option<PromptMessage> {
    let fields = kept.as_object()?;
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    match (fields.len(), text("role"), text("content")) {
        (2, Some("system"), Some(said)) => Some(PromptMessage::System(said.to_owned().into())),
        (2, Some("user"), Some(said)) => Some(PromptMessage::User(said.to_owned())),
        (2, Some("assistant"), Some(said)) => Some(PromptMessage::Assistant(said.to_owned())),
        _ => to_raw_value(kept).ok().map(PromptMessage::Raw),
    }
}
