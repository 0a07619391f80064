//! The service and the simulator behind it, each a process; both end with the test, however it ends.

#[path = "child.rs"]
mod child;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quest_clm::coach::Roster;
use quest_clm::turn::TurnRecord;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) use self::child::Process;
use crate::caller::{Call, Request, Response, Seen};
use crate::heard::Heard;
use crate::stored::stored;

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held by every service: their times are measured, so no two of them run at once.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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

/// The models and the memory that services call.
struct Simulator {
    addr: SocketAddr,
    openrouter: String,
    zep: String,
    _process: Process,
}

impl Simulator {
    async fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clm"));
        command
            .env_clear()
            .args(["simulate", "--port", "0", "--memory-ms", "2"])
            .args(["--first-token-ms", "5", "--gap-ms", "0"]);
        let process = Process::start(command);
        let after =
            |name: &'static str| move |line: &str| Some(line.split_once(name)?.1.trim().to_owned());
        let openrouter = process.told("the models' address", after("OPENROUTER_BASE_URL="));
        let openrouter = openrouter.await;
        let zep = process.told("the memory's address", after("ZEP_BASE_URL="));
        let zep = zep.await;
        let addr = openrouter.trim_start_matches("http://");
        let addr = addr.trim_end_matches("/api/v1").parse().unwrap();
        Self {
            addr,
            openrouter,
            zep,
            _process: process,
        }
    }
}

/// A service and how it was started, so that it can be started again.
pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    /// From its start until it listened.
    pub(crate) listened_after: Duration,
    process: Process,
    line: String,
    settings: Vec<(String, String)>,
    simulator: Arc<Simulator>,
    signals: Signals,
    data: TempDir,
    seen: Seen,
    _alone: Option<tokio::sync::MutexGuard<'static, ()>>,
}

impl Service {
    /// `clm serve` with these settings in front of `clm simulate`, which is quick. Memory is there
    /// for who sets its key.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_as("exec \"$0\" serve", settings).await
    }

    /// The same, started by this line of a shell.
    pub(crate) async fn start_as(line: &str, settings: &[(&str, &str)]) -> Self {
        let alone = ALONE.lock().await;
        let mut service = Self::start_among(line, settings).await;
        service._alone = Some(alone);
        service
    }

    /// The same, whoever else runs: its times are not measured closely.
    pub(crate) async fn start_among(line: &str, settings: &[(&str, &str)]) -> Self {
        let simulator = Arc::new(Simulator::start().await);
        Self::start_before(simulator, line, settings).await
    }

    /// Another one with a data directory of its own, before the same models.
    pub(crate) async fn another(&self, settings: &[(&str, &str)]) -> Self {
        Self::start_before(Arc::clone(&self.simulator), &self.line, settings).await
    }

    async fn start_before(
        simulator: Arc<Simulator>,
        line: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let settings = owned(settings);
        let data = tempfile::tempdir().unwrap();
        let running = run(line, &settings, &simulator, data.path()).await;
        Self {
            addr: running.addr,
            listened_after: running.listened_after,
            process: running.process,
            line: line.to_owned(),
            settings,
            simulator,
            signals: Signals::new(),
            data,
            seen: Seen::default(),
            _alone: None,
        }
    }

    /// Kills it, as a crash does: it has no time for another word. When that was.
    pub(crate) fn kill(&mut self) -> Instant {
        self.process.child.kill().unwrap();
        let at = Instant::now();
        self.process.child.wait().unwrap();
        at
    }

    /// Starts it as it was started, in the same data directory, after it has ended.
    pub(crate) async fn start_again(&mut self) {
        let running = run(
            &self.line,
            &self.settings,
            &self.simulator,
            self.data.path(),
        );
        let running = running.await;
        self.addr = running.addr;
        self.listened_after = running.listened_after;
        self.process = running.process;
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Kills it and starts another over the same data, with these settings.
    pub(crate) async fn kill_and_start(&mut self, settings: &[(&str, &str)]) {
        self.kill();
        self.settings = owned(settings);
        self.start_again().await;
    }

    /// Its second port, which `OPS_PORT` asked for.
    pub(crate) async fn ops_addr(&self) -> SocketAddr {
        let find = address("listening for operators");
        self.process.told("the second port", find).await
    }

    /// Where the models are.
    pub(crate) fn models(&self) -> &str {
        &self.simulator.openrouter
    }

    /// What the simulator has seen and stored.
    pub(crate) async fn ledger(&self) -> Value {
        let request = Request::get("/__ledger");
        let call = Call::begin(self.simulator.addr, &request, Seen::default()).await;
        call.response().await.json()
    }

    /// The ids of all turns that were heard of, oldest first.
    pub(crate) fn turns(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().cloned().collect()
    }

    /// Changes the simulator: its pace, or the faults of its next calls.
    pub(crate) async fn simulate(&self, options: &Value) {
        let request = Request::post("/__options", options);
        let call = Call::begin(self.simulator.addr, &request, Seen::default()).await;
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

    pub(crate) async fn ready(&self) -> u16 {
        self.send(&Request::get("/readyz")).await.status
    }

    /// What readiness says of everything it leans on.
    pub(crate) async fn readiness(&self) -> Value {
        let response = self.send(&Request::get("/readyz")).await;
        assert_eq!(response.status, 200, "degraded is not unready");
        response.json()
    }

    /// A metric, with its labels as they are written; 0 where it was never moved.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.send(&Request::get("/metrics")).await.text();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |v| v.parse().unwrap())
    }

    /// The lines of a metric, each with its labels.
    pub(crate) async fn metrics(&self, name: &str) -> Vec<String> {
        let text = self.send(&Request::get("/metrics")).await.text();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(str::to_owned).collect()
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

    /// The exit code, once there is one and all that was logged is read.
    pub(crate) async fn ended(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.child.try_wait().unwrap()
                && self.process.is_read()
            {
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

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    settings.collect()
}

/// A process of the service that listens.
struct Running {
    process: Process,
    addr: SocketAddr,
    listened_after: Duration,
}

async fn run(
    line: &str,
    settings: &[(String, String)],
    simulator: &Simulator,
    data: &Path,
) -> Running {
    let mut command = Command::new("sh");
    command
        .env_clear()
        .current_dir(data)
        .args(["-c", line, env!("CARGO_BIN_EXE_clm")])
        .envs([
            ("PORT", "0"),
            ("WORKERS", "2"),
            ("PRACTICE", "false"),
            ("LOG_FORMAT", "json"),
            ("OPEN_ROUTER_API_KEY", "or-test"),
            ("OPENROUTER_BASE_URL", &simulator.openrouter),
            ("ZEP_BASE_URL", &simulator.zep),
        ])
        .env("DATA_DIR", data)
        .envs(settings.iter().map(|(name, value)| (name, value)));
    let began = Instant::now();
    let process = Process::start(command);
    let addr = process
        .told("the service's address", address("listening"))
        .await;
    Running {
        process,
        addr,
        listened_after: began.elapsed(),
    }
}

/// The address in the log line that says this.
fn address(message: &'static str) -> impl Fn(&str) -> Option<SocketAddr> {
    move |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_it = line["message"] == message && line["target"] == "clm::app";
        is_it.then(|| line["addr"].as_str().unwrap().parse().unwrap())
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
