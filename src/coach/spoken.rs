//! What a coach says without asking a model: the kinds of phrases, what each is held to, and what
//! a coach of a foreign roster says where its file has no words of its own.
//!
//! To add a kind: a variant here, a field and an arm in `roster.rs`, the lines in each coach's file.

/// The longest phrase, in characters: about fifteen seconds of speech.
pub(super) const LONGEST: usize = 240;

/// When a phrase is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LeadIn,
    Fallback,
    Busy,
    Budget,
    Repair,
    Nudge,
    Refusal,
    Unfinished,
    Opening,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::LeadIn,
        Self::Fallback,
        Self::Busy,
        Self::Budget,
        Self::Repair,
        Self::Nudge,
        Self::Refusal,
        Self::Unfinished,
        Self::Opening,
    ];

    /// Its name in a roster file.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::LeadIn => "lead_ins",
            Self::Fallback => "fallback_lines",
            Self::Busy => "busy_lines",
            Self::Budget => "budget_lines",
            Self::Repair => "repairs",
            Self::Nudge => "nudges",
            Self::Refusal => "refusal",
            Self::Unfinished => "unfinished",
            Self::Opening => "openings",
        }
    }

    /// How many sentences one phrase may have; fewer where it stands among other words.
    pub(super) fn sentences(self) -> usize {
        match self {
            Self::Unfinished => 1,
            Self::LeadIn | Self::Repair | Self::Nudge | Self::Refusal | Self::Opening => 2,
            Self::Fallback | Self::Busy | Self::Budget => 3,
        }
    }

    /// How many phrases a coach has at least. Two where the same person may hear the next one on
    /// the next call, or in the next minute.
    pub(super) fn fewest(self) -> usize {
        match self {
            Self::Budget | Self::Opening => 2,
            _ => 1,
        }
    }

    /// Whether a message may begin with it: such a phrase can be cut short and still be all there
    /// is. What closes an answer begins with a word that anything may begin with.
    pub(super) fn opens(self) -> bool {
        self != Self::Unfinished
    }

    /// Whether it follows half a sentence, so that a joint may stand before it.
    pub(super) fn follows_a_break(self) -> bool {
        matches!(self, Self::Repair | Self::Unfinished)
    }

    /// What is said where a coach's file is silent; nothing for what every file must have.
    pub(super) fn house(self) -> &'static [&'static str] {
        match self {
            Self::LeadIn | Self::Fallback => &[],
            Self::Busy => &[
                "I have a lot on my hands right now, and that is on me, so please say that again \
                 in a moment.",
                "I am not quite free yet, which is my doing, so please tell me again in a moment.",
            ],
            Self::Budget => &[
                "I cannot go on today, and that is our limit, not anything you did. Please come \
                 back tomorrow, and we will take it from here.",
                "We have to stop here for today, which is on our side. I will be glad to go on \
                 with you tomorrow.",
            ],
            Self::Repair => &[
                "Let me say that in another way.",
                "Let me start that thought again.",
            ],
            Self::Nudge => &[
                "There is no hurry at all.",
                "I am still here with you.",
                "We can carry on whenever you like.",
            ],
            Self::Refusal => {
                &["I would rather not go there, so let's come back to what brings you here."]
            }
            Self::Unfinished => &["and I will stop there for a moment."],
            Self::Opening => &[
                "That is worth more than one view, so let me ask around the table.",
                "Let me bring that to the whole team.",
            ],
        }
    }
}

/// The house's phrases of a kind, for serde.
pub(super) mod house {
    use super::Kind;

    fn lines(kind: Kind) -> Vec<String> {
        kind.house().iter().map(|line| (*line).to_owned()).collect()
    }

    pub(in crate::coach) fn busy_lines() -> Vec<String> {
        lines(Kind::Busy)
    }

    pub(in crate::coach) fn speech_filter() -> bool {
        true
    }

    pub(in crate::coach) fn budget_lines() -> Vec<String> {
        lines(Kind::Budget)
    }

    pub(in crate::coach) fn openings() -> Vec<String> {
        lines(Kind::Opening)
    }

    pub(in crate::coach) fn repairs() -> Vec<String> {
        lines(Kind::Repair)
    }

    pub(in crate::coach) fn nudges() -> Vec<String> {
        lines(Kind::Nudge)
    }

    pub(in crate::coach) fn refusal() -> String {
        lines(Kind::Refusal).concat()
    }

    pub(in crate::coach) fn unfinished() -> String {
        lines(Kind::Unfinished).concat()
    }
}
