//! What is known of models before they are asked: who is asked for them first.
//!
//! Source: `OpenRouter`'s documentation (streaming, cancellation).

/// Makers whose own endpoint stops billing when the stream is closed; a barge-in is then not paid
/// in full. Asked for first, others stay allowed.
const PINNED: &[(&str, &[&str])] = &[
    ("anthropic/", &["anthropic"]),
    ("openai/", &["openai", "azure"]),
    ("x-ai/", &["xai"]),
    ("deepseek/", &["deepseek"]),
    ("cohere/", &["cohere"]),
];

/// The providers to ask for first, by their slugs; empty for a model of no maker above.
#[must_use]
pub fn pinned(model: &str) -> &'static [&'static str] {
    PINNED
        .iter()
        .find(|(maker, _)| model.starts_with(maker))
        .map_or(&[], |(_, order)| order)
}
