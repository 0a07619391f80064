//! What a specialist is told: its own persona and memory, the end of the talk, and that it speaks to
//! the master.

use crate::coach::Coach;
use crate::prompt::PromptMessage;
use crate::turn::{Conversation, Message, Role};

/// Lines of the talk that a specialist gets.
const NEWEST: usize = 12;
/// Bytes of them.
const MOST_BYTES: usize = 8_000;

/// The conversation as a specialist gets it: its end, and nothing to call.
#[must_use]
pub fn apart(conversation: &Conversation) -> Conversation {
    let mut bytes = 0;
    let spoken = |m: &&Message| m.role != Role::Tool && m.raw.is_none();
    let newest = conversation.history.iter().rev().filter(spoken);
    let mut history: Vec<Message> = newest
        .take(NEWEST)
        .take_while(|m| {
            bytes += m.text.len();
            bytes <= MOST_BYTES
        })
        .cloned()
        .collect();
    history.reverse();
    Conversation {
        history,
        tools: None,
        ..conversation.clone()
    }
}

/// What memory is asked on a specialist's behalf: why it is heard, its ground, and the person's words,
/// which come last because they may be long.
#[must_use]
pub fn recollection(coach: &Coach, why: &str, conversation: &Conversation) -> String {
    let parts = [why, &coach.recalls, conversation.ask.words()];
    let said = parts.into_iter().map(str::trim).filter(|p| !p.is_empty());
    said.collect::<Vec<_>>().join(" ")
}

/// The prompt with the master's request before the person's words.
#[must_use]
pub fn brief(messages: Vec<PromptMessage>, name: &str, why: &str) -> Vec<PromptMessage> {
    let about = match why {
        "" => String::new(),
        // A model chose the words, and others may have put them into its mouth.
        why => format!(" on this: “{why}”"),
    };
    let note = format!(
        "(The master coach holds a council and asks you, the {name}, for your view{about}. You speak to \
         the master, who will answer the person. In at most two short sentences say what you see from \
         your ground and what you would have the person do. Say plainly what you would object to. Ask \
         nothing and greet nobody.)"
    );
    super::synthesise::before_words(messages, [note])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::council::tests_of::saying;
    use crate::turn::Ask;

    #[test]
    fn a_specialist_gets_the_end_of_the_talk() {
        let mut talk = saying(Ask::Words("Now".to_owned()));
        talk.history = (0..20)
            .map(|n| Message::user(format!("{n}")))
            .chain([Message::assistant("x".repeat(7_999)), Message::user("y")])
            .collect();
        let texts: Vec<String> = apart(&talk).history.into_iter().map(|m| m.text).collect();
        assert_eq!(texts.len(), 2);
        assert_eq!(texts[1], "y");
        talk.history.truncate(20);
        let texts: Vec<String> = apart(&talk).history.into_iter().map(|m| m.text).collect();
        assert_eq!(texts, (8..20).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_asked_before_the_persons_words() {
        let prompt = vec![
            PromptMessage::System("rules".to_owned().into()),
            PromptMessage::User("Should I go?".to_owned()),
        ];
        for (why, told) in [
            ("", "for your view. You"),
            ("an offer", "view on this: “an offer”. You"),
        ] {
            let told_all = brief(prompt.clone(), "career coach", why);
            let [_, PromptMessage::User(note), PromptMessage::User(words)] = told_all.as_slice()
            else {
                panic!("{told_all:?}");
            };
            assert!(
                note.contains(told) && note.contains("the career coach"),
                "{note}"
            );
            assert_eq!(words, "Should I go?");
        }
    }
}
