//! The store in PostgreSQL: a small pool, every wait bounded, nothing that a transaction pooler in
//! between would break: no prepared statement outlives its query and no setting its transaction.
//!
//! All of it runs on the background runtime, because a connection belongs to the runtime that opened
//! it, and a turn's thread has other things to do.

mod leases;
mod migrate;
mod tls;
mod values;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::Type;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Database, TlsMode};
use crate::lifecycle::Lifecycle;
use crate::routing::budget::{Grant, Renewal};
use crate::turn::MicroUsd;

use super::entry::{self, Entry, Kind};
use super::sql::{Mark, Question, Row};
use super::store::StoreError;

use self::values::{Bound, row};

pub use migrate::Migrated;

/// Connections of one process. Machines are many and a server's connections few.
const POOL: usize = 4;
/// How long a question waits for a free connection.
const ACQUIRE: Duration = Duration::from_millis(250);
/// How long a question waits for its turn among the others.
const QUEUE: Duration = Duration::from_secs(2);
/// How long a new connection may take, and how long each address of several.
const CONNECT: Duration = Duration::from_secs(2);
const CONNECT_EACH: Duration = Duration::from_millis(700);
/// How long the network may keep what was sent before the connection counts as gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// How long an answer may take, on the server and, a little more, seen from here.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a batch may take, seen from here; on the server a second less.
const KEEP: Duration = Duration::from_secs(6);

/// A connection that breaks between two statements would leave its locks with a server that does not
/// know: it is told when to give up by itself.
const BEGIN_KEEP: &str = "begin; set local statement_timeout = 5000; set local lock_timeout = 4000; \
                          set local idle_in_transaction_session_timeout = 6000";
const BEGIN_ASK: &str = "begin read only; set local statement_timeout = 3000; \
                         set local idle_in_transaction_session_timeout = 6000";

/// The store, whether or not anybody answers there.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: Pool,
    lifecycle: Lifecycle,
    /// Whoever reads takes one: one connection is left to whoever writes.
    readers: Arc<Semaphore>,
    /// The schema's version; 0 until somebody has looked.
    version: AtomicI32,
}

impl Postgres {
    /// Makes the pool; nothing is asked of the database yet.
    ///
    /// # Errors
    /// When the certificates to be trusted cannot be read.
    pub(super) fn new(database: &Database, lifecycle: &Lifecycle) -> Result<Self, StoreError> {
        let mut config = database.config.clone();
        config
            .ssl_mode(match database.tls {
                TlsMode::Disable => SslMode::Disable,
                TlsMode::Prefer => SslMode::Prefer,
                TlsMode::Require | TlsMode::VerifyFull => SslMode::Require,
            })
            .connect_timeout(CONNECT_EACH)
            .tcp_user_timeout(UNACKNOWLEDGED);
        if config.get_application_name().is_none() {
            config.application_name("clm");
        }
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(
            config,
            tls::connector(database)?,
            ManagerConfig { recycling_method },
        );
        let pool = Pool::builder(manager)
            .max_size(POOL)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(ACQUIRE))
            .build()
            .map_err(|_| StoreError::Connection("no pool"))?;
        Ok(Self {
            pool,
            lifecycle: lifecycle.clone(),
            readers: Arc::new(Semaphore::new(POOL - 1)),
            version: AtomicI32::new(0),
        })
    }

    /// Brings the schema up to date, unless it is already.
    ///
    /// # Errors
    /// When the database cannot be asked, or may not be changed by this user.
    ///
    /// # Cancellation
    /// Safe: what was not committed is undone.
    pub(super) async fn migrate(self: &Arc<Self>) -> Result<Migrated, StoreError> {
        let this = Arc::clone(self);
        let migrated = self.here(async move {
            let version = this.look().await?;
            if version >= migrate::needed() {
                return Ok(Migrated {
                    applied: Vec::new(),
                    version,
                });
            }
            migrate::migrate(&mut this.lease().await?).await
        });
        let migrated = migrated.await?;
        self.version.store(migrated.version, Ordering::Relaxed);
        Ok(migrated)
    }

    /// The schema's version, and the one that this program needs.
    ///
    /// # Errors
    /// When the database cannot be asked.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn versions(self: &Arc<Self>) -> Result<(i32, i32), StoreError> {
        let this = Arc::clone(self);
        let found = self.here(async move { this.look().await }).await?;
        Ok((found, migrate::needed()))
    }

    /// The schema's version, 0 where there is none.
    async fn look(&self) -> Result<i32, StoreError> {
        let mut lease = self.lease().await?;
        let client = lease.client()?;
        let found = "select to_regclass('refinery_schema_history') is not null";
        let is_there: bool = client.query_typed_one(found, &[]).await?.try_get(0)?;
        let mut version = 0;
        if is_there {
            let newest = "select coalesce(max(version), 0) from refinery_schema_history";
            version = client.query_typed_one(newest, &[]).await?.try_get(0)?;
        }
        lease.is_clean();
        Ok(version)
    }

    /// Makes sure that there is a schema that takes our rows: looks for it unless it was seen, so that
    /// where nobody answers that is what is told, and where somebody else made it that is enough.
    async fn find_schema(&self) -> Result<(), StoreError> {
        let needed = migrate::needed();
        if self.version.load(Ordering::Relaxed) >= needed {
            return Ok(());
        }
        let found = self.look().await?;
        if found < needed {
            return Err(StoreError::Schema { found, needed });
        }
        self.version.store(found, Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn keep(self: &Arc<Self>, batch: &Arc<Vec<Entry>>) -> Result<(), StoreError> {
        let (this, batch) = (Arc::clone(self), Arc::clone(batch));
        let kept = async move {
            this.find_schema().await?;
            let mut lease = this.lease().await?;
            let client = lease.client()?;
            client.batch_execute(BEGIN_KEEP).await?;
            for kind in Kind::ALL {
                let rows = batch.iter().filter(|e| e.kind == kind);
                keep(client, kind, rows.map(|e| e.json.as_str())).await?;
            }
            client.batch_execute("commit").await?;
            lease.is_clean();
            Ok(())
        };
        self.here(async {
            timeout(KEEP, kept)
                .await
                .unwrap_or(Err(StoreError::Timeout))
        })
        .await
    }

    pub(super) async fn change(
        self: &Arc<Self>,
        questions: &[Question],
    ) -> Result<Vec<u64>, StoreError> {
        let (this, questions) = (Arc::clone(self), questions.to_vec());
        let changed = async move {
            let mut lease = this.lease().await?;
            let client = lease.client()?;
            client.batch_execute(BEGIN_KEEP).await?;
            let mut counts = Vec::with_capacity(questions.len());
            for question in &questions {
                let (sql, args) = question.compose(Mark::Dollar);
                let args = Bound::all(args);
                let count = client.execute_typed(&sql, &Bound::borrow(&args)).await?;
                if count == 0 && question.must_touch {
                    return Err(StoreError::Overtaken);
                }
                counts.push(count);
            }
            client.batch_execute("commit").await?;
            lease.is_clean();
            Ok(counts)
        };
        self.here(async {
            timeout(KEEP, changed)
                .await
                .unwrap_or(Err(StoreError::Timeout))
        })
        .await
    }

    pub(super) async fn ask(self: &Arc<Self>, question: &Question) -> Result<Vec<Row>, StoreError> {
        let this = Arc::clone(self);
        let (sql, args) = question.compose(Mark::Dollar);
        let answer = async move {
            let place = timeout(QUEUE, this.readers.acquire()).await;
            let _place = place.map_err(|_| StoreError::Busy)?;
            let mut lease = this.lease().await?;
            let client = lease.client()?;
            client.batch_execute(BEGIN_ASK).await?;
            let args = Bound::all(args);
            let rows = client.query_typed(&sql, &Bound::borrow(&args)).await?;
            client.batch_execute("commit").await?;
            lease.is_clean();
            rows.iter().map(row).collect::<Result<Vec<_>, _>>()
        };
        let patience = ANSWER + QUEUE + ACQUIRE + CONNECT;
        // The server would have called a question off before: whoever is silent for so long is away.
        let timed = async move {
            let answered = timeout(patience, answer).await;
            answered.unwrap_or(Err(StoreError::Connection("silent")))
        };
        self.here(timed).await.map_err(|error| match error {
            // The server's own word for the same thing.
            StoreError::Postgres(e) if e.code().is_some_and(|c| c.code() == "57014") => {
                StoreError::Timeout
            }
            other => other,
        })
    }

    /// Renews what a machine holds of a day's cap.
    ///
    /// # Errors
    /// When the database cannot be asked: then nothing was changed.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn renew(
        self: &Arc<Self>,
        machine: &str,
        renewal: Renewal,
        recorded: MicroUsd,
    ) -> Result<Grant, StoreError> {
        let (this, machine) = (Arc::clone(self), machine.to_owned());
        let renewed = async move {
            this.find_schema().await?;
            let mut lease = this.lease().await?;
            leases::renewed(&mut lease, &machine, &renewal, recorded).await
        };
        self.here(async {
            timeout(KEEP, renewed)
                .await
                .unwrap_or(Err(StoreError::Timeout))
        })
        .await
    }

    async fn lease(&self) -> Result<Lease, StoreError> {
        match self.pool.get().await {
            Ok(connection) => Ok(Lease {
                connection: Some(connection),
                is_clean: false,
            }),
            Err(PoolError::Timeout(_)) => Err(StoreError::Connection("timeout")),
            Err(PoolError::Backend(e)) => Err(StoreError::Postgres(e)),
            Err(_) => Err(StoreError::Connection("no pool")),
        }
    }

    /// On the background runtime, from whichever thread this is called.
    async fn here<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Whoever waits no more has called it off.
        let done = AbortOnDropHandle::new(self.lifecycle.spawn(work)).await;
        done.unwrap_or(Err(StoreError::Stopping))
    }
}

/// A connection in use. Unless it is said to be clean it does not go back into the pool: whatever
/// ended in between may have left a transaction open, or the server may have become read-only.
struct Lease {
    connection: Option<Object>,
    is_clean: bool,
}

impl Lease {
    fn client(&mut self) -> Result<&Client, StoreError> {
        let connection = self.connection.as_ref();
        connection.map(|c| &***c).ok_or(StoreError::Stopping)
    }

    fn is_clean(&mut self) {
        self.is_clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_clean
        {
            drop(Object::take(connection));
        }
    }
}

async fn keep(
    client: &Client,
    kind: Kind,
    rows: impl Iterator<Item = &str>,
) -> Result<(), StoreError> {
    let statements: &[&str] = match kind {
        Kind::Turn => &[include_str!("../../../sql/keep/postgres/turns.sql")],
        Kind::Attempts => &[include_str!("../../../sql/keep/postgres/attempts.sql")],
        Kind::Correction => &[
            include_str!("../../../sql/keep/postgres/lock_corrected.sql"),
            include_str!("../../../sql/keep/postgres/correct_attempts.sql"),
            include_str!("../../../sql/keep/postgres/correct_turns.sql"),
        ],
        Kind::Feedback => &[
            include_str!("../../../sql/keep/postgres/feedback.sql"),
            include_str!("../../../sql/keep/postgres/satisfaction.sql"),
        ],
        Kind::Commit => &[
            include_str!("../../../sql/keep/postgres/commits.sql"),
            include_str!("../../../sql/keep/postgres/committed.sql"),
        ],
        Kind::Capture => &[include_str!("../../../sql/keep/postgres/captures.sql")],
        Kind::Erasure => &[include_str!("../../../sql/keep/postgres/erasures.sql")],
        Kind::Chat => &[include_str!("../../../sql/keep/postgres/chats.sql")],
    };
    let rows = entry::array(rows);
    if rows == "[]" {
        return Ok(());
    }
    for sql in statements {
        client.execute_typed(sql, &[(&rows, Type::TEXT)]).await?;
    }
    Ok(())
}
