//! A private PostgreSQL: one that tests share, each with a database of its own, or one for a test
//! that breaks it.

mod disk;
mod setup;
mod template;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};
use uuid::Uuid;

use super::Port;
use super::daemon::Daemon;
use super::home::home;
pub(crate) use setup::{Auth, Setup};
use template::Template;

/// Who owns the databases: no superuser, since none is who the service should be.
const USER: &str = "clm";
const PASSWORD: &str = "secret";

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

pub(crate) struct Postgres {
    daemon: Daemon,
    port: Port,
    auth: Auth,
    /// Databases that nobody uses any longer.
    left: Arc<Mutex<Vec<String>>>,
    /// After the daemon, which is in it.
    room: TempDir,
}

impl Postgres {
    /// The one of this process, which nobody may break.
    pub(crate) async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    /// One of the test's own.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let room = home().room("pg-");
        let port = Port::reserve();
        let command = setup.prepare(room.path(), port.addr().port()).await;
        let mut postgres = Self {
            daemon: Daemon::new("PostgreSQL", command, room.path().join("log")),
            port,
            auth: setup.auth,
            left: Arc::default(),
            room,
        };
        postgres.start_again().await;
        if setup.auth == Auth::Md5 {
            let sql =
                format!("set password_encryption = 'md5'; alter role {USER} password '{PASSWORD}'");
            postgres.admin(&sql).await.unwrap();
        }
        postgres
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The URL of a database that is there from the beginning.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres", self.addr())
    }

    /// Its URL by another way, such as a proxy.
    pub(crate) fn url_at(&self, addr: SocketAddr) -> String {
        self.url_of("postgres", addr)
    }

    fn url_of(&self, database: &str, addr: SocketAddr) -> String {
        let who = match self.auth {
            Auth::Trust => USER.to_owned(),
            Auth::Md5 | Auth::Scram => format!("{USER}:{PASSWORD}"),
        };
        format!("postgres://{who}@{addr}/{database}")
    }

    /// A database of the test's own, empty.
    pub(crate) async fn database(&self) -> Database {
        let name = format!("t{}", Uuid::now_v7().simple());
        let left = std::mem::take(&mut *self.left.lock().unwrap());
        for name in left {
            let sql = format!("drop database {name} with (force)");
            self.admin(&sql).await.unwrap();
        }
        let sql = format!("create database {name} owner {USER}");
        self.admin(&sql).await.unwrap();
        Database {
            url: self.url_of(&name, self.addr()),
            addr: self.addr(),
            name,
            left: Arc::clone(&self.left),
        }
    }

    /// As the superuser, past the password, TLS and a read-only default: for what a test arranges.
    /// The statements run one by one.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(crate) async fn admin(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut config = Config::new();
        config
            .host_path(self.room.path())
            .port(self.port.addr().port())
            .user("postgres")
            .dbname("postgres")
            .options("-c default_transaction_read_only=off");
        ask_with(&config, sql).await
    }

    /// Signs the certificate that TLS is offered with: a file in PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.room.path().join(setup::AUTHORITY)
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// A fast shutdown: clients are told, and disconnected.
    pub(crate) async fn stop(&mut self) {
        self.daemon.stop().await;
    }

    /// As a power cut, but for what the operating system had not yet written.
    pub(crate) async fn kill(&mut self) {
        self.daemon.kill().await;
    }

    /// The server with all its backends hangs: connections stay, and new ones are made and ignored.
    pub(crate) async fn pause(&mut self) {
        self.daemon.pause().await;
    }

    pub(crate) fn resume(&mut self) {
        self.daemon.resume();
    }

    /// On the same port, with the same data.
    pub(crate) async fn start_again(&mut self) {
        let mut config = Config::new();
        config
            .host_path(self.room.path())
            .port(self.port.addr().port())
            .user("postgres")
            .dbname("postgres");
        let is_ready = async || ask_with(&config, "select 1").await.is_ok();
        self.daemon.start(is_ready).await;
    }

    /// From now on no file of a server with [`Setup::fillable_disk`] can grow.
    pub(crate) fn fill_disk(&self) {
        disk::fill(self.room.path());
    }

    pub(crate) fn free_disk(&self) {
        disk::free(self.room.path());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed and never started again, it has left a few bytes of System V shared memory, of
        // which a machine has only so many pieces. Its own end would have removed them.
        if !self.daemon.is_running()
            && let Ok(pid) = fs::read_to_string(self.room.path().join("data/postmaster.pid"))
            && let Some(id) = pid.lines().nth(6).and_then(|l| l.split_whitespace().nth(1))
        {
            let _ = Command::new("ipcrm").args(["-m", id]).output();
        }
    }
}

/// One database, which goes when the next one is made.
pub(crate) struct Database {
    url: String,
    addr: SocketAddr,
    name: String,
    left: Arc<Mutex<Vec<String>>>,
}

impl Database {
    /// One on the shared server.
    pub(crate) async fn fresh() -> Self {
        Postgres::shared().await.database().await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where its server listens: for a proxy.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// All of it, as `pg_dump` writes it for `pg_restore`: the bytes of a file.
    pub(crate) async fn dumped(&self) -> Vec<u8> {
        let program = Template::get().await.program("pg_dump");
        let dump = Command::new(program)
            .args(["--format=custom", &self.url])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&dump.stderr);
        assert!(dump.status.success(), "{said}");
        dump.stdout
    }

    /// Takes in what another one was dumped as.
    pub(crate) async fn restore(&self, file: &Path) {
        let program = Template::get().await.program("pg_restore");
        let restored = Command::new(program)
            .args(["--no-owner", "--exit-on-error", "--dbname", &self.url])
            .arg(file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&restored.stderr);
        assert!(restored.status.success(), "{said}");
    }

    /// Its URL by another way, such as a proxy.
    pub(crate) fn url_at(&self, addr: SocketAddr) -> String {
        let (from, to) = (self.addr.to_string(), addr.to_string());
        self.url.replace(&from, &to)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        self.left.lock().unwrap().push(name);
    }
}

/// The first column of what statements give, asked over a connection of their own.
///
/// # Errors
/// When there is no connection, or PostgreSQL refuses.
pub(crate) async fn ask(url: &str, sql: &str) -> Result<Vec<String>, Error> {
    ask_with(&url.parse()?, sql).await
}

async fn ask_with(config: &Config, sql: &str) -> Result<Vec<String>, Error> {
    connected(config, async |client| rows(client, sql).await).await?
}

/// The first column of what statements give.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.collect())
}

/// Does something over one connection, which ends with it.
///
/// # Errors
/// When there is no connection.
pub(crate) async fn connected<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Client) -> T,
) -> Result<T, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // What ends the connection fails the work as well, by way of the client.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        done = work(&client) => Ok(done),
        () = driven => unreachable!("it is pending"),
    }
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file())
}
