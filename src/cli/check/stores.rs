//! What only the places can tell in which records are kept: the database, the spool, Redis.

use std::io;
use std::net::IpAddr;

use redis::AsyncConnectionConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;
use tokio_postgres::config::Host;

use crate::config::{self, Database, Settings, TlsMode};
use crate::lifecycle::Lifecycle;
use crate::record::{self, StoreError};
use crate::spool::{self, Left};

use super::super::cause;
use super::local::try_write;
use super::{PATIENCE, Row};

const DATABASE: &str = "database";
const SPOOL: &str = "spool";
const REDIS: &str = "redis";

/// How names end that only a private network knows.
const PRIVATE: &[&str] = &[".internal", ".local", ".localdomain", ".flycast", ".svc"];

pub(super) async fn examine(settings: &Settings) -> Vec<Row> {
    let lifecycle = Lifecycle::new();
    let store = &settings.store;
    let (database, spool, redis) = tokio::join!(
        database(store, &lifecycle),
        spool(store, &lifecycle),
        redis(settings.redis.as_ref()),
    );
    let mut rows = vec![database, spool, redis];
    rows.extend(store.database.as_ref().and_then(unverified));
    rows.extend(data_key(store));
    rows
}

/// Whether somebody answers there, and whether the tables are as this program needs them.
async fn database(store: &config::Store, lifecycle: &Lifecycle) -> Row {
    if store.database.is_none() {
        let dir = store.data_dir.display();
        return Row::ok(
            DATABASE,
            format!("embedded, in {dir}: DATABASE_URL is not set"),
        );
    }
    let found = timeout(PATIENCE, record::schema(store, lifecycle)).await;
    judge_schema(found.unwrap_or(Err(StoreError::Timeout)))
}

fn judge_schema(found: Result<Option<(i32, i32)>, StoreError>) -> Row {
    const MIGRATE: &str = "`clm migrate` does it now; `clm serve` does it when it starts";
    match found {
        Ok(Some((0, _))) => Row::warn(DATABASE, "reachable, without our tables").hint(MIGRATE),
        Ok(Some((found, needed))) if found < needed => Row::warn(
            DATABASE,
            format!("reachable; its schema is at version {found}, {needed} is needed"),
        )
        .hint(MIGRATE),
        Ok(Some((found, needed))) if found > needed => Row::ok(
            DATABASE,
            format!("reachable; its schema, version {found}, is newer than this program"),
        ),
        Ok(Some((found, _))) => Row::ok(DATABASE, format!("reachable, schema version {found}")),
        Ok(None) => Row::ok(DATABASE, "embedded"),
        Err(error) if error.is_unreachable() => {
            Row::fail(DATABASE, format!("unreachable: {}", error.with_cause()))
                .hint("turns go on and their records wait in the spool; check DATABASE_URL")
        }
        Err(error) => Row::fail(DATABASE, error.with_cause())
            .hint("check the user, password and certificates of DATABASE_URL"),
    }
}

/// A warning where whoever is in between may read and change what goes to the database.
fn unverified(database: &Database) -> Option<Row> {
    let is_verified = match database.tls {
        TlsMode::VerifyFull => true,
        TlsMode::Require => database.root_cert.is_some(),
        TlsMode::Disable | TlsMode::Prefer => false,
    };
    let mut hosts = database.config.get_hosts().iter();
    let public = hosts.find_map(|host| match host {
        Host::Tcp(name) if !is_private(name) => Some(name),
        _ => None,
    })?;
    (!is_verified).then(|| {
        Row::warn(
            "database link",
            format!("{public} is not on a private network and does not have to prove who it is"),
        )
        .hint("add sslmode=verify-full to DATABASE_URL, and sslrootcert where its CA is private")
    })
}

pub(super) fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        // A name without a dot is found nowhere but at home.
        Err(_) => !bare.contains('.') || PRIVATE.iter().any(|end| bare.ends_with(end)),
    }
}

/// Whether rows can wait there, and whether some were left behind.
async fn spool(store: &config::Store, lifecycle: &Lifecycle) -> Row {
    let dir = record::spool_dir(store);
    let examined = async {
        let path = dir.clone();
        let looked = lifecycle.spawn_blocking(move || spool::look(&path)).await;
        let left = looked.unwrap_or_else(|e| Err(io::Error::other(e)))?;
        // Where there is none yet, the row of the data directory tells whether it can be made.
        if left != Left::Nothing {
            try_write(&dir).await?;
        }
        Ok(left)
    };
    let left = timeout(PATIENCE, examined).await;
    judge_spool(left.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
}

fn judge_spool(left: io::Result<Left>) -> Row {
    match left {
        Ok(Left::Nothing) => Row::ok(SPOOL, "none yet"),
        Ok(Left::Owned) => Row::ok(SPOOL, "writable, in use by a running process"),
        Ok(Left::Rows(0)) => Row::ok(SPOOL, "writable, empty"),
        Ok(Left::Rows(rows)) => Row::warn(
            SPOOL,
            format!("rows of a process that has ended, not in the store yet: {rows}"),
        )
        .hint("`clm serve` with this DATA_DIR delivers them; do not delete it before"),
        Err(error) => Row::fail(SPOOL, format!("cannot be used: {error}"))
            .hint("while it is so a process that is killed loses what the store has not taken"),
    }
}

/// One key for all, where there may be several machines.
fn data_key(store: &config::Store) -> Option<Row> {
    (store.database.is_some() && store.data_key.is_none()).then(|| {
        Row::warn(
            "data key",
            "each machine makes its own: the same user has another pseudonym on each",
        )
        .hint("set DATA_KEY to the same on all; that of one which has run is in DATA_DIR/data.key")
    })
}

/// Whether live numbers can be shared.
async fn redis(url: Option<&SecretString>) -> Row {
    let Some(url) = url else {
        return Row::ok(REDIS, "off: REDIS_URL is not set");
    };
    match timeout(PATIENCE, ping(url)).await {
        Ok(Ok(())) => Row::ok(REDIS, "answers"),
        Ok(Err(why)) => unreached(&why),
        Err(_) => unreached(&format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn unreached(why: &str) -> Row {
    Row::fail(REDIS, format!("cannot be asked: {why}"))
        .hint("turns go on, live numbers are each machine's own; check REDIS_URL")
}

/// The error says why without the address, which may hold a password.
async fn ping(url: &SecretString) -> Result<(), String> {
    // Where two providers are built in rustls takes neither, and panics. Somebody may have chosen
    // one already: that is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = redis::Client::open(url.expose_secret());
    let client = client.map_err(|_| "REDIS_URL is no address of a Redis".to_owned())?;
    // Our own clock holds: the crate's would apply to each step by itself.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let pinged = async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
    };
    pinged.await.map(drop).map_err(|error| cause(&error))
}

#[cfg(test)]
#[path = "stores/tests.rs"]
mod tests;
