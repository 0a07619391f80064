//! The server and the simulated models behind it, each a process, each on a processor of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Of a process' times in `/proc`: a second has so many.
const TICKS: u64 = 100;

/// Both processes; they end with it.
pub(crate) struct House {
    pub(crate) served: SocketAddr,
    pub(crate) direct: SocketAddr,
    server: Child,
    simulator: Child,
    _data: TempDir,
}

impl House {
    pub(crate) async fn start(slow: usize) -> Self {
        // A caller and its call to the model take two files of the server.
        let files = format!("--nofile={}:", 4 * slow + 1_024);
        let here = std::process::id().to_string();
        ran(Command::new("prlimit").args(["--pid", &here, &files]));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let is_split = processors > 1;
        if is_split {
            ran(Command::new("taskset")
                .args(["-cp", "0", &here])
                .stdout(Stdio::null()));
        } else {
            println!("one processor for all: the figures mean little");
        }
        let data = tempfile::tempdir().unwrap();
        let (served, direct) = (free(), free());
        let simulator = command(is_split, "0", data.path())
            .args(["simulate", "--first-token-ms", "20", "--gap-ms", "5"])
            .args(["--memory-ms", "5", "--port", &direct.port().to_string()])
            .spawn()
            .unwrap();
        let server = command(is_split, "1", data.path())
            .arg("serve")
            .envs([
                ("PORT", served.port().to_string()),
                ("WORKERS", "1".to_owned()),
                ("OPEN_ROUTER_API_KEY", "simulated".to_owned()),
                ("OPENROUTER_BASE_URL", format!("http://{direct}/api/v1")),
                ("ZEP_API_KEY", "simulated".to_owned()),
                ("ZEP_BASE_URL", format!("http://{direct}/api/v2")),
                // Who reads slowly speaks of a promotion, and hears more than all buffers hold.
                ("COACH_MODEL_CAREER", "sim/flood".to_owned()),
                ("DAILY_BUDGET_USD", "100000".to_owned()),
            ])
            .spawn()
            .unwrap();
        let house = Self {
            served,
            direct,
            server,
            simulator,
            _data: data,
        };
        for addr in [direct, served] {
            house.answers(addr).await;
        }
        house
    }

    async fn answers(&self, addr: SocketAddr) {
        for _ in 0..500 {
            if TcpStream::connect(addr).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("nobody listens on {addr}");
    }

    /// Processor time that the server has used so far.
    pub(crate) fn busy(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.id())).unwrap();
        // After the name, which is in brackets: state, ten others, user time, system time.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let times = rest.split_whitespace().skip(11).take(2);
        let ticks: u64 = times.map(|t| t.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1_000 / TICKS)
    }

    /// How many turns the server says are open.
    pub(crate) async fn turns_open(&self) -> usize {
        let mut socket = TcpStream::connect(self.served).await.unwrap();
        let asked = b"GET /metrics HTTP/1.1\r\nhost: clm\r\nconnection: close\r\n\r\n";
        socket.write_all(asked).await.unwrap();
        let mut page = String::new();
        socket.read_to_string(&mut page).await.unwrap();
        let mut lines = page.lines();
        let open = lines.find_map(|line| line.strip_prefix("clm_inflight "));
        open.expect("a gauge of open turns").trim().parse().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.simulator] {
            // One that has ended already cannot be killed, and that is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(is_split: bool, processor: &str, data: &Path) -> Command {
    let clm = env!("CARGO_BIN_EXE_clm");
    let mut command = if is_split {
        let mut command = Command::new("taskset");
        command.args(["-c", processor, clm]);
        command
    } else {
        Command::new(clm)
    };
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .env("DATA_DIR", data)
        .env("LOG_FORMAT", "json")
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn ran(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|s| s.success()), "{command:?}");
}

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
