//! The one place that makes HTTP clients.
//!
//! Connections belong to the runtime thread that opened them, so each worker builds its own clients
//! for the paid stream and background work has another. No redirect is ever followed (a key must
//! not travel where we did not send it), nothing is retried here, no total timeout is set: the
//! deadlines live with the turn. The system's certificates are read once for all of them.
//!
//! Three kinds: [`client`] for where we mean to go, [`direct`] where we go so often that what a client executes
//! itself counts, and [`public_client`] for an address that somebody else may have chosen, which must not lead
//! into the network that we stand in.

mod direct;
mod public;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::{ClientBuilder, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use self::public::PublicOnly;

pub use self::direct::{Direct, direct};
pub use self::public::is_public;

/// Who calls.
pub(crate) const USER_AGENT: &str = concat!("clm/", env!("CARGO_PKG_VERSION"));
/// How long a TCP and TLS handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(800);
/// The same where nobody waits for it, and the other end may be far away.
const PATIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection stays warm.
const IDLE: Duration = Duration::from_secs(90);
/// After how long without a word it is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Idle connections to one host, at most.
const MAX_IDLE: usize = 1024;
/// A connection of HTTP/2 carries many calls. One that died without a word is asked once it has been
/// silent for so long while a call is open, and left, with all its calls, if it says nothing: within what
/// a turn waits for its first word, so that it can still ask elsewhere.
const PING_AFTER: Duration = Duration::from_secs(2);
const PONG_WITHIN: Duration = Duration::from_millis(1500);

/// How servers prove who they are. Reading a system's certificates takes milliseconds, which nobody
/// who speaks should wait for; and what is shared can take up an earlier session of another client.
static TLS: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(system_roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
});

/// Whom this system trusts, read anew. One broken certificate of its hundreds is no reason to trust none.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A client for one destination, used from one runtime.
///
/// # Errors
/// When the TLS backend cannot be set up.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    builder().build()
}

/// A client that reaches public addresses only: a name is resolved, and what of it is not public
/// left out, each time it connects, so that no name can change its mind in between. An address that
/// is written out in a URL is not resolved and not judged here: see [`is_public`].
///
/// # Errors
/// When the TLS backend cannot be set up.
pub fn public_client() -> Result<reqwest::Client, reqwest::Error> {
    builder()
        .connect_timeout(PATIENT_CONNECT_TIMEOUT)
        .dns_resolver(Arc::new(PublicOnly))
        .build()
}

fn builder() -> ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "the one constructor")]
    let builder = reqwest::Client::builder();
    let builder = match &*TLS {
        Ok(tls) => builder.use_preconfigured_tls(tls.clone()),
        // Its own attempt will say what is wrong.
        Err(_) => builder,
    };
    builder
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEP_ALIVE)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PONG_WITHIN)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
}
