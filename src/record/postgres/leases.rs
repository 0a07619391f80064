//! The shares of a day's cap in PostgreSQL: under one advisory lock, so that machines are served one
//! after the other and each sees what the one before was given.

use tokio_postgres::types::Type;

use crate::record::StoreError;
use crate::routing::budget::{Grant, Lease as Share, Renewal, renew};
use crate::turn::MicroUsd;

use super::{BEGIN_KEEP, Lease};

/// The lock of everybody who changes leases; any number that nobody else uses.
const LOCK: &str = "select pg_advisory_xact_lock(7421001)";
const NOW: &str = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
const DAY_MS: i64 = 86_400_000;

/// Renews what a machine holds. Where its day is not the store's, it is told so and gets nothing.
///
/// # Errors
/// When the database cannot be asked; then nothing was changed.
pub(super) async fn renewed(
    lease: &mut Lease,
    machine: &str,
    renewal: &Renewal,
    recorded: MicroUsd,
) -> Result<Grant, StoreError> {
    let client = lease.client()?;
    client.batch_execute(BEGIN_KEEP).await?;
    client.batch_execute(LOCK).await?;
    let now_ms: i64 = client.query_typed_one(NOW, &[]).await?.try_get(0)?;
    let day_ms = now_ms - now_ms.rem_euclid(DAY_MS);
    let mut grant = Grant {
        day_ms,
        held: MicroUsd::default(),
        others: MicroUsd::default(),
        now_ms,
    };
    if renewal.day_ms == day_ms {
        let rows = client
            .query_typed(
                include_str!("../../../sql/money/others.sql"),
                &[(&day_ms, Type::INT8), (&machine, Type::TEXT)],
            )
            .await?;
        let others: Vec<Share> = rows
            .iter()
            .map(|row| {
                Ok(Share {
                    machine: row.try_get("machine")?,
                    held: MicroUsd(row.try_get("held_microusd")?),
                    taken: MicroUsd(row.try_get("taken_microusd")?),
                    spent: MicroUsd(row.try_get("spent_microusd")?),
                    told_at_ms: row.try_get("told_at_ms")?,
                })
            })
            .collect::<Result<_, tokio_postgres::Error>>()?;
        let holding = renew(renewal, &others, recorded, now_ms);
        (grant.held, grant.others) = (holding.held, holding.others);
        let taken = renewal.spent + renewal.reserved;
        client
            .execute_typed(
                include_str!("../../../sql/money/tell.sql"),
                &[
                    (&day_ms, Type::INT8),
                    (&machine, Type::TEXT),
                    (&grant.held.0, Type::INT8),
                    (&taken.0, Type::INT8),
                    (&renewal.spent.0, Type::INT8),
                ],
            )
            .await?;
    }
    client.batch_execute("commit").await?;
    lease.is_clean();
    Ok(grant)
}
