//! Looks for what must not be there, in every form in which it could have been written down.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Finds what was planted: as it is in any case, percent-encoded, in hex, and in base64 wherever in
/// the encoded text it begins.
pub(crate) struct Search {
    planted: Vec<(&'static str, &'static str)>,
    finder: AhoCorasick,
    /// What was planted that each of the finder's patterns is a form of.
    form_of: Vec<usize>,
}

impl Search {
    /// Each with where it was planted.
    pub(crate) fn new(planted: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        let planted: Vec<_> = planted.into_iter().collect();
        let mut patterns = Vec::new();
        let mut form_of = Vec::new();
        for (at, (_, text)) in planted.iter().enumerate() {
            for form in forms(text) {
                patterns.push(form);
                form_of.push(at);
            }
        }
        let mut builder = AhoCorasick::builder();
        let finder = builder.ascii_case_insensitive(true).build(patterns);
        Self {
            planted,
            finder: finder.unwrap(),
            form_of,
        }
    }

    /// What of it is in there.
    pub(crate) fn found(&self, place: &[u8]) -> BTreeSet<(&'static str, &'static str)> {
        let found = self.finder.find_overlapping_iter(place);
        found
            .map(|hit| self.planted[self.form_of[hit.pattern().as_usize()]])
            .collect()
    }

    /// Holds that all of it is in there: without that, not finding it elsewhere proves nothing.
    pub(crate) fn finds_all(&self, what: &str, place: &[u8]) {
        let found = self.found(place);
        let lost: Vec<_> = self.planted.iter().filter(|p| !found.contains(p)).collect();
        assert!(lost.is_empty(), "not in {what}: {lost:?}");
    }
}

fn forms(text: &str) -> BTreeSet<String> {
    let hex = base16ct::lower::encode_string(text.as_bytes());
    let mut forms = BTreeSet::from([
        text.to_owned(),
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        hex,
    ]);
    for skipped in 0..3 {
        let shifted = [vec![0; skipped], text.as_bytes().to_vec()].concat();
        // The first and the last letters hold bits of what stands beside it.
        let from = (skipped * 4).div_ceil(3);
        let to = shifted.len() * 4 / 3;
        for encoded in [
            STANDARD_NO_PAD.encode(&shifted),
            URL_SAFE_NO_PAD.encode(&shifted),
        ] {
            forms.insert(encoded[from..to].to_owned());
        }
    }
    forms
}

#[test]
fn it_is_found_in_every_form() {
    let search = Search::new([("a name", "Quarrendon?>"), ("another", "Thistlewood")]);
    for before in ["", "a", "ab", "abc", "\u{3b1}"] {
        for after in ["", "x", "xy", "xyz"] {
            let text = format!("{before}Quarrendon?>{after}");
            for place in [
                text.to_uppercase().into_bytes(),
                STANDARD_NO_PAD.encode(&text).into_bytes(),
                URL_SAFE_NO_PAD.encode(&text).into_bytes(),
                utf8_percent_encode(&text, NON_ALPHANUMERIC)
                    .to_string()
                    .into_bytes(),
                [&[0xff, 0], text.as_bytes(), &[0xfe]].concat(),
            ] {
                let found = search.found(&place);
                assert_eq!(
                    found,
                    BTreeSet::from([("a name", "Quarrendon?>")]),
                    "{place:?}"
                );
            }
        }
    }
    assert!(search.found(b"Quarrendo? Thistle wood").is_empty());
}
