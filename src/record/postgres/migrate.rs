//! Brings the schema up to date: all of `sql/migrations/postgres` that is missing, in one transaction
//! under an advisory lock, so that of machines that start together one does it and the others wait.
//!
//! *Expand, then contract*: a migration only adds; what an older program still reads goes with a later
//! release. So a schema that is newer than this program is fine.

use tokio_postgres::types::Type;

use crate::record::StoreError;

use super::Lease;

/// The lock of everybody who migrates a database of ours; any number that nobody else uses.
const LOCK: &str = "select pg_advisory_xact_lock(7421000)";
/// The table in which refinery, which parses the migrations, notes what was applied in either store.
const TABLE: &str = "create table if not exists refinery_schema_history (
    version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))";

mod migrations {
    refinery::embed_migrations!("sql/migrations/postgres");
}

/// What migrating came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Names of what was applied now.
    pub applied: Vec<String>,
    /// The schema's version now; it may be newer than this program.
    pub version: i32,
}

/// The version that this program needs.
pub(super) fn needed() -> i32 {
    let all = migrations::migrations::runner();
    let versions = all.get_migrations().iter().map(|m| m.version());
    versions.max().unwrap_or_default()
}

/// Applies what is missing.
///
/// # Errors
/// When the database cannot be asked or refuses a migration; then nothing was changed.
pub(super) async fn migrate(lease: &mut Lease) -> Result<Migrated, StoreError> {
    let client = lease.client()?;
    client
        .batch_execute("begin; set local statement_timeout = 0; set local lock_timeout = '30s'")
        .await?;
    client.batch_execute(LOCK).await?;
    client.batch_execute(TABLE).await?;
    let rows = client
        .query_typed("select version from refinery_schema_history", &[])
        .await?;
    let present: Vec<i32> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let mut applied = Vec::new();
    let mut all = migrations::migrations::runner().get_migrations().clone();
    all.sort_by_key(refinery::Migration::version);
    for migration in all.iter().filter(|m| !present.contains(&m.version())) {
        client
            .batch_execute(migration.sql().unwrap_or_default())
            .await?;
        let name = migration.to_string();
        client
            .execute_typed(
                "insert into refinery_schema_history
                 values ($1, $2, to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), $3)",
                &[
                    (&migration.version(), Type::INT4),
                    (&migration.name(), Type::TEXT),
                    (&migration.checksum().to_string(), Type::TEXT),
                ],
            )
            .await?;
        applied.push(name);
    }
    client.batch_execute("commit").await?;
    lease.is_clean();
    let version = present.into_iter().chain([needed()]).max();
    Ok(Migrated {
        applied,
        version: version.unwrap_or_default(),
    })
}
