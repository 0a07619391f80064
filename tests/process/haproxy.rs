//! HAProxy with a certificate: in front of the simulated models, since that is upstream as it is, HTTP/2 over TLS; and in
//! front of the service, as `deploy/haproxy.cfg` has it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Version;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::service::{Process, Service, until};

/// More than HAProxy takes on one connection, as most servers: a hundred.
const CALLS: usize = 150;

/// A certificate for loopback, with its key behind it under the name that HAProxy looks for.
struct Certificate {
    path: String,
    home: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let (path, key) = (path("front.pem"), path("front.pem.key"));
        certify(&path, &key);
        Self { path, home }
    }
}

/// HAProxy with a certificate of its own, before these models.
struct Front {
    url: String,
    certificate: Certificate,
    _process: Process,
}

impl Front {
    async fn before(models: &str) -> Self {
        let certificate = Certificate::new();
        let port = free_port().await;
        let models: SocketAddr = models
            .trim_start_matches("http://")
            .trim_end_matches("/api/v1")
            .parse()
            .unwrap();
        let settings = format!(
            "defaults\n  mode http\n  option http-no-delay\n  timeout connect 5s\n  \
             timeout client 60s\n  timeout server 60s\n\
             frontend front\n  bind 127.0.0.1:{port} ssl crt {} alpn h2\n  \
             default_backend models\n\
             backend models\n  server models {models}\n",
            certificate.path
        );
        let file = certificate.home.path().join("haproxy.cfg");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program());
        command.arg("-f").arg(file);
        Self {
            url: format!("https://127.0.0.1:{port}/api/v1"),
            certificate,
            _process: listening(command, port).await,
        }
    }
}

/// Starts HAProxy, and waits until it takes connections.
async fn listening(command: Command, port: u16) -> Process {
    let process = Process::start(command);
    until("HAProxy listens", async || {
        let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        connected.ok()
    })
    .await;
    process
}

fn program() -> &'static str {
    match Path::new("/usr/sbin/haproxy").exists() {
        true => "/usr/sbin/haproxy",
        false => "haproxy",
    }
}

fn certify(certificate: &str, key: &str) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=models",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-out", certificate, "-keyout", key])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_a_connection_takes_are_all_asked_at_once() {
    let models = Service::start_among("exec \"$0\" serve", &[]).await;
    let front = Front::before(models.models()).await;
    let mut service = models
        .another(&[
            ("OPENROUTER_BASE_URL", &front.url),
            ("SSL_CERT_FILE", &front.certificate.path),
            ("WORKERS", "1"),
        ])
        .await;
    // An answer takes longer than anything here is waited for.
    service
        .simulate(&serde_json::json!({ "gap_ms": 5_000 }))
        .await;
    let calls = service.streams(CALLS).await;
    until("all are being answered", async || {
        let ledger = service.ledger().await;
        let asked = ledger["chats"].as_array().unwrap();
        let open = asked.iter().filter(|call| call["end"].is_null()).count();
        (open >= CALLS).then_some(())
    })
    .await;
    drop(calls);
    service.kill();
}

/// What deploys here is given a certificate by a variable, and takes callers by TLS then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_come_by_tls_where_there_is_a_certificate() {
    let service = Service::start(&[]).await;
    let whole = service.say("whole", "Hello").await;
    let certificate = Certificate::new();
    let (clear, tls) = (free_port().await, free_port().await);
    let mut command = Command::new(program());
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg");
    command.args(["-db", "-f", config]);
    for (name, value) in [
        ("LB_BIND", format!("127.0.0.1:{clear}")),
        ("LB_ADMIN", format!("127.0.0.1:{}", free_port().await)),
        ("LB_SOCKET", format!("{}.socket", certificate.path)),
        ("LB_CERT", certificate.path.clone()),
        ("LB_TLS_BIND", format!("127.0.0.1:{tls}")),
        ("CLM_1", service.addr.to_string()),
        ("CLM_2", service.addr.to_string()),
        ("CLM_3", service.addr.to_string()),
    ] {
        command.env(name, value);
    }
    // A variable that is empty is as good as none, here as everywhere.
    let mut without = Command::new(program());
    without.args(["-c", "-f", config]).envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    assert!(without.env("LB_CERT", "").status().unwrap().success());
    let _haproxy = listening(command, tls).await;
    let pem = fs::read(&certificate.path).unwrap();
    let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the caller's")]
    let caller = reqwest::Client::builder()
        .add_root_certificate(trusted)
        .build()
        .unwrap();
    for (scheme, port, version) in [
        ("https", tls, Version::HTTP_2),
        ("http", clear, Version::HTTP_11),
    ] {
        let url =
            format!("{scheme}://127.0.0.1:{port}/chat/completions?custom_session_id=by-{scheme}");
        let request = caller
            .post(url)
            .header("content-type", "application/json")
            .body(r#"{"messages": [{"role": "user", "content": "Hello"}]}"#);
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, version)
        );
        let text = response.text().await.unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let words = text.lines().filter_map(|line| line.strip_prefix("data: {"));
        assert_eq!(words.count(), whole.events.len(), "{text}");
    }
}
