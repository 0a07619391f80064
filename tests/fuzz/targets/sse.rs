use bytes::Bytes;
use quest_clm::sse::Decoder;

/// The events of a stream, or those before one that was too large.
fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event.to_vec()),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

/// A model's stream: the same events however it is cut. The first byte tells the cut.
pub(crate) fn sse(input: &[u8]) {
    let (cut, stream) = input.split_first().map_or((1, input), |(c, s)| (*c, s));
    let whole = events(std::iter::once(stream));
    let cut = usize::from(cut).max(1);
    assert_eq!(whole, events(stream.chunks(cut)), "in pieces of {cut}");
    assert_eq!(whole, events(stream.chunks(1)), "byte by byte");
    assert!(whole.0.iter().map(Vec::len).sum::<usize>() <= stream.len());
}
