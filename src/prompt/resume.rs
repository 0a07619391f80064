//! Asks for the rest of an answer that broke off in mid-stream. What was spoken cannot be taken
//! back, so another answer would be heard as a second beginning: the model is given its own words
//! and goes on from them.
//!
//! There are two ways. Some models go on from a last message of their own; the others refuse one, or
//! answer it, and have to be told. Both keep the prompt that was sent, so that what a provider has
//! cached of it still serves. Where nothing was said, both are the prompt itself.

use super::compose::PromptMessage;

/// Characters of the partial answer that go in: its end is what must fit.
const SAID: usize = 4_000;

const CONTINUE: &str = "(Your answer was cut off there by a fault of the line. Please continue it \
     from exactly where it stops, with the very next word, in the same voice. Do not repeat \
     anything, do not apologise, do not mention the interruption and do not start over.)";

/// The prompt with what was said as its last message, for models that go on from there. White space
/// at its end is left out, since models refuse it: whoever joins the two has to look after the space
/// between them.
#[must_use]
pub fn prefilled(messages: &[PromptMessage], said: &str) -> Vec<PromptMessage> {
    let mut prompt = messages.to_vec();
    let said = ending(said);
    if !said.is_empty() {
        prompt.push(PromptMessage::Assistant(said.to_owned()));
    }
    prompt
}

/// The prompt with what was said, then the instruction to go on: for models that answer a user only.
#[must_use]
pub fn instructed(messages: &[PromptMessage], said: &str) -> Vec<PromptMessage> {
    let mut prompt = prefilled(messages, said);
    if prompt.len() > messages.len() {
        prompt.push(PromptMessage::User(CONTINUE.to_owned()));
    }
    prompt
}

/// The last part of a text, from the beginning of a word if there is one.
fn ending(said: &str) -> &str {
    let said = said.trim();
    // One character more, to see whether the cut falls between words.
    let Some((start, _)) = said.char_indices().rev().nth(SAID) else {
        return said;
    };
    let tail = said.get(start..).unwrap_or_default();
    let word = tail.find(char::is_whitespace);
    let from = word.unwrap_or_else(|| tail.chars().next().map_or(0, char::len_utf8));
    tail.get(from..).unwrap_or_default().trim_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn prompt() -> Vec<PromptMessage> {
        vec![
            PromptMessage::System("Rules.".to_owned().into()),
            PromptMessage::User("Where do I begin?".to_owned()),
        ]
    }

    fn shown(messages: &[PromptMessage]) -> String {
        let lines = messages.iter().map(|m| serde_json::to_string(m).unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn both_ways_to_ask_for_the_rest() {
        let said = "Begin with the one you \n";
        insta::assert_snapshot!(shown(&prefilled(&prompt(), said)), @r#"
        {"role":"system","content":"Rules."}
        {"role":"user","content":"Where do I begin?"}
        {"role":"assistant","content":"Begin with the one you"}
        "#);
        insta::assert_snapshot!(shown(&instructed(&prompt(), said)), @r#"
        {"role":"system","content":"Rules."}
        {"role":"user","content":"Where do I begin?"}
        {"role":"assistant","content":"Begin with the one you"}
        {"role":"user","content":"(Your answer was cut off there by a fault of the line. Please continue it from exactly where it stops, with the very next word, in the same voice. Do not repeat anything, do not apologise, do not mention the interruption and do not start over.)"}
        "#);
    }

    #[test]
    fn only_the_end_goes_in_from_a_word() {
        assert_eq!(ending(" one two \n"), "one two");
        let words = "wörter ".repeat(1_000);
        let end = ending(&words);
        assert!(end.starts_with("wörter ") && end.ends_with(" wörter"));
        assert!((SAID - 7..=SAID).contains(&end.chars().count()));
        // A cut right between two words keeps the second.
        let exact = format!("one {}", "é".repeat(SAID));
        assert_eq!(ending(&exact), "é".repeat(SAID));
        // One word that is too long is cut all the same.
        assert_eq!(ending(&"é".repeat(SAID + 9)), "é".repeat(SAID));
    }

    fn any_prompt() -> impl Strategy<Value = Vec<PromptMessage>> {
        let raw = || PromptMessage::Raw(RawValue::from_string("{}".to_owned()).unwrap());
        let message = prop_oneof![
            "\\PC{0,9}".prop_map(PromptMessage::User),
            "\\PC{0,9}".prop_map(PromptMessage::Assistant),
            Just(()).prop_map(move |()| raw()),
        ];
        prop::collection::vec(message, 0..5).prop_map(|mut messages| {
            messages.insert(0, PromptMessage::System("Rules.".to_owned().into()));
            messages
        })
    }

    proptest! {
        #[test]
        fn the_prompt_is_kept_and_ends_as_it_must(
            messages in any_prompt(),
            said in "[a-zé \n]{0,40}",
            times in prop::sample::select(vec![1_usize, 300]),
        ) {
            let said = said.repeat(times);
            let ways = [prefilled(&messages, &said), instructed(&messages, &said)];
            for prompt in &ways {
                prop_assert!(shown(prompt).starts_with(&shown(&messages)));
                prop_assert!(matches!(prompt.first(), Some(PromptMessage::System(_))));
            }
            let [prefilled, instructed] = ways;
            if said.trim().is_empty() {
                prop_assert_eq!(shown(&prefilled), shown(&instructed));
                return Ok(());
            }
            let Some(PromptMessage::Assistant(part)) = prefilled.last() else {
                return Err(TestCaseError::fail("it does not end with the assistant"));
            };
            prop_assert!(!part.is_empty() && part.chars().count() <= SAID);
            prop_assert!(said.trim_end().ends_with(part.as_str()));
            let Some(PromptMessage::User(last)) = instructed.last() else {
                return Err(TestCaseError::fail("it does not end with the user"));
            };
            prop_assert!(last.contains("continue"));
            prop_assert_eq!(shown(&instructed[..prefilled.len()]), shown(&prefilled));
        }
    }
}
