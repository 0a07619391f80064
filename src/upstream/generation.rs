//! What a call came to, as `OpenRouter` tells it afterwards (`GET /generation`).
//!
//! For a while after its end nothing is told, longer for a stream that was hung up on; no document
//! says how long.
//!
//! Source: `OpenRouter` API reference (generation); what its clients report of the delay.

use std::time::Duration;

use reqwest::Client;
use serde_json::value::RawValue;

use crate::json::Fields;
use crate::turn::MicroUsd;

use super::answer::is_a_name;
use super::lookup::{Bounds, Told, Untold, ask};
use super::openrouter::Target;
use super::wire::{self, count, number, written};

/// The answer is about two kilobytes.
const BOUNDS: Bounds = Bounds {
    bytes: 256 << 10,
    wait: Duration::from_secs(10),
};
/// A refused key or an empty account is asked about again after this.
const REFUSED: Duration = Duration::from_secs(300);
/// A rate limit that does not say for how long.
const LIMITED: Duration = Duration::from_secs(10);
/// What fails is left alone for this long at least.
const TROUBLED: Duration = Duration::from_secs(1);
/// And at most.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// A longer id is nobody's.
const LONGEST_ID: usize = 128;

/// What a call really cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bill {
    pub(super) cost: MicroUsd,
    pub(super) provider: Option<String>,
    /// As billed: the provider's own count.
    pub(super) prompt_tokens: Option<u64>,
    pub(super) completion_tokens: Option<u64>,
}

/// What asking brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Found(Bill),
    /// Not in the books, or not yet with what it cost.
    NotYet,
    /// Whoever asks is refused, for so long; what was asked has no part in it.
    Refused(Duration),
    /// It went wrong, and nothing is to be asked for so long.
    Trouble(Duration),
}

/// Whether an id is one that can be asked about. Other servers make up ids of other shapes and have
/// nobody to ask.
pub(super) fn is_askable(id: &str) -> bool {
    id.starts_with("gen-") && id.len() <= LONGEST_ID
}

/// Asks once.
///
/// # Cancellation
/// Safe.
pub(super) async fn look(target: &Target, client: &Client, id: &str) -> Look {
    judge(ask(target.ask_generation(client, id), BOUNDS).await)
}

fn judge(told: Result<Told, Untold>) -> Look {
    let Ok(told) = told else {
        return Look::Trouble(TROUBLED);
    };
    let asked = told.retry_after.or_else(|| wire::retry_after(&told.body));
    let rest = |usual: Duration| asked.unwrap_or(usual).clamp(TROUBLED, LONGEST_REST);
    match told.status {
        200 => read(&told.body),
        404 => Look::NotYet,
        401..=403 => Look::Refused(REFUSED),
        429 => Look::Refused(rest(LIMITED)),
        _ => Look::Trouble(rest(TROUBLED)),
    }
}

fn read(body: &[u8]) -> Look {
    let Ok(raw) = serde_json::from_slice::<&RawValue>(body) else {
        return Look::Trouble(TROUBLED);
    };
    let data = Fields::of(raw).object("data");
    let Some(cost) = cost(&data) else {
        return Look::NotYet;
    };
    let tokens = |name| number(&data, name).map(|n| count(Some(n)));
    Look::Found(Bill {
        cost,
        provider: data.text("provider_name").filter(|name| is_a_name(name)),
        prompt_tokens: tokens("native_tokens_prompt"),
        completion_tokens: tokens("native_tokens_completion"),
    })
}

/// With the account's own provider key the total is only the fee, and the inference comes on top: half
/// of that sum is no cost.
fn cost(data: &Fields<'_>) -> Option<MicroUsd> {
    let total = written(data, "total_cost")?;
    match data.boolean("is_byok") {
        Some(true) => MicroUsd::from_decimals([total, written(data, "upstream_inference_cost")?]),
        _ => MicroUsd::from_decimal(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, retry_after: Option<u64>, body: &str) -> Look {
        judge(Ok(Told {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: body.as_bytes().to_vec(),
        }))
    }

    #[test]
    fn a_bill_is_read_exactly_or_not_yet() {
        let found = |micro| {
            Look::Found(Bill {
                cost: MicroUsd(micro),
                provider: None,
                prompt_tokens: None,
                completion_tokens: None,
            })
        };
        for (data, expected) in [
            (r#"{"total_cost":0.00016}"#, found(160)),
            (r#"{"total_cost":"0.00016"}"#, found(160)),
            (r#"{"total_cost":6e-7,"is_byok":null}"#, found(1)),
            (r#"{"total_cost":0.0076509169000000005}"#, found(7651)),
            (r#"{"total_cost":0}"#, found(0)),
            (
                r#"{"total_cost":0.00001,"is_byok":true,"upstream_inference_cost":0.0002}"#,
                found(210),
            ),
            // Not the account's own key: the provider's bill is OpenRouter's to pay.
            (
                r#"{"total_cost":0.00001,"is_byok":false,"upstream_inference_cost":0.0002}"#,
                found(10),
            ),
            (
                r#"{"total_cost":0.00001,"is_byok":true,"upstream_inference_cost":null}"#,
                Look::NotYet,
            ),
            (r#"{"total_cost":null}"#, Look::NotYet),
            (r#"{"total_cost":-1}"#, Look::NotYet),
            (r#"{"total_cost":"soon"}"#, Look::NotYet),
            ("{}", Look::NotYet),
            ("[]", Look::NotYet),
            ("null", Look::NotYet),
        ] {
            assert_eq!(
                told(200, None, &format!(r#"{{"data":{data}}}"#)),
                expected,
                "{data}"
            );
        }
        let whole = r#"{"data":{"total_cost":0.1,"provider_name":"OpenAI","tokens_prompt":9,
            "native_tokens_prompt":12.0,"native_tokens_completion":"34"}}"#;
        let Look::Found(bill) = told(200, None, whole) else {
            panic!("not found");
        };
        assert_eq!(bill.provider.as_deref(), Some("OpenAI"));
        assert_eq!(
            (bill.prompt_tokens, bill.completion_tokens),
            (Some(12), Some(34))
        );
    }

    #[test]
    fn every_status_says_when_to_ask_again() {
        let s = Duration::from_secs;
        for (status, retry_after, body, expected) in [
            (404, None, "", Look::NotYet),
            (401, None, "", Look::Refused(s(300))),
            (402, Some(1), "", Look::Refused(s(300))),
            (403, None, "", Look::Refused(s(300))),
            (429, None, "", Look::Refused(s(10))),
            (429, Some(30), "", Look::Refused(s(30))),
            (429, Some(0), "", Look::Refused(s(1))),
            (429, Some(86_400), "", Look::Refused(s(300))),
            (
                429,
                None,
                r#"{"error":{"availability":{"retry_after":7}}}"#,
                Look::Refused(s(7)),
            ),
            (500, None, "", Look::Trouble(s(1))),
            (503, Some(20), "", Look::Trouble(s(20))),
            (301, None, "", Look::Trouble(s(1))),
            (400, None, "", Look::Trouble(s(1))),
            (200, None, "<html>", Look::Trouble(s(1))),
        ] {
            assert_eq!(told(status, retry_after, body), expected, "{status}");
        }
        assert_eq!(judge(Err(Untold::Unreachable)), Look::Trouble(s(1)));
        assert_eq!(judge(Err(Untold::TooLarge)), Look::Trouble(s(1)));
    }

    #[test]
    fn only_ids_of_openrouters_shape_can_be_asked_about() {
        assert!(is_askable("gen-1790000000-AbCdEfGhIjKlMnOpQrSt"));
        for id in [
            "",
            "chatcmpl-123",
            "GEN-1",
            &format!("gen-{}", "a".repeat(125)),
        ] {
            assert!(!is_askable(id), "{id}");
        }
    }
}
