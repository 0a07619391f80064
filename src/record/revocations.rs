//! Signed session ids that hold no more, shared by all machines on one store.

use serde::Deserialize;

use crate::clock::Clock;

use super::sql::{Arg, Question, typed};
use super::store::{Store, StoreError};

/// The most that are read at once: the newest.
const READ: i64 = 100_000;

/// A session id that holds no more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Revocation {
    /// Its pseudonym.
    pub session_id: String,
    /// When it would not hold any more anyway, milliseconds since the Unix epoch.
    pub expires_at: i64,
}

/// The revocations' table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Revocations {
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Revocations {
    /// Those since then that still matter, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn since(&self, since_ms: i64) -> Result<Vec<Revocation>, StoreError> {
        let args = vec![
            ("since", Arg::At(since_ms.max(0))),
            ("now", Arg::At(self.clock.now_ms())),
            ("limit", Arg::Int(READ)),
        ];
        let question = Question::new(include_str!("../../sql/ask/revocations.sql"), args);
        typed(self.store.ask(question).await?)
    }

    /// Revokes an id, for all machines; `by` is who did.
    ///
    /// # Errors
    /// When the store cannot take it: then nothing is changed.
    pub async fn revoke(&self, revocation: &Revocation, by: &str) -> Result<(), StoreError> {
        let args = vec![
            ("session", Arg::Text(revocation.session_id.clone())),
            ("expires", Arg::At(revocation.expires_at)),
            ("now", Arg::At(self.clock.now_ms())),
            ("by", Arg::Text(by.to_owned())),
        ];
        let change = Question::new(include_str!("../../sql/switch/revoke.sql"), args);
        self.store.change(vec![change]).await.map(|_| ())
    }
}
