//! Upstream as it is: HTTP/2 over TLS, with HAProxy in front of the simulated models.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::service::{Process, Service, until};

/// More than HAProxy takes on one connection, as most servers: a hundred.
const CALLS: usize = 150;

/// HAProxy with a certificate of its own, before these models.
struct Front {
    url: String,
    certificate: String,
    _process: Process,
    _home: TempDir,
}

impl Front {
    async fn before(models: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("front.pem"), path("front.pem.key"));
        certify(&certificate, &key);
        let port = free_port().await;
        let models: SocketAddr = models
            .trim_start_matches("http://")
            .trim_end_matches("/api/v1")
            .parse()
            .unwrap();
        let settings = format!(
            "defaults\n  mode http\n  option http-no-delay\n  timeout connect 5s\n  \
             timeout client 60s\n  timeout server 60s\n\
             frontend front\n  bind 127.0.0.1:{port} ssl crt {certificate} alpn h2\n  \
             default_backend models\n\
             backend models\n  server models {models}\n"
        );
        fs::write(path("haproxy.cfg"), settings).unwrap();
        let mut command = Command::new(program());
        command.args(["-f", &path("haproxy.cfg")]);
        let process = Process::start(command);
        until("HAProxy listens", async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.ok()
        })
        .await;
        Self {
            url: format!("https://127.0.0.1:{port}/api/v1"),
            certificate,
            _process: process,
            _home: home,
        }
    }
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
            ("SSL_CERT_FILE", &front.certificate),
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
