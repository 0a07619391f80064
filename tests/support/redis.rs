//! A private Redis that keeps nothing.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::Daemon;
use super::home::{find, home};
use super::{PATIENCE, Port};

pub(crate) struct Redis {
    daemon: Daemon,
    port: Port,
    /// After the daemon, which is in it.
    _room: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings beside ours, as in `("maxmemory", "2mb")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let program = find("redis-server");
        let program = program.expect("redis-server is missing: ./scripts/test installs it");
        let room = home().room("redis-");
        let port = Port::reserve();
        let mut command = home().command(&program);
        command
            .args(["--bind", "127.0.0.1", "--port"])
            .arg(port.addr().port().to_string())
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(room.path());
        for (name, value) in settings {
            command.arg(format!("--{name}")).arg(value);
        }
        let daemon = Daemon::new("Redis", command, room.path().join("log"));
        let mut redis = Self {
            daemon,
            port,
            _room: room,
        };
        redis.start_again().await;
        redis
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.addr())
    }

    /// Its URL by another way, such as a proxy.
    pub(crate) fn url_at(&self, addr: SocketAddr) -> String {
        format!("redis://{addr}")
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        assert_eq!(ask(self.addr(), "FLUSHALL").unwrap(), "+OK");
    }

    pub(crate) async fn stop(&mut self) {
        self.daemon.stop().await;
    }

    pub(crate) async fn kill(&mut self) {
        self.daemon.kill().await;
    }

    pub(crate) async fn pause(&mut self) {
        self.daemon.pause().await;
    }

    pub(crate) fn resume(&mut self) {
        self.daemon.resume();
    }

    /// On the same port, empty. With a password it answers as well, if only that it wants one.
    pub(crate) async fn start_again(&mut self) {
        let addr = self.port.addr();
        self.daemon.start(async || ask(addr, "PING").is_ok()).await;
    }
}

/// What Redis answers first to an inline command.
///
/// # Errors
/// When there is no connection, or no answer in time.
pub(crate) fn ask(addr: SocketAddr, command: &str) -> io::Result<String> {
    ask_within(addr, command, PATIENCE)
}

/// # Errors
/// As [`ask`].
pub(crate) fn ask_within(addr: SocketAddr, command: &str, wait: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(wait))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.trim_end().to_owned())
}
