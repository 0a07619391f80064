//! A future that is polled only when something has woken it. A stream's task is polled for every token and
//! once more to hear that there is no other; what only ever happens once in a turn (its deadline, a newer
//! request, the end of the service) need not be asked each time whether it has.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Tells whether there is a reason to poll.
#[derive(Debug)]
pub struct Doze {
    /// Whoever polled last, as the alarm knows it too.
    sleeper: Option<Waker>,
    alarm: Arc<Alarm>,
    /// The alarm, as what is polled knows it.
    waker: Waker,
}

#[derive(Debug)]
struct Alarm {
    rang: AtomicBool,
    /// Kept when it rings: were it taken, a poll between the ring and the taking would go back to sleep with
    /// nobody to wake it.
    sleeper: Mutex<Option<Waker>>,
}

impl Alarm {
    fn wakes(&self, sleeper: Waker) {
        let mut held = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        let old = held.replace(sleeper);
        // A waker may take its task with it, and that this alarm.
        drop(held);
        drop(old);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        let held = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        let sleeper = held.clone();
        drop(held);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}

impl Default for Doze {
    /// Awake: what was never polled has to be once.
    fn default() -> Self {
        let alarm = Arc::new(Alarm {
            rang: AtomicBool::new(true),
            sleeper: Mutex::new(None),
        });
        Self {
            sleeper: None,
            waker: Waker::from(Arc::clone(&alarm)),
            alarm,
        }
    }
}

impl Doze {
    /// Polls where there is a reason to; without one it is as pending as it was. Either way whoever polls
    /// here is woken when there is one.
    pub fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let is_known = self
            .sleeper
            .as_ref()
            .is_some_and(|sleeper| sleeper.will_wake(cx.waker()));
        if is_known && !self.alarm.rang.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // Before the alarm is switched off: what rings in between wakes whoever polls.
        if !is_known {
            self.sleeper = Some(cx.waker().clone());
            self.alarm.wakes(cx.waker().clone());
        }
        match self.alarm.rang.swap(false, Ordering::AcqRel) {
            true => poll(&mut Context::from_waker(&self.waker)),
            false => Poll::Pending,
        }
    }

    /// A reason to poll that wakes nobody by itself, for whoever is about to poll again.
    pub fn rouse(&self) {
        self.alarm.rang.store(true, Ordering::Release);
    }
}

/// The same future, polled only when it was woken.
///
/// # Cancellation
/// As that of the future.
pub async fn dozing<F: Future>(future: F) -> F::Output {
    let mut doze = Doze::default();
    let mut future = pin!(future);
    poll_fn(|cx| doze.poll(cx, |cx| future.as_mut().poll(cx))).await
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for what it spawned"
)]
mod tests {
    use std::cell::Cell;
    use std::sync::Barrier;
    use std::time::Duration;

    use futures::FutureExt as _;
    use tokio::sync::oneshot;
    use tokio::time::sleep;

    use super::*;

    const ROUNDS: usize = 5_000;

    #[tokio::test(start_paused = true)]
    async fn it_is_polled_when_woken_and_not_with_its_neighbours() {
        let polls = Cell::new(0);
        let (sender, receiver) = oneshot::channel();
        let mut receiver = pin!(receiver);
        let counted = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            receiver.as_mut().poll(cx)
        });
        let mut dozing = pin!(dozing(counted));
        // A neighbour that is woken ten times, each of which polls both.
        for _ in 0..10 {
            tokio::select! {
                biased;
                _ = &mut dozing => panic!("nobody told"),
                () = sleep(Duration::from_millis(1)) => {}
            }
        }
        assert_eq!(polls.get(), 1);
        sender.send(7).unwrap();
        assert_eq!(dozing.await, Ok(7));
        assert_eq!(polls.get(), 2);
    }

    #[tokio::test]
    async fn whoever_polls_last_is_woken_also_from_another_thread() {
        for _ in 0..1000 {
            let (sender, receiver) = oneshot::channel();
            let mut dozing = Box::pin(dozing(receiver));
            // Polled by another task first.
            assert!((&mut dozing).now_or_never().is_none());
            let told = std::thread::spawn(move || sender.send(()));
            assert_eq!(dozing.await, Ok(()));
            told.join().unwrap().unwrap();
        }
    }

    /// Whoever polls, told that it is woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// It is polled without a pause, for its neighbours' sake, while another thread rings: however the two
    /// fell together, the next ring is heard.
    #[test]
    fn a_ring_in_the_middle_of_a_poll_leaves_it_awakable() {
        let woken = Arc::new(Woken::default());
        let sleeper = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&sleeper);
        let together = Barrier::new(2);
        let mut doze = Doze::default();
        let mut poll = || doze.poll(&cx, |cx| Poll::Ready(cx.waker().clone()));
        let Poll::Ready(alarm) = poll() else {
            panic!("what was never polled is polled");
        };
        // Told at the end: in the middle the other thread would wait for ever.
        let (mut missed, mut idle) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 * ROUNDS {
                    together.wait();
                    alarm.wake_by_ref();
                    together.wait();
                }
            });
            for _ in 0..ROUNDS {
                together.wait();
                while poll().is_pending() {}
                together.wait();
                // What that ring left to be polled for.
                let _ = poll();
                woken.0.store(false, Ordering::Release);
                together.wait();
                together.wait();
                missed += usize::from(!woken.0.load(Ordering::Acquire));
                idle += usize::from(poll().is_pending());
            }
        });
        assert_eq!(
            (missed, idle),
            (0, 0),
            "rings that woke nobody, polls that came to nothing"
        );
    }

    #[test]
    fn it_can_be_roused() {
        let mut doze = Doze::default();
        let cx = Context::from_waker(Waker::noop());
        let polled = |doze: &mut Doze| doze.poll(&cx, |_| Poll::Ready(())).is_ready();
        assert!(polled(&mut doze) && !polled(&mut doze));
        doze.rouse();
        assert!(polled(&mut doze));
    }
}
