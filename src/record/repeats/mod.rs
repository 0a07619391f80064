//! A session's requests on several machines. One that comes again is heard there too, asked and paid once; one that
//! is new ends what the session's last one still says elsewhere (`newer`).
//!
//! With Redis each request is *claimed* by the machine that answers it: a keyed hash and the machine's
//! random name, for five minutes. Where another has it and is still there, that one is asked, over a
//! channel of Redis, and lets us listen as it lets a repeat of its own; nothing of it is ever stored.
//! What is said between machines is sealed under the data key.
//!
//! A turn waits [`CLAIM`] for its claim at most; a request that did come before, [`ANSWER`] for its first
//! answer. Without Redis, or without an answer, it is a turn like any other.

mod told;
mod link;
mod newer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands as _, Client, Msg, Script};
use secrecy::ExposeSecret as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::breaker::Breaker;
use crate::lifecycle::Lifecycle;
use crate::session::{Generation, Key, Listener, Repeat, Replay, Ticket, Turns};
use crate::turn::{Fault, Head};
use crate::vault::{DataKey, Vault};

use self::told::{Called, Question, Told};
use super::counters::{LinkError, Sharing};

pub use self::newer::NOTE_WITHIN;

/// What a turn waits to know whether another machine answers its request.
const CLAIM: Duration = Duration::from_millis(10);
/// What a request that another machine answers waits for the first of it.
const ANSWER: Duration = Duration::from_millis(250);
/// Longer than any answer is kept for its repeats.
const CLAIMED_S: u64 = 300;
/// A machine that lets somebody listen says something at least so often.
const HERE: Duration = Duration::from_millis(500);
/// One that has said nothing for so long is gone.
const GONE: Duration = Duration::from_secs(2);
/// Repeats of other machines' turns that may listen here at once, and of ours elsewhere; and notes under way.
const MAX_AT_ONCE: usize = 256;

const CLAIM_SCRIPT: &str = include_str!("claim.lua");
/// Where each machine listens. The braces keep all in one slot of a cluster.
const EAR: &str = "clm:{1}:ear:";

/// The way to other machines' turns; off, it knows of none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Repeats(Option<Arc<Inner>>);

/// The turns here, as far as other machines have to do with them.
trait Here: Send + Sync {
    fn repeat(&self, session: &str, key: Key) -> Repeat;
    fn session_key(&self, session: &str) -> Key;
    fn is_newest(&self, session: &str, ticket: Ticket) -> bool;
    fn noted(&self, session: &str, ticket: Ticket, at_us: u64) -> bool;
    fn overtake(&self, session: &str, key: Key, at_us: u64);
}

impl<T: Send> Here for Turns<T> {
    fn repeat(&self, session: &str, key: Key) -> Repeat {
        self.repeat(session, key)
    }

    fn session_key(&self, session: &str) -> Key {
        self.session_key(session)
    }

    fn is_newest(&self, session: &str, ticket: Ticket) -> bool {
        self.is_newest(session, ticket)
    }

    fn noted(&self, session: &str, ticket: Ticket, at_us: u64) -> bool {
        self.noted(session, ticket, at_us)
    }

    fn overtake(&self, session: &str, key: Key, at_us: u64) {
        self.overtake(session, key, at_us);
    }
}

struct Inner {
    client: Client,
    claims: Script,
    notes: Script,
    /// Random, and another after a start.
    machine: String,
    vault: Vault,
    here: Arc<dyn Here>,
    lifecycle: Lifecycle,
    wire: Mutex<Wire>,
    /// Told when the connection has failed and a new one is wanted.
    broken: Notify,
    asking: Arc<Semaphore>,
    answering: Arc<Semaphore>,
    noting: Arc<Semaphore>,
    note_within: Duration,
}

struct Wire {
    /// Absent while there is none.
    connection: Option<MultiplexedConnection>,
    breaker: Breaker,
}

impl Repeats {
    /// Begins to listen for what other machines say of `here`'s turns, until the hard token is cancelled. A turn
    /// of these is noted within `note_within` of its beginning, or never.
    ///
    /// # Errors
    /// When Redis cannot be reached at any such address. One that merely does not answer is none.
    pub fn start<T: Send + 'static>(
        sharing: &Sharing,
        key: &DataKey,
        lifecycle: &Lifecycle,
        here: Arc<Turns<T>>,
        note_within: Duration,
    ) -> Result<Self, LinkError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(sharing.url.expose_secret()).map_err(|_| LinkError::Address)?;
        let inner = Arc::new(Inner {
            client,
            claims: Script::new(CLAIM_SCRIPT),
            notes: newer::script(),
            machine: format!("{:016x}", rand::random::<u64>()),
            vault: Vault::new(key),
            here,
            lifecycle: lifecycle.clone(),
            wire: Mutex::new(Wire {
                connection: None,
                breaker: Breaker::new(sharing.rest),
            }),
            broken: Notify::new(),
            asking: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            answering: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            noting: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            note_within,
        });
        link::start(&inner);
        Ok(Self(Some(inner)))
    }

    /// The turn of this request on another machine. The request is claimed for this one where there is
    /// none.
    ///
    /// # Cancellation
    /// Safe: a claim that nobody makes good is found so by whoever asks.
    pub async fn elsewhere(&self, place: &str, key: Key) -> Repeat {
        let Some(inner) = &self.0 else {
            return Repeat::Unknown;
        };
        let Some(owner) = inner.claim(key).await else {
            return Repeat::Unknown;
        };
        match timeout(ANSWER, inner.ask(&owner, place, key)).await {
            Ok(Some(repeat)) => repeat,
            _ => {
                inner.take_over(key);
                Repeat::Unknown
            }
        }
    }
}

impl Inner {
    /// Who answers the request, where that is another machine.
    async fn claim(&self, key: Key) -> Option<String> {
        let mut connection = self.admitted()?;
        let mut call = self.claims.key(request(key));
        call.arg(&self.machine).arg(EAR).arg(CLAIMED_S);
        let began = Instant::now();
        let answer = timeout(CLAIM, call.invoke_async::<Option<String>>(&mut connection));
        let Ok(Ok(owner)) = answer.await else {
            self.failed(began);
            return None;
        };
        self.wire().breaker.succeeded();
        owner
    }

    /// Asks the machine that has it. `None`: it does not know it, or the way there is broken.
    async fn ask(self: &Arc<Self>, owner: &str, place: &str, key: Key) -> Option<Repeat> {
        let permit = Arc::clone(&self.asking).try_acquire_owned().ok()?;
        let mut connection = self.connection()?;
        let channel = format!("clm:{{1}}:hear:{:032x}", rand::random::<u128>());
        // A connection of its own: when it closes, who tells knows that nobody listens.
        let mut ear = self.client.get_async_pubsub().await.ok()?;
        ear.subscribe(&channel).await.ok()?;
        let question = Called::Question(Question {
            channel,
            place: place.to_owned(),
            key,
        });
        let question = told::seal(&self.vault, &question);
        let ears: u64 = connection
            .publish(format!("{EAR}{owner}"), question)
            .await
            .ok()?;
        if ears == 0 {
            return None;
        }
        let first = ear.on_message().next().await;
        match self.opened(first) {
            Some(Told::Heard(head)) => {
                let (generation, listener) = heard(Arc::new(head.into()))?;
                let inner = Arc::clone(self);
                self.lifecycle
                    .spawn(async move { inner.relay(ear, generation, permit).await });
                Some(Repeat::Heard(listener))
            }
            Some(Told::Full) => Some(Repeat::Full),
            _ => None,
        }
    }

    /// Says here what is told there, until its end or until nobody listens here.
    async fn relay(&self, mut ear: PubSub, generation: Generation, _permit: OwnedSemaphorePermit) {
        let said = async {
            let mut messages = ear.on_message();
            loop {
                let message = timeout(GONE, messages.next()).await.ok().flatten();
                match self.opened(message) {
                    Some(Told::Here) => {}
                    Some(Told::Words(words)) => generation.say(&words),
                    Some(Told::Tool(call)) => generation.tool(&call),
                    Some(Told::End(reason, usage)) => {
                        return generation.end(reason, usage, Replay::Forget);
                    }
                    Some(Told::Fault(fault)) => return generation.fail(fault),
                    // It is gone, or says what nobody understands.
                    _ => return generation.fail(Fault::BrokenOff),
                }
            }
        };
        tokio::select! {
            () = said => {}
            () = generation.deserted() => {}
            () = self.lifecycle.hard().cancelled() => {}
        }
    }

    fn opened(&self, message: Option<Msg>) -> Option<Told> {
        told::open(&self.vault, message?.get_payload_bytes())
    }

    /// It is answered here from now on, whoever had it.
    fn take_over(self: &Arc<Self>, key: Key) {
        let Some(mut connection) = self.connection() else {
            return;
        };
        let machine = self.machine.clone();
        self.lifecycle.spawn(async move {
            let set = connection.set_ex::<_, _, ()>(request(key), machine, CLAIMED_S);
            let _ = timeout(ANSWER, set).await;
        });
    }

    /// The connection, where there is one and the breaker lets a call through.
    fn admitted(&self) -> Option<MultiplexedConnection> {
        let mut wire = self.wire();
        let connection = wire.connection.clone()?;
        wire.breaker.admit(Instant::now()).ok()?;
        Some(connection)
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        self.wire().connection.clone()
    }

    fn failed(&self, began: Instant) {
        let mut wire = self.wire();
        let now = Instant::now();
        if wire.breaker.failed_beside_others(began, now) {
            wire.connection = None;
            drop(wire);
            self.broken.notify_one();
        }
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a request's claim is kept.
fn request(key: Key) -> String {
    format!("clm:{{1}}:turn:{key}")
}

/// What another machine's turn says, as if it were said here.
fn heard(head: Arc<Head>) -> Option<(Generation, Listener)> {
    let generation = Generation::apart(head);
    let listener = generation.listen()?;
    Some((generation, listener))
}
