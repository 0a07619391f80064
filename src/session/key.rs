//! When two requests are the same one: a caller sends a turn again after a timeout, in doubt, or
//! without any reason.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::turn::{Ask, Conversation, Role};
use crate::vault::DataKey;

use super::heard::squeeze_into;

/// So many of a history's lines are compared: a call of hours must not cost more for each word in it.
const KEYED_LINES: usize = 64;

/// More than what most requests say.
const USUAL_BYTES: usize = 4 << 10;

/// 128 bits of what a request says. Means something within one process only, or among those that share
/// a data key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(u64, u64);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

/// Makes keys. Keyed, so that nobody can choose two requests that collide.
#[derive(Debug)]
pub(super) enum Keys {
    /// By chance: for one process, and cheap.
    Own(RandomState, RandomState),
    /// By the data key: the same on every machine that has it.
    Shared(Box<Hmac<Sha256>>),
}

impl Default for Keys {
    fn default() -> Self {
        Self::Own(RandomState::new(), RandomState::new())
    }
}

impl Keys {
    pub(super) fn shared(key: &DataKey) -> Self {
        let mut mac = key.mac();
        mac.update(b"requests that come again, 1\0");
        Self::Shared(Box::new(mac))
    }

    /// How the user sounded is left out: a platform may measure it anew for a request it repeats.
    /// The coach belongs to it: a request may name another for the same words.
    pub(super) fn of(&self, session: &str, coach: &str, next: &Conversation) -> Key {
        let mut key = Parts(Vec::with_capacity(USUAL_BYTES));
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
            Ask::Told => 5,
        });
        key.words(next.ask.words(), &mut line);
        key.number(next.context.len());
        for context in &next.context {
            key.field(context);
        }
        let tools = next.tools.as_ref();
        key.raw(tools.map(|t| t.tools.get()));
        key.raw(tools.and_then(|t| t.tool_choice.as_deref().map(|choice| choice.get())));
        self.hash(&key.0)
    }

    /// The session alone, whatever is said in it.
    pub(super) fn session(&self, session: &str) -> Key {
        let mut parts = Parts(Vec::new());
        parts.field(session);
        self.hash(&parts.0)
    }

    fn hash(&self, parts: &[u8]) -> Key {
        match self {
            Self::Own(a, b) => {
                let half = |state: &RandomState| {
                    let mut hasher = state.build_hasher();
                    hasher.write(parts);
                    hasher.finish()
                };
                Key(half(a), half(b))
            }
            Self::Shared(mac) => {
                let mut mac = mac.clone();
                mac.update(parts);
                let digest: [u8; 32] = mac.finalize().into_bytes().into();
                let half = |at| {
                    let bytes = digest.get(at..).and_then(|rest| rest.first_chunk());
                    bytes.copied().map(u64::from_be_bytes).unwrap_or_default()
                };
                Key(half(0), half(8))
            }
        }
    }
}

/// What is hashed, put together first: a hash takes many small pieces more slowly than one. Every part has
/// its length before it, so that no two lists of parts read alike.
struct Parts(Vec<u8>);

impl Parts {
    fn kind(&mut self, kind: u8) {
        self.0.push(kind);
    }

    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn field(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
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
            silences: 0,
        }
    }

    fn shared(key: &str) -> Keys {
        let store = crate::config::Store {
            database: None,
            data_dir: "/nowhere".into(),
            data_key: Some(key.to_owned().into()),
            retention: None,
            capture_ttl: std::time::Duration::from_secs(60),
        };
        Keys::shared(&DataKey::load(&store).unwrap())
    }

    #[test]
    fn machines_with_one_data_key_know_a_request_by_the_same_key_and_nobody_else_does() {
        let of = |keys: Keys| keys.of("s", "career", &base());
        let key = of(shared("a-key-0123456789"));
        assert_eq!(key, of(shared("a-key-0123456789")));
        assert_ne!(key, of(shared("b-key-0123456789")));
        assert_ne!(of(Keys::default()), of(Keys::default()));
        // Of two versions too, while one takes the place of the other.
        assert_eq!(key.to_string(), "47af106596a5f0cefc72377e18b1ef0e");
        let session = shared("a-key-0123456789").session("s");
        assert_eq!(session.to_string(), "e0510e1b42d4fc52f4f7d906bc35a367");
        assert_ne!(session, shared("b-key-0123456789").session("s"));
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
        says_the_same(&Keys::default());
        says_the_same(&shared("a-key-0123456789"));
    }

    fn says_the_same(keys: &Keys) {
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
            |c| c.ask = Ask::Told,
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
