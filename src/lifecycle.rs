//! How the process lives and dies: the only place that spawns.
//!
//! Three tokens. *Leaving*: whoever chooses among machines is to choose another, what still comes is taken. *Soft*: take
//! nothing new, finish what runs. *Hard*: end what still runs, politely.
//! Whatever was spawned here is waited for by [`Lifecycle::drained`], within the caller's deadline.

use std::future::Future;
use std::io;
use std::sync::LazyLock;
use std::thread;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Niceness 0, as `thread-priority` has it: of a hundred, the other way round.
const ORDINARY: u8 = 47;

/// A cloneable handle on the process's life.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    leaving: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    background: Handle,
}

impl Lifecycle {
    /// Binds to the runtime that background work shall run on: the current one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        Self {
            leaving: CancellationToken::new(),
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tracker: TaskTracker::new(),
            background: Handle::current(),
        }
    }

    /// Cancelled when nothing new may begin.
    #[must_use]
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when what still runs must end.
    #[must_use]
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Tells everybody to go elsewhere; who does not know yet is still taken in.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Whether new work is wanted: no longer so once the service leaves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.leaving.is_cancelled() && self.is_open()
    }

    /// Whether new work may begin.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.soft.is_cancelled()
    }

    /// Runs `task` on the background runtime, from whichever thread this is called.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn_on(task, &self.background)
    }

    /// Runs `task` on this worker's own thread: for what holds this thread's connections.
    pub fn spawn_here<F>(&self, task: F)
    where
        F: Future<Output = ()> + 'static,
    {
        self.tracker.spawn_local(task);
    }

    /// Runs blocking `work` on the background runtime's blocking threads, in no real-time class.
    pub fn spawn_blocking<F, R>(&self, work: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let work = || {
            leave_real_time();
            work()
        };
        self.tracker.spawn_blocking_on(work, &self.background)
    }

    /// Runs `work` on a named thread of its own that [`Lifecycle::drained`] waits for.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn_thread<F>(&self, name: &str, work: F) -> io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let alive: TaskTrackerToken = self.tracker.token();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                work();
                drop(alive);
            })?;
        Ok(())
    }

    /// Resolves when all that was spawned has ended. New tasks may still come until then.
    ///
    /// # Cancellation
    /// Safe: dropping the wait stops waiting, nothing else.
    pub async fn drained(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Lets whoever speaks go first, from within work that nobody waits for: on a machine with no processor to
/// spare, a turn's words would else wait until all of a batch is done. Never from a thread that carries turns.
pub fn give_way() {
    thread::yield_now();
}

/// Takes this thread out of a real-time class, where the service runs in one: only threads that carry turns belong
/// there. Said with each piece of work, as whoever started the service may put all of its threads into a class
/// at any time. In the normal class it stands as any other. Where the system refuses, or the service is nice as
/// a whole, it stays where it was.
pub fn leave_real_time() {
    static IS_ORDINARY: LazyLock<bool> = LazyLock::new(|| standing("self", NICENESS) == 0);
    let normal = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    if let Ok(ordinary) = ORDINARY.try_into().map(ThreadPriority::Crossplatform)
        && *IS_ORDINARY
    {
        let _ = set_thread_priority_and_policy(thread_native_id(), ordinary, normal);
    }
}

/// Fields of a thread's `stat` behind its name, counted from nought: `proc(5)`'s nineteenth.
const NICENESS: usize = 16;

/// How a thread of this process stands, as the system tells it; 0 where it does not.
fn standing(thread: &str, field: usize) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).unwrap_or_default();
    // The name may have any character in it.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
    let told = fields.and_then(|fields| fields.split(' ').nth(field));
    told.and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drained_waits_for_tasks_and_threads() {
        let life = Lifecycle::new();
        let (tx, rx) = std::sync::mpsc::sync_channel::<()>(1);
        let soft = life.soft().clone();
        life.spawn(async move { soft.cancelled().await });
        life.spawn_thread("waits", move || {
            let _ = rx.recv();
        })
        .unwrap();
        let wait = life.drained();
        tokio::pin!(wait);
        assert!(futures::poll!(&mut wait).is_pending());
        life.soft().cancel();
        tx.send(()).unwrap();
        wait.await;
        assert!(!life.is_open());
    }

    /// `proc(5)`'s forty-first: 0 is the normal class, 3 the one for batches, which anybody may enter.
    const POLICY: usize = 38;

    #[tokio::test]
    async fn blocking_work_is_in_the_normal_class_whatever_the_rest_is_put_into() {
        let life = Lifecycle::new();
        let own = standing("thread-self", NICENESS);
        let seen = life.spawn_blocking(|| {
            let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
            let ordinary = ThreadPriority::Crossplatform(ORDINARY.try_into().unwrap());
            set_thread_priority_and_policy(thread_native_id(), ordinary, batch).unwrap();
            let put = standing("thread-self", POLICY);
            leave_real_time();
            let fields = [POLICY, NICENESS].map(|field| standing("thread-self", field));
            (put, fields)
        });
        assert_eq!(seen.await.unwrap(), (3, [0, own]));
    }
}
