//! Experiments: which arm a session is in. Pure but for a bounded memory; the time comes in.
//!
//! A session's arm is drawn by a hash of the experiment, the arm and the session (weighted rendezvous
//! hashing): the same on every machine and after every restart, and where weights change only the share
//! of sessions moves that must. What a session gets from a coach is settled with its first turn with that
//! coach and remembered, *no arm* as well: neither the beginning of an experiment nor its end changes a
//! call in its midst. A session that this process does not know (it restarted, or another machine had the
//! turns before) is placed by the hash while the experiment runs, because that is what any other machine
//! did. So give an experiment a `start` that lies ahead of the restart that brings the file: whoever calls
//! before it is known to have no arm.
//!
//! Not enrolled: whoever cannot be told apart from strangers, and calls whose id is made up anew with
//! every request, since their arm would be drawn anew as well.

mod parse;

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sha2::{Digest as _, Sha256};

use crate::coach::Roster;

/// Sessions whose arm is remembered, one entry for each coach they spoke with.
const KNOWN: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// What a session in an experiment gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub experiment: String,
    pub variant: String,
    pub changes: Changes,
}

/// What is different from the coach as it is; nothing for a control.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The model that is asked first.
    pub model: Option<String>,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// In the place of the coach's.
    pub persona: Option<String>,
}

#[derive(Clone, Debug)]
struct Experiment {
    name: String,
    coach: String,
    /// Milliseconds since the Unix epoch; absent: since ever.
    start_ms: Option<i64>,
    /// The first moment that is not part of it; absent: for ever.
    end_ms: Option<i64>,
    /// With their weights, in the order of the file.
    arms: Vec<(u32, Arc<Arm>)>,
    /// The operator forces the coach's model, which the experiment wants to change.
    is_overridden: bool,
}

/// The experiments of `EXPERIMENTS_FILE`, checked.
#[derive(Clone, Debug, Default)]
pub struct Experiments {
    all: Vec<Experiment>,
    warnings: Vec<String>,
}

/// Why there are no experiments.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error("EXPERIMENTS_FILE {path} cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("EXPERIMENTS_FILE is not TOML: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("EXPERIMENTS_FILE has {} problem(s):\n- {}", .0.len(), .0.join("\n- "))]
    Invalid(Vec<String>),
}

impl ExperimentError {
    /// For `error.type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "experiments_read",
            Self::Toml(_) => "experiments_toml",
            Self::Invalid(_) => "experiments_invalid",
        }
    }
}

impl Experiments {
    /// The experiments that the operator asked for; none without a file. Reads `EXPERIMENTS_FILE`.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, or the list of everything wrong with it.
    pub fn load(file: Option<&Path>, roster: &Roster) -> Result<Self, ExperimentError> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|source| ExperimentError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, roster)
    }

    /// The same from the file's text.
    ///
    /// # Errors
    /// As of [`Experiments::load`].
    pub fn parse(text: &str, roster: &Roster) -> Result<Self, ExperimentError> {
        parse::experiments(text, roster)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What works, but hardly as intended, each naming its experiment.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every model that an arm asks for, each once.
    #[must_use]
    pub fn slugs(&self) -> Vec<String> {
        let arms = self.all.iter().flat_map(|e| &e.arms);
        let models = arms.filter_map(|(_, arm)| arm.changes.model.clone());
        models.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether any experiment is about this coach.
    fn concern(&self, coach: &str) -> bool {
        self.all.iter().any(|e| e.coach == coach)
    }

    /// The arm that the hash draws for this session in what runs for this coach at `now_ms`.
    #[must_use]
    pub fn arm(&self, coach: &str, session: &str, now_ms: i64) -> Option<&Arc<Arm>> {
        let runs = |e: &&Experiment| e.coach == coach && e.runs(now_ms);
        self.all.iter().find(runs)?.draw(session)
    }
}

impl Experiment {
    fn runs(&self, now_ms: i64) -> bool {
        !self.is_overridden
            && self.start_ms.is_none_or(|start| start <= now_ms)
            && self.end_ms.is_none_or(|end| now_ms < end)
    }

    /// The arm with the best score, where an arm's chance is its weight's share.
    ///
    /// Source: Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005: the logarithmic
    /// method.
    fn draw(&self, session: &str) -> Option<&Arc<Arm>> {
        let scored = self.arms.iter().map(|(weight, arm)| {
            let chance = chance(&[&self.name, &arm.variant, session]);
            (f64::from(*weight) / -chance.ln(), arm)
        });
        let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map(|(_, arm)| arm)
    }
}

/// The hash of the parts, joined by NUL.
fn hash(parts: &[&str]) -> [u8; 32] {
    Sha256::digest(parts.join("\0")).into()
}

/// The parts as a number between 0 and 1, neither of them included.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a float can hold"
)]
fn chance(parts: &[&str]) -> f64 {
    let bytes = hash(parts).into_iter().take(8);
    let number = bytes.fold(0_u64, |number, byte| (number << 8) | u64::from(byte));
    ((number >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Whose turn with which coach.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub coach: &'a str,
    /// Whatever names the session for as long as it lives.
    pub session: &'a str,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Whether the session has no name of its own that comes back: its first turn may be its
    /// hundredth.
    pub is_adrift: bool,
}

/// The experiments, and which arm each session got. One per process.
#[derive(Debug)]
pub struct Enrolments {
    experiments: Experiments,
    /// By session and coach.
    known: Mutex<LruCache<u128, Option<Arc<Arm>>>>,
}

impl Enrolments {
    #[must_use]
    pub fn new(experiments: Experiments) -> Self {
        // Room is made at once, and not for nothing.
        let room = match experiments.is_empty() {
            true => NonZeroUsize::MIN,
            false => KNOWN,
        };
        Self {
            experiments,
            known: Mutex::new(LruCache::new(room)),
        }
    }

    /// The arm of this session with this coach: the one it has, or the one it gets now.
    pub fn arm(&self, asked: &Asked<'_>) -> Option<Arc<Arm>> {
        if !self.experiments.concern(asked.coach) {
            return None;
        }
        let drawn = match asked.is_adrift {
            true => None,
            false => self
                .experiments
                .arm(asked.coach, asked.session, asked.now_ms),
        };
        let bytes = hash(&[asked.coach, asked.session]).into_iter().take(16);
        let key = bytes.fold(0_u128, |key, byte| (key << 8) | u128::from(byte));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(key, || drawn.cloned()).clone()
    }
}

#[cfg(test)]
mod tests;
