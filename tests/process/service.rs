//! The service and the simulator behind it, each a process; both end with the test, however it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use quest_clm::coach::Roster;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::turn::TurnRecord;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::caller::{Call, Request, Response, Seen};
use crate::heard::Heard;
use crate::stored::stored;

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held by every service: their times are measured, so no two of them run at once.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A child whose standard error is read line by line, until it is told to fall deaf.
struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    is_deaf: Arc<AtomicBool>,
    /// Dropped, it lets a deaf reader go.
    _hold: mpsc::SyncSender<()>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let is_deaf = Arc::<AtomicBool>::default();
        let (hold, held) = mpsc::sync_channel(1);
        let stderr = child.stderr.take().unwrap();
        let reading = (Arc::clone(&lines), Arc::clone(&is_deaf));
        let read = move || read(stderr, &reading.0, &reading.1, &held);
        Lifecycle::new().spawn_thread("reader", read).unwrap();
        Self {
            child,
            lines,
            is_deaf,
            _hold: hold,
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// What `find` makes of the first line it makes anything of.
    async fn told<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        until(what, async || self.lines().iter().find_map(|l| find(l))).await
    }
}

fn read(
    stderr: ChildStderr,
    lines: &Mutex<Vec<String>>,
    is_deaf: &AtomicBool,
    held: &mpsc::Receiver<()>,
) {
    let mut stderr = BufReader::new(stderr).lines();
    while !is_deaf.load(Ordering::Relaxed) {
        match stderr.next() {
            Some(Ok(line)) => lines.lock().unwrap().push(line),
            _ => return,
        }
    }
    // The pipe stays open, and nobody reads it.
    let _ = held.recv();
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends signals: a shell that does nothing else, since its `kill` is built in and costs no process.
pub(crate) struct Signals(Child);

impl Signals {
    pub(crate) fn new() -> Self {
        let shell = Command::new("sh").stdin(Stdio::piped()).spawn();
        Self(shell.unwrap())
    }

    pub(crate) fn send(&mut self, name: &str, to: u32) {
        let shell = self.0.stdin.as_mut().unwrap();
        shell
            .write_all(format!("kill -{name} {to}\n").as_bytes())
            .unwrap();
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    process: Process,
    /// The simulated OpenRouter.
    url: String,
    simulator: SocketAddr,
    signals: Signals,
    data: TempDir,
    seen: Seen,
    _simulator: Process,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

impl Service {
    /// `clm serve` with these settings in front of `clm simulate`, which is quick.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_as("exec \"$0\" serve", settings).await
    }

    /// The same, started by this line of a shell.
    pub(crate) async fn start_as(line: &str, settings: &[(&str, &str)]) -> Self {
        let alone = ALONE.lock().await;
        let clm = env!("CARGO_BIN_EXE_clm");
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(clm);
        command
            .env_clear()
            .current_dir(data.path())
            .args(["simulate", "--port", "0"])
            .args(["--first-token-ms", "5", "--gap-ms", "0"]);
        let simulator = Process::start(command);
        let url = simulator
            .told("the simulator's address", |line| {
                Some(line.split_once("OPENROUTER_BASE_URL=")?.1.to_owned())
            })
            .await;
        let process = serve(line, &url, data.path(), settings);
        let addr = listening(&process).await;
        let simulator_addr = url
            .trim_start_matches("http://")
            .trim_end_matches("/api/v1")
            .parse()
            .unwrap();
        Self {
            addr,
            process,
            url,
            simulator: simulator_addr,
            signals: Signals::new(),
            data,
            seen: Seen::default(),
            _simulator: simulator,
            _alone: alone,
        }
    }

    /// Kills it, with no time to do anything about it, and starts another over the same data.
    pub(crate) async fn kill_and_start(&mut self, settings: &[(&str, &str)]) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
        let line = "exec \"$0\" serve";
        self.process = serve(line, &self.url, self.data.path(), settings);
        self.addr = listening(&self.process).await;
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// What the simulator has seen and stored.
    pub(crate) async fn ledger(&self) -> Value {
        let request = Request::get("/__ledger");
        let call = Call::begin(self.simulator, &request, Seen::default()).await;
        call.response().await.json()
    }

    /// Changes the simulator: its pace, or the faults of its next calls.
    pub(crate) async fn simulate(&self, options: &Value) {
        let request = Request::post("/__options", options);
        let call = Call::begin(self.simulator, &request, Seen::default()).await;
        assert_eq!(call.response().await.status, 200);
    }

    pub(crate) async fn call(&self, request: &Request) -> Call {
        Call::begin(self.addr, request, Arc::clone(&self.seen)).await
    }

    pub(crate) async fn send(&self, request: &Request) -> Response {
        self.call(request).await.response().await
    }

    /// One turn of a session, heard whole.
    pub(crate) async fn say(&self, session: &str, words: &str) -> Heard {
        Heard::strictly(self.send(&Request::hume(session, words)).await)
    }

    /// Begins so many streams, each with its head out.
    pub(crate) async fn streams(&self, count: usize) -> Vec<Call> {
        let mut calls = Vec::new();
        for n in 0..count {
            let request = Request::hume(&format!("stream-{n}"), "Hello");
            calls.push(self.call(&request).await);
        }
        for call in &mut calls {
            call.head().await;
        }
        calls
    }

    /// The ids of all turns that were heard of, oldest first.
    pub(crate) fn turns(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().cloned().collect()
    }

    pub(crate) async fn ready(&self) -> u16 {
        self.send(&Request::get("/readyz")).await.status
    }

    /// A metric, with its labels as they are written; 0 where it was never moved.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.send(&Request::get("/metrics")).await.text();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |v| v.parse().unwrap())
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let pid = self.pid();
        self.signals.send(name, pid);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// The log lines that were read.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// From now on nobody reads the log.
    pub(crate) fn fall_deaf(&self) {
        self.process.is_deaf.store(true, Ordering::Relaxed);
    }

    /// The exit code, once there is one.
    pub(crate) async fn ended(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.child.try_wait().unwrap() {
                return status.code().expect("an exit, not a death by signal");
            }
            assert!(began.elapsed() < PATIENCE, "it never ended");
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// All turns in the store of a service that has ended, each at most once, and each that was
    /// heard of at least once.
    pub(crate) async fn records(&self) -> Vec<TurnRecord> {
        let records = stored(self.data.path()).await;
        for turn in self.seen.lock().unwrap().iter() {
            let times = records.iter().filter(|r| r.turn_id == *turn).count();
            assert_eq!(times, 1, "turn {turn} recorded once");
        }
        records
    }
}

/// The service, started by this line of a shell.
fn serve(line: &str, url: &str, data: &Path, settings: &[(&str, &str)]) -> Process {
    let mut command = Command::new("sh");
    command
        .env_clear()
        .current_dir(data)
        .args(["-c", line, env!("CARGO_BIN_EXE_clm")])
        .envs([
            ("PORT", "0"),
            ("WORKERS", "2"),
            ("LOG_FORMAT", "json"),
            ("OPEN_ROUTER_API_KEY", "or-test"),
            ("OPENROUTER_BASE_URL", url),
            ("ZEP_BASE_URL", &url.replace("/api/v1", "/api/v2")),
        ])
        .env("DATA_DIR", data)
        .envs(settings.iter().copied());
    Process::start(command)
}

async fn listening(process: &Process) -> SocketAddr {
    process
        .told("the service's address", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let is_it = line["message"] == "listening" && line["target"] == "clm::app";
            is_it.then(|| line["addr"].as_str().unwrap().parse().unwrap())
        })
        .await
}

/// Asks again every few milliseconds until there is an answer; fails when there never is.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// The time that nine of ten keep to: one wake-up that a busy machine delayed proves nothing.
pub(crate) fn nine_of_ten(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 9 / 10 - 1]
}

pub(crate) fn is_busy_line(text: &str) -> bool {
    let roster = Roster::built_in().unwrap();
    let mut lines = roster.iter().flat_map(|coach| &coach.busy_lines);
    lines.any(|line| line == text)
}

pub(crate) fn is_fallback_line(text: &str) -> bool {
    let roster = Roster::built_in().unwrap();
    let mut lines = roster.iter().flat_map(|coach| &coach.fallback_lines);
    lines.any(|line| line == text)
}
