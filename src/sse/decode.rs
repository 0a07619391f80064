//! Bytes to events, by the WHATWG standard ("9.2.6 Interpreting an event stream").
//!
//! Written here rather than taken from `reqwest-eventsource`: that one re-sends a paid POST by
//! default, buffers without bound and costs about twice the time of an event (`docs/DECISIONS.md`).
//!
//! The decoder keeps no more than the unfinished event, at most [`EVENT_LIMIT_BYTES`] of it, and
//! looks at every byte once, however the input is cut.

use std::ops::Range;

use bytes::{Buf as _, Bytes};
use memchr::memchr2;

/// The longest line and the largest event that are taken, in bytes.
pub const EVENT_LIMIT_BYTES: usize = 1 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The upstream sent a line or an event beyond [`EVENT_LIMIT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {EVENT_LIMIT_BYTES} bytes")]
pub struct TooLarge;

/// The data lines of the event being read.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, still lying in the input.
    One(Range<usize>),
    /// Several lines, joined by LF in `joined`.
    Many,
}

/// What was fed and is not consumed: one piece as it came, which as a rule holds whole events and is copied
/// nowhere, or the joined pieces of what came in several.
#[derive(Debug, Default)]
struct Input {
    lent: Bytes,
    /// Where anything is in it, nothing is lent.
    copied: Vec<u8>,
}

impl Input {
    fn bytes(&self) -> &[u8] {
        match self.copied.is_empty() {
            true => &self.lent,
            false => &self.copied,
        }
    }

    fn add(&mut self, piece: Bytes) {
        if self.bytes().is_empty() {
            self.lent = piece;
            return;
        }
        self.copied
            .extend_from_slice(&std::mem::take(&mut self.lent));
        self.copied.extend_from_slice(&piece);
    }

    /// Lets go of the first `used` bytes; of what is lent as a whole with its last, so that whoever lent it can
    /// use its room again.
    fn forget(&mut self, used: usize) {
        if !self.copied.is_empty() {
            self.copied.drain(..used);
        } else if used == self.lent.len() {
            self.lent = Bytes::new();
        } else {
            self.lent.advance(used);
        }
    }
}

/// An incremental decoder. [`feed`](Self::feed) bytes, then take events until there are none.
#[derive(Debug, Default)]
pub struct Decoder {
    input: Input,
    /// Where the unfinished event begins.
    event: usize,
    /// Where the unfinished line begins.
    line: usize,
    /// Up to here the unfinished line holds no line end.
    scanned: usize,
    data: Data,
    joined: Vec<u8>,
    /// The last line ended with CR: a LF right after belongs to it.
    after_cr: bool,
    /// The start of the stream is past, with or without a byte-order mark.
    begun: bool,
}

impl Decoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came.
    pub fn feed(&mut self, bytes: Bytes) {
        self.input.add(bytes);
    }

    /// The data of the next whole event, or `None` when more bytes are needed. Events without a
    /// data field (comments, names) are not dispatched.
    ///
    /// # Errors
    /// [`TooLarge`] once a line or event passes the limit; the stream is then of no more use.
    pub fn next_event(&mut self) -> Result<Option<&[u8]>, TooLarge> {
        if !self.begin() {
            return Ok(None);
        }
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                self.event = self.line;
                match data {
                    Data::None => {}
                    Data::One(range) => return Ok(self.input.bytes().get(range)),
                    Data::Many => return Ok(Some(&self.joined)),
                }
            } else {
                self.take_line(line);
                if matches!(self.data, Data::None) {
                    self.event = self.line;
                }
            }
            self.check_limit()?;
        }
        self.check_limit()?;
        self.forget_consumed();
        Ok(None)
    }

    fn check_limit(&self) -> Result<(), TooLarge> {
        let unfinished = self.input.bytes().len().min(self.scanned.max(self.line)) - self.event;
        let held = unfinished.max(self.joined.len());
        if held > EVENT_LIMIT_BYTES {
            Err(TooLarge)
        } else {
            Ok(())
        }
    }

    /// Strips one byte-order mark at the very start; false while it cannot be told.
    fn begin(&mut self) -> bool {
        if self.begun {
            return true;
        }
        let input = self.input.bytes();
        let head = input.get(..BOM.len().min(input.len())).unwrap_or_default();
        if head.len() < BOM.len() && BOM.starts_with(head) {
            return false;
        }
        if head == BOM {
            self.event = BOM.len();
            self.line = BOM.len();
            self.scanned = BOM.len();
        }
        self.begun = true;
        true
    }

    /// The next whole line without its end.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let input = self.input.bytes();
        if self.after_cr && input.get(self.line) == Some(&b'\n') {
            self.line += 1;
            self.scanned = self.scanned.max(self.line);
            self.after_cr = false;
            if matches!(self.data, Data::None) {
                self.event = self.line;
            }
        }
        let unseen = input.get(self.scanned..)?;
        let Some(at) = memchr2(b'\n', b'\r', unseen) else {
            self.scanned = input.len();
            return None;
        };
        let end = self.scanned + at;
        let line = self.line..end;
        self.after_cr = unseen.get(at) == Some(&b'\r');
        self.line = end + 1;
        self.scanned = self.line;
        Some(line)
    }

    fn take_line(&mut self, line: Range<usize>) {
        let text = self.input.bytes().get(line.clone()).unwrap_or_default();
        let value = match text.strip_prefix(b"data") {
            Some(b"") => line.end..line.end,
            Some([b':', b' ', ..]) => line.start + 6..line.end,
            Some([b':', ..]) => line.start + 5..line.end,
            // Comments, other fields, and names that merely begin like ours.
            _ => return,
        };
        match std::mem::take(&mut self.data) {
            Data::None => self.data = Data::One(value),
            Data::One(first) => {
                self.joined.clear();
                let first = self.input.bytes().get(first).unwrap_or_default();
                self.joined.extend_from_slice(first);
                self.join(value);
            }
            Data::Many => self.join(value),
        }
    }

    fn join(&mut self, value: Range<usize>) {
        self.joined.push(b'\n');
        let value = self.input.bytes().get(value).unwrap_or_default();
        self.joined.extend_from_slice(value);
        self.data = Data::Many;
        // What is joined need not stay in the input.
        self.event = self.line;
    }

    fn forget_consumed(&mut self) {
        let used = self.event.min(self.input.bytes().len());
        if used == 0 {
            return;
        }
        self.input.forget(used);
        self.event -= used;
        self.line -= used;
        self.scanned -= used;
        if let Data::One(range) = &mut self.data {
            range.start -= used;
            range.end -= used;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::copy_from_slice(piece));
            while let Some(data) = decoder.next_event().unwrap() {
                events.push(String::from_utf8_lossy(data).into_owned());
            }
        }
        events
    }

    #[test]
    fn follows_the_standard() {
        let table: &[(&[u8], &[&str])] = &[
            (b"data: a\n\n", &["a"]),
            (b"data:a\r\n\r\n", &["a"]),
            (b"data: a\r\rdata: b\r\r", &["a", "b"]),
            (b"data\n\ndata\ndata\n\ndata:test\n\n", &["", "\n", "test"]),
            (b"data: 1\ndata: 2\n\n", &["1\n2"]),
            (b": comment\n\n: another\n\ndata: x\n\n", &["x"]),
            (b"event: error\ndata: x\nid: 3\nretry: 5\n\n", &["x"]),
            (b"database: no\n\ndata : no\n\n", &[]),
            (b"\xef\xbb\xbfdata: a\n\n", &["a"]),
            (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\n", &["2"]),
            (b"data:  two spaces\n\n", &[" two spaces"]),
            (b"data: cut off", &[]),
            (b"data: cut off\n", &[]),
            (b"data: \x00\n\n", &["\u{0}"]),
            (b"data: [DONE]\n\ndata: [DONE]\n\n", &["[DONE]", "[DONE]"]),
        ];
        for (input, expected) in table {
            let whole = decode(&[input]);
            assert_eq!(whole, *expected, "{}", String::from_utf8_lossy(input));
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(
                decode(&bytes),
                *expected,
                "{}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn an_endless_line_is_refused_and_not_kept() {
        let mut decoder = Decoder::new();
        let piece = vec![b'x'; 64 << 10];
        let refused = (0..64).find_map(|_| {
            decoder.feed(Bytes::copy_from_slice(&piece));
            decoder.next_event().err()
        });
        assert_eq!(refused, Some(TooLarge));
        assert!(decoder.input.bytes().len() <= EVENT_LIMIT_BYTES + 2 * piece.len());
    }

    #[test]
    fn many_data_lines_are_bounded_too() {
        let mut decoder = Decoder::new();
        let line = [b"data: ".as_slice(), &vec![b'x'; 60_000], b"\n"].concat();
        let refused = (0..64).find_map(|_| {
            decoder.feed(Bytes::copy_from_slice(&line));
            decoder.next_event().err()
        });
        assert_eq!(refused, Some(TooLarge));
    }

    #[test]
    fn comments_do_not_pile_up() {
        let mut decoder = Decoder::new();
        for _ in 0..10_000 {
            decoder.feed(Bytes::from_static(b": OPENROUTER PROCESSING\n\n"));
            assert_eq!(decoder.next_event(), Ok(None));
        }
        assert!(decoder.input.bytes().len() < 64);
    }

    #[test]
    fn what_is_lent_is_copied_nowhere_and_given_back_with_its_last_event() {
        let mut decoder = Decoder::new();
        let piece = Bytes::copy_from_slice(b"data: a\n\ndata: b\n\n");
        decoder.feed(piece.clone());
        let lent = piece.as_ptr_range();
        for expected in [b"a", b"b"] {
            let event = decoder.next_event().unwrap().unwrap();
            assert_eq!(event, expected);
            assert!(lent.contains(&event.as_ptr()));
        }
        assert!(!piece.is_unique());
        assert_eq!(decoder.next_event(), Ok(None));
        assert!(piece.is_unique());
    }

    #[test]
    fn an_event_of_just_under_the_limit_passes() {
        let text = "y".repeat(EVENT_LIMIT_BYTES - 100);
        assert_eq!(decode(&[format!("data: {text}\n\n").as_bytes()]), [text]);
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_events(
            input in proptest::collection::vec(
                prop_oneof![
                    Just(b"data".to_vec()), Just(b":".to_vec()), Just(b" ".to_vec()),
                    Just(b"\n".to_vec()), Just(b"\r".to_vec()), Just(b"\r\n".to_vec()),
                    Just(b"\xef\xbb\xbf".to_vec()), proptest::collection::vec(any::<u8>(), 0..4),
                ], 0..60),
            cuts in proptest::collection::vec(1usize..9, 1..40),
        ) {
            let bytes = input.concat();
            let whole = decode(&[&bytes]);
            let mut rest = bytes.as_slice();
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            prop_assert_eq!(decode(&pieces), whole);
        }
    }
}
