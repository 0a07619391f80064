//! What can be spoken of what a model writes: text deltas in, speakable words out.
//!
//! Four passes, each a small state machine over the stream: `marks` (with `lines`) takes away what is
//! seen and not said, `addresses` what nobody can follow by ear, `asides` what is done and not said;
//! `words` turns figures, abbreviations and signs into English words. Acronyms ("CEO", "U.S.") stay: voices spell them.
//!
//! Invariants, held by `tests`:
//! - **Any cutting gives the same text.** A pass decides only on characters it has read, and asks for
//!   more where they are not there (`look`).
//! - **Idempotent.** Only marks go from mid-word. Whatever comes together where they were is judged by
//!   the passes behind, as the text that it became. What those leave out leaves a gap, so that no
//!   word and no address comes together there; the last one leaves nothing out. No pass lets through
//!   what it or one before it would take away or say differently.
//! - **Plain words are never held** and cost no allocation. What is held is at most 256 bytes.
//! - Pure: no clock. The caller calls [`Filter::pause`] once when 40 ms went by after a push that left
//!   something held.
//! - No panic on any text.
//!
//! What a mark opens and never closes keeps its words. Only three things are silent to their end,
//! however far that is: a code fence, a `<think>` and its kin, and an address.
//!
//! To add a rule: a pair in `tests/fixtures/speech/`, then an entry in a table (`units` for what
//! stands behind a figure, `words` for an abbreviation or a sign, `asides` for a direction), or a
//! reading in `figures` that returns `None` as soon as it cannot be one.

mod look;
mod voice;
mod numbers;
mod units;
mod dates;
mod shares;
mod amounts;
mod figures;
mod calls;
mod addresses;
mod asides;
mod marks;
mod dropped;
mod html;
mod lines;
mod shorts;
mod words;
mod filter;
mod tongue;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use filter::{Filter, empty};

/// What the words are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    English,
    /// Only marks are taken away.
    Other,
}

impl Language {
    /// By its tag: "en" and "en-US" are English, as is no tag.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.is_empty() || primary.eq_ignore_ascii_case("en") {
            Self::English
        } else {
            Self::Other
        }
    }
}

/// The whole of a text, made speakable: the same as pushing it and ending.
#[must_use]
pub fn normalize(text: &str, language: Language) -> String {
    let mut filter = Filter::new(language);
    let mut spoken = String::with_capacity(text.len() + text.len() / 4);
    filter.push(text, &mut spoken);
    filter.end(&mut spoken);
    spoken
}
