//! Questions to the store. Each runs on a blocking thread over the one reading connection.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, named_params};

use crate::lifecycle::Lifecycle;
use crate::turn::{Outcome, TurnRecord};

use super::embedded::StoreError;
use super::rows;

/// The largest page, in rows.
pub(super) const MAX_PAGE: u32 = 200;

/// Which turns are wanted; `None` means any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnFilter {
    pub session_id: Option<String>,
    pub coach: Option<String>,
    pub model: Option<String>,
    pub outcome: Option<Outcome>,
    /// Only turns whose first speakable words took longer, in milliseconds.
    pub slow_over_ms: Option<f64>,
    /// The cursor: the last turn id of the page before.
    pub before: Option<String>,
    /// Rows wanted, 1 to 200.
    pub limit: u32,
}

/// Some of a list, newest first, and where the next page begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// The reading end of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    connection: Arc<Mutex<Connection>>,
    lifecycle: Lifecycle,
}

impl Reader {
    pub(super) fn new(connection: Connection, lifecycle: Lifecycle) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
            lifecycle,
        }
    }

    /// One page of turns, without their attempts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn turns(&self, filter: TurnFilter) -> Result<Page<TurnRecord>, StoreError> {
        self.ask(move |db| turns(db, &filter)).await
    }

    /// One turn with its attempts, by its id or by its trace's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn turn(&self, id: String) -> Result<Option<TurnRecord>, StoreError> {
        self.ask(move |db| turn(db, &id)).await
    }

    /// Whether the store can be read at all.
    pub async fn is_well(&self) -> bool {
        let probe = |db: &Connection| Ok(db.query_row("select 1", [], |_| Ok(()))?);
        self.ask(probe).await.is_ok()
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let answered = self.lifecycle.spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            question(&connection)
        });
        // A reader that was thrown out by a stopping runtime has no answer to give.
        answered
            .await
            .unwrap_or_else(|_| Err(rusqlite::Error::InvalidQuery.into()))
    }
}

fn turns(db: &Connection, filter: &TurnFilter) -> Result<Page<TurnRecord>, StoreError> {
    let limit = filter.limit.clamp(1, MAX_PAGE);
    let mut statement = db.prepare_cached(include_str!("../../sql/queries/embedded/turns.sql"))?;
    let mut items = statement
        .query_map(
            named_params! {
                ":before": filter.before,
                ":session_id": filter.session_id,
                ":coach": filter.coach,
                ":model": filter.model,
                ":outcome": filter.outcome.map(Outcome::as_str),
                ":slow_over_ms": filter.slow_over_ms,
                // One more than asked for tells whether there is a next page.
                ":limit": limit + 1,
            },
            rows::turn,
        )?
        .collect::<Result<Vec<_>, _>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(|t| t.turn_id.clone());
    Ok(Page { items, next_cursor })
}

fn turn(db: &Connection, id: &str) -> Result<Option<TurnRecord>, StoreError> {
    let mut statement = db.prepare_cached(include_str!("../../sql/queries/embedded/turn.sql"))?;
    let mut found = statement.query_map(named_params! {":id": id}, rows::turn)?;
    let Some(mut turn) = found.next().transpose()? else {
        return Ok(None);
    };
    drop(found);
    let mut statement =
        db.prepare_cached(include_str!("../../sql/queries/embedded/attempts.sql"))?;
    let attempts = statement.query_map(named_params! {":turn_id": turn.turn_id}, rows::attempt)?;
    turn.attempts = attempts.collect::<Result<_, _>>()?;
    Ok(Some(turn))
}
