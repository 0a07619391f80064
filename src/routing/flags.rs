//! Switches that are changed without a deploy: on, off, or on for a share of the sessions.
//!
//! A flag says what the operator wants now; a setting of the same name says what holds where no flag
//! does. Which sessions a share takes in is a function of the flag's name and the session, so a session
//! keeps what it got, on every machine, and of two shares the larger takes in all of the smaller.
//!
//! To add a switch: a variant of [`Switch`] with its name, a field of `config::Switches`.

mod share;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Switches;

pub use share::{BadShare, Share};

/// The longest model slug a flag is taken for, in bytes.
const LONGEST_SLUG: usize = 200;

/// What can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    Hedging,
    Resume,
    LeadIns,
    Council,
    Capture,
    SpeechFilter,
}

impl Switch {
    pub const ALL: [Self; 6] = [
        Self::Hedging,
        Self::Resume,
        Self::LeadIns,
        Self::Council,
        Self::Capture,
        Self::SpeechFilter,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hedging => "hedging",
            Self::Resume => "resume",
            Self::LeadIns => "lead_ins",
            Self::Council => "council",
            Self::Capture => "capture",
            Self::SpeechFilter => "speech_filter",
        }
    }

    fn default(self, switches: Switches) -> bool {
        match self {
            Self::Hedging => switches.hedging,
            Self::Resume => switches.resume,
            Self::LeadIns => switches.lead_ins,
            Self::Council => switches.council,
            Self::Capture => switches.capture,
            Self::SpeechFilter => switches.speech_filter,
        }
    }
}

/// A flag's name: one of the switches, or `model:` and a slug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// There is no such flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no flag has this name")]
pub struct NoSuchFlag;

impl Name {
    /// # Errors
    /// When it is neither a switch nor a model.
    pub fn parse(text: &str) -> Result<Self, NoSuchFlag> {
        let is_switch = Switch::ALL.iter().any(|switch| switch.as_str() == text);
        let is_model = text.strip_prefix("model:").is_some_and(|slug| {
            let is_printable = slug.bytes().all(|b| b.is_ascii_graphic());
            is_printable && (1..=LONGEST_SLUG).contains(&slug.len())
        });
        match is_switch || is_model {
            true => Ok(Self(text.to_owned())),
            false => Err(NoSuchFlag),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A flag as it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    pub share: Share,
    /// When it is over and the setting holds again, milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
}

/// All flags that are set, shared by everybody who has a clone.
#[derive(Clone, Debug)]
pub struct Flags {
    defaults: Switches,
    set: Arc<RwLock<Arc<BTreeMap<Name, Flag>>>>,
}

impl Flags {
    /// None is set: everything is as configured.
    #[must_use]
    pub fn new(defaults: Switches) -> Self {
        Self {
            defaults,
            set: Arc::default(),
        }
    }

    /// Takes these for those that were; gives the names of those that changed.
    pub fn take(&self, set: BTreeMap<Name, Flag>) -> Vec<Name> {
        let mut current = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, Arc::new(set));
        let names = before.keys().chain(current.keys());
        let mut changed: Vec<Name> = names
            .filter(|name| before.get(name) != current.get(name))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }

    /// Those that are set and not over.
    #[must_use]
    pub fn set(&self, now_ms: i64) -> BTreeMap<Name, Flag> {
        let set = self.current().as_ref().clone();
        set.into_iter()
            .filter(|(_, flag)| flag.holds(now_ms))
            .collect()
    }

    /// What a switch is where no flag says otherwise.
    #[must_use]
    pub fn default_of(&self, switch: Switch) -> bool {
        switch.default(self.defaults)
    }

    /// Every switch as it is for this session.
    #[must_use]
    pub fn of(&self, session: &str, now_ms: i64) -> Switches {
        let set = self.current();
        if set.is_empty() {
            return self.defaults;
        }
        let is_on = |switch: Switch| {
            let name = switch.as_str();
            let flag = set
                .iter()
                .find(|(n, flag)| n.as_str() == name && flag.holds(now_ms));
            flag.map_or(switch.default(self.defaults), |(_, flag)| {
                flag.share.takes_in(name, session)
            })
        };
        Switches {
            hedging: is_on(Switch::Hedging),
            resume: is_on(Switch::Resume),
            lead_ins: is_on(Switch::LeadIns),
            council: is_on(Switch::Council),
            capture: is_on(Switch::Capture),
            speech_filter: is_on(Switch::SpeechFilter),
        }
    }

    /// Leaves those models that may be asked for this session.
    pub fn admit(&self, models: &mut Vec<String>, session: &str, now_ms: i64) {
        let set = self.current();
        if set.is_empty() {
            return;
        }
        models.retain(|model| {
            let of_model = |name: &Name| name.as_str().strip_prefix("model:") == Some(model);
            let flag = set
                .iter()
                .find(|(name, flag)| of_model(name) && flag.holds(now_ms));
            flag.is_none_or(|(name, flag)| flag.share.takes_in(name.as_str(), session))
        });
    }

    fn current(&self) -> Arc<BTreeMap<Name, Flag>> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&set)
    }
}

impl Flag {
    fn holds(&self, now_ms: i64) -> bool {
        self.expires_at.is_none_or(|at| now_ms < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_ON: Switches = Switches {
        hedging: true,
        resume: true,
        lead_ins: true,
        council: true,
        capture: true,
        speech_filter: true,
    };

    fn flags(set: &[(&str, &str, Option<i64>)]) -> Flags {
        let flags = Flags::new(Switches {
            capture: false,
            ..ALL_ON
        });
        let set = set.iter().map(|(name, share, expires_at)| {
            let flag = Flag {
                share: Share::parse(share).unwrap(),
                expires_at: *expires_at,
            };
            (Name::parse(name).unwrap(), flag)
        });
        flags.take(set.collect());
        flags
    }

    #[test]
    fn names_are_switches_and_models() {
        for switch in Switch::ALL {
            assert!(Name::parse(switch.as_str()).is_ok());
        }
        assert!(Name::parse("model:openai/gpt-6-luna").is_ok());
        for odd in ["", "hedge", "Hedging", "model:", "model:a b", "model:é"] {
            assert_eq!(Name::parse(odd), Err(NoSuchFlag), "{odd}");
        }
        assert!(Name::parse(&format!("model:{}", "a".repeat(201))).is_err());
    }

    #[test]
    fn a_flag_goes_before_its_setting_until_it_expires() {
        let flags = flags(&[("hedging", "false", Some(1_000)), ("capture", "true", None)]);
        assert_eq!(
            flags.of("s", 999),
            Switches {
                hedging: false,
                ..ALL_ON
            }
        );
        assert_eq!(flags.of("s", 1_000), ALL_ON);
        assert_eq!(flags.set(999).len(), 2);
        assert_eq!(flags.set(1_000).len(), 1);
    }

    #[test]
    fn what_changed_is_told() {
        let flags = flags(&[("hedging", "false", None), ("resume", "false", None)]);
        let off = Flag {
            share: Share::OFF,
            expires_at: None,
        };
        let name = |text| Name::parse(text).unwrap();
        let next = BTreeMap::from([(name("hedging"), off.clone()), (name("model:m"), off)]);
        assert_eq!(flags.take(next.clone()), [name("model:m"), name("resume")]);
        assert_eq!(flags.take(next), []);
    }

    #[test]
    fn a_model_that_is_off_is_not_asked() {
        let flags = flags(&[("model:a/b", "false", None), ("model:a/c", "50%", None)]);
        let asked = |session: &str| {
            let mut models = ["a/b", "a/c", "a/d"].map(str::to_owned).to_vec();
            flags.admit(&mut models, session, 0);
            models
        };
        let mut with = 0;
        for n in 0..1000 {
            let models = asked(&format!("s{n}"));
            assert_eq!(models.last().map(String::as_str), Some("a/d"));
            assert!(!models.contains(&"a/b".to_owned()));
            with += models.len() - 1;
        }
        assert!((400..600).contains(&with), "{with}");
    }
}
