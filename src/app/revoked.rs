//! Keeps at hand, on this machine, which session ids hold no more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::pipeline::Rooms;
use crate::record::Revocations;
use crate::session::Revoked;
use crate::telemetry::events::SessionsRevoked;

/// How often the store is looked at: so late an id that one machine took back is taken by another.
const LOOK: Duration = Duration::from_secs(2);
/// How far back each look goes beyond the last: further than two machines' clocks may differ.
const OVERLAP_MS: i64 = 120_000;

/// Starts the task; it ends with the soft token. While the store is away what was last seen holds.
pub(super) fn follow(revoked: Arc<Revoked>, revocations: Revocations, rooms: &Arc<Rooms>) {
    let rooms = Arc::clone(rooms);
    let lifecycle = rooms.lifecycle.clone();
    let soft = lifecycle.soft().clone();
    let following = async move {
        let mut since_ms = 0;
        loop {
            let now_ms = rooms.clock.now_ms();
            if let Ok(rows) = revocations.since(since_ms).await {
                since_ms = now_ms.saturating_sub(OVERLAP_MS);
                let rows = rows.into_iter().map(|row| (row.session_id, row.expires_at));
                let sessions = revoked.take(rows, now_ms).len();
                if sessions > 0 {
                    SessionsRevoked { sessions }.emit();
                    rooms.silence(|session| revoked.has(session));
                }
            }
            sleep(LOOK).await;
        }
    };
    lifecycle.spawn(async move {
        soft.run_until_cancelled(following).await;
    });
}
