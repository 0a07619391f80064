//! The `OpenRouter` client: one call, sent once. Retries belong to the race alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, Url};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::config;

use super::answer::Answer;
use super::error::{AttemptError, Mendable};
use super::log::AttemptLog;
use super::wire::{self, Call, Mend, Omittable};

/// How much of an error body is read to see whether it can be mended, and for how long.
const ERROR_BODY_BYTES: usize = 16 << 10;
const ERROR_BODY_WAIT: Duration = Duration::from_millis(300);

/// Where calls go and with which headers; the same for every worker.
#[derive(Clone, Debug)]
pub struct Target {
    completions: Url,
    warm: Url,
    headers: HeaderMap,
}

/// One worker's connection to `OpenRouter`: its client, and what its models have refused so far.
#[derive(Debug)]
pub struct OpenRouter {
    client: reqwest::Client,
    target: Target,
    /// Parameters that a model has refused: left out from then on, so that the mend is paid once.
    /// Bounded by the roster: only configured models are ever asked for.
    refused: RefCell<HashMap<String, Vec<Omittable>>>,
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
    pub fn new(settings: &config::Upstream) -> Result<Self, SetupError> {
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
            warm: url("/models")?,
            headers,
        })
    }
}

impl OpenRouter {
    #[must_use]
    pub fn new(target: Target, client: reqwest::Client) -> Self {
        Self {
            client,
            target,
            refused: RefCell::default(),
        }
    }

    /// Opens a connection ahead of the first turn, so that no speaker waits for its handshake.
    /// Failure is no news: the first turn will tell.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn warm_up(&self) {
        if let Ok(mut response) = self.client.head(self.target.warm.clone()).send().await {
            while let Ok(Some(_)) = response.chunk().await {}
        }
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
        log: &mut AttemptLog,
    ) -> Result<Answer, AttemptError> {
        let omit = self
            .refused
            .borrow()
            .get(model)
            .cloned()
            .unwrap_or_default();
        let body = wire::request(model, call, &omit).map_err(AttemptError::Request)?;
        let mut response = self
            .client
            .post(self.target.completions.clone())
            .headers(self.target.headers.clone())
            .body(body)
            .send()
            .await
            .map_err(|e| {
                if e.is_connect() {
                    AttemptError::Connect(e)
                } else {
                    AttemptError::Broken(e)
                }
            })?;
        let status = response.status().as_u16();
        log.status(status);
        if status != 200 {
            return Err(refusal(response, status).await);
        }
        if !is_event_stream(&response) {
            return Err(AttemptError::WrongBody);
        }
        // Header values are slices of the connection's first read buffer; kept, they would hold all
        // of it for as long as the answer runs.
        *response.headers_mut() = HeaderMap::new();
        Ok(Answer::new(response, call))
    }

    /// The host that answers, for spans.
    pub(super) fn address(&self) -> &str {
        self.target.completions.host_str().unwrap_or_default()
    }

    /// Remembers that `model` refuses a parameter. False if it was left out already: then leaving
    /// it out once more will not help.
    pub(super) fn leave_out(&self, model: &str, what: Omittable) -> bool {
        let mut refused = self.refused.borrow_mut();
        let omit = refused.entry(model.to_owned()).or_default();
        let is_news = !omit.contains(&what);
        if is_news {
            omit.push(what);
        }
        is_news
    }
}

fn header(text: &str, setting: &'static str) -> Result<HeaderValue, SetupError> {
    HeaderValue::from_str(text).map_err(|_| SetupError::Header(setting))
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

/// A status other than 200. Only a 400 is read, to see whether it can be mended: the rest is
/// decided by the status, and its text is nobody's business.
async fn refusal(mut response: Response, status: u16) -> AttemptError {
    let mut body = BytesMut::new();
    if matches!(status, 400 | 413 | 422) {
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
    let mend = if status == 413 {
        Some(Mend::ShortenHistory)
    } else {
        wire::mend(&body)
    };
    AttemptError::Status {
        status,
        mend: mend
            .filter(|_| !body.is_empty() || status == 413)
            .map(Mendable),
    }
}
