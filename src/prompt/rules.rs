//! What a model is told first: the house's rules and the coach's own. Constant for a coach, to the
//! byte, so it is put together, and written as JSON, once and not with each turn.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::coach::Coach;

/// The rules all coaches share. They come first, so that the prefix is shared as well.
const SHARED: &str = include_str!("rules.md");
/// Coaches whose rules a thread keeps, an experiment's persona counted as one more. Beyond them it begins anew.
const MAX_KEPT: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// Rules, and what of a coach they were made of.
struct Kept {
    persona: String,
    greeting: String,
    rules: Rules,
}

/// A system message's text. A clone is another handle to it.
#[derive(Clone)]
pub struct Rules(Arc<Written>);

struct Written {
    text: String,
    /// The same as a JSON string, which any text can be; if one could not, the request would say why.
    json: Option<Box<RawValue>>,
}

impl Rules {
    /// Those of this coach: no id, no clock, nothing of the user.
    pub(super) fn of(coach: &Coach) -> Self {
        KEPT.with_borrow_mut(|kept| {
            let known = kept
                .iter()
                .find(|k| k.persona == coach.persona && k.greeting == coach.greeting);
            if let Some(known) = known {
                return known.rules.clone();
            }
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            let rules = Self::from(told(coach));
            kept.push(Kept {
                persona: coach.persona.clone(),
                greeting: coach.greeting.clone(),
                rules: rules.clone(),
            });
            rules
        })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

fn told(coach: &Coach) -> String {
    format!(
        "{}\n\n{}\n\nWhen a call begins: {}",
        SHARED.trim(),
        coach.persona.trim(),
        coach.greeting.trim()
    )
}

impl From<String> for Rules {
    fn from(text: String) -> Self {
        let json = to_raw_value(&text).ok();
        Self(Arc::new(Written { text, json }))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.json {
            Some(json) => json.serialize(serializer),
            None => self.text().serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coach::Roster;

    #[test]
    fn each_coach_has_its_own_and_a_change_is_heeded() {
        let roster = Roster::built_in().unwrap();
        let coaches: Vec<_> = roster.iter().collect();
        for _ in 0..2 {
            for coach in &coaches {
                assert_eq!(Rules::of(coach).text(), told(coach));
            }
        }
        let mut coach = coaches[0].clone();
        for n in 0..3 * MAX_KEPT {
            coach.persona = format!("You say \"{n}\" and smile.\n");
            let rules = Rules::of(&coach);
            assert_eq!(rules.text(), told(&coach));
            let json = serde_json::to_string(&rules).unwrap();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), told(&coach));
        }
        assert!(KEPT.with_borrow(Vec::len) <= MAX_KEPT);
    }

    #[test]
    fn the_same_rules_are_not_put_together_twice() {
        let roster = Roster::built_in().unwrap();
        let coach = roster.master();
        let (first, second) = (Rules::of(coach), Rules::of(coach));
        assert!(Arc::ptr_eq(&first.0, &second.0));
    }
}
