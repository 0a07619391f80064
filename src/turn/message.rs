//! What was said so far, and what is asked now: free of any caller's quirks.

use serde_json::value::RawValue;

use super::prosody::Expression;

/// Who said a line of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    /// The result of a tool call; its text is the result.
    Tool,
}

/// One line of the history, cleaned.
#[derive(Clone, Debug)]
pub struct Message {
    pub role: Role,
    pub text: String,
    /// The message in `OpenAI`'s form, each field as the caller sent it; kept only where tool calls
    /// make its exact form matter.
    pub raw: Option<Box<RawValue>>,
}

impl Message {
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            text: text.into(),
            raw: None,
        }
    }

    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            text: text.into(),
            raw: None,
        }
    }
}

/// What the caller wants from this turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The user said this.
    Words(String),
    /// The call begins; the coach is to greet.
    Greeting,
    /// The platform reports that the user has been silent.
    Silence,
    /// The application wants something said, the last of the context tells what. Nobody spoke.
    Told,
    /// A tool result came back; the model goes on from it.
    ToolResult,
    /// Nothing was said at all.
    Nothing,
}

impl Ask {
    /// The user's own words, or nothing.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Words(words) => words,
            _ => "",
        }
    }
}

/// How much of the assistant's last reply reached the user, where it was not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastReply {
    /// The user broke in; these were the last words heard, a handful at most.
    CutAfter(String),
    /// None of it.
    Unheard,
}

/// The tools a request offers, passed through untouched.
#[derive(Clone, Debug)]
pub struct Tools {
    pub tools: Box<RawValue>,
    pub tool_choice: Option<Box<RawValue>>,
}

/// One request's conversation: history without the words of this turn, and the ask.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub history: Vec<Message>,
    pub ask: Ask,
    /// Text the application injected, to be quoted to the model as data, never obeyed.
    pub context: Vec<String>,
    /// How the user sounded of late, this turn the most, strongest first, at most three.
    pub expressions: Vec<Expression>,
    pub tools: Option<Tools>,
    /// Absent where the last reply was heard whole, and where nothing is known of it.
    pub last_reply: Option<LastReply>,
    /// How often the platform had told of silence before this, since anybody's last word.
    pub silences: usize,
}

impl Conversation {
    /// The user's lines of the whole conversation, each with the history before it, oldest first,
    /// this turn's last: an empty one where nothing was said in it.
    pub fn lines(&self) -> impl Iterator<Item = (&[Message], &str)> {
        let before = |at| self.history.get(..at).unwrap_or_default();
        self.history
            .iter()
            .enumerate()
            .filter(|(_, m)| m.role == Role::User)
            .map(move |(at, m)| (before(at), m.text.as_str()))
            .chain(std::iter::once((self.history.as_slice(), self.ask.words())))
    }
}
