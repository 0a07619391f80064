//! Keys: compared in constant time, before a byte of the body is read. A browser's login stands for an
//! admin key, see `login`.

mod login;

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::clock::Clock;
use crate::config::Settings;

use super::error::Refusal;

pub(super) use login::is_ours;

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
    clock: Clock,
}

/// Which caller key: its place in the setting. All who need none are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyId(pub(super) u64);

impl KeyId {
    /// Who is logged in and speaks from the playground.
    const OPERATOR: Self = Self(u64::MAX);
}

/// A key by its digest: of one length for all, so that comparing tells nothing of it.
type Digested = [u8; 32];

/// The name of whoever is an admin without a key.
const ANONYMOUS: &str = "anonymous";

impl Keys {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self::timed(settings, Clock::System)
    }

    /// The same with a clock for logins.
    fn timed(settings: &Settings, clock: Clock) -> Self {
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
            clock,
        }
    }

    /// Which caller asks: by a caller's key, or as the operator who is logged in and speaks from the
    /// playground.
    ///
    /// # Errors
    /// When no valid caller key is sent and one is needed.
    pub(super) fn caller(&self, request: &HttpRequest) -> Result<KeyId, Refusal> {
        if self.callers.is_empty() && self.anonymous_turns {
            return Ok(KeyId(0));
        }
        if let Some(key) = sent(request, &self.callers) {
            return Ok(key);
        }
        match self.remembered(request) {
            Some(_) if is_ours(request) => Ok(KeyId::OPERATOR),
            Some(_) => Err(Refusal::Foreign),
            None => Err(Refusal::Unauthorized),
        }
    }

    /// # Errors
    /// When no valid admin key is sent and one is needed, or a login comes from another site's page.
    pub fn admin(&self, request: &HttpRequest) -> Result<(), Refusal> {
        if sends_one_of(request, &self.admins) {
            return Ok(());
        }
        if self.remembered(request).is_some() {
            return if is_ours(request) {
                Ok(())
            } else {
                Err(Refusal::Foreign)
            };
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
        let sent = bearer(request).map(digest);
        let sent = sent.filter(|sent| is_one_of(sent, &self.admins));
        let key = sent.or_else(|| self.remembered(request).copied());
        Ok(key.map_or_else(|| ANONYMOUS.to_owned(), |key| name_of(&key)))
    }

    /// Whether whoever has this name, see [`Keys::admin_name`], is an admin today.
    pub(super) fn knows(&self, name: &str) -> bool {
        match self.admins.as_slice() {
            [] => self.anonymous_admin && name == ANONYMOUS,
            keys => keys.iter().any(|key| name_of(key) == name),
        }
    }
}

fn name_of(key: &Digested) -> String {
    let [a, b, c, d, ..] = digest(key);
    format!("key-{}", base16ct::lower::encode_string(&[a, b, c, d]))
}

fn is_loopback(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}

fn digest(key: &[u8]) -> Digested {
    Sha256::digest(key).into()
}

fn sends_one_of(request: &HttpRequest, keys: &[Digested]) -> bool {
    sent(request, keys).is_some()
}

fn is_one_of(sent: &Digested, keys: &[Digested]) -> bool {
    place_of(sent, keys).is_some()
}

/// Which of these keys is sent.
fn sent(request: &HttpRequest, keys: &[Digested]) -> Option<KeyId> {
    place_of(&digest(bearer(request)?), keys)
}

fn place_of(sent: &Digested, keys: &[Digested]) -> Option<KeyId> {
    // All keys are looked at, so that the time tells not even which one it was.
    let (mut found, mut place) = (Choice::from(0), 0);
    for (at, key) in (0..).zip(keys) {
        let same = key.ct_eq(sent);
        found |= same;
        place = u64::conditional_select(&place, &at, same);
    }
    bool::from(found).then_some(KeyId(place))
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
    fn a_caller_is_told_apart_by_its_key() {
        let keys = keys(&[("CLM_API_KEYS", "caller-a,caller-b,caller-c")]);
        for (header, place) in [("a", 0), ("b", 1), ("c", 2)] {
            let request = with(&format!("Bearer caller-{header}"));
            assert_eq!(keys.caller(&request), Ok(KeyId(place)), "{header}");
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
