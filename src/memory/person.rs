//! Whose memory it is, as the store may know it.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Whose memory: ids derived from the user and the session, never these themselves.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Person {
    pub(super) user: Arc<str>,
    pub(super) thread: Arc<str>,
}

impl Person {
    #[must_use]
    pub fn new(user: &str, session: &str) -> Self {
        Self {
            user: user_id(user),
            thread: derived("clm-t-", &["thread", user, session]),
        }
    }

    /// The person's id in the store.
    #[must_use]
    pub fn zep_user(&self) -> &str {
        &self.user
    }

    /// The conversation's id in the store.
    #[must_use]
    pub fn zep_thread(&self) -> &str {
        &self.thread
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(..)")
    }
}

/// The id in the store of whoever was authenticated as `user`.
pub(super) fn user_id(user: &str) -> Arc<str> {
    derived("clm-u-", &["user", user])
}

/// The prefix and the first half of the hash over the parts, joined by NUL.
fn derived(prefix: &str, parts: &[&str]) -> Arc<str> {
    let hash: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    let hex = base16ct::lower::encode_string(&hash[..16]);
    [prefix, &hex].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_by_derived_ids() {
        // From `printf 'user\0ines' | sha256sum` and its like.
        let who = Person::new("ines", "s1");
        assert_eq!(who.zep_user(), "clm-u-5d6c08026526fa1fc016bf7e2970b28f");
        assert_eq!(who.zep_thread(), "clm-t-157bc528b1d43ce24b75f8bf819df83e");
        assert_eq!(format!("{who:?}"), "Person(..)");
    }

    #[test]
    fn a_thread_belongs_to_one_person_and_one_session() {
        let [a, b, c] = [("ines", "s1"), ("ines", "s2"), ("marco", "s1")]
            .map(|(user, session)| Person::new(user, session));
        assert_eq!(a.zep_user(), b.zep_user());
        assert_ne!(a.zep_user(), c.zep_user());
        assert_ne!(a.zep_thread(), b.zep_thread());
        assert_ne!(a.zep_thread(), c.zep_thread());
    }
}
