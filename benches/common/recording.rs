//! A recorded answer of a model's, and the reads that it comes in.

/// With bursts of comments in it.
pub(crate) const RECORDING: &[u8] = include_bytes!(
    "../../tests/fixtures/openrouter/reasoning-haiku45-bedrock-comments-midstream-2026-06.sse"
);

/// Each event and each comment as a read of its own, as a model that speaks slowly sends them.
pub(crate) fn one_by_one(mut rest: &'static [u8]) -> Vec<&'static [u8]> {
    let mut reads = Vec::new();
    while let Some(at) = rest.windows(2).position(|end| end == b"\n\n") {
        let (read, after) = rest.split_at(at + 2);
        reads.push(read);
        rest = after;
    }
    reads
}
