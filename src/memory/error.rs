//! What can go wrong with the store of memories.
//!
//! No variant carries an id, a key or anybody's words: the client's errors hold no URL, and what a
//! parser says about a body is dropped, because it quotes the body.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use http::header::InvalidHeaderValue;
use http::uri::InvalidUri;
use hyper_util::client::legacy;

/// Why the store gave nothing, or took nothing.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory store did not answer in time")]
    Timeout,
    /// The request was certainly never sent.
    #[error("the memory store could not be reached")]
    Connect(#[source] legacy::Error),
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
    Http(#[source] Box<dyn Error + Send + Sync>),
    #[error("the memory store's key cannot be sent in a header")]
    Key(#[source] InvalidHeaderValue),
    #[error("no thread for what waits to be written")]
    Thread(#[source] io::Error),
    #[error("the memory store's address is none")]
    Address(#[source] InvalidUri),
    #[error("the request could not be written as JSON")]
    Body(#[source] serde_json::Error),
    #[error("the TLS backend cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl MemoryError {
    fn broken(error: impl Error + Send + Sync + 'static) -> Self {
        match is_late(&error) {
            true => Self::Timeout,
            false => Self::Http(error.into()),
        }
    }

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
            Self::Address(_) | Self::Body(_) => "request",
            Self::Tls(_) => "connect",
        }
    }
}

impl From<legacy::Error> for MemoryError {
    fn from(error: legacy::Error) -> Self {
        // A handshake that took too long is both; what matters is that nothing was sent.
        match error.is_connect() {
            true => Self::Connect(error),
            false => Self::broken(error),
        }
    }
}

impl From<hyper::Error> for MemoryError {
    fn from(error: hyper::Error) -> Self {
        Self::broken(error)
    }
}

/// Whether somewhere in this error a time ran out, such as the system's for an acknowledgement.
fn is_late(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error| (*error).source()).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        let http = error.downcast_ref::<hyper::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::TimedOut)
            || http.is_some_and(hyper::Error::is_timeout)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_of_time_is_told_from_what_broke() {
        let of = |kind: io::ErrorKind| MemoryError::broken(MemoryError::Thread(kind.into())).kind();
        assert_eq!(of(io::ErrorKind::TimedOut), "timeout");
        assert_eq!(of(io::ErrorKind::ConnectionReset), "http");
    }
}
