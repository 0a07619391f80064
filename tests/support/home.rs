//! What the servers of one test process have in common: a directory, a user, and somebody who
//! clears up after a test process that could not.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

static HOME: OnceLock<Home> = OnceLock::new();

pub(super) struct Home {
    dir: PathBuf,
    /// PostgreSQL does not run as root: then somebody else owns and runs the servers.
    user: Option<User>,
    janitor: Janitor,
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// The one of this process.
pub(super) fn home() -> &'static Home {
    HOME.get_or_init(Home::new)
}

impl Home {
    fn new() -> Self {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        // Not where TMPDIR points: the servers' user may not get there, and the path of a Unix
        // socket has to be short. It is the janitor who removes it, since a static is never dropped.
        let dir = tempfile::Builder::new()
            .prefix("clm-tests-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        let home = Self {
            user: is_root.then(User::find),
            janitor: Janitor::hire(&dir),
            dir,
        };
        home.give(&home.dir);
        home
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn janitor(&self) -> &Janitor {
        &self.janitor
    }

    /// A directory for one server, which goes with it.
    pub(super) fn room(&self, prefix: &str) -> TempDir {
        let room = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(&self.dir)
            .unwrap();
        self.give(room.path());
        room
    }

    /// Makes the servers' user the owner.
    pub(super) fn give(&self, path: &Path) {
        if let Some(user) = self.user {
            chown(path, Some(user.uid), Some(user.gid)).unwrap();
        }
    }

    /// A program as the servers' user, with nothing of our environment: a `PGPORT` of the
    /// developer's own would be obeyed.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={}", user.uid))
                    .arg(format!("--regid={}", user.gid))
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir(&self.dir);
        command
    }
}

impl User {
    /// Who runs the servers when we are root: PostgreSQL's own user, if the package made one.
    fn find() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let user = |name: &str| {
            let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
            let mut ids = line.split(':').skip(2).map(str::parse);
            let (uid, gid) = (ids.next()?.ok()?, ids.next()?.ok()?);
            Some(Self { uid, gid })
        };
        user("postgres")
            .or_else(|| user("nobody"))
            .expect("a user who is not root, to run PostgreSQL")
    }
}

/// Where the shell would find a program.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let mut shell = Command::new("sh");
    let found = shell.args(["-c", "command -v \"$0\"", program]).output();
    let found = found.unwrap();
    let path = String::from_utf8(found.stdout).ok()?;
    found.status.success().then(|| path.trim().into())
}

/// A process that outlives the tests, whichever way they end: when the pipe from them closes, it
/// ends what they left running and removes their directory.
///
/// Not `PR_SET_PDEATHSIG`: that fires when the *thread* that spawned a server ends, which is one
/// test and not the process, and it leaves the directory.
pub(crate) struct Janitor {
    pids: PathBuf,
    /// Waits for the end of its standard input, which no other process inherits.
    _process: Child,
}

impl Janitor {
    pub(crate) fn hire(dir: &Path) -> Self {
        let pids = dir.join("pids");
        fs::create_dir(&pids).unwrap();
        let process = Command::new("sh")
            .args(["-c", include_str!("janitor.sh"), "janitor"])
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, or Ctrl-C would end it along with the tests.
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            pids,
            _process: process,
        }
    }

    /// A process that must not outlive the tests.
    pub(crate) fn watch(&self, pid: u32) {
        fs::write(self.pids.join(pid.to_string()), "").unwrap();
    }

    /// It has ended and was waited for: its number may be somebody else's now.
    pub(crate) fn forget(&self, pid: u32) {
        let _ = fs::remove_file(self.pids.join(pid.to_string()));
    }
}

/// A port that is ours from now on, also while nothing listens: a socket that is bound and does not
/// listen keeps the kernel from giving it to others, and lets whoever says `SO_REUSEADDR` listen.
pub(crate) struct Port {
    addr: SocketAddr,
    _held: Socket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            addr,
            _held: socket,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}
