//! The council: several coaches heard as one answer. Pure; who runs it is `pipeline/council.rs`.
//!
//! The master says a sentence of its own at once, plans whom to hear (`plan`), hears them side by side
//! (`brief`), and answers with what they said (`synthesise`). Whoever is slow, fails or says nothing is
//! left out; with nobody left the master answers alone. What the specialists say is data to the master
//! as memory is: quoted, attributed, and never obeyed.
//!
//! To add a way to call one: a variant of [`Called`], and where `pipeline/choose.rs` looks for it.

mod plan;
mod brief;
mod synthesise;

use std::time::Duration;

use crate::coach::{Roster, asks_everybody};
use crate::turn::{Ask, Conversation, MicroUsd, Murmur};

pub use brief::{apart, brief, recollection};
pub use plan::{Named, WHY, instead, named, parse, question};
pub use synthesise::{Contribution, fullest, weave};

/// What a session is pinned to that wants every turn to be a council.
pub const PIN: &str = "council";
/// As many specialists as a listener can tell apart.
pub const MAX_SPECIALISTS: usize = 3;
/// The plan is three short lines.
pub const PLAN_TOKENS: u32 = 120;
/// A contribution is two short sentences.
pub const SPECIALIST_TOKENS: u32 = 160;
/// How long the plan may take at most. After that the user's own words decide who is heard.
const PLAN_WITHIN: Duration = Duration::from_millis(1_500);
/// How long the specialists may take at most, from the first of them asked.
const HEARD_WITHIN: Duration = Duration::from_millis(2_500);
/// Tenths of a council's time: what the plan may take, and what is kept for the master's first words.
const PLAN_TENTHS: u32 = 3;
const MASTER_TENTHS: u32 = 3;
/// What the calls of one council may cost at most at list price. Specialists that would go beyond it are
/// not asked; the master's own answer always is, as in any turn.
pub const COST_CAP: MicroUsd = MicroUsd(100_000);

/// What each part of a council may take of the time that is left for a turn's first words, so that all
/// of them together take no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The plan's.
    pub plan: Duration,
    /// Plan and specialists together.
    heard: Duration,
}

impl Shares {
    #[must_use]
    pub fn of(left: Duration) -> Self {
        Self {
            plan: PLAN_WITHIN.min(left * PLAN_TENTHS / 10),
            heard: left * (10 - MASTER_TENTHS) / 10,
        }
    }

    /// The specialists', once the plan has taken so long.
    #[must_use]
    pub fn specialists(&self, planned: Duration) -> Duration {
        HEARD_WITHIN.min(self.heard.saturating_sub(planned))
    }
}

/// Who called the council.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// The user's own words.
    Asked,
    /// The session is pinned to it.
    Pinned,
    /// The council's own route.
    Route,
}

impl Called {
    /// Why the master answers, as records have it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Asked => "council:asked",
            Self::Pinned => "council:pinned",
            Self::Route => "council:route",
        }
    }

    /// Whether what was said calls a council. A sound, a silence and a tool's result never do.
    #[must_use]
    pub fn of(conversation: &Conversation, pin: Option<&str>, roster: &Roster) -> Option<Self> {
        let Ask::Words(words) = &conversation.ask else {
            return None;
        };
        if words.trim().is_empty() || Murmur::of(words).is_some() {
            return None;
        }
        // A coach of that name is a coach.
        if pin == Some(PIN) && roster.get(PIN).is_none() {
            return Some(Self::Pinned);
        }
        // Who is pinned to one coach is to hear no other.
        let is_free = pin.is_none_or(|id| roster.get(id).is_none());
        (is_free && asks_everybody(words)).then_some(Self::Asked)
    }
}

/// What became of a specialist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It thinks.
    Asked,
    Answered,
    /// It was not done in time, and is not heard.
    Late,
    /// No model of its had anything to say.
    Failed,
    /// There was no money to ask it.
    Dropped,
}

impl State {
    pub const ALL: [Self; 5] = [
        Self::Asked,
        Self::Answered,
        Self::Late,
        Self::Failed,
        Self::Dropped,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_councils_parts_take_no_longer_together_than_is_left() {
        let ms = Duration::from_millis;
        for (left, planned, plan, specialists) in [
            // A quick plan leaves the specialists all that they may have.
            (5_000, 400, 1_500, 2_500),
            (5_000, 1_500, 1_500, 2_000),
            (2_000, 600, 600, 800),
            (2_000, 1_900, 600, 0),
            (60_000, 1_500, 1_500, 2_500),
            (0, 0, 0, 0),
        ] {
            let shares = Shares::of(ms(left));
            assert_eq!(shares.plan, ms(plan), "{left}");
            let given = shares.specialists(ms(planned));
            assert_eq!(given, ms(specialists), "{left} {planned}");
            assert!(left <= planned || ms(planned) + given <= ms(left));
        }
    }

    #[test]
    fn words_or_a_pin_call_a_council_and_sounds_do_not() {
        let roster = Roster::built_in().unwrap();
        let words = |text: &str| Ask::Words(text.to_owned());
        for (ask, pin, expected) in [
            (words("Ask the whole team"), None, Some(Called::Asked)),
            (
                words("Ask the whole team"),
                Some("nobody"),
                Some(Called::Asked),
            ),
            (words("Ask the whole team"), Some("career"), None),
            (words("Should I go?"), None, None),
            (words("Should I go?"), Some("council"), Some(Called::Pinned)),
            (words("mm-hm"), Some("council"), None),
            (words("  "), Some("council"), None),
            (Ask::Greeting, Some("council"), None),
            (Ask::Silence, Some("council"), None),
            (Ask::ToolResult, Some("council"), None),
        ] {
            let conversation = tests_of::saying(ask.clone());
            let called = Called::of(&conversation, pin, &roster);
            assert_eq!(called, expected, "{ask:?} {pin:?}");
        }
    }
}

#[cfg(test)]
mod poison;

#[cfg(test)]
mod tests_of {
    use super::*;

    /// A conversation in which this is all.
    pub(super) fn saying(ask: Ask) -> Conversation {
        Conversation {
            history: Vec::new(),
            ask,
            context: Vec::new(),
            expressions: Vec::new(),
            tools: None,
            last_reply: None,
            silences: 0,
        }
    }
}
