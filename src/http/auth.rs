//! Keys: compared in constant time, before a byte of the body is read.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::config::Settings;

use super::error::Refusal;

/// Which keys open which doors.
#[derive(Clone, Debug)]
pub struct Keys {
    callers: Vec<Digested>,
    admins: Vec<Digested>,
    /// Turns are answered without a key: on loopback, or where the operator said so.
    anonymous_turns: bool,
    /// Everything is open: neither caller nor admin keys are set, and only this machine can reach us. An open
    /// admin door mints session ids in anybody's name, so nothing less opens it.
    anonymous_admin: bool,
}

/// A key by its digest: of one length for all, so that comparing tells nothing of it.
type Digested = [u8; 32];

impl Keys {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let digests = |keys: &[SecretString]| {
            keys.iter()
                .map(|k| digest(k.expose_secret().as_bytes()))
                .collect()
        };
        let local = is_loopback(settings.listen.host);
        let is_keyless = settings.keys.callers.is_empty() && settings.keys.admins.is_empty();
        Self {
            callers: digests(&settings.keys.callers),
            admins: digests(&settings.keys.admins),
            anonymous_turns: settings.keys.allow_anonymous || local,
            anonymous_admin: is_keyless && local,
        }
    }

    /// # Errors
    /// When no valid caller key is sent and one is needed.
    pub fn caller(&self, request: &HttpRequest) -> Result<(), Refusal> {
        if self.callers.is_empty() && self.anonymous_turns {
            return Ok(());
        }
        if sends_one_of(request, &self.callers) {
            Ok(())
        } else {
            Err(Refusal::Unauthorized)
        }
    }

    /// # Errors
    /// When no valid admin key is sent and one is needed.
    pub fn admin(&self, request: &HttpRequest) -> Result<(), Refusal> {
        if sends_one_of(request, &self.admins) {
            return Ok(());
        }
        match self.admins.as_slice() {
            [] if self.anonymous_admin => Ok(()),
            [] => Err(Refusal::AdminClosed),
            _ => Err(Refusal::Unauthorized),
        }
    }
}

impl Keys {
    /// Who asks, for what is audited: a fingerprint of the admin key, which tells keys apart and tells
    /// nothing of them.
    ///
    /// # Errors
    /// As [`Keys::admin`].
    pub fn admin_name(&self, request: &HttpRequest) -> Result<String, Refusal> {
        self.admin(request)?;
        let key = bearer(request).filter(|_| sends_one_of(request, &self.admins));
        Ok(match key {
            Some(key) => {
                let [a, b, c, d, ..] = digest(&digest(key));
                format!("key-{a:02x}{b:02x}{c:02x}{d:02x}")
            }
            None => "anonymous".to_owned(),
        })
    }
}

fn is_loopback(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}

fn digest(key: &[u8]) -> Digested {
    Sha256::digest(key).into()
}

fn sends_one_of(request: &HttpRequest, keys: &[Digested]) -> bool {
    let Some(sent) = bearer(request) else {
        return false;
    };
    let sent = digest(sent);
    // All keys are looked at, so that the time tells not even which one it was.
    let found = keys
        .iter()
        .fold(Choice::from(0), |found, key| found | key.ct_eq(&sent));
    found.into()
}

/// The token of an `Authorization: Bearer` header; the scheme is case-insensitive.
fn bearer(request: &HttpRequest) -> Option<&[u8]> {
    let value = request.headers().get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::config::{Sources, load};

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        Keys::new(&load(&Sources::from_pairs(pairs.iter().copied())).unwrap())
    }

    fn with(header: &str) -> HttpRequest {
        TestRequest::default()
            .insert_header((AUTHORIZATION, header))
            .to_http_request()
    }

    #[test]
    fn each_key_opens_its_own_doors() {
        let keys = keys(&[
            ("CLM_API_KEYS", "caller-a,caller-b"),
            ("ADMIN_API_KEYS", "admin"),
        ]);
        for (header, caller, admin) in [
            ("Bearer caller-a", true, false),
            ("bearer caller-b", true, false),
            ("Bearer admin", false, true),
            ("Bearer caller-", false, false),
            ("Bearer ", false, false),
            ("Basic caller-a", false, false),
            ("", false, false),
        ] {
            assert_eq!(keys.caller(&with(header)).is_ok(), caller, "{header}");
            assert_eq!(keys.admin(&with(header)).is_ok(), admin, "{header}");
        }
    }

    #[test]
    fn without_keys_only_loopback_is_open() {
        let none = TestRequest::default().to_http_request();
        assert!(keys(&[]).caller(&none).is_ok());
        assert!(keys(&[]).admin(&none).is_ok());
        let public = keys(&[("HOST", "0.0.0.0"), ("CLM_API_KEYS", "k-123456")]);
        assert_eq!(public.admin(&none), Err(Refusal::AdminClosed));
        assert_eq!(public.caller(&none), Err(Refusal::Unauthorized));
        let anybody = keys(&[("HOST", "0.0.0.0"), ("ALLOW_ANONYMOUS", "true")]);
        assert!(anybody.caller(&none).is_ok());
        assert_eq!(anybody.admin(&none), Err(Refusal::AdminClosed));
        let guarded = keys(&[("CLM_API_KEYS", "k-123456")]);
        assert_eq!(guarded.admin(&none), Err(Refusal::AdminClosed));
    }
}
