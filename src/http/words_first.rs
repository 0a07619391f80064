//! Where a turn's start lets the words of other turns go by. A start takes a few tenths of a millisecond of its
//! thread in all, and a word that is ready should not wait for so long.

use std::future::poll_fn;
use std::task::Poll;

use tokio::task::yield_now;

/// Goes behind whatever is ready on this thread, and before whatever becomes so later: of two requests the one
/// that was read first goes on first. (`yield_now` wakes its last caller first.)
///
/// # Cancellation
/// Safe.
pub(super) async fn ready_first() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The same, and behind what has come to the thread's sockets too. In no order: for what has its place already.
///
/// # Cancellation
/// Safe.
pub(super) async fn arrived_first() {
    yield_now().await;
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
                    ready_first().await;
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
}
