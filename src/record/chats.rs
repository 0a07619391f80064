//! Questions about chats as voice platforms know them.

use serde::{Deserialize, Serialize};

use super::query::Reader;
use super::sql::{Arg, Question, typed};
use super::store::StoreError;

/// Chats of one session that are shown.
const SHOWN: i64 = 100;

/// A chat of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRecord {
    /// The platform's own name for it.
    pub chat_id: String,
    /// `hume` or `elevenlabs`.
    pub platform: String,
    pub chat_group_id: Option<String>,
    /// Milliseconds since the Unix epoch, as the platform says.
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub end_reason: Option<String>,
    /// When it was last told of.
    pub told_at: i64,
}

impl Reader {
    /// The session, as it is kept, that a platform's chat belongs to.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn session_of_chat(&self, chat_id: &str) -> Result<Option<String>, StoreError> {
        #[derive(Deserialize)]
        struct Of {
            session_id: String,
        }
        let args = vec![("chat", Arg::Text(chat_id.to_owned()))];
        let question = Question::new(include_str!("../../sql/ask/session_of_chat.sql"), args);
        let mut rows = typed::<Of>(self.store.ask(question).await?)?;
        Ok(rows.pop().map(|row| row.session_id))
    }

    /// The newest chats of a session.
    ///
    /// # Errors
    /// When the store does not answer.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn chats(&self, session_id: &str) -> Result<Vec<ChatRecord>, StoreError> {
        let args = vec![
            ("session", Arg::Text(session_id.to_owned())),
            ("limit", Arg::Int(SHOWN)),
        ];
        let question = Question::new(include_str!("../../sql/ask/chats.sql"), args);
        typed(self.store.ask(question).await?)
    }
}
