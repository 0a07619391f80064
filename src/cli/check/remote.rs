//! What only OpenRouter and Zep can tell. Nothing they say is trusted further than one printed line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{AUTHORIZATION, DATE, HeaderValue};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::super::cause;
use super::{Checkup, PATIENCE, Row};
use crate::config::{Memory, Settings, Upstream};
use crate::routing::catalog::Catalog;
use crate::upstream::models;

/// The catalogue is about a megabyte.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Signatures and expiries bear less than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

const KEY: &str = "openrouter key";
const MODELS: &str = "models";
const ZEP: &str = "zep";

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    date: Option<HeaderValue>,
    body: Vec<u8>,
}

pub(super) async fn examine(checkup: &Checkup<'_>, settings: &Settings) -> Vec<Row> {
    let client = match crate::outbound::client() {
        Ok(client) => client,
        Err(error) => return vec![Row::fail("network", format!("no HTTP client: {error}"))],
    };
    let upstream = &settings.upstream;
    let key = upstream.api_key.as_ref();
    let ask = |path| get(&client, format!("{}{path}", upstream.base_url), bearer(key));
    let (by_key, by_models, zep) = tokio::join!(
        ask("/key"),
        ask("/models"),
        memory(&client, &settings.memory)
    );
    let date = [&by_key, &by_models]
        .into_iter()
        .find_map(|answer| answer.as_ref().ok()?.date.clone());
    vec![
        judge_key(upstream, by_key),
        judge_models(checkup.slugs, by_models),
        zep,
        judge_clock(checkup.clock.now_ms(), date.as_ref()),
    ]
}

fn bearer(key: Option<&SecretString>) -> Option<String> {
    key.map(|key| format!("Bearer {}", key.expose_secret()))
}

/// One request within [`PATIENCE`], body included. The error says why in words without the address.
async fn get(client: &Client, url: String, auth: Option<String>) -> Result<Answer, String> {
    let asked = async {
        let mut request = client.get(url);
        if let Some(auth) = auth {
            let mut value = HeaderValue::try_from(auth).map_err(|_| "unusable key".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(why)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(why)? {
            if body.len() + piece.len() > MAX_BODY_BYTES {
                return Err("the answer is too large".to_owned());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status: response.status(),
            date: response.headers().get(DATE).cloned(),
            body,
        })
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// Without the address, which the row names.
fn why(error: reqwest::Error) -> String {
    cause(&error.without_url())
}

#[derive(Deserialize)]
struct KeyAnswer {
    data: KeyData,
}

#[derive(Deserialize)]
struct KeyData {
    /// Dollars; absent or null: no cap.
    limit_remaining: Option<f64>,
}

fn judge_key(upstream: &Upstream, answer: Result<Answer, String>) -> Row {
    const NEW_KEY: &str = "make a key at https://openrouter.ai/keys and set OPEN_ROUTER_API_KEY";
    let answer = match answer {
        Err(why) => {
            return Row::fail(KEY, format!("{} is unreachable: {why}", upstream.base_url))
                .hint("check OPENROUTER_BASE_URL, DNS and the way out of this network");
        }
        Ok(answer) => answer,
    };
    if upstream.api_key.is_none() {
        return Row::fail(KEY, "not set").hint(NEW_KEY);
    }
    let openrouter = upstream.base_url.contains("//openrouter.ai/");
    match answer.status.as_u16() {
        200 => match serde_json::from_slice::<KeyAnswer>(&answer.body) {
            Err(_) => Row::warn(KEY, "accepted, but the answer could not be read"),
            Ok(KeyAnswer { data }) => match data.limit_remaining {
                None => Row::ok(KEY, "valid, without a limit of its own"),
                Some(left) if left < 1.0 => {
                    Row::warn(KEY, format!("valid, {left:.2} dollars left")).hint(
                        "raise the key's limit: near it every call is slower, at it none works",
                    )
                }
                Some(left) => Row::ok(KEY, format!("valid, {left:.2} dollars left")),
            },
        },
        401 | 403 => Row::fail(KEY, format!("refused ({})", answer.status.as_u16())).hint(NEW_KEY),
        404 | 405 if !openrouter => Row::ok(KEY, "this server has no way to check a key"),
        status => Row::warn(KEY, format!("could not be checked: status {status}"))
            .hint("try again; if it stays, see https://status.openrouter.ai"),
    }
}

fn judge_models(slugs: &[String], answer: Result<Answer, String>) -> Row {
    let answer = match answer {
        Err(why) => return Row::fail(MODELS, format!("the catalogue is unreachable: {why}")),
        Ok(answer) if answer.status == StatusCode::OK => answer,
        Ok(answer) => {
            let status = answer.status.as_u16();
            return Row::warn(
                MODELS,
                format!("no catalogue to compare with: status {status}"),
            );
        }
    };
    let Some(listing) = models::read(&answer.body) else {
        return Row::warn(MODELS, "the catalogue could not be read");
    };
    let catalog = Catalog::default();
    catalog.replace(listing, Instant::now());
    let with = |told: Option<bool>| -> Vec<&str> {
        let slugs = slugs.iter().map(String::as_str);
        slugs
            .filter(|slug| catalog.is_listed(slug) == told)
            .collect()
    };
    let (gone, untold) = (with(Some(false)), with(None));
    if gone.is_empty() && !untold.is_empty() {
        return Row::ok(
            MODELS,
            format!(
                "none is known to be gone; not listed by name: {}",
                untold.join(", ")
            ),
        );
    }
    if gone.is_empty() {
        return Row::ok(MODELS, format!("all {} are in the catalogue", slugs.len()));
    }
    Row::fail(MODELS, format!("not in the catalogue: {}", gone.join(", ")))
        .hint("name a living model in COACH_MODEL_* or in the roster of COACHES_FILE")
}

async fn memory(client: &Client, memory: &Memory) -> Row {
    let Some(key) = &memory.api_key else {
        return Row::ok(ZEP, "memory is off: ZEP_API_KEY is not set");
    };
    let auth = format!("Api-Key {}", key.expose_secret());
    let url = format!("{}/projects/info", memory.base_url);
    match get(client, url, Some(auth)).await {
        Err(why) => Row::fail(ZEP, format!("{} is unreachable: {why}", memory.base_url))
            .hint("turns go on without memory; check ZEP_BASE_URL and the way out of this network"),
        Ok(answer) => match answer.status.as_u16() {
            200 => Row::ok(ZEP, "key accepted"),
            status @ (401 | 403) => Row::fail(ZEP, format!("key refused ({status})"))
                .hint("set ZEP_API_KEY to a project key of app.getzep.com"),
            status => Row::warn(ZEP, format!("could not be checked: status {status}"))
                .hint("turns go on without memory where it does not answer"),
        },
    }
}

fn judge_clock(now_ms: i64, date: Option<&HeaderValue>) -> Row {
    const NAME: &str = "clock";
    let theirs_ms = date
        .and_then(|value| {
            value
                .to_str()
                .ok()?
                .parse::<actix_web::http::header::HttpDate>()
                .ok()
        })
        .and_then(|date| SystemTime::from(date).duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok());
    let Some(theirs_ms) = theirs_ms else {
        return Row::ok(NAME, "nobody to compare with");
    };
    let off = Duration::from_millis(now_ms.abs_diff(theirs_ms));
    if off > CLOCK_TOLERANCE {
        return Row::warn(NAME, format!("{} s off the models' server", off.as_secs()))
            .hint("session ids expire at the wrong time: run an NTP client");
    }
    Row::ok(NAME, format!("within {} s", off.as_secs().max(1)))
}
