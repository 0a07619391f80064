//! Names that stand for people wherever something is kept or sent on: a keyed hash, so that whoever
//! reads the table cannot tell by trying which user a row belongs to.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::vault::DataKey;

/// What the pseudonym of a signed session id begins with, and its length.
const KEPT: &str = "s_";
const DIGITS: usize = 32;

/// Whether this is what a signed session id is kept under.
#[must_use]
pub fn is_session_key(text: &str) -> bool {
    let digits = text.strip_prefix(KEPT).map(str::as_bytes);
    let is_digit = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(is_digit))
}

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

    /// A signed session id as it is kept: it opens somebody's memory, so only its pseudonym is.
    #[must_use]
    pub fn session_key(&self, session: &str) -> String {
        format!("{KEPT}{}", self.session(session))
    }

    fn derive(&self, kind: &str, id: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(id.as_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        base16ct::lower::encode_string(&digest[..DIGITS / 2])
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
        let key = names.session_key("ada");
        assert!(is_session_key(&key), "{key}");
        for odd in [
            "",
            "s_",
            "ada",
            &key[..33],
            &key.to_uppercase(),
            &format!("{key}0"),
        ] {
            assert!(!is_session_key(odd), "{odd}");
        }
        assert_ne!(
            names.user("ada"),
            named("another-key-0123456789").user("ada")
        );
    }
}
