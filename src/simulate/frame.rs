//! Events as OpenRouter writes them: the fields, their order on the wire, usage and its price.

use serde_json::{Value, json};

use super::catalog;

/// The comment that keeps a connection alive.
pub(super) const COMMENT: &str = ": OPENROUTER PROCESSING\n\n";
/// The last event.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// What is constant in one answer.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) provider: &'static str,
    pub(super) prompt_tokens: u64,
}

impl Generation {
    /// A chunk with the words of one token.
    pub(super) fn token(&self, words: &str) -> String {
        self.chunk(&content(words), None, "")
    }

    /// A chunk whose delta is this JSON.
    pub(super) fn delta(&self, delta: &Value) -> String {
        self.chunk(&delta.to_string(), None, "")
    }

    /// The chunk that says why the answer ended.
    pub(super) fn finish(&self, reason: &str, native: &str) -> String {
        self.chunk(&content(""), Some((reason, native)), "")
    }

    /// The chunk after that: the same finish again, with usage.
    pub(super) fn usage(&self, reason: &str, native: &str, completion: u64) -> String {
        let tail = format!(r#","usage":{}"#, self.usage_json(completion));
        self.chunk(&content(""), Some((reason, native)), &tail)
    }

    /// An event with the head of a chunk and these fields after it.
    pub(super) fn event(&self, fields: &str) -> String {
        format!(
            r#"data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"provider":"{}",{fields}}}"#,
            self.id,
            self.created,
            Value::from(self.model.as_str()),
            self.provider,
        ) + "\n\n"
    }

    /// What the account is charged for, in dollars.
    pub(super) fn cost(&self, completion: u64) -> f64 {
        let (prompt, completion) = self.costs(completion);
        prompt + completion
    }

    pub(super) fn usage_json(&self, completion: u64) -> Value {
        let (prompt_cost, completion_cost) = self.costs(completion);
        let cost = prompt_cost + completion_cost;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "cost": cost,
            "is_byok": false,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
            "cost_details": {"upstream_inference_cost": cost, "upstream_inference_prompt_cost": prompt_cost,
                "upstream_inference_completions_cost": completion_cost},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
        })
    }

    /// The body of an answer that is not streamed.
    pub(super) fn whole(&self, text: &str, finish: &str, completion: u64) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.model, "provider": self.provider,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
                "finish_reason": finish, "native_finish_reason": finish, "logprobs": null}],
            "usage": self.usage_json(completion),
        })
    }

    fn costs(&self, completion: u64) -> (f64, f64) {
        let price = catalog::price_of(&self.model);
        let dollars = |tokens: u64, pico: u64| {
            let float = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
            float(tokens) * float(pico) / 1e12
        };
        (
            dollars(self.prompt_tokens, price.prompt),
            dollars(completion, price.completion),
        )
    }

    fn chunk(&self, delta: &str, finish: Option<(&str, &str)>, tail: &str) -> String {
        let (reason, native) = finish.map_or(("null".to_owned(), "null".to_owned()), |(a, b)| {
            (format!("\"{a}\""), format!("\"{b}\""))
        });
        self.event(&format!(
            r#""choices":[{{"index":0,"delta":{delta},"finish_reason":{reason},"native_finish_reason":{native}}}]{tail}"#
        ))
    }
}

/// Tokens of a request's messages, by the usual four characters a token.
pub(super) fn prompt_tokens(body: &Value) -> u64 {
    let chars = body.get("messages").map_or(0, characters);
    u64::try_from(chars.div_ceil(4)).unwrap_or(u64::MAX)
}

fn characters(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(fields) => fields.values().map(characters).sum(),
        _ => 0,
    }
}

fn content(words: &str) -> String {
    format!(r#"{{"role":"assistant","content":{}}}"#, Value::from(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_the_recorded_fields_in_the_recorded_order() {
        let generation = Generation {
            id: "gen-1-a".into(),
            created: 1,
            model: "openai/gpt-6.1-terra".into(),
            provider: "OpenAI",
            prompt_tokens: 1_000,
        };
        assert_eq!(
            generation.token("Hi"),
            concat!(
                r#"data: {"id":"gen-1-a","object":"chat.completion.chunk","created":1,"model":"openai/gpt-6.1-terra","provider":"OpenAI","#,
                r#""choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null,"native_finish_reason":null}]}"#,
                "\n\n"
            )
        );
        let usage = generation.usage("stop", "completed", 100);
        let usage: Value =
            serde_json::from_str(usage.trim().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(usage["choices"][0]["finish_reason"], "stop");
        assert!((usage["usage"]["cost"].as_f64().unwrap() - 0.0015).abs() < 1e-9);
    }
}
