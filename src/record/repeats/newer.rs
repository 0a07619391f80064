//! A newer request of a session ends what another machine still says in it.
//!
//! A turn that has begun is *noted*, beside the turn's way: under a keyed hash of its session lie the time by Redis's own
//! clock, the machine, and the last one before that was another, for five minutes. Those are told, and end what they
//! say if it is older. What is not noted soon ends nobody: its order might be told wrongly.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, Script};
use tokio::time::{Instant, timeout, timeout_at};

use crate::session::{Key, Ticket};

use super::told::{self, Called, Newer};
use super::{ANSWER, EAR, Inner, Repeats};

/// From a turn's beginning until it is noted. Requests of one speaker come further apart, unless nobody can say which is
/// the newer.
pub const NOTE_WITHIN: Duration = Duration::from_millis(50);
/// Longer than a turn may take, but for the longest `TURN_DEADLINE_MS`.
const NOTED_S: u64 = 300;

pub(super) fn script() -> Script {
    Script::new(include_str!("note.lua"))
}

/// A turn that has begun here.
struct Begun {
    place: String,
    key: Key,
    ticket: Ticket,
    /// When it is too late to note it.
    until: Instant,
}

impl Repeats {
    /// The turn of request `key` has begun here: what other machines still say in its session ends. Nobody waits for
    /// it.
    ///
    /// Without Redis nothing ends; a note that takes too long ends nothing, and nobody ends its turn from elsewhere.
    pub fn begun(&self, place: &str, key: Key, ticket: Ticket) {
        let Some(inner) = &self.0 else {
            return;
        };
        let Some(connection) = inner.connection() else {
            return;
        };
        let Ok(permit) = Arc::clone(&inner.noting).try_acquire_owned() else {
            return;
        };
        let begun = Begun {
            place: place.to_owned(),
            key,
            ticket,
            // Not from when somebody comes to it: what began later may have been noted by then.
            until: Instant::now() + inner.note_within,
        };
        let noting = Arc::clone(inner);
        inner.lifecycle.spawn(async move {
            let _permit = permit;
            noting.note(begun, connection).await;
        });
    }
}

impl Inner {
    /// Notes the session's turn, and tells the machines that may still say one before.
    async fn note(&self, begun: Begun, mut connection: MultiplexedConnection) {
        if !self.here.is_newest(&begun.place, begun.ticket) {
            return;
        }
        let mut call = self.notes.key(newest(self.here.session_key(&begun.place)));
        call.arg(&self.machine).arg(NOTED_S);
        let noted = call.invoke_async::<(u64, Vec<String>)>(&mut connection);
        let Ok(Ok((noted_us, others))) = timeout_at(begun.until, noted).await else {
            return;
        };
        if !self.here.noted(&begun.place, begun.ticket, noted_us) {
            return;
        }
        let newer = Newer {
            place: begun.place,
            key: begun.key,
            noted_us,
        };
        let newer = told::seal(&self.vault, &Called::Newer(newer));
        for machine in others {
            let told = connection.publish::<_, _, u64>(format!("{EAR}{machine}"), &newer);
            let _ = timeout(ANSWER, told).await;
        }
    }
}

/// Where a session's newest turn is noted.
fn newest(session: Key) -> String {
    format!("clm:{{1}}:newest:{session}")
}
