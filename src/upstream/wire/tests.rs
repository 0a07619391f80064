//! The request as it goes out, and what refusals say.

use super::*;

fn call(messages: &[PromptMessage]) -> Call<'_> {
    Call {
        messages,
        tools: None,
        max_tokens: 1200,
        temperature: 0.8,
        user: Some("u-1"),
        session: "s-1",
    }
}

#[test]
fn a_request_fit_for_voice() {
    let messages = [PromptMessage::User("Hi".into())];
    let body = request("openai/gpt-6-luna", &call(&messages), &[], None).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["stream"], true);
    assert_eq!(body["max_tokens"], 1200);
    assert_eq!(
        body.get("cache_control"),
        None,
        "only where it has to be asked for"
    );
    assert_eq!(body["reasoning"]["enabled"], false);
    assert_eq!(body["provider"]["order"][0], "openai");
    assert_eq!(body["user"], "u-1");
    assert_eq!(body["session_id"], "s-1");
    assert_eq!(body["messages"][0]["role"], "user");
    assert!(body.get("tools").is_none());
}

#[test]
fn a_model_that_must_think_thinks_as_little_as_it_can_and_keeps_it_to_itself() {
    let messages = [PromptMessage::User("Hi".into())];
    let body = request("m", &call(&messages), &[], Some("minimal")).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let expected = serde_json::json!({"effort": "minimal", "exclude": true});
    assert_eq!(body["reasoning"], expected);
}

#[test]
fn what_a_model_refuses_is_left_out() {
    let messages = [PromptMessage::User("Hi".into())];
    let omit = [Omittable::Reasoning, Omittable::User];
    let body = request("anthropic/claude-haiku-5.5", &call(&messages), &omit, None).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["cache_control"]["type"], "ephemeral");
    for gone in ["reasoning", "user", "temperature"] {
        assert!(body.get(gone).is_none(), "{gone}");
    }
}

#[test]
fn a_400_says_what_to_mend() {
    use Mend::{Omit, ShortenHistory};
    for (message, expected) in [
        (
            "Reasoning is mandatory for this endpoint and cannot be disabled.",
            Some(Omit(Omittable::Reasoning)),
        ),
        (
            "Unsupported parameter: temperature",
            Some(Omit(Omittable::Temperature)),
        ),
        ("Unknown parameter: 'user'", Some(Omit(Omittable::User))),
        (
            "This model does not support assistant message prefill. The conversation must end with a user message.",
            Some(Omit(Omittable::Prefill)),
        ),
        (
            "This endpoint's maximum context length is 8192 tokens",
            Some(ShortenHistory),
        ),
        (
            "Unknown parameter: provider",
            Some(Omit(Omittable::Provider)),
        ),
        (
            r#"{"error":{"message":"Unrecognized key(s) in object: 'provider'"}}"#,
            Some(Omit(Omittable::Provider)),
        ),
        (
            r#"{"error":{"message":"Provider returned error","metadata":{"provider_name":"OpenAI"}}}"#,
            None,
        ),
        ("Unsupported parameter: provider_mode", None),
        (
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"prompt is too long: 210000 tokens > 200000 maximum","provider_name":"Anthropic"}}}"#,
            Some(ShortenHistory),
        ),
        (
            "Input is too long for requested model.",
            Some(ShortenHistory),
        ),
        ("model_not_found", None),
    ] {
        assert_eq!(mend(message.as_bytes()), expected, "{message}");
    }
}

#[test]
fn a_refusal_says_when_to_come_back() {
    for (body, rest) in [
        (
            r#"{"error":{"availability":{"retryable":true,"retry_after":12}}}"#,
            Some(12),
        ),
        (r#"{"error":{"availability":{"retry_after":"3"}}}"#, Some(3)),
        (r#"{"error":{"availability":{"retryable":true}}}"#, None),
        (r#"{"error":{"availability":"soon"}}"#, None),
        (r#"{"error":"busy"}"#, None),
        ("<html>", None),
        ("", None),
    ] {
        assert_eq!(
            retry_after(body.as_bytes()),
            rest.map(Duration::from_secs),
            "{body}"
        );
    }
    let never = br#"{"error":{"availability":{"retryable":false,"retry_after":1}}}"#;
    assert_eq!(retry_after(never), Some(Duration::MAX));
}

#[test]
fn usage_is_read_in_every_recorded_spelling() {
    let read = |json: &str| usage(serde_json::from_str(json).unwrap()).unwrap();
    let usage = read(
        r#"{"prompt_tokens":1200,"completion_tokens":80.0,"cost":0.00016,
            "prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":null}"#,
    );
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (1200, 80));
    assert_eq!(
        (usage.cached_tokens, usage.cost),
        (1024, Some(MicroUsd(160)))
    );
    let own = read(
        r#"{"cost":0.00001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.0002}}"#,
    );
    assert_eq!(own.cost, Some(MicroUsd(210)));
    assert_eq!(read("{}").cost, None);
    let odd = read(
        r#"{"prompt_tokens":"12","completion_tokens":{},"cost":"0.00016","is_byok":"no",
            "prompt_tokens_details":[7],"cost_details":"x"}"#,
    );
    assert_eq!((odd.prompt_tokens, odd.completion_tokens), (12, 0));
    assert_eq!(odd.cost, Some(MicroUsd(160)));
    assert_eq!(read(r#"{"cost":"NaN"}"#).cost, None);
    assert_eq!(super::usage(serde_json::from_str("7").unwrap()), None);
}
