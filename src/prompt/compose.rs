//! Coach, conversation and memory, in the order a model is told them.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;

use super::heard;
use super::murmur;
use super::quote::{Source, quote};
use super::rules::Rules;
use super::sound;
use super::trim::{self, Unit};
use crate::coach::Coach;
use crate::turn::{Ask, Conversation, Murmur};

const CALL_BEGINS: &str = "(The call begins.)";
const LEFT_OUT: &str = "(A part of the conversation is left out here.)";
const GREET: &str = "(The caller has just joined. Greet them in one or two short sentences, \
     by name if the notes of earlier conversations tell it, and ask one opening question.)";
const SILENT: &str = "(The user has been silent for a while. Check in gently with one short \
     sentence. If you have checked in already since they last spoke, say less than before, and then \
     only that you are there whenever they like.)";
/// What it wants stays where all that it says stands, quoted: it is no rule of the coach's.
const TOLD: &str = "(The application that carries this call wants you to speak now. What you are to say is \
     in the application_context just above: say it in one or two short sentences, as the coach you are.)";
const NOTHING: &str = "(The user said nothing that could be understood. Ask in one short sentence \
     what is on their mind.)";
/// For a tool result that cannot be passed on: the model still has to end on a user's message.
const GO_ON: &str = "(Go on with the conversation from where it stands.)";

/// One message to the model, in `OpenAI`'s shape once serialised.
#[derive(Clone, Debug)]
pub enum PromptMessage {
    System(Rules),
    User(String),
    Assistant(String),
    /// A message of a tool exchange, verbatim.
    Raw(Box<RawValue>),
}

impl Serialize for PromptMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::System(rules) => said(serializer, "system", rules),
            Self::User(text) => said(serializer, "user", text),
            Self::Assistant(text) => said(serializer, "assistant", text),
            Self::Raw(raw) => raw.serialize(serializer),
        }
    }
}

fn said<S: Serializer>(
    serializer: S,
    role: &str,
    content: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut message = serializer.serialize_struct("PromptMessage", 2)?;
    message.serialize_field("role", role)?;
    message.serialize_field("content", content)?;
    message.end()
}

/// The whole prompt of a turn. It ends with a user's message, or with the tool result that is to be
/// answered: several models refuse anything else.
#[must_use]
pub fn compose(
    coach: &Coach,
    conversation: &Conversation,
    memory: Option<&str>,
) -> Vec<PromptMessage> {
    let mut messages = vec![PromptMessage::System(Rules::of(coach))];
    let mut history = history(conversation);
    let notes = notes(conversation, memory);
    let last = match &conversation.ask {
        Ask::Words(words) => Some(trim::line(words).into_owned())
            .filter(|w| !w.is_empty() && Murmur::of(w) != Some(Murmur::Noise))
            .or_else(|| Some(NOTHING.to_owned())),
        Ask::Greeting => Some(GREET.to_owned()),
        Ask::Silence => Some(SILENT.to_owned()),
        Ask::Told => Some(TOLD.to_owned()),
        Ask::Nothing => Some(NOTHING.to_owned()),
        Ask::ToolResult => match history.last() {
            Some(PromptMessage::Raw(_) | PromptMessage::User(_)) => None,
            _ => Some(GO_ON.to_owned()),
        },
    };
    let asked = match &last {
        Some(_) => Vec::new(),
        // Notes go before the words that led to the tool call, where they stood when it was made.
        None => history.split_off(last_words(&history)),
    };
    messages.extend(history);
    messages.extend(notes.into_iter().map(PromptMessage::User));
    messages.extend(asked);
    messages.extend(last.map(PromptMessage::User));
    messages
}

/// A prompt without its note of how the user sounded: what may be kept of it.
pub fn without_sound<'m>(
    messages: &'m [PromptMessage],
    conversation: &Conversation,
) -> impl Iterator<Item = &'m PromptMessage> {
    let note = sound::note(&conversation.expressions);
    let is_note = move |message: &&PromptMessage| matches!(message, PromptMessage::User(text) if Some(text) == note.as_ref());
    messages.iter().filter(move |message| !is_note(message))
}

/// The trimmed history, neighbours of one role merged, beginning with the user.
fn history(conversation: &Conversation) -> Vec<PromptMessage> {
    let units = trim::kept(conversation);
    let mut messages: Vec<PromptMessage> = Vec::with_capacity(units.len() + 1);
    for unit in units {
        match (unit, messages.last_mut()) {
            (Unit::User(text), Some(PromptMessage::User(said)))
            | (Unit::Assistant(text), Some(PromptMessage::Assistant(said))) => append(said, &text),
            (Unit::Gap, Some(PromptMessage::User(said))) => append(said, LEFT_OUT),
            (Unit::Gap, _) => messages.push(PromptMessage::User(LEFT_OUT.to_owned())),
            (Unit::User(text), _) => messages.push(PromptMessage::User(text.into_owned())),
            (Unit::Assistant(text), before) => {
                let opens = before.is_none();
                if opens {
                    messages.push(PromptMessage::User(CALL_BEGINS.to_owned()));
                }
                messages.push(PromptMessage::Assistant(text.into_owned()));
            }
            (Unit::Exchange(raw), before) => {
                let opens = before.is_none();
                if opens {
                    messages.push(PromptMessage::User(CALL_BEGINS.to_owned()));
                }
                let raw = raw.into_iter().map(|r| PromptMessage::Raw(r.to_owned()));
                messages.extend(raw);
            }
        }
    }
    messages
}

fn append(said: &mut String, text: &str) {
    said.push(' ');
    said.push_str(text);
}

/// Application context, memory and the stage notes, each in a message of its own. What is to be said is the last of
/// them, so that no length of what stands before it can cut it off.
fn notes(conversation: &Conversation, memory: Option<&str>) -> Vec<String> {
    let (told, context) = match conversation.context.split_last() {
        Some((told, context)) if conversation.ask == Ask::Told => (Some(told), context),
        _ => (None, conversation.context.as_slice()),
    };
    [
        quote(Source::ApplicationContext, &context.join("\n")),
        memory.and_then(|text| quote(Source::Memory, text)),
        heard::note(conversation.last_reply.as_ref()),
        sound::note(&conversation.expressions),
        murmur::note(conversation),
        told.and_then(|told| quote(Source::ApplicationContext, told)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn last_words(history: &[PromptMessage]) -> usize {
    history
        .iter()
        .rposition(|m| matches!(m, PromptMessage::User(_)))
        .unwrap_or(history.len())
}

#[cfg(test)]
mod poison;
#[cfg(test)]
mod tests;
