//! What is known of a person: recalled for the turn, remembered after it.
//!
//! Memory is an improvement, not a condition. A turn asks with [`Memory::recall`], waits at most
//! until its deadline, and goes on with what there is; a store that is down, slow or talking rubbish
//! costs it context, never words. Writing is a queue that no turn waits for; what waits in it is on
//! the disk, sealed, and outlives the process.
//!
//! Ids are derived here from who was authenticated and are never taken from a request, so nobody
//! can reach into another person's memory by naming it. Words, ids and keys reach no log.
//!
//! To add a store: a file with the seven methods of `Store`, a variant there, and its choice in
//! [`Memory::start`]. Freshness, single flight, breakers, order and retries stay as they are.

mod error;
mod person;
mod text;
mod gate;
mod wire;
mod zep;
mod store;
mod recall;
mod search;
mod cache;
mod queue;
mod row;
mod desk;
mod keeper;
mod erase;
mod writer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

pub use self::desk::Waiting;
pub use self::erase::{Erased, StoreErased};
pub use self::error::MemoryError;
pub use self::keeper::Shelf;
pub use self::person::Person;
pub use self::recall::{Recall, Recalled};

use self::cache::{Ask, Cache, Landing};
use self::desk::Desk;
use self::erase::Turnstile;
use self::gate::{Gate, Way};
use self::keeper::Keeper;
use self::queue::Queue;
use self::recall::Failed;
use self::store::{Found, Store};
use self::writer::Writer;
use self::zep::Zep;
use crate::clock::Clock;
use crate::config;
use crate::lifecycle::Lifecycle;
use crate::telemetry::spans;

/// Questions at once that no turn waits for: thousands may hang up in one moment.
const MAX_AHEAD: usize = 256;
/// How often it is looked whether there is room.
const LOOK: Duration = Duration::from_millis(1);

/// What was said in one committed turn, as far as it was said.
#[derive(Clone)]
pub struct Exchange {
    pub user: Option<String>,
    pub assistant: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// How the store is doing, by the last calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryHealth {
    Off,
    Up,
    /// The last trouble's [`MemoryError::kind`].
    Down(&'static str),
}

/// A handle on memory; clones share everything.
#[derive(Clone)]
pub struct Memory {
    room: Option<Arc<Room>>,
}

struct Room {
    store: Arc<Store>,
    gate: Arc<Gate>,
    cache: Arc<Cache>,
    queue: Arc<Queue>,
    desk: Arc<Desk>,
    turnstile: Arc<Turnstile>,
    clock: Clock,
    closing: CancellationToken,
    written: CancellationToken,
    lifecycle: Lifecycle,
    ahead: Arc<Semaphore>,
}

impl Memory {
    /// Memory that knows nothing and takes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { room: None }
    }

    /// Starts the writer, and the keeper of what waits; without a key, memory is off and nothing on
    /// the disk is touched.
    ///
    /// # Errors
    /// When the key cannot be sent in a header, the client cannot be set up, or there is no thread.
    pub fn start(
        settings: &config::Memory,
        shelf: Shelf,
        lifecycle: &Lifecycle,
        clock: Clock,
    ) -> Result<Self, MemoryError> {
        let Some(key) = &settings.api_key else {
            return Ok(Self::off());
        };
        let store = Store::Zep(Box::new(Zep::new(&settings.base_url, key, clock)?));
        Self::over(store, shelf, lifecycle, clock)
    }

    fn over(
        store: Store,
        shelf: Shelf,
        lifecycle: &Lifecycle,
        clock: Clock,
    ) -> Result<Self, MemoryError> {
        let room = Room {
            store: Arc::new(store),
            gate: Arc::new(Gate::new()),
            cache: Cache::new(),
            queue: Arc::default(),
            desk: Arc::new(Desk::new()),
            turnstile: Arc::new(Turnstile::new()),
            clock,
            closing: CancellationToken::new(),
            written: CancellationToken::new(),
            lifecycle: lifecycle.clone(),
            ahead: Arc::new(Semaphore::new(MAX_AHEAD)),
        };
        room.start(shelf).map_err(MemoryError::Thread)?;
        Ok(Self {
            room: Some(Arc::new(room)),
        })
    }

    #[must_use]
    pub fn is_on(&self) -> bool {
        self.room.is_some()
    }

    /// Starts or joins the one question about this person, and returns what is to be waited for.
    /// Never blocks.
    #[must_use]
    pub fn recall(&self, who: &Person) -> Recall {
        match &self.room {
            Some(room) => room.look(who, Ask::IfOld, None),
            None => Recall::off(),
        }
    }

    /// Asks about this person for the next turn's sake, however fresh the last answer is. Where [`MAX_AHEAD`] are
    /// asked about already that turn asks itself.
    pub fn prefetch(&self, who: &Person) {
        let Some(room) = &self.room else { return };
        match Arc::clone(&room.ahead).try_acquire_owned() {
            Ok(permit) => drop(room.look(who, Ask::Anyway, Some(permit))),
            Err(_) => room.cache.fall_behind(&who.user),
        }
    }

    /// Notes that there is nothing to be known of this person yet, who was made up a moment ago: their
    /// next turn need not ask, and the store meets them with their first words.
    pub fn meet(&self, who: &Person) {
        if let Some(room) = &self.room {
            room.cache.meet(&who.user, Instant::now());
        }
    }

    /// Queues what was said; false when the queue is full or closed, which the caller counts.
    /// Never blocks on the disk or the store.
    #[must_use]
    pub fn remember(&self, who: &Person, exchange: Exchange) -> bool {
        let said = |words: &Option<String>| words.as_deref().is_some_and(|w| !w.trim().is_empty());
        match &self.room {
            Some(room) if said(&exchange.user) || said(&exchange.assistant) => {
                room.desk.put(who, exchange)
            }
            _ => true,
        }
    }

    /// Waits until another exchange would be queued, for whoever has more of them than the queue holds
    /// and nobody waiting; false once nothing is taken in any more.
    ///
    /// # Cancellation
    /// Safe: nothing is set aside.
    pub async fn room(&self) -> bool {
        let Some(room) = &self.room else { return true };
        loop {
            match room.desk.room() {
                Some(0) => sleep(LOOK).await,
                Some(_) => return true,
                None => return false,
            }
        }
    }

    /// How the store is doing, by the last calls.
    #[must_use]
    pub fn health(&self) -> MemoryHealth {
        self.room
            .as_ref()
            .map_or(MemoryHealth::Off, |room| room.gate.health())
    }

    /// What waits or is being written, that of earlier processes included once it is found.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.room
            .as_ref()
            .map_or_else(Waiting::default, |room| room.desk.waiting())
    }

    /// Exchanges that memory had taken in and that will never be written, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.room.as_ref().map_or(0, |room| room.desk.lost())
    }

    /// Takes nothing more in and resolves when all is written or, because the process must end, kept
    /// on the disk for the next one. For after the last turn.
    ///
    /// # Cancellation
    /// Safe: the writing goes on.
    pub async fn drain(&self) {
        if let Some(room) = &self.room {
            room.close();
            room.written.cancelled().await;
        }
    }
}

impl Room {
    fn start(&self, shelf: Shelf) -> io::Result<()> {
        // Also when the keeper or the writer ends badly, whoever waits for them is let go.
        let written = self.written.clone().drop_guard();
        let (desk, queue) = (Arc::clone(&self.desk), Arc::clone(&self.queue));
        let keeper = Keeper::new(shelf, desk, queue, self.clock);
        self.lifecycle.spawn_thread("clm-memory", move || {
            keeper.run();
            drop(written);
        })?;
        let writer = Writer {
            queue: Arc::clone(&self.queue),
            desk: Arc::clone(&self.desk),
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            turnstile: Arc::clone(&self.turnstile),
            hard: self.lifecycle.hard().clone(),
            closing: self.closing.clone(),
        };
        let ended = Ending(Arc::clone(&self.desk));
        self.lifecycle.spawn(async move {
            writer.run().await;
            drop(ended);
        });
        Ok(())
    }

    fn look(&self, who: &Person, ask: Ask, ahead: Option<OwnedSemaphorePermit>) -> Recall {
        let (recall, landing) = self.cache.look(&who.user, ask, Instant::now());
        if let Some(landing) = landing {
            self.ask(who.clone(), landing, ahead);
        }
        recall
    }

    /// Asks the store, in a task of its own so that no turn's end stops it. `ahead` is held as long.
    fn ask(&self, who: Person, landing: Landing, ahead: Option<OwnedSemaphorePermit>) {
        if self.gate.admit(Way::Read, Instant::now()).is_err() {
            landing.land(Err(Failed));
            return;
        }
        let (store, gate) = (Arc::clone(&self.store), Arc::clone(&self.gate));
        let (turnstile, desk) = (Arc::clone(&self.turnstile), Arc::clone(&self.desk));
        let span = spans::retrieval("zep");
        let asked = Instant::now();
        let question = async move {
            let _ahead = ahead;
            let _inside = turnstile.enter(&who.user).await;
            if desk.is_erased(&who.user, Some(asked)) {
                landing.land(Ok(None));
                return;
            }
            let found = store.recall(&who).await;
            let report = found.as_ref().map(|_| ());
            gate.report(Way::Read, report, Instant::now());
            match found {
                Ok(Found::Context(context)) => landing.land(Ok(Some(context))),
                Ok(Found::Nothing) => landing.land(Ok(None)),
                Ok(Found::Stranger) => {
                    landing.land(Ok(None));
                    // Who was erased comes back with their next words, not with a question.
                    if !desk.is_erased(&who.user, None) {
                        introduce(&store, &gate, &who).await;
                    }
                }
                Err(error) => {
                    spans::failed(&Span::current(), error.kind());
                    landing.land(Err(Failed));
                }
            }
        };
        self.lifecycle.spawn(question.instrument(span));
    }

    fn close(&self) {
        self.closing.cancel();
        self.desk.close();
    }
}

impl Drop for Room {
    /// The last handle is gone: nothing more can come.
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells the keeper that the writer has ended, however it ended.
struct Ending(Arc<Desk>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Creates a new person ahead of their first write. What fails here the writer does again.
async fn introduce(store: &Store, gate: &Gate, who: &Person) {
    if gate.admit(Way::Write, Instant::now()).is_ok() {
        let outcome = store.introduce(who).await;
        gate.report(Way::Write, outcome.as_ref().map(|_| ()), Instant::now());
    }
}

#[cfg(test)]
mod tests;
