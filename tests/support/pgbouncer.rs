//! A private PgBouncer: a pooler that gives a client a connection for one transaction.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::Port;
use super::daemon::Daemon;
use super::home::{find, home};
use super::postgres::{Postgres, ask};

pub(crate) struct PgBouncer {
    daemon: Daemon,
    port: Port,
    /// After the daemon, which is in it.
    _room: TempDir,
}

impl PgBouncer {
    /// In front of a server, with so many connections to it.
    pub(crate) async fn before(postgres: &Postgres, connections: usize) -> Self {
        // Debian keeps it where only root's path leads.
        let in_debian = Some(PathBuf::from("/usr/sbin/pgbouncer")).filter(|path| path.is_file());
        let program = find("pgbouncer").or(in_debian);
        let program = program.expect("pgbouncer is missing: ./scripts/test installs it");
        let room = home().room("pgbouncer-");
        let port = Port::reserve();
        let at = |name: &str| room.path().join(name);
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 100\n",
            postgres.addr().port(),
            port.addr().port(),
            at("users").display()
        );
        fs::write(at("settings"), settings).unwrap();
        fs::write(at("users"), "\"clm\" \"\"\n").unwrap();
        for name in ["settings", "users"] {
            home().give(&at(name));
        }
        let mut command = home().command(&program);
        command.arg(at("settings"));
        let mut pooler = Self {
            daemon: Daemon::new("PgBouncer", command, at("log")),
            port,
            _room: room,
        };
        let url = postgres.url_at(pooler.addr());
        let is_ready = async || ask(&url, "select 1").await.is_ok();
        pooler.daemon.start(is_ready).await;
        pooler
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }
}
