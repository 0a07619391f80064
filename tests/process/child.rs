//! A child process that is read line by line and ends with the test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use quest_clm::lifecycle::Lifecycle;

use super::until;

/// A child whose standard error is read line by line, until it is told to fall deaf.
pub(crate) struct Process {
    pub(super) child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub(super) is_deaf: Arc<AtomicBool>,
    /// Dropped, it lets a deaf reader go.
    _hold: mpsc::SyncSender<()>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
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

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Whether all there is to read was read: at the end its reader lets go of the lines.
    pub(super) fn is_read(&self) -> bool {
        self.is_deaf.load(Ordering::Relaxed) || Arc::strong_count(&self.lines) == 1
    }

    /// What `find` makes of the first line it makes anything of.
    pub(super) async fn told<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
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
