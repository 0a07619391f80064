//! Names that stand for people wherever something is kept or sent on: a keyed hash, so that whoever
//! reads the table cannot tell by trying which user a row belongs to.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::vault::DataKey;

/// Derives pseudonyms under the data key.
#[derive(Clone, Debug)]
pub struct Pseudonyms {
    key: Hmac<Sha256>,
}

impl Pseudonyms {
    #[must_use]
    pub fn new(key: &DataKey) -> Self {
        Self { key: key.mac() }
    }

    /// 32 hex digits for a user id.
    #[must_use]
    pub fn user(&self, user: &str) -> String {
        self.derive("user", user)
    }

    /// 32 hex digits for a session id.
    #[must_use]
    pub fn session(&self, session: &str) -> String {
        self.derive("session", session)
    }

    fn derive(&self, kind: &str, id: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(id.as_bytes());
        let digest = mac.finalize().into_bytes();
        Hex(digest.get(..16).unwrap_or_default()).to_string()
    }
}

/// Hex digits of some bytes.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn names_depend_on_the_key_and_on_what_is_named_alone() {
        let named = |key: &str| {
            let store = config::Store {
                database: None,
                data_dir: "/nowhere".into(),
                data_key: Some(key.to_owned().into()),
                retention: None,
                capture_ttl: std::time::Duration::from_secs(60),
            };
            Pseudonyms::new(&DataKey::load(&store).unwrap())
        };
        let names = named("a-data-key-0123456789");
        // From `printf 'user\0ada' | openssl dgst -sha256 -hmac a-data-key-0123456789`.
        assert_eq!(names.user("ada"), "ce1e8dfd5e97b5a0bb9f0dfbabfc1486");
        assert_ne!(names.user("ada"), names.session("ada"));
        assert_ne!(
            names.user("ada"),
            named("another-key-0123456789").user("ada")
        );
    }
}
