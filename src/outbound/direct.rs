//! A client without what `reqwest` puts around hyper's: for requests that are many, each to an address that is
//! known to be one, and none of which is ever sent on elsewhere.
//!
//! `reqwest` reads an address four times a request, for a redirect that it may not follow among other things, and
//! copies the headers twice: what that comes to is in docs/DECISIONS.md.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::{CONNECT_TIMEOUT, IDLE, KEEP_ALIVE, MAX_IDLE, PING_AFTER, PONG_WITHIN, TLS};

/// See the module's words; as [`super::client`] otherwise: no redirect, no proxy, nothing sent twice.
pub type Direct = Client<Connector, Full<Bytes>>;

/// How long after a probe without an answer comes the next, and how many there are. With the one below as
/// `reqwest` has them: a connection that died in silence is to be gone before it is used again.
const PROBE_AGAIN: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
/// How long what was sent may go unacknowledged.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

type BoxError = Box<dyn Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections, each within [`CONNECT_TIMEOUT`], its handshake included.
#[derive(Clone, Debug)]
pub struct Connector(HttpsConnector<HttpConnector>);

/// A client for one destination, used from one runtime.
///
/// # Errors
/// When the TLS backend cannot be set up.
pub fn direct() -> Result<Direct, rustls::Error> {
    let mut tls = TLS.clone()?;
    // The connector's own to say.
    tls.alpn_protocols.clear();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    // Shared among a name's addresses, so that one that is silent leaves time for the next.
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_keepalive(Some(KEEP_ALIVE));
    http.set_keepalive_interval(Some(PROBE_AGAIN));
    http.set_keepalive_retries(Some(PROBES));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    http.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    #[expect(clippy::disallowed_methods, reason = "the one constructor")]
    let mut client = Client::builder(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PONG_WITHIN);
    Ok(client.build(Connector(https)))
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async {
            let connected = timeout(CONNECT_TIMEOUT, connecting).await;
            connected.unwrap_or_else(|late| Err(late.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_connection_and_says_nothing_of_itself_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let began = Instant::now();
        let client = direct().unwrap();
        let asked = timeout(2 * CONNECT_TIMEOUT, client.get(url.parse().unwrap()));
        let (asked, _held) = tokio::join!(asked, listener.accept());
        assert!(asked.unwrap().unwrap_err().is_connect(), "nothing was sent");
        assert_eq!(began.elapsed().as_millis(), CONNECT_TIMEOUT.as_millis());
    }
}
