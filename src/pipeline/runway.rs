//! How long the words already sent will still sound, and so how long a silence upstream may last.
//!
//! A voice speaks slower than a model writes: after a second of streaming there are often several
//! seconds in hand, and a stall within them is heard by nobody.

use std::time::Duration;

use tokio::time::Instant;

/// However little is in hand, a model is given this long to go on: shorter pauses are usual.
const SHORTEST_STALL: Duration = Duration::from_millis(700);

/// The end of what was sent, as it is spoken.
#[derive(Debug)]
pub(super) struct Runway {
    per_word: Duration,
    sounding_until: Option<Instant>,
}

impl Runway {
    /// `wpm`: how fast the voice speaks, words a minute.
    pub(super) fn new(wpm: u32) -> Self {
        Self {
            per_word: Duration::from_secs(60) / wpm.max(1),
            sounding_until: None,
        }
    }

    /// These words were sent now. A word begins after white space; the very first stands without.
    pub(super) fn send(&mut self, words: &str, now: Instant) {
        let is_space = |b: &&u8| matches!(b, b' ' | b'\n');
        let count = words.as_bytes().iter().filter(is_space).count();
        let first = usize::from(self.sounding_until.is_none());
        let count = u32::try_from(count + first).unwrap_or(u32::MAX);
        let from = self.sounding_until.map_or(now, |until| until.max(now));
        self.sounding_until = Some(from + self.per_word.saturating_mul(count));
    }

    /// When everything that was sent has been spoken; `None` where nothing was.
    pub(super) fn sounds_until(&self) -> Option<Instant> {
        self.sounding_until
    }

    /// When a model that was last heard at `last` is given up: once all that was sent has been
    /// spoken, but never before [`SHORTEST_STALL`] and never after `longest`.
    pub(super) fn give_up_at(&self, last: Instant, longest: Duration) -> Instant {
        let spoken = self.sounding_until.unwrap_or(last);
        spoken.max(last + SHORTEST_STALL).min(last + longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(3);

    fn after(words: &str) -> Duration {
        let start = Instant::now();
        let mut runway = Runway::new(120);
        runway.send(words, start);
        runway.give_up_at(start, LONGEST) - start
    }

    #[test]
    fn a_stall_may_last_as_long_as_the_words_sound() {
        for (words, ms) in [
            ("Yes", 700),
            ("Yes it is", 1500),
            ("Yes it is so good to", 3000),
            (
                "Yes it is so good to hear that you have come this far",
                3000,
            ),
        ] {
            assert_eq!(after(words), Duration::from_millis(ms), "{words}");
        }
    }

    #[test]
    fn what_has_been_spoken_is_spent_and_a_pause_is_not_saved_up() {
        let start = Instant::now();
        let mut runway = Runway::new(120);
        runway.send("one two", start);
        let later = start + Duration::from_secs(5);
        runway.send(" three four", later);
        let until = runway.give_up_at(later, LONGEST);
        assert_eq!(until - later, Duration::from_secs(1));
    }

    #[test]
    fn pieces_of_words_are_words_once() {
        let start = Instant::now();
        let (mut whole, mut pieces) = (Runway::new(170), Runway::new(170));
        whole.send("The promotion matters", start);
        for piece in ["The", " promo", "tion", " matters"] {
            pieces.send(piece, start);
        }
        assert_eq!(whole.sounding_until, pieces.sounding_until);
    }

    #[test]
    fn the_longest_silence_holds_also_when_it_is_set_short() {
        let start = Instant::now();
        let runway = Runway::new(170);
        let short = Duration::from_millis(150);
        assert_eq!(runway.give_up_at(start, short), start + short);
    }
}
