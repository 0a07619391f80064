//! What can go wrong with the store of memories.
//!
//! No variant carries an id, a key or anybody's words: addresses are taken off the client's errors,
//! and what a parser says about a body is dropped, because it quotes the body.

use std::io;
use std::time::Duration;

use reqwest::header::InvalidHeaderValue;

/// Why the store gave nothing, or took nothing.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory store did not answer in time")]
    Timeout,
    /// The request was certainly never sent.
    #[error("the memory store could not be reached")]
    Connect(#[source] reqwest::Error),
    #[error("the memory store answered with status {0}")]
    Status(u16),
    #[error("the memory store refused the key")]
    Unauthorized,
    /// Writes are refused until the account is topped up; reads go on.
    #[error("the memory store's quota is used up")]
    Quota,
    #[error("the memory store asks to be left alone for {} s", .after.as_secs())]
    RateLimited { after: Duration },
    #[error("the memory store's answer is longer than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the memory store's answer is not what was agreed")]
    Malformed,
    /// The exchange broke after it began: a write may have been applied.
    #[error("the exchange with the memory store broke off")]
    Http(#[source] reqwest::Error),
    #[error("the memory store's key cannot be sent in a header")]
    Key(#[source] InvalidHeaderValue),
    #[error("no thread for what waits to be written")]
    Thread(#[source] io::Error),
}

impl MemoryError {
    /// The failure's kind, from a closed set: for `error.type`, for metrics, for readiness.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect(_) => "connect",
            Self::Status(..400) => "status_3xx",
            Self::Status(400..500) => "status_4xx",
            Self::Status(_) => "status_5xx",
            Self::Unauthorized | Self::Key(_) => "unauthorized",
            Self::Quota => "quota",
            Self::RateLimited { .. } => "rate_limited",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed => "malformed",
            Self::Http(_) => "http",
            Self::Thread(_) => "thread",
        }
    }
}

impl From<reqwest::Error> for MemoryError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        // A handshake that took too long is both; what matters is that nothing was sent.
        if error.is_connect() {
            Self::Connect(error)
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Http(error)
        }
    }
}
