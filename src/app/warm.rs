//! What keeps a worker ready for the next turn.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{interval, sleep};

use crate::http::{Door, Practice};
use crate::lifecycle::Lifecycle;
use crate::upstream::OpenRouter;

/// How often each worker refreshes its warm connection to upstream.
const WARM_EVERY: Duration = Duration::from_secs(50);
/// For how long the way of a worker's last turn is in its processor's caches: docs/DECISIONS.md.
const FRESH: Duration = Duration::from_millis(4);
/// How long after a worker's last turn somebody may yet go on talking.
const CALL: Duration = Duration::from_secs(60);
/// How soon a worker in which nobody talks looks again.
const IDLE: Duration = Duration::from_secs(1);

/// Keeps upstream connections of this worker ready: one while nobody speaks, and always one more than
/// those who speak need.
pub(super) fn keep_connected(lifecycle: &Lifecycle, upstream: Rc<OpenRouter>) {
    let soft = lifecycle.soft().clone();
    lifecycle.spawn_here(async move {
        let mut tick = interval(WARM_EVERY);
        loop {
            let due = async {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = upstream.crowded() => {}
                }
                upstream.warm_up().await;
            };
            if soft.run_until_cancelled(due).await.is_none() {
                break;
            }
        }
    });
}

/// Goes through a turn of practice whenever this worker has asked nobody for a while, as long as people talk.
/// Between the turns of a few calls their way falls out of the processor's caches, and whoever speaks next
/// would wait until it is back: a quarter of what we add to a first word.
pub(super) fn keep_in_practice(door: Door, upstream: Rc<OpenRouter>) {
    let lifecycle = door.rooms.lifecycle.clone();
    let soft = lifecycle.soft().clone();
    lifecycle.spawn_here(async move {
        let practice = Practice::default();
        loop {
            let due = due(upstream.quiet_for());
            if due == Due::Now
                && let Some(bytes) = practice.go_through(&door, &upstream)
            {
                tracing::trace!(target: "clm::practice", bytes, "a turn was gone through for practice");
            }
            if soft.run_until_cancelled(sleep(due.pause())).await.is_none() {
                break;
            }
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Now,
    /// The last turn is in the caches yet.
    Soon,
    /// Nobody talks.
    Idle,
}

/// Whether to practise, where the last turn was so long ago.
fn due(quiet: Option<Duration>) -> Due {
    match quiet {
        Some(quiet) if quiet < FRESH => Due::Soon,
        Some(quiet) if quiet < CALL => Due::Now,
        _ => Due::Idle,
    }
}

impl Due {
    fn pause(self) -> Duration {
        match self {
            Self::Now | Self::Soon => FRESH,
            Self::Idle => IDLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn practice_fills_the_gaps_between_turns_and_ends_with_the_talk() {
        let ms = Duration::from_millis;
        for (quiet, expected) in [
            (None, Due::Idle),
            (Some(ms(0)), Due::Soon),
            (Some(ms(3)), Due::Soon),
            (Some(ms(4)), Due::Now),
            (Some(ms(59_999)), Due::Now),
            (Some(ms(60_000)), Due::Idle),
        ] {
            assert_eq!(due(quiet), expected, "{quiet:?}");
        }
    }
}
