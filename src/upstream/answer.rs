//! One upstream answer: response bytes in, meaningful deltas out.
//!
//! Comments, role-only, empty and reasoning chunks never leave this file, so a deadline on
//! [`Answer::next`] is a deadline on something that can be said.

use std::collections::VecDeque;

use reqwest::Response;
use tokio::time::Instant;

use crate::sse::Decoder;
use crate::turn::{Delta, FinishReason, ToolCall};

use super::connections::Place;
use super::error::AttemptError;
use super::wire::{self, Call, Choice, Chunk, Mould, ToolFragment};

/// Bytes of an id or a name of upstream's; longer ones are none.
const LONGEST_NAME: usize = 128;
/// Unreadable events in a row that make a stream hopeless.
const MAX_MALFORMED: u32 = 3;
/// Arguments of one tool call beyond this are not assembled.
const MAX_TOOL_BYTES: usize = 64 << 10;
/// What is no speech, before the first word, is dropped beyond this.
const MAX_LEAD_BYTES: usize = 256;

/// An open upstream stream. Dropping it closes the connection, which is how a turn is cancelled.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    decoder: Decoder,
    reader: Reader,
    _place: Option<Place>,
}

/// What the stream said of itself.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub generation_id: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    /// When the first data event of any kind came.
    pub first_event: Option<Instant>,
    /// Events that could not be read and were skipped.
    pub malformed: u32,
}

impl Answer {
    /// Reads this response, which answers `call`.
    #[must_use]
    pub fn new(response: Response, call: &Call<'_>) -> Self {
        Self {
            response,
            _place: None,
            decoder: Decoder::new(),
            reader: Reader {
                takes_tools: call.tools.is_some(),
                ..Reader::default()
            },
        }
    }

    /// Holds the place of its call until it is dropped.
    pub(super) fn at(self, place: Place) -> Self {
        let _place = Some(place);
        Self { _place, ..self }
    }

    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.reader.meta
    }

    /// Whether a tool call was begun and is not whole: nobody else can go on from there.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        self.reader.tool.is_some()
    }

    /// Whether a tool was called that nobody had offered.
    #[must_use]
    pub fn has_odd_call(&self) -> bool {
        self.reader.has_odd_call
    }

    /// The next delta, or `None` at the proper end of the body.
    ///
    /// # Errors
    /// Every way in which a stream can go wrong; nothing more will come after one.
    ///
    /// # Cancellation
    /// Safe: nothing that was received is lost when the wait is dropped.
    pub async fn next(&mut self) -> Result<Option<Delta>, AttemptError> {
        loop {
            if let Some(delta) = self.reader.ready.pop_front() {
                return Ok(Some(delta));
            }
            if let Some(data) = self.decoder.next_event()? {
                self.reader.take(data)?;
                continue;
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.decoder.feed(bytes),
                Ok(None) if self.reader.finished => return Ok(None),
                Ok(None) => return Err(AttemptError::Cut),
                // After the terminal a broken connection has cost nobody a word.
                Err(_) if self.reader.finished => return Ok(None),
                Err(e) => return Err(AttemptError::Broken(e)),
            }
        }
    }
}

/// Turns data events into deltas; does no IO.
#[derive(Debug, Default)]
struct Reader {
    ready: VecDeque<Delta>,
    meta: Meta,
    mould: Mould,
    /// White space that came before any word.
    lead: String,
    spoke: bool,
    finished: bool,
    ended: bool,
    malformed_in_a_row: u32,
    /// Whether the request carried tools; a call that nobody asked for is not heard.
    takes_tools: bool,
    has_odd_call: bool,
    tool: Option<ToolCall>,
    tool_index: u32,
    tool_cut: bool,
}

impl Reader {
    fn take(&mut self, data: &[u8]) -> Result<(), AttemptError> {
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if self.meta.first_event.is_none() {
            self.meta.first_event = Some(Instant::now());
        }
        if data == b"[DONE]" {
            self.ended = true;
            return self.finish(FinishReason::Stop);
        }
        if let Some(words) = self.mould.words(data) {
            self.malformed_in_a_row = 0;
            if !self.finished && !words.is_empty() {
                self.words(words.to_owned());
            }
            return Ok(());
        }
        let mended;
        let chunk = match Chunk::of(data) {
            Some(chunk) => {
                self.mould.take(data, &chunk);
                Some(chunk)
            }
            None => {
                // Control characters have no place inside JSON strings; as spaces they cost no words.
                mended = String::from_utf8_lossy(data).replace(|c: char| c < ' ', " ");
                Chunk::of_odd(&mended)
            }
        };
        let Some(chunk) = chunk else {
            self.meta.malformed += 1;
            self.malformed_in_a_row += 1;
            return if self.malformed_in_a_row >= MAX_MALFORMED && !self.finished {
                Err(AttemptError::Malformed)
            } else {
                Ok(())
            };
        };
        self.malformed_in_a_row = 0;
        self.take_chunk(chunk)
    }

    fn take_chunk(&mut self, chunk: Chunk<'_>) -> Result<(), AttemptError> {
        self.describe(&chunk);
        let choice = chunk.choice;
        let failed = is_error(chunk.error)
            || choice
                .as_ref()
                .is_some_and(|c| is_error(c.error) || c.finish_reason.as_deref() == Some("error"));
        let usage = chunk.usage.and_then(wire::usage);
        self.ready.extend(usage.map(Delta::Usage));
        if failed && !self.finished {
            return Err(AttemptError::InBand);
        }
        match choice {
            Some(choice) if !failed => self.take_choice(choice),
            _ => Ok(()),
        }
    }

    fn describe(&mut self, chunk: &Chunk<'_>) {
        let meta = &mut self.meta;
        for (slot, seen) in [
            (&mut meta.generation_id, &chunk.id),
            (&mut meta.model, &chunk.model),
            (&mut meta.provider, &chunk.provider),
        ] {
            if slot.is_none() {
                *slot = seen.as_deref().filter(|s| is_a_name(s)).map(str::to_owned);
            }
        }
    }

    fn take_choice(&mut self, choice: Choice<'_>) -> Result<(), AttemptError> {
        if self.finished {
            return Ok(());
        }
        if let Some(delta) = choice.delta {
            if let Some(words) = delta.content.filter(|w| !w.is_empty()) {
                self.words(words.into_owned());
            }
            for fragment in delta.tool_calls.into_iter().flatten() {
                match self.takes_tools {
                    true => self.tool_fragment(fragment),
                    false => self.has_odd_call = true,
                }
            }
        }
        let Some(reason) = choice.finish_reason.filter(|r| !r.is_empty()) else {
            return Ok(());
        };
        self.tool_cut = wire::is_native_cut(choice.native_finish_reason);
        match wire::finish_reason(&reason) {
            Some(reason) => self.finish(reason),
            None => Err(AttemptError::InBand),
        }
    }

    fn words(&mut self, words: String) {
        if self.spoke {
            self.ready.push_back(Delta::Words(words));
        } else if words.chars().all(is_no_speech) {
            if self.lead.len() + words.len() <= MAX_LEAD_BYTES {
                self.lead.push_str(&words);
            }
        } else {
            self.spoke = true;
            let mut all = std::mem::take(&mut self.lead);
            all.push_str(&words);
            self.ready.push_back(Delta::Words(all));
        }
    }

    /// Gathers the first call; the caller can take one only.
    fn tool_fragment(&mut self, fragment: ToolFragment<'_>) {
        let index = fragment.index.unwrap_or(self.tool_index);
        if self.tool.is_none() {
            self.tool_index = index;
        } else if index != self.tool_index {
            return;
        }
        let call = self.tool.get_or_insert_with(|| ToolCall {
            id: String::new(),
            name: String::new(),
            arguments: String::new(),
        });
        if let Some(id) = fragment.id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
        }
        let Some(function) = fragment.function else {
            return;
        };
        if let Some(name) = function.name {
            call.name.push_str(&name);
        }
        if let Some(arguments) = function.arguments {
            if call.arguments.len() + arguments.len() <= MAX_TOOL_BYTES {
                call.arguments.push_str(&arguments);
            } else {
                self.tool_cut = true;
            }
        }
    }

    /// Idempotent: upstream repeats its finish on the usage chunk.
    fn finish(&mut self, reason: FinishReason) -> Result<(), AttemptError> {
        if self.finished {
            return Ok(());
        }
        let tool = self.tool.take().filter(|t| !self.tool_cut && is_whole(t));
        let had_tool = tool.is_some();
        self.ready.extend(tool.map(Delta::Tool));
        if !self.spoke && !had_tool {
            return Err(AttemptError::Empty);
        }
        self.finished = true;
        let reason = match reason {
            FinishReason::ToolCalls if !had_tool => FinishReason::Stop,
            _ if had_tool => FinishReason::ToolCalls,
            other => other,
        };
        self.ready.push_back(Delta::Finish(reason));
        Ok(())
    }
}

/// White space, and Markdown's marks: a model that has written nothing else has said nothing yet, and neither wins a race
/// nor holds a deadline. Marks that end a sentence are none of these: another model's answer may go on with one.
fn is_no_speech(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '_' | '#' | '`' | '~' | '|' | '>' | '-')
}

fn is_error(error: Option<&serde_json::value::RawValue>) -> bool {
    error.is_some_and(|e| e.get() != "null")
}

/// A call that a caller can act on: it has a name, and its arguments are an object.
fn is_whole(call: &ToolCall) -> bool {
    type Object<'a> = std::collections::BTreeMap<String, &'a serde_json::value::RawValue>;
    !call.name.is_empty()
        && (call.arguments.is_empty()
            || serde_json::from_str::<Object<'_>>(&call.arguments).is_ok())
}

/// Whether upstream's text can be taken for a name: it is recorded, and no store takes everything.
pub(super) fn is_a_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
