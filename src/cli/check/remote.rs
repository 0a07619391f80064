//! What only OpenRouter and Zep can tell. Nothing they say is trusted further than one printed line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::network::{self, Unheard};
use super::{Checkup, PATIENCE, Row};
use crate::config::{Memory, Settings, Upstream};
use crate::routing::catalog::Catalog;
use crate::upstream::models;

/// The catalogue is about a megabyte.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Signatures and expiries bear less than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// Dollars below which somebody should buy more, as the service's own alert has it.
const LITTLE_CREDIT: f64 = 10.0;
/// Requests a minute that no busy hour gets by with: Zep gives so few once a plan's quota is spent.
const FEW_REQUESTS: i64 = 60;
const FEW: &str = "turns go on and memory falls behind: the limit is the account's, over all its keys; \
                   see the plan and its quota at app.getzep.com";
const ODD: &str = "is it OpenRouter, or a server like it, that OPENROUTER_BASE_URL names?";

const KEY: &str = "openrouter key";
const CREDIT: &str = "openrouter credit";
const MODELS: &str = "models";
const ZEP: &str = "zep";

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
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
    let bases = [
        Some(upstream.base_url.as_str()),
        settings
            .memory
            .api_key
            .as_ref()
            .map(|_| settings.memory.base_url.as_str()),
    ];
    let bases: Vec<&str> = bases.into_iter().flatten().collect();
    let (names, by_key, credit, by_models, zep) = tokio::join!(
        network::names(&bases),
        ask("/key"),
        ask("/credits"),
        ask("/models"),
        memory(&client, &settings.memory)
    );
    let answers = [&by_key, &by_models];
    let date = answers
        .into_iter()
        .find_map(|answer| answer.as_ref().ok()?.headers.get(DATE).cloned());
    let asked = [
        by_models.as_ref().err(),
        zep.as_ref().and_then(|zep| zep.as_ref().err()),
    ];
    let asked: Vec<_> = bases.into_iter().zip(asked).collect();
    let mut rows = vec![names, network::proofs(&asked)];
    let is_known = by_key
        .as_ref()
        .is_ok_and(|answer| answer.status == StatusCode::OK);
    rows.push(judge_key(upstream, by_key));
    rows.extend(is_known.then(|| judge_credit(credit)));
    rows.push(judge_models(checkup.slugs, by_models));
    rows.push(judge_memory(&settings.memory, zep));
    rows.push(judge_clock(checkup.clock.now_ms(), date.as_ref()));
    rows
}

fn bearer(key: Option<&SecretString>) -> Option<String> {
    key.map(|key| format!("Bearer {}", key.expose_secret()))
}

/// One request within [`PATIENCE`], body included.
async fn get(client: &Client, url: String, auth: Option<String>) -> Result<Answer, Unheard> {
    let asked = async {
        let mut request = client.get(url);
        if let Some(auth) = auth {
            let mut value = HeaderValue::try_from(auth).map_err(|_| "unusable key".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > MAX_BODY_BYTES {
                return Err("the answer is too large".to_owned().into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body,
        })
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()).into()))
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

fn judge_key(upstream: &Upstream, answer: Result<Answer, Unheard>) -> Row {
    const NEW_KEY: &str = "make a key at https://openrouter.ai/keys and set OPEN_ROUTER_API_KEY";
    let answer = match answer {
        Err(Unheard { why, .. }) => {
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
            Err(_) => Row::warn(KEY, "accepted, but the answer could not be read").hint(ODD),
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

#[derive(Deserialize)]
struct CreditAnswer {
    data: CreditData,
}

#[derive(Deserialize)]
struct CreditData {
    /// Dollars, as is what was used of them.
    total_credits: f64,
    total_usage: f64,
}

/// What the account has left, which only some keys are told.
fn judge_credit(answer: Result<Answer, Unheard>) -> Row {
    const UNTOLD: &str = "told to management keys only; https://openrouter.ai/credits shows it";
    let Ok(answer) = answer else {
        return Row::ok(CREDIT, UNTOLD);
    };
    let told = serde_json::from_slice::<CreditAnswer>(&answer.body);
    let (StatusCode::OK, Ok(CreditAnswer { data })) = (answer.status, told) else {
        return Row::ok(CREDIT, UNTOLD);
    };
    let left = data.total_credits - data.total_usage;
    let told = format!("{left:.2} dollars left");
    match left < LITTLE_CREDIT {
        true => Row::warn(CREDIT, told)
            .hint("add credits at https://openrouter.ai/credits: without any no model answers"),
        false => Row::ok(CREDIT, told),
    }
}

fn judge_models(slugs: &[String], answer: Result<Answer, Unheard>) -> Row {
    let answer = match answer {
        Err(Unheard { why, .. }) => {
            return Row::fail(MODELS, format!("the catalogue is unreachable: {why}"))
                .hint("check OPENROUTER_BASE_URL, DNS and the way out of this network");
        }
        Ok(answer) if answer.status == StatusCode::OK => answer,
        Ok(answer) => {
            let status = answer.status.as_u16();
            return Row::warn(
                MODELS,
                format!("no catalogue to compare with: status {status}"),
            )
            .hint("try again; if it stays, see https://status.openrouter.ai");
        }
    };
    let Some(listing) = models::read(&answer.body) else {
        return Row::warn(MODELS, "the catalogue could not be read").hint(ODD);
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

/// What Zep says to our key; `None` without one.
async fn memory(client: &Client, memory: &Memory) -> Option<Result<Answer, Unheard>> {
    let key = memory.api_key.as_ref()?;
    let auth = format!("Api-Key {}", key.expose_secret());
    let url = format!("{}/projects/info", memory.base_url);
    Some(get(client, url, Some(auth)).await)
}

fn judge_memory(memory: &Memory, answer: Option<Result<Answer, Unheard>>) -> Row {
    let answer = match answer {
        None => return Row::ok(ZEP, "memory is off: ZEP_API_KEY is not set"),
        Some(Err(Unheard { why, .. })) => {
            return Row::fail(ZEP, format!("{} is unreachable: {why}", memory.base_url)).hint(
                "turns go on without memory; check ZEP_BASE_URL and the way out of this network",
            );
        }
        Some(Ok(answer)) => answer,
    };
    match answer.status.as_u16() {
        200 => judge_rate(&answer.headers),
        429 => Row::warn(ZEP, "key accepted, and no more requests are taken for now").hint(FEW),
        status @ (401 | 403) => Row::fail(ZEP, format!("key refused ({status})"))
            .hint("set ZEP_API_KEY to a project key of app.getzep.com"),
        status => Row::warn(ZEP, format!("could not be checked: status {status}"))
            .hint("turns go on without memory where it does not answer"),
    }
}

/// How many requests a minute the account may make, and how many of them are left.
fn judge_rate(headers: &HeaderMap) -> Row {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let limit = number("x-ratelimit-limit").filter(|limit| *limit > 0);
    let (Some(limit), Some(left)) = (limit, number("x-ratelimit-remaining")) else {
        return Row::ok(ZEP, "key accepted");
    };
    let told = format!("key accepted, {left} of {limit} requests left this minute");
    match left * 10 < limit || limit < FEW_REQUESTS {
        true => Row::warn(ZEP, told).hint(FEW),
        false => Row::ok(ZEP, told),
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

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::super::Status;
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_zep_allows_is_told_and_little_is_a_warning() {
        let memory = Memory {
            api_key: Some("z".to_owned().into()),
            base_url: "https://zep.example".to_owned(),
        };
        let told = |status, limit, left| {
            let headers = [
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", left),
            ];
            let row = judge_memory(&memory, Some(Ok(answer(status, &headers, "{}"))));
            (row.status, row.detail)
        };
        for (status, limit, left, expected, part) in [
            (200, "600", "599", Status::Ok, "599 of 600 requests left"),
            (200, "600", "59", Status::Warn, "59 of 600"),
            (200, "300", "-43", Status::Warn, "-43 of 300"),
            (200, "5", "5", Status::Warn, "5 of 5"),
            (200, "odd", "1", Status::Ok, "key accepted"),
            (429, "300", "-43", Status::Warn, "no more requests"),
            (401, "300", "299", Status::Fail, "refused (401)"),
        ] {
            let (found, detail) = told(status, limit, left);
            assert_eq!(found, expected, "{detail}");
            assert!(detail.contains(part), "{detail}");
        }
    }

    #[test]
    fn credit_is_told_to_whom_it_is_told() {
        let of = |status, body: &str| {
            let row = judge_credit(Ok(answer(status, &[], body)));
            (row.status, row.detail)
        };
        let body = r#"{"data":{"total_credits":100.5,"total_usage":25.75}}"#;
        assert_eq!(of(200, body), (Status::Ok, "74.75 dollars left".to_owned()));
        let body = r#"{"data":{"total_credits":100,"total_usage":99.5}}"#;
        assert_eq!(
            of(200, body),
            (Status::Warn, "0.50 dollars left".to_owned())
        );
        for (status, body) in [(403, "{}"), (200, "<html>")] {
            let (status, detail) = of(status, body);
            assert_eq!(status, Status::Ok);
            assert!(detail.starts_with("told to management keys"), "{detail}");
        }
    }
}
