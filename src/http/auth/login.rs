//! A login in a browser: a cookie that stands for an admin key until a time.
//!
//! Its value is that time and a keyed hash of it, under a key drawn from the admin key's digest: it does
//! not hold the key, opens nothing once the key is withdrawn, and is believed by every machine that has
//! the same keys. A cookie goes with whatever a browser sends, also for another site's page, so what
//! changes something must besides come from our own.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{COOKIE, HOST, ORIGIN};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::{Digested, Keys, digest, is_one_of};

const NAME: &str = "clm_login";
/// How long a login lasts: a shift.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// What the hash begins with: what it is for.
const PURPOSE: &[u8] = b"login in a browser, 1:";

impl Keys {
    /// The `Set-Cookie` for whoever sends this admin key; none where it is not one.
    pub(in crate::http) fn log_in(&self, request: &HttpRequest, key: &[u8]) -> Option<String> {
        let digest = digest(key);
        if !is_one_of(&digest, &self.admins) {
            return None;
        }
        let lasts = i64::try_from(LASTS.as_secs()).unwrap_or(i64::MAX);
        let until_s = self.clock.now_s().saturating_add(lasts);
        let value = format!("{until_s}.{}", hash(&digest, until_s));
        Some(cookie(request, &value, LASTS))
    }

    /// The `Set-Cookie` that ends a login.
    pub(in crate::http) fn log_out(request: &HttpRequest) -> String {
        cookie(request, "", Duration::ZERO)
    }

    /// The admin key for which this request's cookie stands.
    pub(super) fn remembered(&self, request: &HttpRequest) -> Option<&Digested> {
        let lines = request.headers().get_all(COOKIE);
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        // Another service on this host may have set one of the same name.
        pairs
            .filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
            .find_map(|value| self.believed(value))
    }

    fn believed(&self, value: &str) -> Option<&Digested> {
        let (until, sent) = value.split_once('.')?;
        let until_s: i64 = until.parse().ok()?;
        let fits = |key: &&Digested| -> bool {
            let same: Choice = hash(key, until_s).as_bytes().ct_eq(sent.as_bytes());
            same.into()
        };
        let key = self.admins.iter().find(fits)?;
        (self.clock.now_s() < until_s).then_some(key)
    }
}

/// Whether a request only reads, or a page of ours sends it. Browsers say so in a header that no page can
/// set; over plain http to another machine they say only which page it was.
pub(in crate::http) fn is_ours(request: &HttpRequest) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return true;
    }
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    match (header(ORIGIN.as_str()), header(HOST.as_str())) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)),
        _ => false,
    }
}

fn hash(key: &Digested, until_s: i64) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(PURPOSE);
    mac.update(until_s.to_string().as_bytes());
    base16ct::lower::encode_string(&mac.finalize().into_bytes())
}

fn cookie(request: &HttpRequest, value: &str, lasts: Duration) -> String {
    let forwarded = request.headers().get("x-forwarded-proto");
    let is_https = forwarded.is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if is_https { "; Secure" } else { "" };
    format!(
        "{NAME}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        lasts.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Sources, load};
    use crate::http::error::Refusal;

    const NOON: i64 = 1_764_331_200_000;

    fn keys(now_ms: i64, admins: &str) -> Keys {
        let pairs = [("ADMIN_API_KEYS", admins), ("CLM_API_KEYS", "caller-one")];
        let settings = load(&Sources::from_pairs(pairs)).unwrap();
        Keys::timed(&settings, Clock::Fixed(now_ms))
    }

    fn logged_in(keys: &Keys, key: &str) -> String {
        let request = TestRequest::default().to_http_request();
        let cookie = keys.log_in(&request, key.as_bytes()).unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    fn sends(method: Method, headers: &[(&'static str, &str)]) -> HttpRequest {
        let start = TestRequest::default().method(method);
        let all = headers.iter().copied();
        all.fold(start, TestRequest::insert_header)
            .to_http_request()
    }

    #[test]
    fn a_cookie_stands_for_its_key_until_its_time() {
        let cookie = logged_in(&keys(NOON, "admin-one,admin-two"), "admin-two");
        assert!(!cookie.contains("admin"));
        let get = sends(Method::GET, &[("cookie", &format!("a=b; {cookie}"))]);
        let hours = |n: i64| NOON + n * 3_600_000;
        for (keys, opens) in [
            (keys(NOON, "admin-one,admin-two"), true),
            (keys(hours(12) - 1_000, "admin-two"), true),
            (keys(hours(12), "admin-two"), false),
            // Withdrawn.
            (keys(NOON, "admin-one"), false),
        ] {
            assert_eq!(keys.admin(&get).is_ok(), opens);
        }
        let keys = keys(NOON, "admin-one,admin-two");
        let (until, hash) = cookie.split_once('=').unwrap().1.split_once('.').unwrap();
        for forged in [
            format!("{}.{hash}", until.parse::<i64>().unwrap() + 1),
            format!("{until}."),
            format!("{until}.{}", hash.replace(['a', '1'], "2")),
            "admin-two".to_owned(),
            String::new(),
        ] {
            let get = sends(Method::GET, &[("cookie", &format!("{NAME}={forged}"))]);
            assert_eq!(keys.admin(&get), Err(Refusal::Unauthorized), "{forged}");
        }
    }

    #[test]
    fn what_changes_something_has_to_come_from_our_own_page() {
        let keys = keys(NOON, "admin-one");
        let cookie = logged_in(&keys, "admin-one");
        let ours = ("origin", "http://clm:8080");
        for (headers, opens) in [
            (vec![], false),
            (vec![ours], true),
            (vec![("origin", "http://clm")], false),
            (vec![("origin", "null")], false),
            (vec![("sec-fetch-site", "same-origin")], true),
            // Another port of this machine.
            (vec![("sec-fetch-site", "same-site"), ours], false),
            (vec![("sec-fetch-site", "cross-site"), ours], false),
            (vec![("sec-fetch-site", "none")], false),
        ] {
            let with = [("cookie", cookie.as_str()), ("host", "clm:8080")];
            let all: Vec<_> = with.into_iter().chain(headers.iter().copied()).collect();
            let told = keys.admin(&sends(Method::PUT, &all));
            let expected = if opens { Ok(()) } else { Err(Refusal::Foreign) };
            assert_eq!(told, expected, "{headers:?}");
            assert_eq!(keys.admin(&sends(Method::GET, &all)), Ok(()));
            let told = keys.caller(&sends(Method::POST, &all));
            assert_eq!(told.is_ok(), opens, "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let keys = keys(NOON, "admin-one");
        let plain = sends(Method::POST, &[]);
        let https = sends(Method::POST, &[("x-forwarded-proto", "https")]);
        let cookie = |request| keys.log_in(request, b"admin-one").unwrap();
        for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
            assert!(cookie(&plain).split("; ").any(|p| p == part), "{part}");
        }
        assert!(!cookie(&plain).contains("Secure"));
        assert!(cookie(&https).ends_with("; Secure"));
        assert_eq!(keys.log_in(&plain, b"admin-on"), None);
        assert!(Keys::log_out(&https).starts_with("clm_login=; Path=/; Max-Age=0; "));
    }
}
