//! Signed session ids that hold no more, though their time is not over. All of them are at hand, so that
//! who speaks is known without asking anybody.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::pseudonym::Pseudonyms;

/// Ids held at once; beyond it those go first that end first. The store has all of them.
const MOST: usize = 100_000;

/// The revoked ids, by their pseudonyms.
#[derive(Debug)]
pub struct Revoked {
    names: Pseudonyms,
    /// When each holds no more in any case, milliseconds since the Unix epoch.
    until: RwLock<HashMap<String, i64>>,
}

impl Revoked {
    #[must_use]
    pub fn new(names: Pseudonyms) -> Self {
        Self {
            names,
            until: RwLock::default(),
        }
    }

    /// Takes in more of them, and lets go of those whose time is over; the ones that are news.
    pub fn take(&self, more: impl IntoIterator<Item = (String, i64)>, now_ms: i64) -> Vec<String> {
        let mut until = self.until.write().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, end| *end > now_ms);
        let mut news = Vec::new();
        for (name, end) in more.into_iter().filter(|(_, end)| *end > now_ms) {
            if until.insert(name.clone(), end).is_none() {
                news.push(name);
            }
        }
        while until.len() > MOST {
            let first = until.iter().min_by_key(|(_, end)| **end);
            let Some(first) = first.map(|(name, _)| name.clone()) else {
                break;
            };
            until.remove(&first);
        }
        news
    }

    /// Whether this id is revoked.
    #[must_use]
    pub fn has(&self, session: &str) -> bool {
        let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
        !until.is_empty() && until.contains_key(&self.names.session_key(session))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config;
    use crate::vault::DataKey;

    fn revoked() -> (Revoked, Pseudonyms) {
        let store = config::Store {
            database: None,
            data_dir: "/nowhere".into(),
            data_key: Some("a-data-key-0123456789".to_owned().into()),
            retention: None,
            capture_ttl: Duration::from_secs(60),
        };
        let names = Pseudonyms::new(&DataKey::load(&store).unwrap());
        (Revoked::new(names.clone()), names)
    }

    #[test]
    fn an_id_is_revoked_until_it_would_have_ended() {
        let (revoked, names) = revoked();
        assert!(!revoked.has("c1.a.b"));
        let row = || Some((names.session_key("c1.a.b"), 1_000));
        assert_eq!(revoked.take(row(), 0), [names.session_key("c1.a.b")]);
        assert!(revoked.has("c1.a.b") && !revoked.has("c1.a.c"));
        assert_eq!(revoked.take(row(), 0), [""; 0], "no news");
        assert!(revoked.has("c1.a.b"));
        revoked.take(None, 1_000);
        assert!(!revoked.has("c1.a.b"));
        assert_eq!(revoked.take(row(), 1_000), [""; 0], "over already");
    }

    #[test]
    fn it_is_bounded_and_lets_go_of_what_ends_first() {
        let (revoked, names) = revoked();
        let all = (0..MOST).map(|n| (format!("s_{n}"), 1_000));
        revoked.take(all, 0);
        revoked.take(
            [(names.session_key("late"), 2_000), ("early".to_owned(), 10)],
            0,
        );
        assert!(revoked.has("late"));
        let until = revoked.until.read().unwrap();
        assert_eq!(until.len(), MOST);
        assert!(!until.contains_key("early"));
    }
}
