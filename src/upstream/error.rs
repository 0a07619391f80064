//! Why an attempt failed, and what may be done next.

use std::time::Duration;

use tokio::time::Instant;

use crate::sse::TooLarge;

use super::health::Pass;
use super::wire::Mend;

/// One attempt's failure.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error("no connection to upstream")]
    Connect(#[source] reqwest::Error),
    #[error("the connection to upstream broke")]
    Broken(#[source] reqwest::Error),
    #[error("upstream answered with status {status}")]
    Status {
        status: u16,
        mend: Option<Mendable>,
        /// How long upstream asks to be left alone.
        retry_after: Option<Duration>,
    },
    #[error("the key's own limit is reached")]
    KeyLimit,
    #[error("upstream answered 200 with something other than an event stream")]
    WrongBody,
    #[error("no speakable token within {0:?}")]
    FirstToken(Duration),
    #[error("upstream fell silent for {0:?}")]
    Idle(Duration),
    #[error("upstream reported an error in its stream")]
    InBand,
    #[error("upstream ended without saying that it was done")]
    Cut,
    #[error("upstream ended without anything to say")]
    Empty,
    #[error("upstream sent three unreadable events in a row")]
    Malformed,
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the request could not be written as JSON")]
    Request(#[source] serde_json::Error),
}

/// A refusal of one parameter or of the length, which one more try can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mendable(pub(super) Mend);

/// What a failure before the first word allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try the next model.
    Model,
    /// Try the same model once more, changed.
    Mended(Mend),
    /// Every further attempt with this key would fail too.
    GiveUp,
}

impl AttemptError {
    /// The failure's kind for records and metrics, from a closed set.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Broken(_) => "broken",
            Self::Status { status, .. } => status_kind(*status),
            Self::KeyLimit => "key_limit",
            Self::WrongBody => "wrong_body",
            Self::FirstToken(_) => "first_token_timeout",
            Self::Idle(_) => "idle_timeout",
            Self::InBand => "in_band_error",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::Malformed => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Request(_) => "request",
        }
    }

    /// Tells the target's health what this failure says of it.
    pub(super) fn tell(&self, pass: Pass, now: Instant) {
        match self {
            Self::Status {
                retry_after: Some(rest),
                ..
            } => pass.cool_down(*rest, now),
            Self::Status { status: 404, .. } => pass.gone(now),
            // Refusals of the request or of the key: the target is none the worse.
            Self::Status {
                status: 400..=403 | 413 | 422,
                ..
            }
            | Self::KeyLimit
            | Self::Request(_) => pass.neutral(),
            Self::FirstToken(after) => pass.timed_out(*after, now),
            _ => pass.failed(now),
        }
    }

    pub(super) fn next(&self) -> Next {
        match self {
            Self::KeyLimit
            | Self::Status {
                status: 401..=403, ..
            } => Next::GiveUp,
            Self::Status {
                mend: Some(Mendable(mend)),
                ..
            } => Next::Mended(*mend),
            _ => Next::Model,
        }
    }
}

fn status_kind(status: u16) -> &'static str {
    const NAMED: &[(u16, &str)] = &[
        (400, "status_400"),
        (401, "status_401"),
        (402, "status_402"),
        (403, "status_403"),
        (404, "status_404"),
        (408, "status_408"),
        (413, "status_413"),
        (422, "status_422"),
        (429, "status_429"),
        (500, "status_500"),
        (502, "status_502"),
        (503, "status_503"),
        (504, "status_504"),
        (529, "status_529"),
    ];
    let named = NAMED
        .iter()
        .find(|(code, _)| *code == status)
        .map(|(_, kind)| *kind);
    named.unwrap_or(match status / 100 {
        3 => "status_3xx",
        4 => "status_4xx",
        _ => "status_5xx",
    })
}
