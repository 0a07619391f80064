//! What a segment is made of: frames, each with a header that says where it lies.
//!
//! ```text
//! magic 4 | kind 1, zero 3 | length 4 | seq 8 | at_ms 8 | CRC of the payload 4 | CRC of the header 4 | payload
//! ```
//!
//! Numbers are little-endian. The header's CRC covers the segment's name and the frame's place in it
//! too: whatever looks like a frame but was written for another place, in a payload or in an old
//! block of the disk, is none. So a search for the next good frame may begin anywhere.

use super::Class;
use super::ranges::Ranges;

/// Bytes before the payload.
pub(super) const HEADER: usize = 36;
/// The header without its own CRC.
const CHECKED: usize = HEADER - 4;
/// The outer two never occur in UTF-8.
const MAGIC: [u8; 4] = [0xF5, b'S', b'P', 0xF8];
/// Ranges in one frame at most: a damaged frame must not cost every acknowledgement.
const FRAME_RANGES: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Row(Class),
    /// The payload is a list of sequence numbers that nobody waits for any more: first, last.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) at_ms: i64,
}

/// Where a frame lies: its segment's name and the byte in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The bytes on disk of a row with a payload of this length.
pub(super) fn size(payload: usize) -> u64 {
    u64::try_from(payload.saturating_add(HEADER)).unwrap_or(u64::MAX)
}

/// Puts a frame at the end of `out`; it is good at `place` only. A payload has fewer than 2³² bytes,
/// which the limit on rows sees to.
pub(super) fn encode(out: &mut Vec<u8>, place: Place, head: Head, payload: &[u8]) {
    let kind = match head.kind {
        Kind::Row(Class::Essential) => 1,
        Kind::Row(Class::Detail) => 2,
        Kind::Done => 3,
    };
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&[kind, 0, 0, 0]);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&head.seq.to_le_bytes());
    header.extend_from_slice(&head.at_ms.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = header_check(place, &header);
    out.extend_from_slice(&header);
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(payload);
}

/// The frame that `bytes` begin with, if they begin with a good one.
pub(super) fn decode(bytes: &[u8], place: Place) -> Option<(Head, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let mut fields = header;
    if take::<4>(&mut fields)? != MAGIC {
        return None;
    }
    let kind = match take::<4>(&mut fields)? {
        [1, 0, 0, 0] => Kind::Row(Class::Essential),
        [2, 0, 0, 0] => Kind::Row(Class::Detail),
        [3, 0, 0, 0] => Kind::Done,
        _ => return None,
    };
    let length = u32::from_le_bytes(take(&mut fields)?);
    let seq = u64::from_le_bytes(take(&mut fields)?);
    let at_ms = i64::from_le_bytes(take(&mut fields)?);
    let payload_check = u32::from_le_bytes(take(&mut fields)?);
    let check = u32::from_le_bytes(take(&mut fields)?);
    if header_check(place, header.get(..CHECKED)?) != check {
        return None;
    }
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    let head = Head { kind, seq, at_ms };
    (crc32fast::hash(payload) == payload_check).then_some((head, payload))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

fn header_check(place: Place, header: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(&place.segment.to_le_bytes());
    check.update(&place.offset.to_le_bytes());
    check.update(header);
    check.finalize()
}

/// What a segment's bytes came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Bytes that belong to no good frame.
    pub(super) skipped: u64,
    /// Where the last good frame ends.
    pub(super) end: u64,
}

/// Shows every good frame of a segment with its offset. After a bad one it looks for the next.
pub(super) fn scan(segment: u64, bytes: &[u8], mut show: impl FnMut(u64, Head, &[u8])) -> Scan {
    let mut found = Scan::default();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let offset = u64::try_from(at).unwrap_or(u64::MAX);
        match decode(rest, Place { segment, offset }) {
            Some((head, payload)) => {
                show(offset, head, payload);
                at = at.saturating_add(HEADER).saturating_add(payload.len());
                found.end = u64::try_from(at).unwrap_or(u64::MAX);
            }
            None => {
                let step = next_magic(rest);
                found.skipped = found.skipped.saturating_add(step);
                at = at.saturating_add(usize::try_from(step).unwrap_or(usize::MAX));
            }
        }
    }
    found
}

/// How many bytes on the next frame may begin, not counting the one that begins here.
fn next_magic(bytes: &[u8]) -> u64 {
    let after = bytes.get(1..).unwrap_or_default();
    let found = after.windows(MAGIC.len()).position(|four| four == MAGIC);
    let step = found.map_or(bytes.len(), |at| at.saturating_add(1));
    u64::try_from(step).unwrap_or(u64::MAX)
}

/// Frames for all of these ranges, the first of them at `place`.
pub(super) fn encode_done(out: &mut Vec<u8>, place: Place, done: &Ranges) {
    let begin = out.len();
    let ranges: Vec<(u64, u64)> = done.iter().collect();
    for chunk in ranges.chunks(FRAME_RANGES) {
        let mut payload = Vec::with_capacity(chunk.len().saturating_mul(16));
        for (first, last) in chunk {
            payload.extend_from_slice(&first.to_le_bytes());
            payload.extend_from_slice(&last.to_le_bytes());
        }
        let before = u64::try_from(out.len().saturating_sub(begin)).unwrap_or(u64::MAX);
        let place = Place {
            segment: place.segment,
            offset: place.offset.saturating_add(before),
        };
        let head = Head {
            kind: Kind::Done,
            seq: 0,
            at_ms: 0,
        };
        encode(out, place, head, &payload);
    }
}

/// The ranges in the payload of such a frame.
pub(super) fn decode_done(mut payload: &[u8], done: &mut Ranges) {
    while let (Some(first), Some(last)) = (take(&mut payload), take(&mut payload)) {
        done.insert(u64::from_le_bytes(first), u64::from_le_bytes(last));
    }
}
