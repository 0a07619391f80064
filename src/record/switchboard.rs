//! What is switched and what was told, shared by all machines on one store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;
use crate::routing::flags::{Flag, Name, Share};

use super::sql::{Arg, Args, Question, typed};
use super::store::{Store, StoreError};

/// Changes that are shown.
const SHOWN: i64 = 100;

/// A flag as the store has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagRow {
    pub name: String,
    pub value: String,
    /// Milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    pub changed_at: i64,
    /// A fingerprint of the key it was set with.
    pub changed_by: String,
}

/// A change of a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagChange {
    pub id: String,
    pub name: String,
    /// Absent where the flag was taken away.
    pub value: Option<String>,
    pub expires_at: Option<i64>,
    pub changed_at: i64,
    pub changed_by: String,
}

/// The flags' and the alerts' tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Switchboard {
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Switchboard {
    /// Every flag that is set.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn flags(&self) -> Result<Vec<FlagRow>, StoreError> {
        let question = Question::new(include_str!("../../sql/ask/flags.sql"), Args::new());
        typed(self.store.ask(question).await?)
    }

    /// The latest changes, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn changes(&self) -> Result<Vec<FlagChange>, StoreError> {
        let text = include_str!("../../sql/ask/flag_changes.sql");
        let question = Question::new(text, vec![("limit", Arg::Int(SHOWN))]);
        typed(self.store.ask(question).await?)
    }

    /// Sets a flag, or takes it away, and notes who did.
    ///
    /// # Errors
    /// When the store cannot take it: then nothing is changed.
    pub async fn set(&self, name: &Name, flag: Option<&Flag>, by: &str) -> Result<(), StoreError> {
        let mut args: Args = vec![
            ("id", Arg::Id(Uuid::now_v7())),
            ("name", Arg::Text(name.as_str().to_owned())),
            ("now", Arg::At(self.clock.now_ms())),
            ("by", Arg::Text(by.to_owned())),
        ];
        args.push(match flag {
            Some(flag) => ("value", Arg::Text(flag.share.to_string())),
            None => ("gone", Arg::Int(1)),
        });
        args.push(match flag.and_then(|flag| flag.expires_at) {
            Some(at) => ("expires", Arg::At(at)),
            None => ("never", Arg::Int(1)),
        });
        let change = match flag {
            Some(_) => include_str!("../../sql/switch/set.sql"),
            None => include_str!("../../sql/switch/unset.sql"),
        };
        let change = Question::new(change, args.clone());
        let note = Question::new(include_str!("../../sql/switch/note.sql"), args);
        self.store.change(vec![change, note]).await.map(|_| ())
    }

    /// Whether nobody has told this for so long, and notes that it is told now.
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn is_news(&self, key: &str, quiet: Duration) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        let quiet_ms = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
        let args = vec![
            ("key", Arg::Text(key.to_owned())),
            ("now", Arg::At(now_ms)),
            ("before", Arg::At(now_ms.saturating_sub(quiet_ms).max(0))),
        ];
        let note = Question::new(include_str!("../../sql/switch/alert.sql"), args);
        let counts = self.store.change(vec![note]).await?;
        Ok(counts.first().copied() == Some(1))
    }
}

/// Flags as they are used; one that this program does not know is another version's, and passed over.
#[must_use]
pub fn in_force(rows: &[FlagRow]) -> BTreeMap<Name, Flag> {
    let known = rows.iter().filter_map(|row| {
        let flag = Flag {
            share: Share::parse(&row.value).ok()?,
            expires_at: row.expires_at,
        };
        Some((Name::parse(&row.name).ok()?, flag))
    });
    known.collect()
}
