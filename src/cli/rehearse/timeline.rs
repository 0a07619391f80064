//! What a listener hears of words that came at certain times.

use std::time::Duration;

/// A turn as it sounds. Times count from the end of the request.
#[derive(Debug)]
pub(super) struct Timeline {
    per_word: Duration,
    sounding_until: Duration,
    longest: Duration,
    began: bool,
}

impl Timeline {
    /// `wpm`: how fast the voice speaks, words a minute.
    pub(super) fn new(wpm: u32) -> Self {
        Self {
            per_word: Duration::from_secs(60) / wpm.max(1),
            sounding_until: Duration::ZERO,
            longest: Duration::ZERO,
            began: false,
        }
    }

    /// These words came at `at`.
    pub(super) fn hear(&mut self, at: Duration, words: &str) {
        self.longest = self.longest.max(at.saturating_sub(self.sounding_until));
        // Pieces begin with the space before their word; the first has none.
        let spaces = words.matches([' ', '\n']).count();
        let first = usize::from(!std::mem::replace(&mut self.began, true));
        let count = u32::try_from(spaces + first).unwrap_or(u32::MAX);
        self.sounding_until = self.sounding_until.max(at) + self.per_word.saturating_mul(count);
    }

    /// The longest stretch in which nothing sounded, up to the last word.
    pub(super) fn longest_silence(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_when_nothing_sounds() {
        let ms = Duration::from_millis;
        let mut timeline = Timeline::new(120);
        timeline.hear(ms(300), "Well");
        timeline.hear(ms(310), " then");
        // Both sound until 1,300.
        timeline.hear(ms(1250), " go");
        assert_eq!(timeline.longest_silence(), ms(300));
        timeline.hear(ms(2500), " on");
        assert_eq!(timeline.longest_silence(), ms(700));
    }
}
