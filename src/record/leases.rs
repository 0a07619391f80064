//! The shares of a day's cap that machines on one PostgreSQL hold.

use std::sync::Arc;

use uuid::Uuid;

use crate::routing::budget::{Grant, Renewal};
use crate::turn::MicroUsd;

use super::postgres::Postgres;
use super::store::StoreError;

/// This process among those that share a cap. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leases {
    store: Arc<Postgres>,
    machine: String,
}

impl Leases {
    pub(super) fn new(store: Arc<Postgres>) -> Self {
        Self {
            store,
            machine: Uuid::now_v7().to_string(),
        }
    }

    /// Tells what was spent and gets what may be; `recorded` is what the records say the day cost.
    ///
    /// # Errors
    /// When the database cannot be asked: then nothing was changed.
    ///
    /// # Cancellation
    /// Safe: what was not committed is undone, and a commit that nobody heard of is told anew.
    pub async fn renew(&self, renewal: Renewal, recorded: MicroUsd) -> Result<Grant, StoreError> {
        self.store.renew(&self.machine, renewal, recorded).await
    }
}
