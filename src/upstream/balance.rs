//! What is left on our own key (`GET /key`): the money that ends without a bill of ours.
//!
//! Source: `OpenRouter` API reference (limits). `limit_remaining` is null where the key has no limit;
//! the account's own balance (`GET /credits`) needs another key than we have, and shows as a 402.

use std::time::Duration;

use reqwest::Client;
use serde_json::value::RawValue;

use crate::json::Fields;
use crate::turn::MicroUsd;

use super::lookup::{Bounds, ask};
use super::openrouter::Target;
use super::wire::written;

const BOUNDS: Bounds = Bounds {
    bytes: 64 << 10,
    wait: Duration::from_secs(10),
};

/// What upstream says of our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What the key may spend in all, and what is left of that.
    pub limit: MicroUsd,
    pub left: MicroUsd,
}

/// What is left on the key; `None` where it has no limit, or nobody could say.
///
/// # Cancellation
/// Safe: the connection is closed.
pub async fn balance(target: &Target, client: &Client) -> Option<Balance> {
    let told = ask(target.ask_key(client), BOUNDS).await.ok()?;
    match told.status {
        200 => read(&told.body),
        _ => None,
    }
}

fn read(body: &[u8]) -> Option<Balance> {
    let raw: &RawValue = serde_json::from_slice(body).ok()?;
    let data = Fields::of(raw).object("data");
    // A key that is overdrawn has less than nothing left.
    let amount = |name| {
        let text = written(&data, name)?;
        match text.strip_prefix('-') {
            Some(owed) => MicroUsd::from_decimal(owed).map(|_| MicroUsd::default()),
            None => MicroUsd::from_decimal(text),
        }
    };
    Some(Balance {
        limit: amount("limit")?,
        left: amount("limit_remaining")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read_and_no_limit_is_none() {
        let of = |data: &str| read(format!(r#"{{"data":{data}}}"#).as_bytes());
        let balance = |limit, left| {
            Some(Balance {
                limit: MicroUsd(limit),
                left: MicroUsd(left),
            })
        };
        for (data, expected) in [
            (
                r#"{"limit":20,"limit_remaining":3.5,"usage":16.5}"#,
                balance(20_000_000, 3_500_000),
            ),
            (
                r#"{"limit":20,"limit_remaining":-0.1}"#,
                balance(20_000_000, 0),
            ),
            (
                r#"{"limit":"20","limit_remaining":"7"}"#,
                balance(20_000_000, 7_000_000),
            ),
            (r#"{"limit":null,"limit_remaining":null}"#, None),
            (r#"{"limit":20}"#, None),
            ("[]", None),
        ] {
            assert_eq!(of(data), expected, "{data}");
        }
        assert_eq!(read(b"<html>"), None);
    }
}
