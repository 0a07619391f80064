//! What to make of a sound that is no turn, as a stage note: a listener's "mm-hm" must not get a
//! lecture, and somebody who thinks aloud must not be talked over.
//!
//! After a question of the coach's the same sounds are an answer, and nothing is noted.

use crate::turn::{Ask, Conversation, LastReply, Murmur, Role};

const LISTENING: &str = "(The user only lets you know that they are listening. Say a few words at \
     most, so that they can go on; begin nothing new.)";
const BROKE_IN: &str = "(The user did not mean to stop you: they only let you know that they are \
     listening. Go on from where you were cut off, in one or two short sentences.)";
const THINKING: &str = "(The user is still thinking. Give them room with a few words at most; ask \
     nothing.)";
/// What ends a question, in the scripts that voice platforms speak.
const QUESTION_MARKS: [char; 4] = ['?', '？', '؟', '⸮'];

/// The stage note; none where the user said something, or answered.
pub(super) fn note(conversation: &Conversation) -> Option<String> {
    let Ask::Words(words) = &conversation.ask else {
        return None;
    };
    let note = match (Murmur::of(words)?, &conversation.last_reply) {
        (Murmur::Noise, _) => return None,
        (Murmur::Thinking, _) => THINKING,
        (Murmur::Listening, Some(LastReply::Unheard)) => LISTENING,
        (Murmur::Listening, _) if was_asked(conversation) => return None,
        (Murmur::Listening, Some(LastReply::CutAfter(_))) => BROKE_IN,
        (Murmur::Listening, None) => LISTENING,
    };
    Some(note.to_owned())
}

/// Whether the coach's last words are a question.
fn was_asked(conversation: &Conversation) -> bool {
    let mut spoken = conversation.history.iter().rev();
    let last = spoken.find(|m| m.role != Role::Tool && !m.text.trim().is_empty());
    let last = last.filter(|m| m.role == Role::Assistant);
    last.is_some_and(|m| {
        let quoted = |c: char| c.is_whitespace() || "\"'”’»)".contains(c);
        m.text.trim_end_matches(quoted).ends_with(QUESTION_MARKS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Message;

    #[test]
    fn the_same_sound_is_an_answer_after_a_question() {
        let cut = || Some(LastReply::CutAfter("you could".to_owned()));
        let unheard = || Some(LastReply::Unheard);
        for (coach, words, last_reply, expected) in [
            ("That took courage.", "Mm-hm.", None, Some(LISTENING)),
            ("That took courage.", "Yeah.", None, Some(LISTENING)),
            ("", "Yeah.", None, Some(LISTENING)),
            ("Shall we try it?", "Mm-hm.", None, None),
            ("Shall we try it?", "Yeah.", None, None),
            ("You ask: “shall we?” ", "yes", None, None),
            ("要试试吗？", "mhm", None, None),
            ("Shall we try it?", "No.", None, None),
            ("Then you could", "Uh-huh", cut(), Some(BROKE_IN)),
            ("Shall we try it?", "Uh-huh", cut(), None),
            ("Shall we try it?", "Uh-huh", unheard(), Some(LISTENING)),
            ("What holds you back?", "Um…", None, Some(THINKING)),
            ("Then you could", "Hmm", cut(), Some(THINKING)),
            ("That took courage.", "Yeah, it did.", None, None),
            ("That took courage.", "[noise]", None, None),
        ] {
            let conversation = Conversation {
                history: vec![Message::user("Hi?"), Message::assistant(coach)],
                ask: Ask::Words(words.to_owned()),
                context: Vec::new(),
                expressions: Vec::new(),
                tools: None,
                last_reply,
                silences: 0,
            };
            let got = note(&conversation);
            assert_eq!(got.as_deref(), expected, "{coach:?} {words:?}");
        }
    }

    #[test]
    fn silence_is_no_murmur() {
        let conversation = Conversation {
            history: Vec::new(),
            ask: Ask::Silence,
            context: Vec::new(),
            expressions: Vec::new(),
            tools: None,
            last_reply: None,
            silences: 0,
        };
        assert_eq!(note(&conversation), None);
    }
}
