//! How many services of this binary run at once: a few that wait for one another's words most of the
//! time, or one whose times are measured.
//!
//! Whoever wants to be alone lets all others go first, also those who come later. Were it the other
//! way round, everybody would stand still until the last of those who run has ended, as often as
//! somebody wants to be alone. It takes a thread for each who waits: with `--test-threads` at
//! [`MOST`] and theirs, the others run as if there were none, and they one by one at the end.

use std::sync::Mutex;

use tokio::sync::Notify;

/// Services beside one another.
const MOST: usize = 6;

/// Places that are taken.
static TAKEN: Mutex<usize> = Mutex::new(0);
/// Somebody has left.
static LEFT: Notify = Notify::const_new();

/// Places that a service has until its end.
pub(crate) struct Share(usize);

impl Share {
    pub(crate) async fn beside_others() -> Self {
        Self::take(1).await
    }

    pub(crate) async fn alone() -> Self {
        Self::take(MOST).await
    }

    async fn take(places: usize) -> Self {
        loop {
            let left = LEFT.notified();
            if Self::is_taken(places) {
                return Self(places);
            }
            left.await;
        }
    }

    fn is_taken(places: usize) -> bool {
        let mut taken = TAKEN.lock().unwrap();
        let is_room = *taken + places <= MOST;
        *taken += if is_room { places } else { 0 };
        is_room
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap() -= self.0;
        LEFT.notify_waiters();
    }
}
