//! What one upstream call is measured by in `OpenTelemetry`'s `GenAI` conventions. Moved only where
//! metrics are sent to a collector; until then nobody pays for them.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::Histogram;
use tokio::time::Instant;

use crate::turn::AttemptRecord;

use super::metrics::{handle, observe};
use super::names;

/// The one server that is asked for models. Absent: nothing is measured.
static SERVER: OnceLock<Server> = OnceLock::new();

#[derive(Debug)]
struct Server {
    address: String,
    port: String,
}

/// From now on calls to this server are measured.
pub fn measure(base_url: &str) {
    let url = reqwest::Url::parse(base_url).ok();
    let port = url.as_ref().and_then(reqwest::Url::port_or_known_default);
    let address = url.as_ref().and_then(reqwest::Url::host_str);
    // A second application in one process asks the same server, or is a test.
    let _ = SERVER.set(Server {
        address: address.unwrap_or_default().to_owned(),
        port: port.map(|port| port.to_string()).unwrap_or_default(),
    });
}

fn labels(server: &Server, model: &str) -> Vec<(&'static str, String)> {
    vec![
        ("gen_ai_operation_name", "chat".to_owned()),
        ("gen_ai_provider_name", "openrouter".to_owned()),
        ("gen_ai_request_model", model.to_owned()),
        ("server_address", server.address.clone()),
        ("server_port", server.port.clone()),
    ]
}

/// Counts a call that has ended. One that we closed ourselves is no error.
pub(super) fn count_call(call: &AttemptRecord) {
    let Some(server) = SERVER.get() else {
        return;
    };
    let known = labels(server, &call.model);
    let mut ended = known.clone();
    if let Some(kind) = &call.error_kind {
        ended.push(("error_type", kind.clone()));
    }
    let time = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    observe(
        names::CALL_SECONDS,
        &ended,
        time(call.ended_ms - call.started_ms),
    );
    if let Some(first) = call.first_token_ms {
        observe(
            names::FIRST_CHUNK_SECONDS,
            &known,
            time(first - call.started_ms),
        );
    }
    for (kind, tokens) in [
        ("input", call.prompt_tokens),
        ("output", call.completion_tokens),
    ] {
        let Some(tokens) = tokens else { continue };
        let mut labels = known.clone();
        labels.push(("gen_ai_token_type", kind.to_owned()));
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        handle(names::TOKENS, &labels).record(f64::from(tokens));
    }
}

/// How fast one call speaks: the time from each piece of its words to the next.
#[derive(Default)]
pub struct Pace {
    histogram: Option<Histogram>,
    last: Option<Instant>,
}

impl Pace {
    /// Of a call to this model that begins to speak.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let server = SERVER.get();
        Self {
            histogram: server.map(|server| handle(names::CHUNK_SECONDS, &labels(server, model))),
            last: None,
        }
    }

    /// A piece has come.
    pub fn step(&mut self) {
        let Some(histogram) = &self.histogram else {
            return;
        };
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            histogram.record(now.saturating_duration_since(last).as_secs_f64());
        }
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pace")
    }
}
