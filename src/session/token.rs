//! Signed session ids: who the user is, carried by the id itself and checked without a lookup.
//!
//! `c1.` + base64url(claims as JSON) + `.` + base64url(HMAC-SHA256 over everything before the dot).
//! Only characters that a URL query value carries unescaped; at most 255 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::turn::{MAX_SESSION_ID_BYTES, ProsodyPolicy, Tier};

const PREFIX: &str = "c1.";
/// How far two machines' clocks may differ, in seconds.
pub(super) const SKEW_S: i64 = 60;

/// What a signed session id says. Names are one letter: the whole must fit 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(rename = "u")]
    pub user: String,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub coach: Option<String>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub prosody: Option<ProsodyPolicy>,
    /// Seconds since the Unix epoch.
    #[serde(rename = "e")]
    pub expires_at: i64,
    /// Tells two conversations of one user apart.
    #[serde(rename = "n")]
    pub nonce: String,
    /// Minted for a caller that brought no id: a person nobody has named.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub minted: bool,
}

/// Why an id is not a valid signed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("not a signed session id")]
    Unsigned,
    #[error("the signature does not match")]
    Signature,
    #[error("expired")]
    Expired,
    #[error("revoked")]
    Revoked,
    #[error("the signed session id would be {0} bytes long; at most {MAX_SESSION_ID_BYTES} fit")]
    TooLong(usize),
}

/// Whether an id looks like one of ours, valid or not: it may open somebody's memory.
#[must_use]
pub fn has_signed_form(session: &str) -> bool {
    session.starts_with(PREFIX)
}

/// Signs with the first key, verifies with all: that is how keys are rotated.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    pub(super) fn new(keys: &[SecretString]) -> Self {
        let keyed = |k: &SecretString| Hmac::<Sha256>::new_from_slice(k.expose_secret().as_bytes());
        Self {
            keys: keys.iter().filter_map(|k| keyed(k).ok()).collect(),
        }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let Some(key) = self.keys.first() else {
            return Err(TokenError::Unsigned);
        };
        let json = serde_json::to_vec(claims).map_err(|_| TokenError::Unsigned)?;
        let mut token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
        let mut mac = key.clone();
        mac.update(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut token);
        if token.len() > MAX_SESSION_ID_BYTES {
            return Err(TokenError::TooLong(token.len()));
        }
        Ok(token)
    }

    pub(super) fn verify(&self, token: &str, now_s: i64) -> Result<Claims, TokenError> {
        let claims = self.genuine(token)?;
        if claims.expires_at.saturating_add(SKEW_S) < now_s {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// What an id says that one of our keys signed, be it expired.
    pub(super) fn genuine(&self, token: &str) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Unsigned)?;
        let payload = signed.strip_prefix(PREFIX).ok_or(TokenError::Unsigned)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Signature)?;
        let genuine = self.keys.iter().any(|key| {
            let mut mac = key.clone();
            mac.update(signed.as_bytes());
            mac.verify_slice(&signature).is_ok()
        });
        if !genuine {
            return Err(TokenError::Signature);
        }
        let json = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Signature)?;
        serde_json::from_slice(&json).map_err(|_| TokenError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(keys: &[&str]) -> Signer {
        let keys: Vec<_> = keys
            .iter()
            .map(|k| SecretString::from((*k).to_owned()))
            .collect();
        Signer::new(&keys)
    }

    fn claims() -> Claims {
        Claims {
            user: "coachee-42".into(),
            tier: Some(Tier::Enterprise),
            coach: Some("career".into()),
            prosody: Some(ProsodyPolicy::Off),
            expires_at: 1000,
            nonce: "n1".into(),
            minted: false,
        }
    }

    #[test]
    fn a_signed_id_says_who_it_is_and_fits_a_query() {
        let token = signer(&["first-key-0123456789"]).sign(&claims()).unwrap();
        assert!(token.len() <= 255);
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        );
        assert_eq!(
            signer(&["first-key-0123456789"]).verify(&token, 900),
            Ok(claims())
        );
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let signer = signer(&["first-key-0123456789"]);
        let token = signer.sign(&claims()).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(signer.verify(&changed, 900).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_token_has_one_form() {
        let signer = signer(&["first-key-0123456789"]);
        let token = signer.sign(&claims()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        // The last of 43 digits stands for four bits: the other two may not be set.
        let (most, last) = signature.split_at(42);
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = digits.find(last).unwrap();
        let same_bits: Vec<char> = digits.chars().skip(value).take(4).collect();
        for digit in &same_bits[1..] {
            let other = format!("{signed}.{most}{digit}");
            assert!(signer.verify(&other, 900).is_err(), "{digit}");
        }
        for other in [
            format!("{token}="),
            format!("{token}A"),
            format!("{token} "),
            format!(" {token}"),
            format!("{token}\0"),
            format!("{signed}=.{signature}"),
            format!("{signed}.{}", signature.replace(['-', '_'], "+")),
            token.to_uppercase(),
            token.to_lowercase(),
            token.replacen("c1.", "C1.", 1),
            token.replacen("c1.", "c1..", 1),
            format!("{signed}.{signature}.{signature}"),
            signed.to_owned(),
            format!("{signed}."),
        ] {
            if other != token {
                assert!(signer.verify(&other, 900).is_err(), "{other}");
            }
        }
    }

    #[test]
    fn keys_rotate_and_ids_expire() {
        let old = signer(&["old-key-0123456789abc"]).sign(&claims()).unwrap();
        let both = signer(&["new-key-0123456789abc", "old-key-0123456789abc"]);
        assert!(both.verify(&old, 900).is_ok());
        assert_eq!(
            signer(&["new-key-0123456789abc"]).verify(&old, 900),
            Err(TokenError::Signature)
        );
        assert!(both.verify(&old, 1060).is_ok());
        assert_eq!(both.verify(&old, 1061), Err(TokenError::Expired));
        assert_eq!(both.verify("plain", 900), Err(TokenError::Unsigned));
    }

    #[test]
    fn a_user_too_long_for_an_id_is_refused() {
        let long = Claims {
            user: "x".repeat(200),
            ..claims()
        };
        assert!(matches!(
            signer(&["first-key-0123456789"]).sign(&long),
            Err(TokenError::TooLong(_))
        ));
    }
}
