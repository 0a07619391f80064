//! How deep JSON is, seen before anything is parsed.

/// Nesting beyond this is refused before anything is parsed.
const MAX_DEPTH: u32 = 64;

/// Whether no bracket opens more than [`MAX_DEPTH`] levels. Brackets inside strings do not count.
#[must_use]
pub fn is_shallow(json: &[u8]) -> bool {
    // With no more brackets than levels there is nothing to follow.
    if memchr::memchr2_iter(b'[', b'{', json)
        .nth(MAX_DEPTH as usize)
        .is_none()
    {
        return true;
    }
    let mut depth = 0_u32;
    let mut rest = json;
    while let Some((mark, tail)) = next_mark(rest) {
        rest = tail;
        match mark {
            b'"' => rest = after_string(tail),
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
    true
}

/// The next quotation mark or bracket, and what is behind it. Most of a long talk are digits of scores,
/// passed over eight at a time.
fn next_mark(json: &[u8]) -> Option<(u8, &[u8])> {
    let is_mark = |b: &u8| matches!(b, b'"' | b'[' | b']' | b'{' | b'}');
    let (words, _) = json.as_chunks::<8>();
    let dull = words.iter().take_while(|word| is_dull(**word)).count() * 8;
    let rest = json.get(dull..)?;
    let at = rest.iter().position(is_mark)?;
    Some((*rest.get(at)?, rest.get(at + 1..)?))
}

/// Whether none of these is a quotation mark or at least a `[`, as all brackets and small letters are.
fn is_dull(bytes: [u8; 8]) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = EACH << 7;
    let word = u64::from_ne_bytes(bytes);
    let quotes = word ^ (EACH * b'"' as u64);
    // The high bit of a byte that is too large, and of one that is nought.
    let large = word | ((word & !HIGH) + EACH * (0x80 - b'[' as u64));
    let nought = quotes.wrapping_sub(EACH) & !quotes;
    (large | nought) & HIGH == 0
}

fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let skip = if rest.get(at) == Some(&b'\\') { 2 } else { 1 };
        let is_end = skip == 1;
        rest = rest.get(at + skip..).unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Read byte by byte.
    fn is_shallow_plainly(json: &[u8]) -> bool {
        let (mut depth, mut within, mut escaped) = (0_u32, false, false);
        json.iter().all(|b| {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = within,
                b'"' => within = !within,
                b'[' | b'{' if !within => depth += 1,
                b']' | b'}' if !within => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth <= MAX_DEPTH
        })
    }

    /// Mostly what is passed over, as in scores.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop_oneof![
            4 => "[0-9.,: \t-]{1,40}",
            2 => r#""([a-z\[\]{}é]|\\"|\\\\){0,12}""#,
            2 => r"[\[\]{}\\a-z]{1,3}",
            1 => r"[\[{]{40,70}",
        ];
        vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn eight_at_a_time_is_as_deep_as_one_by_one(json in bytes()) {
            prop_assert_eq!(is_shallow(&json), is_shallow_plainly(&json));
        }

        #[test]
        fn the_next_mark_is_the_first_one(json in bytes(), noise in vec(any::<u8>(), 0..9)) {
            let json = [json, noise].concat();
            let is_mark = |b: &u8| br#""[]{}"#.contains(b);
            let first = json.iter().position(is_mark);
            let first = first.map(|at| (json[at], &json[at + 1..]));
            prop_assert_eq!(next_mark(&json), first);
        }

        #[test]
        fn digits_are_dull_and_marks_are_not(
            bytes in any::<[u8; 8]>(),
            at in 0..8_usize,
            mark in 0..5_usize,
        ) {
            let mut bytes = bytes.map(|b| b"0123456789-+.,: \t\n"[usize::from(b) % 18]);
            prop_assert!(is_dull(bytes));
            bytes[at] = br#""[]{}"#[mark];
            prop_assert!(!is_dull(bytes));
        }
    }

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        assert!(is_shallow(br#"{"a":"[[[[","b":"\"[[["}"#));
        assert!(!is_shallow("[".repeat(100_000).as_bytes()));
        assert!(is_shallow(b"\"unterminated [[["));
        assert!(is_shallow("[]".repeat(1000).as_bytes()));
    }
}
