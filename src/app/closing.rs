//! The service's end: no new turns, the running ones seen out, and what they leave behind put away.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::lifecycle::Lifecycle;
use crate::pipeline::Rooms;

use super::Ended;

/// After the hard token: time for streams to be closed politely.
pub(super) const POLITE: Duration = Duration::from_secs(1);
/// What the sockets get to send once every turn has said its last.
const LAST_BYTES: Duration = Duration::from_millis(50);
/// Time for memory writes, and again for records, to be flushed once no turn runs.
const FLUSH: Duration = Duration::from_secs(4);
/// How often it is looked whether anybody is left.
const LOOK: Duration = Duration::from_millis(5);

/// Waits for the soft token, then sees the running turns out. Until they have ended the door stays
/// open: a platform learns from `/readyz` to go elsewhere, and a call that still comes hears a
/// sentence instead of a refused connection. Says besides how many memory writes were lost before.
pub(super) async fn stop(
    servers: Vec<ServerHandle>,
    rooms: Arc<Rooms>,
    grace: Duration,
) -> (Ended, u64) {
    let lifecycle = rooms.lifecycle.clone();
    lifecycle.soft().cancelled().await;
    let lost = rooms.memory.lost();
    tracing::info!(target: "clm::app", open = rooms.admission.open(), "stopping: no new turns");
    let finished = seen_out(&rooms, Instant::now() + grace).await;
    // What was said and confirmed goes to memory while its writer still waits for answers.
    let due = Instant::now() + FLUSH;
    let taken = hand_over(&rooms, due).await;
    tokio::select! {
        biased;
        _ = timeout_at(due, rooms.memory.drain()) => {}
        () = lifecycle.hard().cancelled() => {}
    }
    lifecycle.hard().cancel();
    // A caller that does not read its last words in time has had its chance.
    let _ = timeout(POLITE, nobody_present(&rooms)).await;
    // Last bytes are on their way; idle connections are not worth waiting for.
    sleep(LAST_BYTES).await;
    for server in servers {
        server.stop(false).await;
    }
    // Whoever was told to end has said so by now, or does not read and still speaks.
    let is_cut = rooms.admission.has_cut() || rooms.admission.open() > 0;
    let ended = if finished && taken && !is_cut {
        Ended::Clean
    } else {
        Ended::Cut
    };
    (ended, lost)
}

/// Gives memory what no later request confirmed, the talk of a whole minute, as fast as its keeper takes it
/// up, until `due` or the hard token: what is left then finds room or is lost, and told. Whether all was taken.
async fn hand_over(rooms: &Rooms, due: Instant) -> bool {
    let mut turns = rooms.turns.drain().into_iter();
    let mut taken = true;
    while turns.len() > 0 {
        let has_room = tokio::select! {
            biased;
            has_room = rooms.memory.room() => has_room,
            () = sleep_until(due) => false,
            () = rooms.lifecycle.hard().cancelled() => false,
        };
        if !has_room {
            break;
        }
        taken &= rooms.remember(turns.next());
    }
    taken & rooms.remember(turns)
}

/// Waits for memory's keeper and for the records, whose writer ends when the last hand that could
/// give it a turn is gone.
pub(super) async fn flush(rooms: Arc<Rooms>, lifecycle: &Lifecycle) -> Ended {
    drop(rooms);
    let all = lifecycle.drained();
    if timeout(FLUSH, all).await.is_ok() {
        Ended::Clean
    } else {
        Ended::Cut
    }
}

/// Waits for the running turns, until `due` or until the service is told to end at once: whoever is cut then
/// tells it. False where some still ran when it was due.
async fn seen_out(rooms: &Rooms, due: Instant) -> bool {
    tokio::select! {
        biased;
        () = nobody_present(rooms) => true,
        () = rooms.lifecycle.hard().cancelled() => true,
        () = sleep_until(due) => false,
    }
}

async fn nobody_present(rooms: &Rooms) {
    while rooms.admission.present() > 0 {
        sleep(LOOK).await;
    }
}
