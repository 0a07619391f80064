//! Changes of an input: bits, bytes, numbers, pieces taken out, doubled, or put in from another.

/// Values on whose either side something often changes.
const EDGES: &[u8] = &[
    0, 1, 0x09, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xf5, 0xfe, 0xff,
];

/// What means something to one reader or another.
const PHRASES: &[&str] = &[
    "{\"role\":\"user\",\"content\":\"",
    "\"messages\":[",
    "null",
    "\\ud83d",
    "\\u0000",
    "[[[[[[[[",
    "1e308",
    "-0",
    "\"prosody\":{\"scores\":{",
    "{very interested}",
    "\u{feff}",
    "\r\n",
    "\n\n",
    "data: ",
    "data:",
    ": ",
    "event: x\n",
    "[DONE]",
    "```",
    "<think>",
    "</think>",
    "**",
    "__",
    "[a](http://b.c/d)",
    "$1,234.50",
    "3:45 pm",
    "2026-11-28",
    "50%",
    "1/2",
    "|---|",
    "\u{200d}",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "*sighs*",
    "&amp;",
    "<b>",
    "- ",
    "1. ",
    "\\",
    "é",
    "\u{0301}",
];

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
            let phrase = PHRASES[chance.below(PHRASES.len())].bytes();
            input.splice(at..at, phrase);
        }
    }
}
