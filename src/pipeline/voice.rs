//! From a model's words to what is said: no half word is left at a token limit, what is written is made
//! speakable, and a continuation is sewn to what was said before it. Ordinary words pass untouched.

use std::sync::Arc;

use crate::speech::{Filter, empty};
use crate::telemetry::events::AnswerCut;
use crate::turn::FinishReason;
use crate::upstream::{Seam, Sewn};

use super::guard::Guard;
use super::limit::Limit;
use super::stream::coach;
use super::{Mouth, SharedMouth};

/// One model's voice.
pub(super) struct Voice {
    limit: Limit,
    /// Makes speakable what the model writes; absent where that is switched off.
    filter: Option<Filter>,
    /// What the filter let through; kept for its room, unless that is large.
    spoken: String,
    /// Where this model goes on from another's words.
    /// Apart, as few turns have one.
    seam: Option<Box<Seam>>,
}

impl Voice {
    pub(super) fn new(guard: &Guard, seam: Option<Box<Seam>>) -> Self {
        let roster = Arc::clone(&guard.rooms.roster);
        Self {
            limit: Limit::new(coach(guard, &roster).max_tokens),
            filter: guard.spoken_in.map(Filter::new),
            spoken: String::new(),
            seam,
        }
    }

    pub(super) fn say<M: Mouth>(&mut self, guard: &mut Guard, words: &str, mouth: &SharedMouth<M>) {
        let words = self.limit.pass(words);
        self.write(guard, &words, mouth);
    }

    /// Whether words are held that a pause would let out.
    pub(super) fn holds(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::holds)
    }

    /// Whether words are still compared with another model's, and held for that.
    pub(super) fn is_sewing(&self) -> bool {
        self.seam.is_some()
    }

    /// Nothing came for a while: what was held for the sake of what follows is said.
    pub(super) fn pause<M: Mouth>(&mut self, guard: &mut Guard, mouth: &SharedMouth<M>) {
        self.filtered(guard, mouth, Filter::pause);
    }

    /// What is held is said: something other than words follows.
    pub(super) fn flush<M: Mouth>(&mut self, guard: &mut Guard, mouth: &SharedMouth<M>) {
        self.filtered(guard, mouth, Filter::end);
        if let Some(sewn) = self.seam.as_mut().map(|seam| seam.end()) {
            self.sew(guard, sewn, mouth);
        }
    }

    /// The model's last word is said; what it stopped for decides how the sentence closes.
    pub(super) fn end<M: Mouth>(
        &mut self,
        guard: &mut Guard,
        reason: FinishReason,
        mouth: &SharedMouth<M>,
    ) {
        let is_cut = reason == FinishReason::Length;
        if is_cut || reason == FinishReason::ContentFilter {
            let reason = reason.as_str();
            AnswerCut { reason }.emit();
        }
        let rest = self.limit.rest();
        // The word in hand may be half a one, or half a figure, and is not said then.
        let is_figure = rest.contains(|c: char| c.is_ascii_digit());
        if !is_cut || (ends_sentence(&rest) && !is_figure) {
            self.write(guard, &rest, mouth);
        }
        self.flush(guard, mouth);
        let roster = Arc::clone(&guard.rooms.roster);
        if is_cut && !ends_sentence(&guard.generation.text()) {
            let clause = coach(guard, &roster).unfinished();
            guard.phrase(&format!("... {clause}"), mouth);
        }
        if reason == FinishReason::ContentFilter {
            let line = coach(guard, &roster).refusal();
            guard.phrase(&format!(" {line}"), mouth);
        }
    }

    fn write<M: Mouth>(&mut self, guard: &mut Guard, words: &str, mouth: &SharedMouth<M>) {
        if self.filter.is_none() {
            return self.join(guard, words, mouth);
        }
        self.filtered(guard, mouth, |filter, out| filter.push(words, out));
    }

    fn filtered<M: Mouth>(
        &mut self,
        guard: &mut Guard,
        mouth: &SharedMouth<M>,
        run: impl FnOnce(&mut Filter, &mut String),
    ) {
        let Some(filter) = &mut self.filter else {
            return;
        };
        let mut spoken = std::mem::take(&mut self.spoken);
        run(filter, &mut spoken);
        self.join(guard, &spoken, mouth);
        empty(&mut spoken);
        self.spoken = spoken;
    }

    /// Words as they are spoken, joined to what another model said before.
    fn join<M: Mouth>(&mut self, guard: &mut Guard, words: &str, mouth: &SharedMouth<M>) {
        match &mut self.seam {
            None => guard.say(words, mouth),
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

    fn sew<M: Mouth>(&self, guard: &mut Guard, sewn: Sewn, mouth: &SharedMouth<M>) {
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
        guard.say(&words, mouth);
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
