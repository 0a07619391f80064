//! What goes wrong with `GET /models`.
//!
//! To add one: a variant, its name in [`ModelsFault::from_str`] and its answer in [`models`].

use std::str::FromStr;
use std::time::Duration;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::catalog;
use super::refuse::error;

/// One fault of the list of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelsFault {
    /// This status.
    Status(u16),
    /// 200 with a page.
    Html,
    /// A list without a model.
    Empty,
    /// The list breaks off in the middle.
    Half,
    /// The names of a server that is no OpenRouter, without prices.
    Unpriced,
    /// 17 MiB of blanks before the list.
    Huge,
    /// Half a minute of nothing.
    Hang,
}

/// No fault of the list has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault of the list of models is called {0:?}")]
pub struct UnknownModelsFault(String);

impl FromStr for ModelsFault {
    type Err = UnknownModelsFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let status = name.parse().ok().filter(|code| (400..600).contains(code));
        Ok(match name {
            "html" => Self::Html,
            "empty" => Self::Empty,
            "half" => Self::Half,
            "unpriced" => Self::Unpriced,
            "huge" => Self::Huge,
            "hang" => Self::Hang,
            _ => Self::Status(status.ok_or_else(|| UnknownModelsFault(name.to_owned()))?),
        })
    }
}

/// The answer to `GET /models`.
pub(super) async fn models(fault: Option<ModelsFault>) -> HttpResponse {
    let json = |body: String| {
        HttpResponse::Ok()
            .content_type("application/json")
            .body(body)
    };
    let whole = || catalog::models().to_string();
    match fault {
        None => json(whole()),
        Some(ModelsFault::Status(code)) => error(code, "Not now", Value::Null, Some(1)),
        Some(ModelsFault::Html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body("<!doctype html><title>Just a moment…</title>"),
        Some(ModelsFault::Empty) => json(json!({"data": []}).to_string()),
        Some(ModelsFault::Half) => {
            let mut half = whole();
            half.truncate(half.len() / 2);
            json(half)
        }
        Some(ModelsFault::Unpriced) => json(catalog::unpriced().to_string()),
        Some(ModelsFault::Huge) => json(" ".repeat(17 << 20) + &whole()),
        Some(ModelsFault::Hang) => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            json(whole())
        }
    }
}
