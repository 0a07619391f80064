//! Where alerts are sent, and what signs them.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _};
use secrecy::SecretString;
use sha2::Sha256;

use super::env::Origin;
use super::fault::Problem;
use super::reader::Reader;
use crate::outbound::is_public;

const URL: &str = "ALERT_WEBHOOK_URL";
const SECRET: &str = "ALERT_WEBHOOK_SECRET";

/// What a secret begins with, and how many bytes it may stand for.
///
/// Source: Standard Webhooks, "Signature scheme".
const PREFIX: &str = "whsec_";
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// `ALERT_WEBHOOK_URL`, `ALERT_WEBHOOK_SECRET`, `ALLOW_PRIVATE_WEBHOOKS`.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// May carry a token in its path or query.
    pub url: SecretString,
    /// Its host, and its port where it names one: what may be shown.
    pub host: String,
    /// Each signs; one at least.
    pub keys: Vec<WebhookKey>,
    pub reach: Reach,
}

/// Where a webhook may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, over https.
    Public,
    /// Also private ones, and over http.
    Anywhere,
}

/// What signs a webhook. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct WebhookKey(Hmac<Sha256>);

impl WebhookKey {
    /// Takes `whsec_` and the key in base64.
    fn parse(text: &str) -> Result<Self, Problem> {
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            return Err("does not begin with whsec_".into());
        };
        let Ok(key) = STANDARD.decode(encoded) else {
            return Err("what follows whsec_ is not base64".into());
        };
        if !KEY_BYTES.contains(&key.len()) {
            return Err(format!("stands for {} bytes", key.len()).into());
        }
        let mac = Hmac::new_from_slice(&key).map_err(|_| "cannot be a key")?;
        Ok(Self(mac))
    }

    /// The keyed hash.
    #[must_use]
    pub fn mac(&self) -> Hmac<Sha256> {
        self.0.clone()
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(..)")
    }
}

/// Where alerts are sent; absent: they are logged and counted only.
pub(super) fn webhook(r: &mut Reader<'_>) -> Option<Webhook> {
    let reach = match r.truth("ALLOW_PRIVATE_WEBHOOKS") {
        true => Reach::Anywhere,
        false => Reach::Public,
    };
    let place = r.read(URL, |text| place(text, reach));
    let keys = r.read(SECRET, keys);
    let is_set = |r: &Reader<'_>, name| r.origin(name) != Origin::Unset;
    // Faulty ones are set too: they are reported once, as themselves.
    match (is_set(r, URL), is_set(r, SECRET)) {
        (true, false) => r.fault(
            SECRET,
            "needed because ALERT_WEBHOOK_URL is set: whoever takes alerts must know whose they are; \
             `echo whsec_$(openssl rand -base64 32)` makes one",
        ),
        (false, true) => r.warnings.push(format!(
            "{SECRET} is set, but without {URL} nothing is sent"
        )),
        _ => {}
    }
    let (url, host) = place?;
    Some(Webhook {
        url,
        host,
        keys: keys?,
        reach,
    })
}

/// The address, and what of it may be shown. What is wrong is told without it.
fn place(text: &str, reach: Reach) -> Result<(SecretString, String), Problem> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
    let host = url.host_str().filter(|_| url.scheme().starts_with("http"));
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err("neither http:// nor https:// with a host".into());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it: the signature tells who sends".into());
    }
    if url.fragment().is_some() {
        return Err("has a fragment, which is never sent".into());
    }
    if reach == Reach::Public && url.scheme() != "https" {
        return Err("not https://; ALLOW_PRIVATE_WEBHOOKS=true takes http:// too".into());
    }
    if reach == Reach::Public && leads_home(host) {
        return Err(
            "leads to a private address, or to this machine; ALLOW_PRIVATE_WEBHOOKS=true \
                    takes those too"
                .into(),
        );
    }
    let shown = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Ok((url.as_str().to_owned().into(), shown))
}

/// Whether that can be told without asking: an address that is written out is never resolved. Every
/// other name is judged when it is.
fn leads_home(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    }
}

/// Several, separated by commas; all are judged.
fn keys(text: &str) -> Result<Vec<WebhookKey>, Problem> {
    let (mut keys, mut wrong) = (Vec::new(), Vec::new());
    for (at, part) in (1..).zip(text.split(',')) {
        match WebhookKey::parse(part.trim()) {
            Ok(key) => keys.push(key),
            Err(problem) => wrong.push(format!("secret {at}: {}", problem.text)),
        }
    }
    if wrong.is_empty() {
        Ok(keys)
    } else {
        Err(wrong.join(", ").into())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::{Settings, Sources, load};

    const GOOD: &str = concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let sources = Sources::from_pairs(pairs.iter().copied());
        load(&sources).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_webhook_is_read_with_its_keys() {
        let two = format!("{GOOD}, whsec_{}", STANDARD.encode([7; 64]));
        let settings = read(&[
            (URL, "https://Hooks.Example.com:8443/t/token?k=v"),
            (SECRET, &two),
        ]);
        let settings = settings.unwrap();
        let webhook = settings.alerts.as_ref().unwrap();
        assert_eq!(
            webhook.url.expose_secret(),
            "https://hooks.example.com:8443/t/token?k=v"
        );
        assert_eq!(webhook.host, "hooks.example.com:8443");
        assert_eq!((webhook.keys.len(), webhook.reach), (2, Reach::Public));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("t/token") && !shown.contains("MfKQ"));
        assert!(read(&[]).unwrap().alerts.is_none());
    }

    #[test]
    fn an_address_that_leads_home_is_taken_only_where_that_is_meant() {
        let allowed = ("ALLOW_PRIVATE_WEBHOOKS", "true");
        for url in [
            "http://example.com/",
            "https://localhost/",
            "https://a.LOCALHOST/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://169.254.169.254/latest",
            "https://10.1.2.3:9000/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            let faults = read(&[(URL, url), (SECRET, GOOD)]).unwrap_err();
            assert!(faults.contains("ALLOW_PRIVATE_WEBHOOKS=true"), "{url}");
            let settings = read(&[(URL, url), (SECRET, GOOD), allowed]).unwrap();
            let webhook = settings.alerts.unwrap();
            assert_eq!(webhook.reach, Reach::Anywhere, "{url}");
        }
        for url in ["https://1.1.1.1/", "https://[2606:4700::1]/"] {
            assert!(read(&[(URL, url), (SECRET, GOOD)]).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_without_the_secret() {
        for (url, problem) in [
            ("hunter2", "not a URL"),
            ("ftp://hunter2.example.com", "neither http://"),
            ("https://u:hunter2@example.com", "a user or a password"),
            ("https://example.com/#hunter2", "a fragment"),
        ] {
            let faults = read(&[(URL, url), (SECRET, GOOD)]).unwrap_err();
            assert!(faults.contains(problem), "{faults}");
            assert!(!faults.contains("hunter2"), "{faults}");
        }
        let faults = read(&[
            (URL, "http://[::1"),
            (SECRET, "hunter2,whsec_hunter2,whsec_aGk="),
        ]);
        let faults = faults.unwrap_err();
        for part in [
            URL,
            "secret 1: does not begin with whsec_",
            "secret 2: what follows whsec_ is not base64",
            "secret 3: stands for 2 bytes",
        ] {
            assert!(faults.contains(part), "{faults}");
        }
        assert!(!faults.contains("hunter2"), "{faults}");
    }

    #[test]
    fn an_address_needs_a_secret_and_a_secret_alone_is_odd() {
        let faults = read(&[(URL, "https://example.com")]).unwrap_err();
        assert!(
            faults.contains("ALERT_WEBHOOK_SECRET (not set): needed"),
            "{faults}"
        );
        assert_eq!(faults.lines().count(), 1, "{faults}");
        let faults = read(&[(URL, "https://example.com"), (SECRET, "x")]).unwrap_err();
        assert_eq!(faults.lines().count(), 1, "{faults}");
        let settings = read(&[(SECRET, GOOD)]).unwrap();
        assert!(settings.alerts.is_none());
        assert!(settings.warnings.iter().any(|w| w.starts_with(SECRET)));
    }
}
