//! Changes of an input: bits, bytes, numbers, pieces taken out, doubled, or put in from another.

use std::sync::LazyLock;

/// Values on whose either side something often changes.
const EDGES: &[u8] = &[
    0, 1, 0x09, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xf5, 0xfe, 0xff,
];

/// What means something to one reader or another: libFuzzer's dictionary.
static PHRASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let lines = include_str!("../../fuzz/phrases.dict").lines();
    let quoted = lines.filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
});

/// `\\`, `\"` and `\xff` as the bytes that they mean.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut means = Vec::new();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'\\').then(|| bytes.next().unwrap());
        means.push(match escaped {
            Some(b'x') => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            escaped => escaped.unwrap_or(byte),
        });
    }
    means
}

/// The same numbers for the same seed (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    fn range(&mut self, len: usize, most: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        let to = (from + self.below(most + 1)).min(len);
        from..to
    }
}

/// One change; `other` lends a piece.
pub(crate) fn change(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(input.len());
    let byte = u8::try_from(chance.below(256)).unwrap();
    match chance.below(9) {
        0 if !input.is_empty() => input[at] ^= 1 << chance.below(8),
        1 if !input.is_empty() => input[at] = EDGES[chance.below(EDGES.len())],
        2 if !input.is_empty() => input[at] = byte,
        3 => drop(input.drain(chance.range(input.len(), 64))),
        4 => {
            let piece = input[chance.range(input.len(), 256)].to_vec();
            input.splice(at..at, piece);
        }
        5 => {
            let piece = other[chance.range(other.len(), 512)].to_vec();
            input.splice(chance.range(input.len(), 64), piece);
        }
        6 => input.truncate(at),
        7 => input.insert(at, byte),
        _ => {
            let phrase = &PHRASES[chance.below(PHRASES.len())];
            input.splice(at..at, phrase.iter().copied());
        }
    }
}
