//! From a model's words to what is said: a continuation is sewn to what was said before it, and no
//! half word is left at a token limit. Ordinary words pass untouched.

use std::sync::Arc;

use crate::turn::FinishReason;
use crate::upstream::{Seam, Sewn};

use super::guard::Guard;
use super::limit::Limit;
use super::stream::coach;
use super::{Mouth, SharedMouth};

/// One model's voice.
pub(super) struct Voice {
    /// Where this model goes on from another's words.
    seam: Option<Seam>,
    limit: Limit,
}

impl Voice {
    pub(super) fn new(guard: &Guard, seam: Option<Seam>) -> Self {
        let roster = Arc::clone(&guard.rooms.roster);
        Self {
            seam,
            limit: Limit::new(coach(guard, &roster).max_tokens),
        }
    }

    pub(super) fn say<M: Mouth>(&mut self, guard: &mut Guard, words: &str, mouth: &SharedMouth<M>) {
        match &mut self.seam {
            None => guard.say(&self.limit.pass(words), mouth),
            Some(seam) => {
                let sewn = seam.take(words);
                // Joined: from here on words pass as they come.
                if seam.is_through() {
                    self.seam = None;
                }
                self.sew(guard, sewn, mouth);
            }
        }
    }

    /// The model's last word is said; what it stopped for decides how the sentence closes.
    pub(super) fn end<M: Mouth>(
        &mut self,
        guard: &mut Guard,
        reason: FinishReason,
        mouth: &SharedMouth<M>,
    ) {
        if let Some(sewn) = self.seam.as_mut().map(Seam::end) {
            self.sew(guard, sewn, mouth);
        }
        let rest = self.limit.rest();
        let roster = Arc::clone(&guard.rooms.roster);
        match reason {
            FinishReason::Length if self.limit.is_near() => {
                // The word in hand may be half a one: it is not said.
                if !ends_sentence(&guard.generation.text()) {
                    let clause = coach(guard, &roster).unfinished();
                    guard.phrase(&format!("... {clause}"), mouth);
                }
            }
            FinishReason::ContentFilter => {
                guard.say(&rest, mouth);
                let line = coach(guard, &roster).refusal();
                guard.phrase(&format!(" {line}"), mouth);
            }
            FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls => {
                guard.say(&rest, mouth);
            }
        }
    }

    fn sew<M: Mouth>(&mut self, guard: &mut Guard, sewn: Sewn, mouth: &SharedMouth<M>) {
        let words = match sewn {
            Sewn::Nothing => return,
            Sewn::Words(words) => words,
            Sewn::Afresh(words) => {
                let roster = Arc::clone(&guard.rooms.roster);
                let repair = coach(guard, &roster).repair(guard.created_at.unsigned_abs());
                let pause = match ends_sentence(&guard.generation.text()) {
                    true => " ",
                    false => "... ",
                };
                guard.phrase(&format!("{pause}{repair} "), mouth);
                words
            }
        };
        guard.say(&self.limit.pass(&words), mouth);
    }
}

/// Whether a listener would take this for the end of a sentence. Nothing said is nothing begun.
fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || "\"'”’)".contains(c));
    text.is_empty() || text.ends_with(['.', '!', '?', '…'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_with_its_mark() {
        for (text, ends) in [
            ("", true),
            ("Go on.", true),
            ("Why? ", true),
            ("“Why?”", true),
            ("and then", false),
            ("Dr. Smith,", false),
        ] {
            assert_eq!(ends_sentence(text), ends, "{text}");
        }
    }
}
