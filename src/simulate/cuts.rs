//! Writes cut where a network would not mind, and a careless reader would.

use bytes::Bytes;

use super::plan::Step;

/// Cuts every write into pieces; the last piece completes the token.
pub(super) fn rewrite(steps: Vec<Step>, cut: impl Fn(&Bytes) -> Vec<Bytes>) -> Vec<Step> {
    let mut out = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Write(bytes, tokens) => {
                let mut pieces = cut(&bytes);
                let last = pieces.pop().unwrap_or_default();
                out.extend(pieces.into_iter().map(|piece| Step::Write(piece, 0)));
                out.push(Step::Write(last, tokens));
            }
            other => out.push(other),
        }
    }
    out
}

/// Every byte by itself.
pub(super) fn single_bytes(bytes: &Bytes) -> Vec<Bytes> {
    (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect()
}

/// Cuts at every byte of every wide character, and leaves ASCII in one piece.
pub(super) fn around_wide(bytes: &Bytes) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii() {
            pieces.push(bytes.slice(start..=at));
            start = at + 1;
        }
    }
    pieces.push(bytes.slice(start..));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_lose_nothing() {
        let bytes = Bytes::from("a🎉b");
        assert_eq!(around_wide(&bytes).len(), 5);
        for pieces in [around_wide(&bytes), single_bytes(&bytes)] {
            assert_eq!(pieces.concat(), bytes);
        }
    }
}
