//! `clm openapi`: the API's document, as `GET /openapi.json` serves it.

use std::io::{self, Write};

use crate::http::openapi;

pub(super) const EXAMPLES: &str = "\
Examples:
  clm openapi > openapi.json
  clm openapi | jq '.paths | keys'";

/// Prints the document, indented.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:#}", openapi::document())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_document() {
        let mut out = Vec::new();
        run(&mut out).unwrap();
        let printed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(&printed, openapi::document());
    }
}
