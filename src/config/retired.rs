//! Model slugs that no longer answer, and what stands in for each.
//!
//! Source: the makers' deprecation pages and OpenRouter's catalogue as of 10 November 2026. A request
//! to one of these is a 400 or 404, so a `COACH_MODEL_*` value that names one is replaced, with a
//! warning, instead of failing every turn of that coach. The successor is of the same price class or
//! lower, and can answer without thinking first: for `claude-3-opus` that means `claude-sonnet-5`,
//! because a speaker hears the wait of a larger model.

/// Retired slug and its successor.
pub const RETIRED: &[(&str, &str)] = &[
    ("openai/gpt-4-turbo", "openai/gpt-6.1-terra"),
    ("openai/gpt-4", "openai/gpt-6.1-terra"),
    ("openai/gpt-3.5-turbo", "openai/gpt-6-luna"),
    ("anthropic/claude-3-sonnet", "anthropic/claude-sonnet-5"),
    ("anthropic/claude-3-opus", "anthropic/claude-sonnet-5"),
    ("anthropic/claude-3-haiku", "anthropic/claude-haiku-5.5"),
    ("google/gemini-pro", "google/gemini-3.1-flash-lite"),
];

/// What stands in for `slug`, if it is retired.
#[must_use]
pub fn successor(slug: &str) -> Option<&'static str> {
    RETIRED
        .iter()
        .find(|(old, _)| old.eq_ignore_ascii_case(slug))
        .map(|(_, new)| *new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_successor_is_retired_itself() {
        for (old, new) in RETIRED {
            assert_eq!(successor(new), None, "{old} leads to {new}");
        }
    }
}
