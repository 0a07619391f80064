//! Where records are kept, for how long, and what they are measured against.

use std::path::PathBuf;
use std::time::Duration;

use redis::IntoConnectionInfo as _;
use secrecy::SecretString;

use super::fault::{Problem, class};
use super::read::{SECRET, path};
use super::reader::Reader;
use super::{Baseline, Budget, Store};
use crate::clock;
use crate::turn::MicroUsd;

const DAY: Duration = Duration::from_secs(86_400);

/// A PostgreSQL database and how its connection is protected.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its `Debug` leaves the password out.
    pub config: tokio_postgres::Config,
    pub tls: TlsMode,
    /// Certificates that are trusted instead of the system's, PEM.
    pub root_cert: Option<PathBuf>,
}

/// `sslmode`, with libpq's meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    /// Encrypted where the server offers it; its certificate is not checked.
    Prefer,
    /// Encrypted or not at all; the certificate is checked only where `sslrootcert` is given.
    Require,
    /// Encrypted, and the certificate must be trusted and made out to the host.
    VerifyFull,
}

pub(super) fn store(r: &mut Reader<'_>) -> Store {
    let days: Option<u32> = r.number("RETENTION_DAYS", 0..=3650);
    let ttl = r.read("CAPTURE_TTL", |text| {
        let bounds = Duration::from_secs(60)..=DAY * 365;
        let ttl = clock::duration(text).filter(|ttl| bounds.contains(ttl));
        ttl.ok_or_else(|| format!("not such a time, got {}", class(text)).into())
    });
    Store {
        database: r.read("DATABASE_URL", database),
        data_dir: r.read("DATA_DIR", path).unwrap_or_default(),
        data_key: r.key("DATA_KEY", SECRET),
        retention: days.filter(|days| *days > 0).map(|days| DAY * days),
        capture_ttl: ttl.unwrap_or_default(),
    }
}

pub(super) fn redis(r: &mut Reader<'_>) -> Option<SecretString> {
    r.read("REDIS_URL", |text| {
        let url = reqwest::Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
        if !matches!(url.scheme(), "redis" | "rediss") || !url.has_host() {
            return Err("neither redis:// nor rediss:// with a host".into());
        }
        // The driver's own words may quote the text, and with it a password.
        let odd = |_| "its path is no database's number, or its query or end is odd".to_owned();
        text.into_connection_info().map_err(odd)?;
        Ok(text.to_owned().into())
    })
}

/// The hard cap is twice the budget where none is set.
pub(super) fn budget(r: &mut Reader<'_>) -> Budget {
    let daily = r.read("DAILY_BUDGET_USD", dollars).unwrap_or_default();
    let twice = MicroUsd(daily.0.saturating_mul(2));
    let cap = r.read("DAILY_HARD_CAP_USD", dollars).unwrap_or(twice);
    if cap < daily {
        r.fault(
            "DAILY_HARD_CAP_USD",
            format!("less than DAILY_BUDGET_USD, which is {daily}"),
        );
    }
    Budget {
        daily,
        cap,
        user: r.read("USER_DAILY_CAP_USD", dollars),
        session: r.read("SESSION_CAP_USD", dollars),
        strict: r.truth("BUDGET_STRICT"),
        lease: r.read("BUDGET_LEASE_USD", dollars).unwrap_or_default(),
    }
}

pub(super) fn baseline(r: &mut Reader<'_>) -> Baseline {
    Baseline {
        model: r.header("BASELINE_MODEL").unwrap_or_default(),
        input: r.read("BASELINE_PRICE_IN", dollars).unwrap_or_default(),
        output: r.read("BASELINE_PRICE_OUT", dollars).unwrap_or_default(),
    }
}

fn dollars(text: &str) -> Result<MicroUsd, Problem> {
    let amount = text.parse().ok().filter(|amount| *amount <= 100_000.0);
    let amount = amount.and_then(MicroUsd::from_dollars);
    amount.ok_or_else(|| format!("not such an amount, got {}", class(text)).into())
}

/// Takes the parameters that the driver does not know out of the URL before it is parsed.
fn database(text: &str) -> Result<Database, Problem> {
    let mut url = reqwest::Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("neither postgres:// nor postgresql://".into());
    }
    let (mut tls, mut root_cert) = (TlsMode::Prefer, None);
    let mut rest = Vec::new();
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "sslmode" => tls = tls_mode(&value)?,
            "sslrootcert" => root_cert = Some(PathBuf::from(value.as_ref())),
            // What poolers and other drivers are told in the same variable.
            "pgbouncer" | "connection_limit" | "pool_timeout" | "schema" => {}
            _ => rest.push((name.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    let config: tokio_postgres::Config = url
        .as_str()
        .parse()
        .map_err(|error| format!("not an address of a database ({error})"))?;
    if config.get_hosts().is_empty() || config.get_dbname().is_none_or(str::is_empty) {
        return Err("names no host or no database".into());
    }
    Ok(Database {
        config,
        tls,
        root_cert,
    })
}

fn tls_mode(word: &str) -> Result<TlsMode, Problem> {
    match word {
        "disable" => Ok(TlsMode::Disable),
        "allow" | "prefer" => Ok(TlsMode::Prefer),
        "require" => Ok(TlsMode::Require),
        "verify-ca" | "verify-full" => Ok(TlsMode::VerifyFull),
        _ => Err("sslmode is not one of disable, prefer, require, verify-full".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Sources, load};

    use super::*;

    #[test]
    fn a_database_is_read_with_its_protection() {
        for (text, tls, cert) in [
            ("postgres://u:p@db:5433/clm", TlsMode::Prefer, None),
            (
                "postgresql://u@db/clm?sslmode=require&pgbouncer=true",
                TlsMode::Require,
                None,
            ),
            (
                "postgres://db/clm?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3",
                TlsMode::VerifyFull,
                Some("/ca.pem"),
            ),
            ("postgres://db/clm?sslmode=disable", TlsMode::Disable, None),
        ] {
            let database = database(text).unwrap();
            assert_eq!(database.tls, tls, "{text}");
            assert_eq!(database.root_cert, cert.map(PathBuf::from), "{text}");
            assert_eq!(database.config.get_dbname(), Some("clm"), "{text}");
        }
    }

    #[test]
    fn a_wrong_database_is_refused_without_its_password() {
        for text in [
            "db",
            "mysql://u:hunter2@db/clm",
            "postgres://u:hunter2@db/clm?sslmode=maybe",
            "postgres://u:hunter2@db/clm?colour=red",
            "postgres://u:hunter2@db",
        ] {
            let problem = database(text).unwrap_err();
            assert!(!problem.text.contains("hunter2"), "{}", problem.text);
        }
        let database = database("postgres://u:hunter2@db/clm").unwrap();
        assert!(!format!("{database:?}").contains("hunter2"));
    }

    #[test]
    fn a_redis_is_read_and_a_wrong_one_refused_without_its_password() {
        let read = |url: &str| {
            let ours = [("REDIS_URL", url), ("OPEN_ROUTER_API_KEY", "k")];
            let sources = Sources::from_pairs(ours.map(|(k, v)| (k, v.to_owned())));
            load(&sources).map(|settings| settings.redis.is_some())
        };
        for url in ["redis://db", "rediss://u:p@db:6380/2?protocol=3"] {
            assert!(read(url).unwrap(), "{url}");
        }
        for url in [
            "db:6379",
            "http://u:hunter2@db",
            "redis://u:hunter2@db/first",
            "redis://u:hunter2@db?protocol=9",
            "rediss://u:hunter2@db#hunter2",
        ] {
            let faults = format!("{:?}", read(url).unwrap_err());
            assert!(
                faults.contains("REDIS_URL") && !faults.contains("hunter2"),
                "{faults}"
            );
        }
    }

    #[test]
    fn prices_are_dollars() {
        assert_eq!(dollars("0.25").unwrap(), MicroUsd(250_000));
        for odd in ["-1", "nan", "ten", "100001"] {
            assert!(dollars(odd).is_err(), "{odd}");
        }
    }
}
