//! The two stores behind one face: PostgreSQL where `DATABASE_URL` is set, else SQLite. Both have the
//! same tables and give the same answers; `tests/db/contract.rs` holds them to it.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_postgres::error::DbError;

use super::embedded::Embedded;
use super::entry::Entry;
use super::postgres::Postgres;
use super::sql::{Question, Row};

/// Where records are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Embedded(Arc<Embedded>),
    Postgres(Arc<Postgres>),
}

/// The store cannot do what was asked. No variant tells what a row holds: a database's own words may
/// quote it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the data directory {0} cannot be used; set DATA_DIR to a writable one")]
    Directory(PathBuf, #[source] io::Error),
    #[error("the spool {0} belongs to another process; give each its own DATA_DIR")]
    Owned(PathBuf),
    #[error("the embedded store refused ({})", sqlite_kind(.0))]
    Sqlite(#[from] rusqlite::Error),
    #[error("the schema could not be brought up to date")]
    Migration(#[from] refinery::Error),
    #[error("no thread for the records' writer")]
    Thread(#[source] io::Error),
    #[error("{}", postgres_words(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("no connection to PostgreSQL ({0})")]
    Connection(&'static str),
    #[error("PostgreSQL's certificates cannot be used: {0}")]
    Certificates(String),
    #[error("the schema is at version {found} and this program needs {needed}; run `clm migrate`")]
    Schema { found: i32, needed: i32 },
    #[error("the store did not answer in time")]
    Timeout,
    #[error("too many questions at once")]
    Busy,
    #[error("somebody else came first")]
    Overtaken,
    #[error("a row of the store cannot be read")]
    Row(#[source] serde_json::Error),
    #[error("the service is stopping")]
    Stopping,
}

impl StoreError {
    /// A word for metrics and log lines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(..) => "directory",
            Self::Owned(_) => "owned",
            Self::Sqlite(_) => "sqlite",
            Self::Migration(_) => "migration",
            Self::Thread(_) => "thread",
            Self::Postgres(e) if e.code().is_some() => "refused",
            Self::Postgres(_) | Self::Connection(_) => "connection",
            Self::Certificates(_) => "certificates",
            Self::Schema { .. } => "schema",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Overtaken => "overtaken",
            Self::Row(_) => "row",
            Self::Stopping => "stopping",
        }
    }

    /// Whether nobody was there who could have done it, or was so only for the moment.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Timeout => true,
            // Class 08, connections, and 57P, a server that starts or stops; a server's word, any
            // other, is a refusal.
            Self::Postgres(e) => e
                .code()
                .is_none_or(|code| code.code().starts_with("08") || code.code().starts_with("57P")),
            _ => false,
        }
    }

    /// With the words of whatever was at fault below, for whoever runs a command. Not for logs: a
    /// database that refuses a row may quote it.
    #[must_use]
    pub fn with_cause(&self) -> String {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = self.source();
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let words = cause.map(|cause| match cause.downcast_ref::<DbError>() {
            Some(refusal) => refusal.message().to_owned(),
            None => cause.to_string(),
        });
        let own = self.to_string();
        match words.filter(|words| !own.contains(words.as_str())) {
            Some(words) => format!("{own}: {words}"),
            None => own,
        }
    }

    /// Whether the store could not do so much at once: less of it may go.
    pub(super) fn is_too_much(&self) -> bool {
        match self {
            Self::Timeout => true,
            // Statement and lock timeouts.
            Self::Postgres(e) => e
                .code()
                .is_some_and(|c| matches!(c.code(), "57014" | "55P03")),
            _ => false,
        }
    }

    /// Whether the fault is a row's own: the same row will be refused again, others will not.
    pub(super) fn is_poison(&self) -> bool {
        match self {
            Self::Row(_) => true,
            Self::Sqlite(e) => matches!(
                e.sqlite_error_code(),
                Some(
                    rusqlite::ErrorCode::ConstraintViolation
                        | rusqlite::ErrorCode::TypeMismatch
                        | rusqlite::ErrorCode::TooBig
                        | rusqlite::ErrorCode::Unknown
                )
            ),
            // Class 22, data exceptions, and class 23, violated constraints.
            Self::Postgres(e) => e
                .code()
                .is_some_and(|c| c.code().starts_with("22") || c.code().starts_with("23")),
            _ => false,
        }
    }
}

fn sqlite_kind(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(e) => format!("SQLite's error {}", e.extended_code),
        None => "not as asked".to_owned(),
    }
}

/// The server's own words may quote a row, its code does not. Without a code they are the driver's or
/// the system's, about a connection or a certificate.
fn postgres_words(error: &tokio_postgres::Error) -> String {
    match (error.code(), error.source()) {
        (Some(code), _) => format!("PostgreSQL refused (SQLSTATE {})", code.code()),
        (None, Some(cause)) => format!("no connection to PostgreSQL ({error}: {cause})"),
        (None, None) => format!("no connection to PostgreSQL ({error})"),
    }
}

impl Store {
    /// Keeps a batch. What is kept already is passed over; after an error some of it may be kept.
    ///
    /// # Errors
    /// When the store cannot take it, or not this batch; see [`StoreError::is_poison`].
    ///
    /// # Cancellation
    /// Safe: the same.
    pub(super) async fn keep(&self, batch: Arc<Vec<Entry>>) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.keep(batch).await,
            Self::Postgres(store) => store.keep(&batch).await,
        }
    }

    /// Hands to the disk what was kept since the last time, where that is this process's business and time again.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) async fn write_out(&self) -> io::Result<()> {
        match self {
            Self::Embedded(store) => store.write_out().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// The rows that answer a question.
    ///
    /// # Errors
    /// When the store cannot be asked or takes longer than a reader waits.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn ask(&self, question: Question) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Embedded(store) => store.ask(question).await,
            Self::Postgres(store) => store.ask(&question).await,
        }
    }

    /// Carries out statements that belong together, all of them or none; how many rows each touched.
    ///
    /// # Errors
    /// When the store cannot, or when one that must touch a row touches none.
    pub(super) async fn change(&self, questions: Vec<Question>) -> Result<Vec<u64>, StoreError> {
        match self {
            Self::Embedded(store) => store.change(questions).await,
            Self::Postgres(store) => store.change(&questions).await,
        }
    }

    /// `embedded` or `postgres`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Postgres(_) => "postgres",
        }
    }
}
