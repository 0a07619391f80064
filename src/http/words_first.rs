//! Where a turn's start lets the words of other turns go by. A start takes a few tenths of a millisecond of its
//! thread in all, and a word that has come in should not wait for so long.
//!
//! In order: who has waited longest goes on first. `tokio::task::yield_now` alone wakes its last caller first, and of
//! two requests of one session that are read in one round the older would end the newer.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::yield_now;

thread_local! {
    static ROUND: Arc<Round> = Arc::default();
}

/// Who goes on once this thread has done what is ready, in order.
#[derive(Default)]
struct Round(Mutex<Vec<Waker>>);

impl Round {
    fn take(&self) -> Vec<Waker> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wait(&self, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(waker.clone());
    }
}

impl Wake for Round {
    fn wake(self: Arc<Self>) {
        self.take().into_iter().for_each(Waker::wake);
    }
}

/// Waits until whatever is ready on this thread, and has come to its sockets, has had its turn.
///
/// # Cancellation
/// Safe.
pub(super) async fn words_first() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        let round = ROUND.with(Arc::clone);
        round.wait(cx.waker());
        // The runtime wakes the round, however many wait for it, after it has looked at its sockets.
        let round = Waker::from(round);
        let _ = pin!(yield_now()).poll(&mut Context::from_waker(&round));
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for what it spawned"
)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_is_ready_goes_first_and_then_whoever_came_first() {
        let (told, heard) = mpsc::channel();
        let turns = [1, 2, 3].map(|n| {
            let told = told.clone();
            tokio::spawn(async move {
                for round in 1..=3 {
                    words_first().await;
                    told.send((round, n)).unwrap();
                }
            })
        });
        let words = tokio::spawn(async move { told.send((0, 0)).unwrap() });
        for task in turns.into_iter().chain([words]) {
            task.await.unwrap();
        }
        let heard: Vec<_> = heard.try_iter().collect();
        let rounds = (1..=3).flat_map(|round| [1, 2, 3].map(|n| (round, n)));
        let expected: Vec<_> = std::iter::once((0, 0)).chain(rounds).collect();
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_up_nobody() {
        for _ in 0..3 {
            let mut given_up = Box::pin(words_first());
            let polled = poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            drop(given_up);
            words_first().await;
        }
    }
}
