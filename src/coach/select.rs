//! Which coach answers, and why: a pure function of what the user has said.
//!
//! In words: walk the user's lines from the oldest to the newest; a line that asks for a coach by
//! name, or says yes to the offer of one, or else holds a keyword, changes the coach; any other
//! keeps it. Nothing is remembered
//! between requests, so nothing can be lost. The walk is done backwards, because the newest line
//! that chooses is all that counts: a turn usually reads one line, whatever the length of the call.

use std::fmt;

use super::everybody::asks_everybody;
use super::named;
use super::offered;
use super::roster::{Coach, Roster};
use crate::turn::Message;

/// The coach of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection<'r> {
    pub coach: &'r Coach,
    pub reason: Reason,
}

/// Why this coach: recorded with the turn and shown on the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The last line holds this keyword.
    Keyword(String),
    /// The last line asks for the coach by name, or says yes to the offer of that coach by name.
    Named,
    /// An earlier line chose, the last did not.
    Kept,
    /// The session is pinned to this coach.
    Pinned,
    /// Nobody was ever chosen: the master.
    Default,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(keyword) => write!(f, "keyword:{keyword}"),
            Self::Named => f.write_str("named"),
            Self::Kept => f.write_str("kept"),
            Self::Pinned => f.write_str("pinned"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Chooses the coach of a turn from the user's lines, each with what was said before it, oldest
/// first. A pin to a coach that does not exist is no pin.
pub fn select<'r, 'l>(
    roster: &'r Roster,
    lines: impl Iterator<Item = (&'l [Message], &'l str)>,
    pin: Option<&str>,
) -> Selection<'r> {
    if let Some(coach) = pin.and_then(|id| roster.get(id)) {
        let reason = Reason::Pinned;
        return Selection { coach, reason };
    }
    let lines: Vec<(&[Message], &str)> = lines.collect();
    for (age, (before, line)) in lines.into_iter().rev().enumerate() {
        if let Some(chosen) = chosen_by(roster, before, line) {
            let reason = if age == 0 {
                chosen.reason
            } else {
                Reason::Kept
            };
            return Selection { reason, ..chosen };
        }
    }
    Selection {
        coach: roster.master(),
        reason: Reason::Default,
    }
}

/// The coach this line alone would choose.
fn chosen_by<'r>(roster: &'r Roster, before: &[Message], line: &str) -> Option<Selection<'r>> {
    let heard = roster.index.hear(line);
    let named = heard
        .cue
        .then(|| named::requested(&roster.index.names, line))
        .flatten()
        .or_else(|| offered::taken_up(&roster.index.names, before, line));
    if let Some(coach) = named.and_then(|at| roster.at(at)) {
        let reason = Reason::Named;
        return Some(Selection { coach, reason });
    }
    // "Ask the whole team" is about no team that is led.
    let keyword = heard.keyword.filter(|_| !asks_everybody(line))?;
    Some(Selection {
        coach: roster.at(keyword.coach)?,
        reason: Reason::Keyword(keyword.text.clone()),
    })
}

#[cfg(test)]
mod tests;
