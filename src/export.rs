//! Sends telemetry to a collector, as OTLP over HTTP/protobuf, from the background runtime.
//!
//! Invariants: a turn never waits for it. What a collector does not take in time is dropped and
//! counted; nothing is kept beyond the queue of spans and one batch. It tells once when the collector
//! stops taking telemetry and once when it takes it again. After [`Export::stop`] nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Otlp, Settings};
use crate::lifecycle::Lifecycle;
use crate::outbound;
use crate::telemetry::events::{CollectorMoved, TelemetryDropped};
use crate::telemetry::otlp::{self, Origin};
use crate::telemetry::traces::{self, SpanQueue, Tracer};
use crate::telemetry::{genai, metrics};

/// Spans gather for so long, so that a turn's are sent together.
const GATHER: Duration = Duration::from_secs(1);
/// How often a batch is offered to a collector that took the last one.
const TRIES: u32 = 3;
/// The pause before each further try, and at least between two batches that fail.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that a collector may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For what is left at the end, for one request of it, and for stopping as a whole.
const FLUSH: Duration = Duration::from_millis(1500);
const LAST_OFFER: Duration = Duration::from_secs(1);
const LONGEST_STOP: Duration = Duration::from_secs(2);
/// More of an answer is not read.
const ANSWER_BYTES: usize = 64 << 10;

/// Telemetry on its way to a collector. Where none is set there is nothing of it but this.
#[derive(Default)]
pub struct Export {
    tracer: Option<Tracer>,
    running: Option<Running>,
}

struct Running {
    lifecycle: Lifecycle,
    closing: CancellationToken,
}

impl Export {
    /// Starts sending, where the settings say to whom.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn start(settings: &Settings) -> Result<Self, reqwest::Error> {
        let otlp = &settings.otlp;
        if otlp.traces.is_none() && otlp.metrics.is_none() {
            return Ok(Self::default());
        }
        // Of its own: the service's tasks have ended before the last of this is sent.
        let lifecycle = Lifecycle::new();
        let closing = CancellationToken::new();
        let origin = Arc::new(Origin::new(otlp, Clock::System.now_ms()));
        let client = outbound::client()?;
        let link = |signal, url: &String| Link {
            signal,
            url: url.clone(),
            client: client.clone(),
            headers: headers(otlp),
            timeout: otlp.timeout,
            closing: closing.clone(),
            is_up: None,
        };
        let mut tracer = None;
        if let Some(url) = &otlp.traces {
            let (spans, queue) = traces::tracer(otlp.sampler);
            tracer = Some(spans);
            let (link, origin) = (link("traces", url), Arc::clone(&origin));
            lifecycle.spawn(send_spans(queue, link, origin));
        }
        if let Some(url) = &otlp.metrics {
            genai::measure(&settings.upstream.base_url);
            let link = link("metrics", url);
            lifecycle.spawn(send_metrics(otlp.interval, link, origin));
        }
        Ok(Self {
            tracer,
            running: Some(Running { lifecycle, closing }),
        })
    }

    /// What the log's subscriber collects spans with.
    #[must_use]
    pub fn tracer(&self) -> Option<Tracer> {
        self.tracer.clone()
    }

    /// Sends what is left, for two seconds at most. To be called when no turn can settle any more.
    pub async fn stop(self) {
        if let Some(Running { lifecycle, closing }) = self.running {
            closing.cancel();
            // Whoever is not done by then has told and counted what it could not send.
            let _ = timeout(LONGEST_STOP, lifecycle.drained()).await;
        }
    }
}

fn headers(settings: &Otlp) -> HeaderMap {
    let mut headers: HeaderMap = settings.headers.iter().cloned().collect();
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    headers.insert(CONTENT_TYPE, protobuf);
    headers
}

async fn send_spans(mut queue: SpanQueue, mut link: Link, origin: Arc<Origin>) {
    let closing = link.closing.clone();
    let mut batch = Vec::new();
    while closing
        .run_until_cancelled(queue.first(&mut batch))
        .await
        .is_some()
    {
        closing.run_until_cancelled(sleep(GATHER)).await;
        queue.fill(&mut batch);
        link.deliver_spans(std::mem::take(&mut batch), &origin)
            .await;
    }
    let rest = async {
        while link.is_up != Some(false) && queue.fill(&mut batch) {
            link.deliver_spans(std::mem::take(&mut batch), &origin)
                .await;
        }
    };
    let is_done = timeout(FLUSH, rest).await.is_ok();
    if !is_done {
        link.fell("timeout");
    }
    TelemetryDropped::spans(queue.abandon()).emit();
}

async fn send_metrics(every: Duration, mut link: Link, origin: Arc<Origin>) {
    let closing = link.closing.clone();
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once, and there is nothing to tell yet.
    tick.tick().await;
    while closing.run_until_cancelled(tick.tick()).await.is_some() {
        link.deliver_metrics(&origin).await;
    }
    if timeout(FLUSH, link.deliver_metrics(&origin)).await.is_err() {
        link.fell("timeout");
    }
}

/// The way to a collector, for one signal.
struct Link {
    signal: &'static str,
    url: String,
    client: reqwest::Client,
    headers: HeaderMap,
    timeout: Duration,
    closing: CancellationToken,
    /// Whether the last batch was taken; absent before the first.
    is_up: Option<bool>,
}

/// Why a collector did not take a batch.
struct Refused {
    kind: &'static str,
    /// Whether it may take the same later, and how soon at the earliest.
    again: Option<Duration>,
}

impl Link {
    async fn deliver_spans(&mut self, spans: Vec<SpanData>, origin: &Origin) {
        // Counted as lost until it is known that they are not, also where this is dropped.
        let mut loss = Loss(spans.len());
        if let Some(answer) = self.deliver(origin.spans(spans)).await {
            loss.0 = otlp::rejected_spans(&answer).min(loss.0);
        }
    }

    async fn deliver_metrics(&mut self, origin: &Origin) {
        let page = metrics::render();
        let body = origin.metrics(&page, Clock::System.now_ms());
        let answer = self.deliver(body).await;
        if answer.is_none_or(|answer| otlp::rejects_metrics(&answer)) {
            let signal = "metrics";
            TelemetryDropped { signal, count: 1 }.emit();
        }
    }

    /// Offers a batch, and gives what the collector says to it; nothing where it was not taken.
    async fn deliver(&mut self, body: Vec<u8>) -> Option<Vec<u8>> {
        let body = bytes::Bytes::from(body);
        // One that took nothing lately is asked once for each batch.
        let tries = match self.is_up {
            Some(false) => 1,
            _ => TRIES,
        };
        let mut tried = 0;
        loop {
            tried += 1;
            let refused = match self.offer(body.clone()).await {
                Ok(answer) => {
                    self.rose();
                    return Some(answer);
                }
                Err(refused) => refused,
            };
            let pause = refused.again.unwrap_or(PAUSE);
            let is_last = tried >= tries || refused.again.is_none();
            if is_last {
                self.fell(refused.kind);
            }
            // Also after the last try, so that a dead collector is not asked without end.
            let waited = self.closing.run_until_cancelled(sleep(pause)).await;
            if is_last {
                return None;
            }
            if waited.is_none() {
                self.fell(refused.kind);
                return None;
            }
        }
    }

    async fn offer(&self, body: bytes::Bytes) -> Result<Vec<u8>, Refused> {
        let sent = async {
            let request = self.client.post(&self.url).headers(self.headers.clone());
            let mut response = request.body(body).send().await?;
            let status = response.status().as_u16();
            let after = response.headers().get(RETRY_AFTER).cloned();
            let mut answer = Vec::new();
            while let Some(bytes) = response.chunk().await? {
                if answer.len() + bytes.len() > ANSWER_BYTES {
                    break;
                }
                answer.extend_from_slice(&bytes);
            }
            Ok::<_, reqwest::Error>((status, after, answer))
        };
        let later = |kind| Refused {
            kind,
            again: Some(PAUSE),
        };
        let late = async {
            self.closing.cancelled().await;
            sleep(LAST_OFFER).await;
        };
        let answered = tokio::select! {
            biased;
            answered = sent => answered,
            () = sleep(self.timeout) => return Err(later("timeout")),
            () = late => return Err(later("timeout")),
        };
        match answered {
            Err(e) if e.is_connect() => Err(later("connect")),
            Err(_) => Err(later("broken")),
            Ok((200..300, _, answer)) => Ok(answer),
            // What the specification calls worth another try.
            Ok((429 | 502 | 503 | 504, after, _)) => Err(Refused {
                kind: "busy",
                again: Some(pause_of(after.as_ref())),
            }),
            Ok((401 | 403, ..)) => Err(never("unauthorized")),
            Ok(_) => Err(never("refused")),
        }
    }

    fn rose(&mut self) {
        self.moved(true, None);
    }

    fn fell(&mut self, kind: &'static str) {
        self.moved(false, Some(kind));
    }

    fn moved(&mut self, is_up: bool, trouble: Option<&'static str>) {
        if self.is_up.replace(is_up) != Some(is_up) {
            let signal = self.signal;
            CollectorMoved { signal, trouble }.emit();
        }
    }
}

fn never(kind: &'static str) -> Refused {
    Refused { kind, again: None }
}

/// `Retry-After` in seconds, within reason.
fn pause_of(after: Option<&HeaderValue>) -> Duration {
    let seconds = after.and_then(|v| v.to_str().ok()?.trim().parse().ok());
    seconds.map_or(PAUSE, |s| {
        Duration::from_secs(s).clamp(PAUSE, LONGEST_PAUSE)
    })
}

/// Spans that are on their way.
struct Loss(usize);

impl Drop for Loss {
    fn drop(&mut self) {
        if self.0 > 0 {
            TelemetryDropped::spans(self.0).emit();
        }
    }
}
