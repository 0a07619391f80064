//! A server as a process of the test's own, and what can befall it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::home::home;
use super::until;

pub(super) struct Daemon {
    name: &'static str,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    /// Not yet running. It writes its log to `log`.
    pub(super) fn new(name: &'static str, mut command: Command, log: PathBuf) -> Self {
        let out = File::options().create(true).append(true).open(&log);
        let out = out.unwrap();
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            // A group of its own: Ctrl-C is for the tests.
            .process_group(0);
        Self {
            name,
            command,
            log,
            child: None,
        }
    }

    /// Starts it and waits until it is ready.
    pub(super) async fn start(&mut self, mut is_ready: impl AsyncFnMut() -> bool) {
        let (name, log) = (self.name, &self.log);
        assert!(self.child.is_none(), "{name} runs already");
        let child = self.child.insert(self.command.spawn().unwrap());
        home().janitor().watch(child.id());
        until(&format!("{name} is ready"), async || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = fs::read_to_string(log).unwrap();
                panic!("{name} did not start: {status}\n{log}");
            }
            is_ready().await
        })
        .await;
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(super) fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    fn pid(&self) -> u32 {
        let child = self.child.as_ref();
        child.expect("a server that was started").id()
    }

    /// Ends it the ordinary way: it says goodbye to its clients.
    pub(super) async fn stop(&mut self) {
        let pid = self.pid();
        self.resume();
        signal("INT", &[pid]);
        until(&format!("{} stops", self.name), async || !self.is_running()).await;
        self.ended();
    }

    /// Ends it and its children as a power cut does: none has the time to say a word, as a backend
    /// does that sees its postmaster die.
    pub(super) async fn kill(&mut self) {
        let family = self.freeze().await;
        signal("KILL", &family);
        until(&format!("{} dies", self.name), async || {
            !self.is_running() && family.iter().all(|pid| !lives(*pid))
        })
        .await;
        self.ended();
    }

    /// It stays there and does nothing, as if its machine hung: connections are taken by the kernel
    /// and never served.
    pub(super) async fn pause(&mut self) {
        self.freeze().await;
    }

    /// Stops it first, so that it forks no more, and then its children.
    async fn freeze(&self) -> Vec<u32> {
        let pid = self.pid();
        signal("STOP", &[pid]);
        until("it forks no more", async || !runs(pid)).await;
        let family = family(pid);
        signal("STOP", &family);
        until(&format!("{} pauses", self.name), async || {
            family.iter().all(|pid| !runs(*pid))
        })
        .await;
        family
    }

    pub(super) fn resume(&mut self) {
        signal("CONT", &family(self.pid()));
    }

    fn ended(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
            home().janitor().forget(child.id());
        }
    }
}

impl Drop for Daemon {
    /// The ordinary end, so that it takes its shared memory with it; the other one if that takes
    /// too long. Nothing panics in here: the test may be doing so already.
    fn drop(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        let family = family(child.id());
        signal("CONT", &family);
        signal("INT", &[child.id()]);
        for _ in 0..1000 {
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Its children too: one may have been deaf.
        let left: Vec<u32> = family.into_iter().filter(|pid| lives(*pid)).collect();
        signal("KILL", &left);
        self.ended();
    }
}

/// PostgreSQL's children are leaders of sessions of their own, so that a signal to its process group
/// would not reach them.
fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    // One that has ended already cannot be signalled, and that is as well.
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$@\"", "sh", name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

/// State and parent of a process.
fn status(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name stands before, in parentheses, and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Neither gone nor waiting to be buried.
fn lives(pid: u32) -> bool {
    status(pid).is_some_and(|(state, _)| !"ZX".contains(state))
}

/// Neither that nor stopped.
fn runs(pid: u32) -> bool {
    status(pid).is_some_and(|(state, _)| !"ZXT".contains(state))
}

/// A process and its children.
fn family(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| status(*child).is_some_and(|(_, parent)| parent == pid);
    [pid].into_iter().chain(pids.filter(is_child)).collect()
}
