//! The coaches of this server: built in, or read from `COACHES_FILE`.
//!
//! A roster that exists has been checked: it has a master, its ids and keywords are unambiguous,
//! and its order is the order in which keywords are tried.

use std::path::PathBuf;

use serde::Deserialize;

use super::check;
use super::phrases::Phrases;
use super::scan::Index;
use super::spoken::{Kind, house};
use crate::config;

/// The coach every roster has: the default, and the one who moderates.
pub const MASTER: &str = "master";

/// One file a coach, in the order in which keywords are tried.
const BUILT_IN: [&str; 5] = [
    include_str!("roster/master.toml"),
    include_str!("roster/career.toml"),
    include_str!("roster/skills.toml"),
    include_str!("roster/leadership.toml"),
    include_str!("roster/network.toml"),
];

/// Heard only if a coach was made without a line of its own, which a checked roster rules out.
const LAST_RESORT_LINE: &str = "Sorry, I lost my thread for a moment, and that is on me.";

/// One coach: how it speaks, when it is chosen, what it runs on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coach {
    /// `[a-z_]+`; used in settings, records and session pins.
    pub id: String,
    /// As it is spoken, such as "career coach".
    pub name: String,
    /// Lower-case beginnings of words; none for a coach that is only named or the default.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// 0 to 2.
    pub temperature: f64,
    /// 16 to 8192.
    pub max_tokens: u32,
    pub models: Models,
    /// Whether what its models write is made speakable.
    #[serde(default = "house::speech_filter")]
    pub speech_filter: bool,
    /// Aim, manner and limits, as told to the model. Constant, so that providers can cache it.
    pub persona: String,
    /// What memory is asked about before this coach speaks in a council, beside the person's words.
    #[serde(default)]
    pub recalls: String,
    /// How this coach opens a call, as told to the model.
    pub greeting: String,
    /// Said while the model is slow; each is grammatical before any continuation.
    pub lead_ins: Vec<String>,
    /// Said when every model failed; each owns the hiccup and never blames the user's speech.
    pub fallback_lines: Vec<String>,
    /// Said when the service is full; each owns it and asks to say that again in a moment.
    #[serde(default = "house::busy_lines")]
    pub busy_lines: Vec<String>,
    /// Said when the day's money is spent: honest that it ends here, and when it goes on.
    #[serde(default = "house::budget_lines")]
    pub budget_lines: Vec<String>,
    /// Said after an answer that broke in mid-sentence, before a new sentence; natural after any
    /// half sentence.
    #[serde(default = "house::repairs")]
    pub repairs: Vec<String>,
    /// Said one after the other while the user is silent, without asking a model.
    #[serde(default = "house::nudges")]
    pub nudges: Vec<String>,
    /// Said when the model's maker stopped the answer for its content; turns back to coaching.
    #[serde(default = "house::refusal")]
    pub refusal: String,
    /// A clause that closes an answer cut by the token limit; natural after any half sentence.
    #[serde(default = "house::unfinished")]
    pub unfinished: String,
    /// Said by whoever leads a council while the others think; names nobody, since nobody has
    /// spoken yet.
    #[serde(default = "house::openings")]
    pub openings: Vec<String>,
}

/// Model slugs by role.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    pub cost_saving: String,
    pub balanced: String,
    pub high: String,
    pub fallback: String,
    /// `COACH_MODEL_*`: tried first in every tier. Not part of a roster file.
    #[serde(skip)]
    pub forced: Option<String>,
}

impl Coach {
    /// One of the fallback lines; the same seed gives the same line.
    #[must_use]
    pub fn fallback_line(&self, seed: u64) -> &str {
        pick(&self.fallback_lines, seed).unwrap_or(LAST_RESORT_LINE)
    }

    /// All lead-ins, one at least.
    #[must_use]
    pub fn lead_ins(&self) -> &[String] {
        &self.lead_ins
    }

    /// One of the lines for a full house; the same seed gives the same line.
    #[must_use]
    pub fn busy_line(&self, seed: u64) -> &str {
        pick(&self.busy_lines, seed).unwrap_or(LAST_RESORT_LINE)
    }

    /// One of the lines for a day whose money is spent; the same seed gives the same line.
    #[must_use]
    pub fn budget_line(&self, seed: u64) -> &str {
        pick(&self.budget_lines, seed).unwrap_or(LAST_RESORT_LINE)
    }

    /// One of the sentences that open a council; the same seed gives the same sentence.
    #[must_use]
    pub fn opening_line(&self, seed: u64) -> &str {
        pick(&self.openings, seed).unwrap_or(LAST_RESORT_LINE)
    }

    /// One of the phrases after a break; the same seed gives the same phrase.
    #[must_use]
    pub fn repair(&self, seed: u64) -> &str {
        pick(&self.repairs, seed).unwrap_or(LAST_RESORT_LINE)
    }

    /// What is said to the n-th silence in a row, counted from 0; nothing beyond the list, because
    /// whoever has been asked that often does not want to be asked again.
    #[must_use]
    pub fn nudge(&self, n: usize) -> Option<&str> {
        self.nudges.get(n).map(String::as_str)
    }

    #[must_use]
    pub fn refusal(&self) -> &str {
        &self.refusal
    }

    /// Begins in lower case: a space goes before it, no stop.
    #[must_use]
    pub fn unfinished(&self) -> &str {
        &self.unfinished
    }

    /// Everything this coach says of a kind.
    pub(super) fn spoken(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::LeadIn => &self.lead_ins,
            Kind::Fallback => &self.fallback_lines,
            Kind::Busy => &self.busy_lines,
            Kind::Budget => &self.budget_lines,
            Kind::Repair => &self.repairs,
            Kind::Nudge => &self.nudges,
            Kind::Refusal => std::slice::from_ref(&self.refusal),
            Kind::Unfinished => std::slice::from_ref(&self.unfinished),
            Kind::Opening => &self.openings,
        }
    }
}

fn pick(lines: &[String], seed: u64) -> Option<&str> {
    let count = u64::try_from(lines.len()).ok()?;
    let at = usize::try_from(seed.checked_rem(count)?).ok()?;
    lines.get(at).map(String::as_str)
}

/// The checked set of coaches. Cheap to share behind an `Arc`; never changes.
#[derive(Clone, Debug)]
pub struct Roster {
    master: Coach,
    /// All coaches, the master among them, in the order of their file.
    coaches: Vec<Coach>,
    pub(super) index: Index,
    pub(super) phrases: Phrases,
}

/// Why there is no roster.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    #[error("COACHES_FILE {path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{origin} is not a roster")]
    Parse {
        origin: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("the roster has {} problem(s):\n- {}", .0.len(), .0.join("\n- "))]
    Invalid(Vec<String>),
}

impl RosterError {
    /// For `error.type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "roster_read",
            Self::Parse { .. } => "roster_parse",
            Self::Invalid(_) => "roster_invalid",
        }
    }
}

/// The shape of `COACHES_FILE`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    coach: Vec<Coach>,
}

impl Roster {
    /// The five coaches in the binary.
    ///
    /// # Errors
    /// Never for a released binary: a test holds the embedded files to the rules.
    pub fn built_in() -> Result<Self, RosterError> {
        Self::new(built_in()?, &[])
    }

    /// The roster the operator asked for, with `COACH_MODEL_*` applied. Reads `COACHES_FILE`.
    ///
    /// # Errors
    /// The file cannot be read or parsed, or the list of everything wrong with it and with the
    /// model overrides.
    pub fn load(settings: &config::Coaches) -> Result<Self, RosterError> {
        let coaches = match &settings.file {
            None => built_in()?,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| RosterError::Read {
                    path: path.clone(),
                    source,
                })?;
                let origin = format!("COACHES_FILE {}", path.display());
                parse::<File>(&text, &origin)?.coach
            }
        };
        Self::new(coaches, &settings.models)
    }

    fn new(mut coaches: Vec<Coach>, forced: &[(String, String)]) -> Result<Self, RosterError> {
        let mut problems = check::problems(&coaches);
        problems.extend(force_models(&mut coaches, forced));
        let master = coaches.iter().find(|c| c.id == MASTER).cloned();
        let phrases = Phrases::new(&coaches);
        if let Err(error) = &phrases {
            problems.push(format!("its phrases cannot be looked for: {error}"));
        }
        match (master, phrases) {
            (Some(master), Ok(phrases)) if problems.is_empty() => Ok(Self {
                index: Index::new(&coaches),
                phrases,
                master,
                coaches,
            }),
            // A missing master is among the problems.
            _ => Err(RosterError::Invalid(problems)),
        }
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Coach> {
        self.coaches.iter().find(|c| c.id == id)
    }

    #[must_use]
    pub fn master(&self) -> &Coach {
        &self.master
    }

    /// All coaches in the order in which keywords are tried, the master among them.
    pub fn iter(&self) -> impl Iterator<Item = &Coach> {
        self.coaches.iter()
    }

    /// The coaches of whom this line holds a keyword, in the roster's order.
    pub fn touched(&self, line: &str) -> impl Iterator<Item = &Coach> {
        let all = self.coaches.iter().enumerate();
        all.filter(move |(at, _)| self.index.touches(line, *at))
            .map(|(_, coach)| coach)
    }

    /// Every model slug that a turn may ask for, each once.
    #[must_use]
    pub fn slugs(&self) -> Vec<String> {
        let all = self.iter().flat_map(|coach| {
            let m = &coach.models;
            [&m.cost_saving, &m.balanced, &m.high, &m.fallback]
                .into_iter()
                .chain(&m.forced)
        });
        all.cloned()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    pub(super) fn at(&self, position: usize) -> Option<&Coach> {
        self.coaches.get(position)
    }
}

fn built_in() -> Result<Vec<Coach>, RosterError> {
    BUILT_IN
        .iter()
        .map(|text| parse(text, "a built-in coach"))
        .collect()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, origin: &str) -> Result<T, RosterError> {
    toml::from_str(text).map_err(|source| RosterError::Parse {
        origin: origin.to_owned(),
        source: Box::new(source),
    })
}

/// Sets each override on its coach; an override for nobody is a problem, since a model the operator
/// paid attention to would silently not be used.
fn force_models(coaches: &mut [Coach], forced: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, model) in forced {
        if model.is_empty() || model.chars().any(char::is_whitespace) {
            problems.push(format!("the model override for {id:?} is not a model slug"));
        } else if let Some(coach) = coaches.iter_mut().find(|c| c.id == *id) {
            coach.models.forced = Some(model.clone());
        } else {
            problems.push(format!(
                "a model override names coach {id:?}, which does not exist{}",
                nearest(id, coaches)
            ));
        }
    }
    problems
}

fn nearest(id: &str, coaches: &[Coach]) -> String {
    coaches
        .iter()
        .map(|c| (strsim::jaro_winkler(id, &c.id), &c.id))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, near)| format!("; did you mean {near:?}?"))
}

#[cfg(test)]
mod tests;
