//! Questions to the store about turns and sessions. While it does not answer, the last turns that this
//! process saw stand in, and the answer says so.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use crate::clock::Clock;
use crate::routing::budget::Owner;
use crate::telemetry::live::Live;
use crate::turn::{AttemptRecord, MicroUsd, TurnRecord};

use super::filter::{SessionFilter, TurnFilter, turn_args};
use super::sql::{Arg, Args, Question, typed};
use super::store::{Store, StoreError};

/// The largest page, in rows.
pub const MAX_PAGE: u32 = 1000;
/// How long readiness waits for the store.
const PROBE: Duration = Duration::from_millis(250);
/// Calls without a bill that are looked for after a start.
const UNCORRECTED: i64 = 10_000;

/// Where an answer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Store,
    /// The store does not answer: the last turns of this process alone.
    Recent,
}

/// Some of a list, newest first, and where the next page begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    pub source: Source,
}

/// One row of table `session`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub session_id: String,
    pub user_hash: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub first_turn_at: i64,
    pub last_turn_at: i64,
    pub turns: u64,
    pub failed_turns: u64,
    /// Its turns' times together.
    pub total_ms: f64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cost_microusd: MicroUsd,
    /// Turns whose cost is not in `cost_microusd`.
    pub unknown_costs: u64,
}

/// Which models answered for a coach in one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionModel {
    pub coach: String,
    pub model: String,
    pub turns: u64,
    pub cost_microusd: Option<MicroUsd>,
    pub completion_tokens: Option<u64>,
}

/// An upstream call whose cost is an estimate, or not known at all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Uncorrected {
    pub turn_id: String,
    pub position: u32,
    pub generation_id: String,
    /// When its turn began, milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it ended, milliseconds from there.
    pub ended_ms: f64,
}

/// The reading end of the records. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) store: Store,
    pub(super) live: Live,
    pub(super) clock: Clock,
}

impl Reader {
    /// One page of turns, without their attempts.
    ///
    /// # Errors
    /// When the cursor is none of ours. A store that does not answer is no error: see [`Source`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn turns(&self, filter: &TurnFilter) -> Result<Page<TurnRecord>, StoreError> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        let Some(args) = turn_args(filter, limit) else {
            // No turn has such an id, so there are none before it.
            return Ok(page(Vec::new(), limit, Source::Store, |_| String::new()));
        };
        let question = Question::new(include_str!("../../sql/ask/turns.sql"), args);
        match self.store.ask(question).await {
            Ok(rows) => {
                let turns = typed(without_counts(rows))?;
                Ok(page(turns, limit, Source::Store, cursor))
            }
            Err(error) if is_away(&error) => Ok(self.recent(filter)),
            Err(error) => Err(error),
        }
    }

    /// The same of the last turns that this process saw, whether or not the store has them yet.
    #[must_use]
    pub fn recent(&self, filter: &TurnFilter) -> Page<TurnRecord> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        let all = self.live.recent();
        let wanted = all.iter().filter(|turn| filter.admits(turn));
        let turns = wanted.take(limit as usize + 1).map(|turn| {
            let mut turn = TurnRecord::clone(turn);
            turn.attempts = Vec::new();
            turn
        });
        page(turns.collect(), limit, Source::Recent, cursor)
    }

    /// One turn with its attempts, by its id, its trace's, or upstream's for one of its calls.
    ///
    /// # Errors
    /// When the store does not answer and the turn is not among the last.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn turn(&self, id: &str) -> Result<Option<TurnRecord>, StoreError> {
        let found = self.stored_turn(id).await;
        if let Ok(Some(_)) = found {
            return found;
        }
        // Not there yet, or not to be asked: what this process saw itself is as true.
        let all = self.live.recent();
        let is_its_call = |a: &AttemptRecord| a.generation_id.as_deref() == Some(id);
        let seen = all.iter().find(|turn| {
            turn.turn_id == id || turn.trace_id == id || turn.attempts.iter().any(is_its_call)
        });
        match seen {
            Some(turn) => Ok(Some(TurnRecord::clone(turn))),
            None => found,
        }
    }

    async fn stored_turn(&self, id: &str) -> Result<Option<TurnRecord>, StoreError> {
        let turn = match Uuid::try_parse(id) {
            // A trace id has 32 hex digits, as a turn id without its hyphens.
            Ok(uuid) if id.contains('-') => Question::new(
                include_str!("../../sql/ask/turn.sql"),
                vec![("id", Arg::Id(uuid))],
            ),
            Ok(_) => Question::new(
                include_str!("../../sql/ask/turn_of_trace.sql"),
                vec![("trace", Arg::Text(id.to_owned()))],
            ),
            Err(_) if id.is_empty() => return Ok(None),
            Err(_) => Question::new(
                include_str!("../../sql/ask/turn_of_generation.sql"),
                vec![("generation", Arg::Text(id.to_owned()))],
            ),
        };
        let rows = self.store.ask(turn).await?;
        let Some(mut turn) = typed::<TurnRecord>(without_counts(rows))?.pop() else {
            return Ok(None);
        };
        if let Ok(id) = Uuid::try_parse(&turn.turn_id) {
            let attempts = Question::new(
                include_str!("../../sql/ask/attempts.sql"),
                vec![("id", Arg::Id(id))],
            );
            turn.attempts = typed::<AttemptRecord>(self.store.ask(attempts).await?)?;
        }
        Ok(Some(turn))
    }

    /// The captured words of a turn, still encrypted, while they are kept.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn captured(&self, turn_id: &str) -> Result<Option<String>, StoreError> {
        #[derive(Deserialize)]
        struct Sealed {
            sealed: String,
        }
        let Ok(id) = Uuid::try_parse(turn_id) else {
            return Ok(None);
        };
        let args = vec![("id", Arg::Id(id)), ("now", Arg::At(self.clock.now_ms()))];
        let question = Question::new(include_str!("../../sql/ask/capture.sql"), args);
        let mut rows = typed::<Sealed>(self.store.ask(question).await?)?;
        Ok(rows.pop().map(|row| row.sealed))
    }

    /// One page of sessions, the one with the newest turn first.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
    ) -> Result<Page<SessionRecord>, StoreError> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        let mut args: Args = vec![("limit", Arg::Int(i64::from(limit) + 1))];
        args.extend(filter.since_ms.map(|at| ("since", Arg::At(at))));
        args.extend(filter.until_ms.map(|at| ("until", Arg::At(at))));
        let user = filter.user_hash.clone();
        args.extend(user.map(|user| ("user", Arg::Text(user))));
        if let Some(cursor) = &filter.before {
            let Some((at, id)) = cursor.split_once('.') else {
                return Ok(page(Vec::new(), limit, Source::Store, |_| String::new()));
            };
            args.push(("before_at", Arg::At(at.parse().unwrap_or_default())));
            args.push(("before_id", Arg::Text(id.to_owned())));
        }
        let question = Question::new(include_str!("../../sql/ask/sessions.sql"), args);
        let sessions = typed(self.store.ask(question).await?)?;
        Ok(page(sessions, limit, Source::Store, |s: &SessionRecord| {
            format!("{}.{}", s.last_turn_at, s.session_id)
        }))
    }

    /// One session's totals and who answered in it.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn session(
        &self,
        session_id: &str,
    ) -> Result<Option<(SessionRecord, Vec<SessionModel>)>, StoreError> {
        let of = || vec![("session", Arg::Text(session_id.to_owned()))];
        let totals = Question::new(include_str!("../../sql/ask/session.sql"), of());
        let Some(session) = typed(self.store.ask(totals).await?)?.pop() else {
            return Ok(None);
        };
        let models = Question::new(include_str!("../../sql/ask/session_models.sql"), of());
        let models = typed(self.store.ask(models).await?)?;
        Ok(Some((session, models)))
    }

    /// Upstream calls since then whose cost upstream itself has not confirmed, the newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn uncorrected(&self, since_ms: i64) -> Result<Vec<Uncorrected>, StoreError> {
        let args = vec![
            ("since", Arg::At(since_ms)),
            ("limit", Arg::Int(UNCORRECTED)),
        ];
        let question = Question::new(include_str!("../../sql/ask/uncorrected.sql"), args);
        typed(self.store.ask(question).await?)
    }

    /// What turns cost since then, and before then: all, or one user's, or one session's. Those of unknown cost count
    /// as what they were at most.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn spent(
        &self,
        since_ms: i64,
        until_ms: Option<i64>,
        owner: Option<&Owner>,
    ) -> Result<MicroUsd, StoreError> {
        #[derive(Deserialize)]
        struct Sum {
            microusd: i64,
        }
        let mut args: Args = vec![("since", Arg::At(since_ms))];
        args.extend(until_ms.map(|until_ms| ("until", Arg::At(until_ms))));
        args.extend(owner.map(|owner| match owner {
            Owner::User(user) => ("user", Arg::Text(user.clone())),
            Owner::Session(session) => ("session", Arg::Text(session.clone())),
        }));
        let question = Question::new(include_str!("../../sql/ask/spent.sql"), args);
        let sum = typed::<Sum>(self.store.ask(question).await?)?.pop();
        Ok(MicroUsd(sum.map_or(0, |sum| sum.microusd)))
    }

    /// Whether the store answers, soon.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn is_well(&self) -> bool {
        let probe = Question::new("select 1 as one", Args::new());
        matches!(timeout(PROBE, self.store.ask(probe)).await, Ok(Ok(_)))
    }

    /// `embedded` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.store.kind()
    }
}

/// Whether nothing is wrong with the question, only with whom it was put to.
fn is_away(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Row(_) | StoreError::Stopping | StoreError::Timeout | StoreError::Busy
    )
}

fn cursor(turn: &TurnRecord) -> String {
    turn.turn_id.clone()
}

/// A page of `limit` from rows of which one more was asked for.
fn page<T>(
    mut items: Vec<T>,
    limit: u32,
    source: Source,
    cursor: impl Fn(&T) -> String,
) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(cursor);
    Page {
        items,
        next_cursor,
        source,
    }
}

/// Rows of `turn` without the count of its attempts, which a record has as a list.
fn without_counts(mut rows: Vec<super::sql::Row>) -> Vec<super::sql::Row> {
    for row in &mut rows {
        row.remove("attempts");
    }
    rows
}
