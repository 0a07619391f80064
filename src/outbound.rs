//! The one constructor of an HTTP client.
//!
//! Connections belong to the runtime thread that opened them, so each worker builds its own client
//! for the paid stream and background work has another. No redirect is ever followed (a key must
//! not travel where we did not send it), nothing is retried here, no total timeout is set: the
//! deadlines live with the turn.

use std::time::Duration;

use reqwest::redirect;

/// How long a TCP and TLS handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(800);
/// How long an idle connection stays warm.
const IDLE: Duration = Duration::from_secs(90);

/// A client for one destination, used from one runtime.
///
/// # Errors
/// When the TLS backend cannot be set up.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "the one constructor")]
    let builder = reqwest::Client::builder();
    builder
        .user_agent(concat!("clm/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1024)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
}
