//! Events to bytes.

use bytes::{BufMut, BytesMut};

/// The event that ends an `OpenAI` stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends one event whose data `write` puts down on a single line, without CR or LF.
pub fn data(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    out.put_slice(b"data: ");
    write(out);
    out.put_slice(b"\n\n");
}

/// The same for an event with a name, which is one word.
pub fn named(out: &mut BytesMut, name: &str, write: impl FnOnce(&mut BytesMut)) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\n");
    data(out, write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_a_blank_one() {
        let mut out = BytesMut::new();
        data(&mut out, |o| o.put_slice(b"{}"));
        assert_eq!(&out[..], b"data: {}\n\n");
        out.clear();
        named(&mut out, "plan", |o| o.put_slice(b"{}"));
        assert_eq!(&out[..], b"event: plan\ndata: {}\n\n");
    }
}
