//! The `OpenRouter` client: one call, sent once. Retries belong to the race alone.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use futures::future::join_all;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Method, Request, RequestBuilder, Response, Url};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::config;
use crate::routing::catalog::Catalog;

use super::answer::Answer;
use super::connections::{Connections, Place};
use super::error::{AttemptError, Mendable};
use super::generation::is_askable;
use super::log::Row;
use super::wire::{self, Call, Mend, Omittable};

/// Models whose refusals are remembered: more than any roster names.
const MAX_REFUSING: usize = 1024;
/// How much of an error body is read, and for how long: the next model must start within 50 ms.
const ERROR_BODY_BYTES: usize = 16 << 10;
const ERROR_BODY_WAIT: Duration = Duration::from_millis(40);
/// How long a connection may take to be opened ahead of turns, its answer included.
const WARM_UP_WAIT: Duration = Duration::from_secs(5);

/// Where calls go, with which headers, and what models have refused so far; the same for every worker,
/// so that a mend is paid for once and not by each.
#[derive(Clone, Debug)]
pub struct Target {
    completions: Url,
    models: Url,
    generation: Url,
    key: Url,
    headers: HeaderMap,
    refused: Arc<Mutex<Refused>>,
    catalog: Catalog,
}

/// Parameters that a model has refused: left out from then on.
type Refused = HashMap<String, Vec<Omittable>>;

/// One worker's connections to `OpenRouter`.
#[derive(Debug)]
pub struct OpenRouter {
    connections: Connections,
    target: Target,
    /// When a model was last asked.
    asked: Cell<Option<Instant>>,
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("OPENROUTER_BASE_URL is not a URL")]
    Url,
    #[error("{0} cannot be sent as a header: it holds characters beyond visible ASCII")]
    Header(&'static str),
}

impl Target {
    /// # Errors
    /// When a setting cannot be sent as it is.
    pub fn new(settings: &config::Upstream, catalog: Catalog) -> Result<Self, SetupError> {
        let url = |path: &str| {
            Url::parse(&format!("{}{path}", settings.base_url)).map_err(|_| SetupError::Url)
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(key) = &settings.api_key {
            let mut bearer = header(
                &format!("Bearer {}", key.expose_secret()),
                "OPEN_ROUTER_API_KEY",
            )?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let title = header(&settings.app_title, "APP_TITLE")?;
        headers.insert("x-openrouter-title", title.clone());
        headers.insert("x-title", title);
        if let Some(app) = &settings.app_url {
            headers.insert("http-referer", header(app, "APP_URL")?);
        }
        Ok(Self {
            completions: url("/chat/completions")?,
            models: url("/models")?,
            generation: url("/generation")?,
            key: url("/key")?,
            headers,
            refused: Arc::default(),
            catalog,
        })
    }

    /// The question for the list of models.
    pub(super) fn ask_models(&self, client: &reqwest::Client) -> RequestBuilder {
        self.question(client, self.models.clone())
    }

    /// The question what a generation came to.
    pub(super) fn ask_generation(&self, client: &reqwest::Client, id: &str) -> RequestBuilder {
        let mut url = self.generation.clone();
        url.query_pairs_mut().append_pair("id", id);
        self.question(client, url)
    }

    /// The question how our own key stands.
    pub(super) fn ask_key(&self, client: &reqwest::Client) -> RequestBuilder {
        self.question(client, self.key.clone())
    }

    fn question(&self, client: &reqwest::Client, url: Url) -> RequestBuilder {
        let mut headers = self.headers.clone();
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        client.get(url).headers(headers)
    }
}

impl OpenRouter {
    #[must_use]
    pub fn new(target: Target, client: reqwest::Client) -> Self {
        Self {
            connections: Connections::new(client),
            target,
            asked: Cell::default(),
        }
    }

    /// Opens connections ahead of the turns that will need them, so that no speaker waits for a
    /// handshake. Failure is no news: the first turn will tell. Nor is silence, which must not keep
    /// the next one from being opened.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn warm_up(&self) {
        let ask = async |place: Place| {
            let asked = place.client.head(self.target.models.clone()).send();
            if let Ok(mut response) = asked.await {
                while let Ok(Some(_)) = response.chunk().await {}
            }
        };
        let asked = join_all(self.connections.ahead().into_iter().map(ask));
        let _ = timeout(WARM_UP_WAIT, asked).await;
    }

    /// Waits until so much is asked at once that it is time to warm up again.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn crowded(&self) {
        self.connections.crowded().await;
    }

    /// Sends one call and waits for the response head.
    ///
    /// # Errors
    /// Every failure before the stream begins.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection; upstream sees a hang-up.
    pub(super) async fn open(
        &self,
        model: &str,
        call: &Call<'_>,
        row: &Row,
    ) -> Result<Answer, AttemptError> {
        self.asked.set(Some(Instant::now()));
        let request = self.written(model, call).map_err(AttemptError::Request)?;
        row.sent(length(&request));
        let place = self.connections.place();
        let sent = place.client.execute(request).await;
        let mut response = sent.map_err(|e| match e.is_connect() {
            true => AttemptError::Connect(e),
            false => AttemptError::Broken(e),
        })?;
        let status = response.status().as_u16();
        row.status(status);
        if status != 200 {
            return Err(refusal(response, status).await);
        }
        if !is_event_stream(&response) {
            return Err(AttemptError::WrongBody);
        }
        if let Some(id) = generation_id(response.headers()) {
            row.generation(id);
        }
        // Header values are slices of the connection's first read buffer; kept, they would hold all
        // of it for as long as the answer runs.
        *response.headers_mut() = HeaderMap::new();
        Ok(Answer::new(response, call).at(place))
    }

    /// A call as it is sent.
    fn written(&self, model: &str, call: &Call<'_>) -> Result<Request, serde_json::Error> {
        let omit = self.refused().get(model).cloned().unwrap_or_default();
        let must_think = self.target.catalog.must_think(model);
        let body = wire::request(model, call, &omit, must_think)?;
        let mut request = Request::new(Method::POST, self.target.completions.clone());
        *request.headers_mut() = self.target.headers.clone();
        *request.body_mut() = Some(body.into());
        Ok(request)
    }

    /// Does with a call what is done before it is sent, and sends nothing. The bytes that it would have had.
    pub fn practise(&self, model: &str, call: &Call<'_>) -> Option<usize> {
        let request = self.written(model, call).ok()?;
        let bytes = length(&request);
        // A connection is looked for when it is first polled, which it never is.
        drop(self.connections.client().execute(request));
        Some(bytes)
    }

    /// How long ago this worker last asked a model, if ever.
    #[must_use]
    pub fn quiet_for(&self) -> Option<Duration> {
        self.asked.get().map(|at| at.elapsed())
    }

    /// Whether this model goes on from a last message of its own: said to, and never refused.
    pub(super) fn takes_prefill(&self, model: &str) -> bool {
        let refuses = |omit: &Vec<Omittable>| omit.contains(&Omittable::Prefill);
        wire::takes_prefill(model) && !self.refused().get(model).is_some_and(refuses)
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        let refused = self.target.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that answers and its port, for spans.
    pub(super) fn address(&self) -> (&str, u16) {
        let url = &self.target.completions;
        let port = url.port_or_known_default();
        (url.host_str().unwrap_or_default(), port.unwrap_or_default())
    }

    /// Remembers that `model` refuses a parameter. False if it was left out already: then leaving
    /// it out once more will not help.
    pub(super) fn leave_out(&self, model: &str, what: Omittable) -> bool {
        let mut refused = self.refused();
        if refused.len() >= MAX_REFUSING && !refused.contains_key(model) {
            refused.clear();
        }
        let omit = refused.entry(model.to_owned()).or_default();
        let is_news = !omit.contains(&what);
        if is_news {
            omit.push(what);
        }
        is_news
    }
}

fn length(request: &Request) -> usize {
    let body = request.body().and_then(Body::as_bytes);
    body.map_or(0, <[u8]>::len)
}

fn header(text: &str, setting: &'static str) -> Result<HeaderValue, SetupError> {
    HeaderValue::from_str(text).map_err(|_| SetupError::Header(setting))
}

/// The call's id, which the head tells before the stream does: one that is dropped without a word, as
/// the loser of a race is, can still be asked about.
fn generation_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("x-generation-id")?.to_str().ok()?;
    is_askable(id).then_some(id)
}

fn is_event_stream(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| {
            v.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        })
}

/// A status other than 200. What can be mended, or when to come back, may be in the body; the rest
/// is decided by the status, and its text is nobody's business.
async fn refusal(mut response: Response, status: u16) -> AttemptError {
    let asked = retry_after(response.headers());
    let mut body = BytesMut::new();
    let tells = matches!(status, 400 | 403 | 413 | 422)
        || (asked.is_none() && (status == 429 || status >= 500));
    if tells {
        let read = async {
            while let Ok(Some(bytes)) = response.chunk().await {
                body.extend_from_slice(&bytes);
                if body.len() >= ERROR_BODY_BYTES {
                    break;
                }
            }
        };
        // A body that does not come is no worse than one that says nothing.
        let _ = timeout(ERROR_BODY_WAIT, read).await;
    }
    if status == 403 && wire::is_key_limit(&body) {
        return AttemptError::KeyLimit;
    }
    let mend = match status {
        413 => Some(Mend::ShortenHistory),
        400 | 422 => wire::mend(&body),
        _ => None,
    };
    AttemptError::Status {
        status,
        mend: mend.map(Mendable),
        retry_after: asked.or_else(|| wire::retry_after(&body)),
    }
}

/// `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    if let Some(ms) = text("retry-after-ms").and_then(|t| t.trim().parse().ok()) {
        return Some(Duration::from_millis(ms));
    }
    let told = text("retry-after")?.trim();
    if let Ok(seconds) = told.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(told).ok()?;
    let at = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = u64::try_from(Clock::System.now_s()).ok()?;
    Some(Duration::from_secs(at.as_secs().saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Sources;
    use crate::outbound;

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_connection_and_says_nothing_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let settings = config::load(&Sources::from_pairs([("OPENROUTER_BASE_URL", url)]));
        let target = Target::new(&settings.unwrap().upstream, Catalog::default()).unwrap();
        let upstream = OpenRouter::new(target, outbound::client().unwrap());
        let silent = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = String::new();
            socket.read_to_string(&mut asked).await.unwrap();
            asked
        };
        let left = async { tokio::join!(upstream.warm_up(), silent).1 };
        let asked = timeout(10 * WARM_UP_WAIT, left).await.unwrap();
        assert!(asked.starts_with("HEAD /api/v1/models "), "{asked}");
    }

    #[test]
    fn how_long_to_stay_away_is_read_in_every_form() {
        let soon = |s: u64| std::time::UNIX_EPOCH + Duration::from_secs(s);
        let now = u64::try_from(Clock::System.now_s()).unwrap();
        let date = httpdate::fmt_http_date(soon(now + 30));
        for (name, value, least, most) in [
            ("retry-after", "7", 7, 7),
            ("retry-after", " 0.5 ", 0, 1),
            ("retry-after-ms", "2500", 2, 3),
            ("retry-after", date.as_str(), 28, 30),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            let rest = retry_after(&headers).unwrap().as_secs_f64();
            assert!(
                (f64::from(least)..=f64::from(most)).contains(&rest),
                "{name}: {value}: {rest}"
            );
        }
        for odd in ["soon", "-1", "NaN", "1e300"] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(odd));
            assert_eq!(retry_after(&headers), None, "{odd}");
        }
    }
}
