//! The shape that a stream's chunks share. One differs from the next by its words alone, so what
//! stands around them is compared instead of read: a token's event costs 1,810 instructions instead of
//! 9,560 (`docs/TOKEN.md`).
//!
//! What is found so is what reading would find. The bytes up to the words are those of a chunk that
//! was read, and end with the quotation mark that opens them; the bytes from the mark that closes
//! them on are its too. Between them stands nothing that a JSON text would have to escape, so they are
//! one text, and everything around it is what it was.

use std::borrow::Cow;
use std::str;

use super::Chunk;

/// No shape longer than this is kept.
const LONGEST: usize = 4 << 10;

/// The last chunk that held words and nothing else of a meaning, without its words.
#[derive(Debug, Default)]
pub(in super::super) struct Mould {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Mould {
    /// The words of an event that has the shape; `None` where it has to be read.
    pub(in super::super) fn words<'e>(&self, event: &'e [u8]) -> Option<&'e str> {
        if self.before.is_empty() {
            return None;
        }
        let words = event.strip_prefix(self.before.as_slice())?;
        let words = words.strip_suffix(self.after.as_slice())?;
        let is_plain = |byte: &u8| *byte >= b' ' && !matches!(byte, b'"' | b'\\');
        match words.iter().all(is_plain) {
            true => str::from_utf8(words).ok(),
            false => None,
        }
    }

    /// Takes the shape of an event that was read as this chunk, if all that it says are words, as they
    /// stand in it.
    pub(in super::super) fn take(&mut self, event: &[u8], chunk: &Chunk<'_>) {
        if event.len() > LONGEST {
            return;
        }
        let Some((before, after)) = words_of(chunk).and_then(|words| around(event, words)) else {
            return;
        };
        self.before.clear();
        self.before.extend_from_slice(before);
        self.after.clear();
        self.after.extend_from_slice(after);
    }
}

/// The words of a chunk that holds nothing else to act on, unless they had to be copied.
fn words_of<'a>(chunk: &Chunk<'a>) -> Option<&'a str> {
    let choice = chunk.choice.as_ref()?;
    let delta = choice.delta.as_ref()?;
    let is_more = chunk.usage.is_some()
        || chunk.error.is_some()
        || choice.error.is_some()
        || choice.finish_reason.is_some()
        || delta.tool_calls.is_some();
    match &delta.content {
        Some(Cow::Borrowed(words)) if !is_more => Some(*words),
        _ => None,
    }
}

/// What stands before and behind these words in the event whose part they are.
fn around<'e>(event: &'e [u8], words: &str) -> Option<(&'e [u8], &'e [u8])> {
    let at = words.as_ptr().addr().checked_sub(event.as_ptr().addr())?;
    let before = event.get(..at)?;
    let after = event.get(at.checked_add(words.len())?..)?;
    (before.ends_with(b"\"") && after.starts_with(b"\"")).then_some((before, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(words: &str) -> String {
        let choice = json!({ "index": 0, "delta": { "role": "assistant", "content": words },
            "finish_reason": null, "native_finish_reason": null, "logprobs": null });
        json!({ "id": "gen-1", "provider": "Anthropic", "model": "m", "created": 1,
            "object": "chat.completion.chunk", "choices": [choice] })
        .to_string()
    }

    fn mould_of(event: &str) -> Mould {
        let mut mould = Mould::default();
        mould.take(event.as_bytes(), &Chunk::of(event.as_bytes()).unwrap());
        mould
    }

    #[test]
    fn what_has_the_shape_is_not_read() {
        let mould = mould_of(&event("Hello"));
        for words in [
            " there",
            "",
            "größer",
            "話",
            " it's {\"a\": 1}".split('"').next().unwrap(),
        ] {
            let event = event(words);
            assert_eq!(mould.words(event.as_bytes()), Some(words), "{event}");
        }
    }

    #[test]
    fn whatever_differs_elsewhere_is_read() {
        let mould = mould_of(&event("Hello"));
        let there = event(" there");
        let finish = there.replace(r#""finish_reason":null"#, r#""finish_reason":"stop""#);
        let twice = there.replace(r#"" there""#, r#"" there","content":"no""#);
        for odd in [
            event("a \"word\""),
            event("a\nline"),
            event("a\\b"),
            there.replace(" there", "a \t b"),
            there.replace("gen-1", "gen-2"),
            there.replace("\"created\":1", "\"created\":2"),
            there.replace(r#""content":" there""#, r#""content":null"#),
            finish,
            twice,
            "[DONE]".to_owned(),
            String::new(),
        ] {
            assert_eq!(mould.words(odd.as_bytes()), None, "{odd}");
        }
        let mut broken = there.into_bytes();
        let at = broken.windows(5).position(|w| w == b"there").unwrap();
        broken[at] = 0xff;
        assert_eq!(mould.words(&broken), None);
    }

    #[test]
    fn only_a_chunk_of_words_alone_gives_a_shape() {
        let hello = event("Hello");
        for odd in [
            event("a \"word\""),
            hello.replace(r#""finish_reason":null"#, r#""finish_reason":"stop""#),
            hello.replace(r#""model":"m""#, r#""model":"m","usage":{"cost":1}"#),
            hello.replace(r#""model":"m""#, r#""model":"m","error":{"code":1}"#),
            hello.replace(r#""role""#, r#""tool_calls":[],"role""#),
            hello.replace("gen-1", &"x".repeat(LONGEST)),
        ] {
            assert!(mould_of(&odd).before.is_empty(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_reading_finds(first in any::<String>(), second in ".{0,12}", bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let first = event(&first);
            let mould = mould_of(&first);
            let second = event(&second);
            let mut raw = first.into_bytes();
            let at = raw.len() / 2;
            raw.splice(at..at, bytes);
            for event in [second.as_bytes(), &raw] {
                if let Some(words) = mould.words(event) {
                    let chunk = Chunk::of(event).unwrap();
                    prop_assert_eq!(words_of(&chunk), Some(words));
                }
            }
        }
    }
}
