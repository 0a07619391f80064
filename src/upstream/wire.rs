//! `OpenRouter`'s words: the request body, the stream's chunks, the error bodies. Nothing else in the
//! house knows them. Fields that are not acted on are not named; unknown ones are normal.
//!
//! Source: `OpenRouter` API reference (chat completions, streaming, errors) and recorded streams.

mod chunk;
mod mould;

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::Fields;
use crate::prompt::PromptMessage;
use crate::routing::provider;
use crate::turn::{FinishReason, MicroUsd, Tools, Usage};

pub(super) use chunk::{Choice, Chunk, ToolFragment};
pub(super) use mould::Mould;

/// Models that refuse a request that names a temperature.
const WITHOUT_TEMPERATURE: &[&str] = &["anthropic/claude-haiku-5.5"];

/// Models that go on from a last message of their own. Newer ones of Anthropic's refuse it with a
/// 400, `OpenAI`'s start over; all others are asked in words.
///
/// Source: `OpenRouter`'s "assistant prefill", the makers' own pages; who refuses, from public issues.
const TAKES_PREFILL: &[&str] = &[
    "anthropic/claude-3",
    "anthropic/claude-haiku-4.5",
    "anthropic/claude-sonnet-4.5",
    "deepseek/",
    "mistralai/",
    "meta-llama/",
];

pub(super) fn takes_prefill(model: &str) -> bool {
    TAKES_PREFILL.iter().any(|begin| model.starts_with(begin))
}

/// A parameter that can be left out when a model refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Omittable {
    /// A last message of the model's own.
    Prefill,
    Reasoning,
    Temperature,
    Provider,
    CacheControl,
    SessionId,
    User,
}

impl Omittable {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Prefill, "prefill"),
        (Self::Reasoning, "reasoning"),
        (Self::Temperature, "temperature"),
        (Self::CacheControl, "cache_control"),
        (Self::Provider, "provider"),
        (Self::SessionId, "session_id"),
        (Self::User, "user"),
    ];
}

/// What a 400 says that we can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    Omit(Omittable),
    ShortenHistory,
}

/// What one attempt asks for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub messages: &'a [PromptMessage],
    pub tools: Option<&'a Tools>,
    pub max_tokens: u32,
    pub temperature: f64,
    /// A stable pseudonym of the end user.
    pub user: Option<&'a str>,
    /// A stable pseudonym of the conversation; keeps its provider's prompt cache warm.
    pub session: &'a str,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [PromptMessage],
    stream: bool,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Provider<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

/// That the prompt is to be cached as far as it stays the same, for five minutes. Below a model's least
/// length, about a thousand tokens, it does nothing.
#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

impl CacheControl {
    const EPHEMERAL: Self = Self {
        r#type: "ephemeral",
    };
}

/// Off, or the least there is of a model that cannot be asked without: its thoughts are not wanted.
#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclude: Option<bool>,
}

impl Reasoning {
    fn of(must_think: Option<&'static str>) -> Self {
        Self {
            enabled: must_think.is_none().then_some(false),
            effort: must_think,
            exclude: must_think.map(|_| true),
        }
    }
}

#[derive(Serialize)]
struct Provider<'a> {
    order: &'a [&'a str],
    allow_fallbacks: bool,
}

/// The body of one attempt.
///
/// # Errors
/// Only if a value cannot be JSON, which the types rule out.
pub(super) fn request(
    model: &str,
    call: &Call<'_>,
    omit: &[Omittable],
    must_think: Option<&'static str>,
) -> Result<Vec<u8>, serde_json::Error> {
    let keep = |what| !omit.contains(&what);
    let order = provider::pinned(model);
    let temperature = Some(call.temperature)
        .filter(|_| keep(Omittable::Temperature) && !WITHOUT_TEMPERATURE.contains(&model));
    serde_json::to_vec(&Request {
        model,
        messages: call.messages,
        stream: true,
        max_tokens: call.max_tokens,
        temperature,
        reasoning: keep(Omittable::Reasoning).then(|| Reasoning::of(must_think)),
        provider: (!order.is_empty() && keep(Omittable::Provider)).then_some(Provider {
            order,
            allow_fallbacks: true,
        }),
        cache_control: provider::caches_when_asked(model)
            .then_some(CacheControl::EPHEMERAL)
            .filter(|_| keep(Omittable::CacheControl)),
        user: call.user.filter(|_| keep(Omittable::User)),
        session_id: Some(call.session).filter(|_| keep(Omittable::SessionId)),
        tools: call.tools.map(|t| &*t.tools),
        tool_choice: call.tools.and_then(|t| t.tool_choice.as_deref()),
        parallel_tool_calls: call.tools.map(|_| false),
    })
}

/// What can be done about a 400, read from its message.
pub(super) fn mend(body: &[u8]) -> Option<Mend> {
    let text = String::from_utf8_lossy(body).to_lowercase();
    let too_long = [
        "context_length_exceeded",
        "context length",
        "token_limit_exceeded",
        "prompt is too long",
        "input is too long",
        "string_too_long",
    ];
    if too_long.iter().any(|t| text.contains(t)) {
        return Some(Mend::ShortenHistory);
    }
    Omittable::ALL
        .into_iter()
        .find(|(what, name)| match what {
            // Too common to be told from prose: most refusals are a "Provider returned error".
            Omittable::User | Omittable::Provider => is_named(&text, name),
            _ => text.contains(name),
        })
        .map(|(what, _)| Mend::Omit(what))
}

/// Whether a word stands there as the name of a parameter, quoted or called one, in JSON's text.
fn is_named(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        let is_quoted = [("'", "'"), ("`", "`"), ("\\\"", "\\\"")]
            .iter()
            .any(|(open, close)| before.ends_with(open) && after.starts_with(close));
        let is_called = ["parameter: ", "parameter "]
            .iter()
            .any(|called| before.ends_with(called))
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        is_quoted || is_called
    })
}

/// Whether a 403 is the key's own limit, which the docs' table calls a 402: `Key limit exceeded
/// (monthly limit)`.
///
/// Source: public issues of `OpenRouter`'s users.
pub(super) fn is_key_limit(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_lowercase();
    text.contains("key limit exceeded")
}

/// When a refusal asks to be come back to: `error.availability`. One that says that coming back does
/// not help is to be left alone for a long while.
///
/// Source: `OpenRouter`'s errors page, since 19 August 2026.
pub(super) fn retry_after(body: &[u8]) -> Option<Duration> {
    let raw: &RawValue = serde_json::from_slice(body).ok()?;
    let availability = Fields::of(raw).object("error").object("availability");
    if availability.boolean("retryable") == Some(false) {
        return Some(Duration::MAX);
    }
    Duration::try_from_secs_f64(number(&availability, "retry_after")?).ok()
}

/// What a stream says it cost; not from anything but an object. Counts arrive as integers, floats
/// or text; details may be null, missing or odd.
pub(super) fn usage(raw: &RawValue) -> Option<Usage> {
    if !raw.get().starts_with('{') {
        return None;
    }
    let wire = Fields::of(raw);
    let [prompt, completion, costs] = [
        "prompt_tokens_details",
        "completion_tokens_details",
        "cost_details",
    ]
    .map(|name| wire.object(name));
    // With the account's own provider key, `cost` is only the fee; the inference comes on top.
    let own_key = written(&costs, "upstream_inference_cost").filter(|own| {
        wire.boolean("is_byok") == Some(true) && MicroUsd::from_decimal(own).is_some()
    });
    let cost = written(&wire, "cost")
        .and_then(|fee| MicroUsd::from_decimals(std::iter::once(fee).chain(own_key)));
    Some(Usage {
        prompt_tokens: count(number(&wire, "prompt_tokens")),
        completion_tokens: count(number(&wire, "completion_tokens")),
        cached_tokens: count(number(&prompt, "cached_tokens")),
        reasoning_tokens: count(number(&completion, "reasoning_tokens")),
        cost,
    })
}

/// A number as it is written, or one in quotation marks.
pub(super) fn written<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    Some(fields.get(name)?.get().trim_matches('"'))
}

pub(super) fn number(fields: &Fields<'_>, name: &str) -> Option<f64> {
    let number: f64 = written(fields, name)?.parse().ok()?;
    number.is_finite().then_some(number)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates; a negative count is no count"
)]
pub(super) fn count(n: Option<f64>) -> u64 {
    n.unwrap_or(0.0) as u64
}

/// A finish reason in our words; an unknown one is a plain stop, `error` is none of them.
pub(super) fn finish_reason(text: &str) -> Option<FinishReason> {
    match text {
        "error" => None,
        "length" => Some(FinishReason::Length),
        "content_filter" => Some(FinishReason::ContentFilter),
        "tool_calls" | "function_call" => Some(FinishReason::ToolCalls),
        _ => Some(FinishReason::Stop),
    }
}

/// Whether the maker's own word for the finish says that the answer was cut for length.
pub(super) fn is_native_cut(native: Option<&RawValue>) -> bool {
    native.is_some_and(|n| {
        let word = n.get().to_ascii_lowercase();
        word.contains("length") || word.contains("max_")
    })
}

#[cfg(test)]
mod tests;
