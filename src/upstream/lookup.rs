//! A question beside the conversation: one `GET`, its answer bounded in bytes and in time. Nobody
//! speaks while it is asked, and who asks decides when to ask again.

use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::time::timeout;

use super::openrouter::retry_after;

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) wait: Duration,
}

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    /// When to come back, where it says so.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// Why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untold {
    /// No connection, a broken one, or not in time.
    Unreachable,
    TooLarge,
}

/// Asks once.
///
/// # Errors
/// Without a whole answer within the bounds.
///
/// # Cancellation
/// Safe: the connection is closed.
pub(super) async fn ask(question: RequestBuilder, bounds: Bounds) -> Result<Told, Untold> {
    let asked = async {
        let gone = |_| Untold::Unreachable;
        let mut response = question.send().await.map_err(gone)?;
        let (status, headers) = (response.status().as_u16(), response.headers());
        let retry_after = retry_after(headers);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(gone)? {
            if body.len() + piece.len() > bounds.bytes {
                return Err(Untold::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Told {
            status,
            retry_after,
            body,
        })
    };
    let told = timeout(bounds.wait, asked).await;
    told.unwrap_or(Err(Untold::Unreachable))
}
