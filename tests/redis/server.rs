//! A private Redis that keeps nothing: what befalls it befalls no other test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::until;

pub(crate) struct Redis {
    addr: SocketAddr,
    child: Option<Child>,
    room: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut redis = Self {
            addr: free.local_addr().unwrap(),
            child: None,
            room: tempfile::tempdir().unwrap(),
        };
        drop(free);
        redis.start_again().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    pub(crate) async fn start_again(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port"])
            .arg(self.addr.port().to_string())
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.room.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server, which ./scripts/test installs");
        self.child = Some(child);
        let client = redis::Client::open(self.url()).unwrap();
        until("Redis is ready", async || {
            let connection = client.get_connection();
            connection.is_ok_and(|mut c| redis::cmd("PING").query::<String>(&mut c).is_ok())
        })
        .await;
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.ask::<()>(&["FLUSHALL"]);
    }

    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let (name, arguments) = words.split_first().unwrap();
        let mut command = redis::cmd(name);
        command.arg(arguments);
        command.query(&mut connection).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It hangs: the kernel takes connections and nobody serves them.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
