//! The way to OpenRouter and Zep: whether their names are known, and whether they prove who they are.

use std::io;
use std::net::IpAddr;

use futures::future::join_all;
use reqwest::Url;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::super::cause;
use super::stores::is_private;
use super::{PATIENCE, Row};

const DNS: &str = "dns";
const TLS: &str = "tls";

/// Why a request got no answer, without the address.
#[derive(Debug)]
pub(super) struct Unheard {
    pub(super) why: String,
    /// Whether somebody was there who could not prove to be the one that was meant.
    is_unproven: bool,
}

impl From<reqwest::Error> for Unheard {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        Self {
            why: cause(&error),
            is_unproven: is_unproven(&error),
        }
    }
}

impl From<String> for Unheard {
    fn from(why: String) -> Self {
        Self {
            why,
            is_unproven: false,
        }
    }
}

/// Whether TLS is what failed, somewhere down the chain.
fn is_unproven(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the names in these addresses are known here.
pub(super) async fn names(bases: &[&str]) -> Row {
    let hosts = bases.iter().filter_map(|base| named(base));
    let asked = join_all(hosts.map(async |(host, port)| {
        let why = unknown(&host, port).await;
        (host, why)
    }));
    judge_names(&asked.await)
}

/// Why a name is not known; `None` for one that is.
async fn unknown(host: &str, port: u16) -> Option<String> {
    match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => (addresses.count() == 0).then(|| "it has no address".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn named(base: &str) -> Option<(String, u16)> {
    let url = Url::parse(base).ok()?;
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = bare.parse::<IpAddr>().is_err();
    is_name.then(|| (host.to_owned(), url.port_or_known_default().unwrap_or(443)))
}

fn judge_names(asked: &[(String, Option<String>)]) -> Row {
    let unknown = asked
        .iter()
        .find_map(|(host, why)| Some((host, why.as_ref()?)));
    if let Some((host, why)) = unknown {
        return Row::fail(DNS, format!("{host} cannot be looked up: {why}"))
            .hint("check the name in the setting, and this machine's resolver (/etc/resolv.conf)");
    }
    match asked {
        [] => Row::ok(DNS, "no name to look up"),
        known => Row::ok(
            DNS,
            format!("known: {}", list(known.iter().map(|(host, _)| host))),
        ),
    }
}

/// Whether those who were asked proved who they are; `None` for one that answered.
pub(super) fn proofs(asked: &[(&str, Option<&Unheard>)]) -> Row {
    let (mut proven, mut open) = (Vec::new(), Vec::new());
    for (base, unheard) in asked {
        let Some(url) = Url::parse(base).ok() else {
            continue;
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        match unheard {
            Some(unheard) if unheard.is_unproven => {
                return Row::fail(
                    TLS,
                    format!("{host} does not prove who it is: {}", unheard.why),
                )
                .hint(
                    "update this system's certificates (package ca-certificates) and its clock; \
                         add the authority of a proxy that opens TLS",
                );
            }
            _ if url.scheme() != "https" => open.push(host),
            // Who is not reached has a row that says so.
            Some(_) => {}
            None => proven.push(host),
        }
    }
    if let Some(host) = open.iter().find(|host| !is_private(host)) {
        return Row::warn(
            TLS,
            format!("{host} is asked without it: keys and words can be read"),
        )
        .hint("use https in OPENROUTER_BASE_URL and ZEP_BASE_URL");
    }
    match proven.is_empty() {
        true => Row::ok(TLS, "nobody was asked with it"),
        false => Row::ok(TLS, format!("proven: {}", list(proven.iter()))),
    }
}

fn list<'h>(hosts: impl Iterator<Item = &'h String>) -> String {
    let mut hosts: Vec<&str> = hosts.map(String::as_str).collect();
    hosts.dedup();
    hosts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[tokio::test]
    async fn names_are_looked_up_and_addresses_are_not() {
        let here = names(&["http://127.0.0.1:1/api", "http://[::1]:2"]).await;
        assert_eq!(
            (here.status, here.detail.as_str()),
            (Status::Ok, "no name to look up")
        );
        let local = names(&["http://localhost:1", "http://localhost:2"]).await;
        assert_eq!(
            (local.status, local.detail.as_str()),
            (Status::Ok, "known: localhost")
        );
        let odd = names(&["https://no.such.name.invalid/api"]).await;
        assert_eq!(odd.status, Status::Fail);
        assert!(
            odd.detail.starts_with("no.such.name.invalid cannot"),
            "{odd:?}"
        );
    }

    #[test]
    fn who_proves_nothing_is_a_failure_and_who_need_not_none() {
        let unproven = Unheard {
            why: "invalid peer certificate: UnknownIssuer".to_owned(),
            is_unproven: true,
        };
        let away = Unheard::from("refused".to_owned());
        for (asked, status, detail) in [
            (vec![("https://a.b/x", None)], Status::Ok, "proven: a.b"),
            (vec![("https://a.b", Some(&away))], Status::Ok, "nobody"),
            (vec![("http://127.0.0.1", None)], Status::Ok, "nobody"),
            (vec![("http://models.internal", None)], Status::Ok, "nobody"),
            (
                vec![("http://a.b", None), ("https://c.d", None)],
                Status::Warn,
                "a.b is asked without it",
            ),
            (
                vec![("https://c.d", None), ("https://a.b", Some(&unproven))],
                Status::Fail,
                "a.b does not prove who it is: invalid peer certificate",
            ),
        ] {
            let row = proofs(&asked);
            assert_eq!(row.status, status, "{row:?}");
            assert!(row.detail.starts_with(detail), "{row:?}");
        }
    }
}
