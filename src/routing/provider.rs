//! What is known of providers: who is asked for a model first, and whose bill stops when a stream is
//! closed. Constant and pure.
//!
//! **Source.** The two lists in `OpenRouter`'s documentation of streaming, "stream cancellation".
//!
//! To add a provider: its name in small letters and digits alone, in `STOPS` or `GOES_ON`.

/// Whether a provider goes on writing, and billing, an answer whose stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    Stops,
    /// The whole answer is billed, up to `max_tokens`.
    GoesOn,
    /// On neither list. To be treated as `GoesOn` by whoever spends money.
    Unknown,
}

/// Makers whose own endpoint stops billing when the stream is closed; a barge-in is then not paid
/// in full. Asked for first, others stay allowed.
const PINNED: &[(&str, &[&str])] = &[
    ("anthropic/", &["anthropic"]),
    ("openai/", &["openai", "azure"]),
    ("x-ai/", &["xai"]),
    ("deepseek/", &["deepseek"]),
    ("cohere/", &["cohere"]),
];

/// Providers that stop. Letters and digits alone; with what `OpenRouter` calls some of them besides.
#[rustfmt::skip]
const STOPS: &[&str] = &[
    "anthropic", "anyscale", "avian", "azure", "azureopenai", "chutes", "cloudflare", "cohere",
    "deepinfra", "deepseek", "fireworks", "friendli", "hyperbolic", "infermatic", "lepton",
    "liquid", "mancer", "mancer2", "nineteen", "novita", "novitaai", "octoai", "openai",
    "recursal", "sfcompute", "together", "xai",
];

/// Providers that do not.
#[rustfmt::skip]
const GOES_ON: &[&str] = &[
    "01ai", "ai21", "aionlabs", "alibaba", "amazonbedrock", "awsbedrock", "bedrock", "featherless",
    "google", "googleaistudio", "googlevertex", "groq", "huggingface", "inferencenet",
    "inflection", "kluster", "klusterai", "lambda", "lynn", "minimax", "mistral", "modal",
    "nebius", "nebiusaistudio", "perplexity", "reflection", "replicate", "sambanova", "targon",
    "vertex", "vertexai", "zerooneai",
];

/// The providers to ask for first, by their slugs; empty for a model of no maker above.
#[must_use]
pub fn pinned(model: &str) -> &'static [&'static str] {
    PINNED
        .iter()
        .find(|(maker, _)| model.starts_with(maker))
        .map_or(&[], |(_, order)| order)
}

/// Whether a model's prompts are cached only where the request says so; others' are by themselves.
///
/// Source: `OpenRouter`'s "prompt caching".
#[must_use]
pub fn caches_when_asked(model: &str) -> bool {
    model.starts_with("anthropic/")
}

/// What a provider does when its stream is closed. Takes its name as a stream reports it ("Amazon
/// Bedrock") and its slug ("amazon-bedrock", "amazon-bedrock/eu"), in any case.
#[must_use]
pub fn on_cancel(provider: &str) -> OnCancel {
    let name = provider.split('/').next().unwrap_or_default();
    let among = |list: &[&str]| {
        list.iter().any(|known| {
            let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
            letters.map(|b| b.to_ascii_lowercase()).eq(known.bytes())
        })
    };
    if among(STOPS) {
        OnCancel::Stops
    } else if among(GOES_ON) {
        OnCancel::GoesOn
    } else {
        OnCancel::Unknown
    }
}

/// Whether closing a stream of this model is expected to stop its bill: everybody it is asked of
/// first stops. Not a promise. Other providers stay allowed, and an open-weight model of a pinned
/// maker (`openai/gpt-oss-…`) is served by others; who answered is known from the stream alone.
#[must_use]
pub fn stops_billing(model: &str) -> bool {
    let order = pinned(model);
    !order.is_empty() && order.iter().all(|p| on_cancel(p) == OnCancel::Stops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_known_by_name_and_by_slug() {
        use OnCancel::{GoesOn, Stops, Unknown};
        for (provider, expected) in [
            ("OpenAI", Stops),
            ("openai", Stops),
            ("Azure", Stops),
            ("azure/swc", Stops),
            ("Anthropic", Stops),
            ("xAI", Stops),
            ("DeepInfra", Stops),
            ("deepinfra/fp8", Stops),
            ("SF Compute", Stops),
            ("Amazon Bedrock", GoesOn),
            ("amazon-bedrock", GoesOn),
            ("AWS Bedrock", GoesOn),
            ("Google", GoesOn),
            ("GOOGLE AI STUDIO", GoesOn),
            ("google-ai-studio", GoesOn),
            ("google-vertex/us-east5", GoesOn),
            ("AI21", GoesOn),
            ("Minimax", GoesOn),
            ("Groq", GoesOn),
            ("Simulated", Unknown),
            ("Cerebras", Unknown),
            ("Öpenai", Unknown),
            ("/", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(on_cancel(provider), expected, "{provider}");
        }
    }

    #[test]
    fn a_provider_is_on_one_list_and_spelled_as_it_is_looked_up() {
        for (list, expected) in [(STOPS, OnCancel::Stops), (GOES_ON, OnCancel::GoesOn)] {
            assert!(list.is_sorted_by(|a, b| a < b));
            for name in list {
                assert_eq!(on_cancel(name), expected, "{name}");
            }
        }
        assert!(STOPS.iter().all(|name| !GOES_ON.contains(name)));
    }

    #[test]
    fn a_pinned_model_stops_billing_and_another_does_not() {
        for (maker, order) in PINNED {
            assert!(stops_billing(&format!("{maker}any")), "{maker}: {order:?}");
        }
        assert_eq!(pinned("openai/gpt-6-luna"), ["openai", "azure"]);
        for model in ["google/gemini-3.1-flash-lite", "mistralai/x", "openai", ""] {
            assert!(pinned(model).is_empty() && !stops_billing(model), "{model}");
        }
    }
}
