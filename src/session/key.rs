//! When two requests are the same one: a caller sends a turn again after a timeout, in doubt, or
//! without any reason.

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher as _, Hasher as _};

use crate::turn::{Ask, Conversation, Role};

use super::heard::squeeze_into;

/// So many of a history's lines are compared: a call of hours must not cost more for each word in it.
const KEYED_LINES: usize = 64;

/// 128 bits of what a request says. Means something within one process only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key(u64, u64);

/// Makes keys. Keyed by chance, so that nobody can choose two requests that collide.
#[derive(Debug, Default)]
pub(super) struct Keys(RandomState, RandomState);

impl Keys {
    /// How the user sounded is left out: a platform may measure it anew for a request it repeats.
    /// The coach belongs to it: a request may name another for the same words.
    pub(super) fn of(&self, session: &str, coach: &str, next: &Conversation) -> Key {
        let mut key = Hash(self.0.build_hasher(), self.1.build_hasher());
        let mut line = String::new();
        key.field(session);
        key.field(coach);
        // How many lines there were, and the newest of them: what is older was the same then.
        key.number(next.history.len());
        for message in next.history.iter().rev().take(KEYED_LINES) {
            key.kind(match message.role {
                Role::User => 0,
                Role::Assistant => 1,
                Role::Tool => 2,
            });
            key.words(&message.text, &mut line);
            key.raw(message.raw.as_deref().map(|raw| raw.get()));
        }
        key.kind(match next.ask {
            Ask::Words(_) => 0,
            Ask::Greeting => 1,
            Ask::Silence => 2,
            Ask::ToolResult => 3,
            Ask::Nothing => 4,
        });
        key.words(next.ask.words(), &mut line);
        key.number(next.context.len());
        for context in &next.context {
            key.field(context);
        }
        let tools = next.tools.as_ref();
        key.raw(tools.map(|t| t.tools.get()));
        key.raw(tools.and_then(|t| t.tool_choice.as_deref().map(|choice| choice.get())));
        Key(key.0.finish(), key.1.finish())
    }
}

/// Both hashes at once. Every part has its length before it, so that no two lists of parts read alike.
struct Hash(DefaultHasher, DefaultHasher);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn kind(&mut self, kind: u8) {
        self.bytes(&[kind]);
    }

    fn number(&mut self, number: usize) {
        self.bytes(&number.to_le_bytes());
    }

    fn field(&mut self, text: &str) {
        self.number(text.len());
        self.bytes(text.as_bytes());
    }

    /// `line` is room to work in, used again for every line.
    fn words(&mut self, text: &str, line: &mut String) {
        line.clear();
        squeeze_into(line, text);
        self.field(line);
    }

    fn raw(&mut self, json: Option<&str>) {
        self.kind(u8::from(json.is_some()));
        self.field(json.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{Expression, Message, Tools};
    use serde_json::value::RawValue;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn base() -> Conversation {
        Conversation {
            history: vec![Message::user("Hi"), Message::assistant("Hello there")],
            ask: Ask::Words("I am stuck".into()),
            context: vec!["Ada".into()],
            expressions: vec![],
            tools: None,
            last_reply: None,
        }
    }

    #[test]
    fn of_a_long_history_its_length_and_its_newest_lines_count() {
        let keys = Keys::default();
        let long = |change: fn(&mut Vec<Message>)| {
            let mut conversation = base();
            conversation.history = (0..200).map(|n| Message::user(n.to_string())).collect();
            change(&mut conversation.history);
            keys.of("s", "career", &conversation)
        };
        let key = long(|_| ());
        assert_eq!(key, long(|h| h[0].text = "another".into()));
        assert_ne!(key, long(|h| drop(h.remove(0))));
        for at in [136, 199] {
            let change: fn(&mut Vec<Message>) = match at {
                136 => |h| h[136].text = "another".into(),
                _ => |h| h[199].text = "another".into(),
            };
            assert_ne!(key, long(change), "{at}");
        }
    }

    #[test]
    fn a_request_that_says_the_same_has_the_same_key() {
        let keys = Keys::default();
        let of = |change: fn(&mut Conversation)| {
            let mut conversation = base();
            change(&mut conversation);
            keys.of("s", "career", &conversation)
        };
        let key = of(|_| {});
        let same: &[fn(&mut Conversation)] = &[
            |c| c.history[1].text = " Hello \n there ".into(),
            |c| c.ask = Ask::Words("I am  stuck ".into()),
            |c| {
                c.expressions = vec![Expression {
                    name: "Joy".into(),
                    score: 0.5,
                }];
            },
        ];
        for (n, change) in same.iter().enumerate() {
            assert_eq!(of(*change), key, "same {n}");
        }
        let other: &[fn(&mut Conversation)] = &[
            |c| c.history[1].text = "Hello".into(),
            |c| c.history[1].role = Role::User,
            |c| c.history[1].raw = Some(raw("{}")),
            |c| drop(c.history.pop()),
            |c| c.history.push(Message::user("")),
            |c| c.ask = Ask::Words("I am stuck at work".into()),
            |c| c.ask = Ask::Words(String::new()),
            |c| c.ask = Ask::Nothing,
            |c| c.ask = Ask::Silence,
            |c| c.ask = Ask::Greeting,
            |c| c.ask = Ask::ToolResult,
            |c| c.context.clear(),
            |c| {
                c.tools = Some(Tools {
                    tools: raw("[1]"),
                    tool_choice: None,
                });
            },
            |c| {
                c.tools = Some(Tools {
                    tools: raw("[1]"),
                    tool_choice: Some(raw("\"auto\"")),
                });
            },
        ];
        let mut seen = vec![
            key,
            keys.of("t", "career", &base()),
            keys.of("s", "skills", &base()),
        ];
        assert_ne!(seen[0], seen[1]);
        for (n, change) in other.iter().enumerate() {
            let key = of(*change);
            assert!(!seen.contains(&key), "other {n}");
            seen.push(key);
        }
    }
}
