//! How often a silent user was nudged already: told by the talk itself, so that nothing is kept.

use crate::turn::{Message, Role};

use super::Roster;

impl Roster {
    /// Nudges at the end of a history with no other word of anybody between them.
    #[must_use]
    pub fn nudges_in_a_row(&self, history: &[Message]) -> usize {
        let is_nudge = |m: &&Message| {
            let text = m.text.trim();
            let mut nudges = self.iter().flat_map(|coach| &coach.nudges);
            m.role == Role::Assistant && nudges.any(|nudge| nudge == text)
        };
        history.iter().rev().take_while(is_nudge).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_the_last_word_of_anybody_counts() {
        let roster = Roster::built_in().unwrap();
        let nudge = |n| Message::assistant(roster.master().nudge(n).unwrap());
        let user = || Message::user("Well");
        let other = || Message::assistant("Good.");
        for (history, count) in [
            (vec![], 0),
            (vec![user(), other()], 0),
            (vec![other(), nudge(0)], 1),
            (vec![nudge(0), nudge(1)], 2),
            (vec![nudge(0), user(), nudge(1)], 1),
            (vec![nudge(0), other()], 0),
        ] {
            assert_eq!(roster.nudges_in_a_row(&history), count, "{history:?}");
        }
    }
}
