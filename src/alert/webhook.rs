//! One alert on its way to the operator's receiver, signed as Standard Webhooks describe: what is
//! sent, and what came of one try.
//!
//! Of an answer only the status is looked at, and its body is not read. No redirect is followed: it
//! is an answer that is none of ours.
//!
//! Source: standard-webhooks/standard-webhooks, spec/standard-webhooks.md.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use super::kinds::Alert;
use crate::config::{Reach, Webhook, WebhookKey};
use crate::outbound;

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent. Its id is the same however often it is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) id: String,
    /// Milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
    pub(super) body: String,
}

impl Letter {
    pub(super) fn new(alert: &Alert, at_ms: i64) -> Self {
        Self {
            id: format!("msg_{}", Uuid::now_v7().as_simple()),
            at_ms,
            body: alert.body(at_ms),
        }
    }
}

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Any 2xx.
    Delivered,
    /// 410: the receiver wants none of it.
    Gone,
    /// Any other status.
    Refused(u16),
    /// Nobody was reached, and why, without the address.
    Unreachable(String),
    TimedOut,
}

impl Answer {
    /// Why it was not delivered, in words; absent where it was.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Delivered => None,
            Self::Gone => Some("answers 410: it is gone".to_owned()),
            Self::Refused(status) if (300..400).contains(status) => {
                Some(format!("answers {status}: redirects are not followed"))
            }
            Self::Refused(status) => Some(format!("answers {status}")),
            Self::Unreachable(why) => Some(format!("cannot be reached: {why}")),
            Self::TimedOut => Some("does not answer in time".to_owned()),
        }
    }
}

/// Takes letters to the receiver.
#[derive(Clone, Debug)]
pub(super) struct Post {
    client: Client,
    webhook: Webhook,
    pub(super) patience: Duration,
}

impl Post {
    pub(super) fn new(webhook: Webhook) -> Result<Self, reqwest::Error> {
        let client = match webhook.reach {
            Reach::Public => outbound::public_client()?,
            Reach::Anywhere => outbound::client()?,
        };
        Ok(Self {
            client,
            webhook,
            patience: PATIENCE,
        })
    }

    /// Tries once, within the receiver's time; `now_s` is the time of this try, in seconds since the Unix
    /// epoch.
    ///
    /// # Cancellation
    /// Safe: nobody knows then whether the letter arrived.
    pub(super) async fn deliver(&self, letter: &Letter, now_s: i64) -> Answer {
        let signature = signature(&self.webhook.keys, letter, now_s);
        let request = self
            .client
            .post(self.webhook.url.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &letter.id)
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", signature)
            .body(letter.body.clone());
        match timeout(self.patience, request.send()).await {
            Err(_) => Answer::TimedOut,
            Ok(Err(error)) => Answer::Unreachable(cause(error)),
            Ok(Ok(answer)) => match answer.status().as_u16() {
                200..=299 => Answer::Delivered,
                410 => Answer::Gone,
                status => Answer::Refused(status),
            },
        }
    }
}

/// One signature for each key, so that a receiver that knows any of them can check.
fn signature(keys: &[WebhookKey], letter: &Letter, now_s: i64) -> String {
    let signed = format!("{}.{now_s}.{}", letter.id, letter.body);
    let each = keys.iter().map(|key| {
        let mut mac = key.mac();
        mac.update(signed.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    each.collect::<Vec<_>>().join(" ")
}

/// The innermost cause, without the address.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::scripted::{SECRET as REFERENCE, webhook};

    /// Source: the reference libraries' own test.
    #[test]
    fn signatures_are_the_reference_ones() {
        let letter = Letter {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            at_ms: 0,
            body: r#"{"test": 2432232314}"#.to_owned(),
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let one = webhook("https://example.com", REFERENCE);
        assert_eq!(signature(&one.keys, &letter, 1_614_265_330), expected);
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let both = webhook("https://example.com", &format!("{other},{REFERENCE}"));
        let signatures = signature(&both.keys, &letter, 1_614_265_330);
        let parts: Vec<&str> = signatures.split(' ').collect();
        assert!(parts.len() == 2 && parts[1] == expected, "{signatures}");
        assert!(parts[0].starts_with("v1,") && parts[0] != expected);
        // Any part of it changes all of it.
        for (at_s, id, body) in [(1, "a", "b"), (0, "x", "b"), (0, "a", "c")] {
            let letter = |id: &str, body: &str| Letter {
                id: id.to_owned(),
                at_ms: 0,
                body: body.to_owned(),
            };
            let changed = signature(&one.keys, &letter(id, body), at_s);
            assert_ne!(changed, signature(&one.keys, &letter("a", "b"), 0));
        }
    }

    #[test]
    fn an_id_is_of_one_letter_alone() {
        let ids: std::collections::BTreeSet<String> =
            (0..100).map(|_| Letter::new(&Alert::Test, 0).id).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.len() == 36 && !id.contains('.')));
    }

    #[test]
    fn trouble_is_told_without_the_address() {
        assert_eq!(Answer::Delivered.trouble(), None);
        let redirected = Answer::Refused(302).trouble().unwrap();
        assert!(redirected.contains("redirects are not followed"));
        let shown = format!(
            "{:?}",
            Post::new(webhook("https://e.com/hunter2", REFERENCE))
        );
        assert!(!shown.contains("hunter2") && !shown.contains("MfKQ"));
    }
}
