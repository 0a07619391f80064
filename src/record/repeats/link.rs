//! This machine's side: the connection that turns use, and the ear for what other machines say.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands as _, AsyncConnectionConfig, RedisError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use crate::session::{Listener, Repeat};

use super::told::{self, Called, Question, Told};
use super::{ANSWER, EAR, GONE, HERE, Inner};

/// What the two connections may take together. Nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) fn start(inner: &Arc<Inner>) {
    let inner = Arc::clone(inner);
    let hard = inner.lifecycle.hard().clone();
    inner.clone().lifecycle.spawn(async move {
        hard.run_until_cancelled(keep(&inner)).await;
    });
}

/// Connects, again and again, and listens meanwhile.
async fn keep(inner: &Arc<Inner>) {
    loop {
        if let Ok(Ok((connection, mut ear))) = timeout(CONNECT, connect(inner)).await {
            inner.wire().connection = Some(connection.clone());
            tokio::select! {
                () = listen(inner, &mut ear, &connection) => {}
                () = inner.broken.notified() => {}
            }
            inner.wire().connection = None;
        }
        sleep(AGAIN).await;
    }
}

async fn connect(inner: &Inner) -> Result<(MultiplexedConnection, PubSub), RedisError> {
    // Each call has a clock of ours: the crate's would apply to its steps.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let client = &inner.client;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    inner.claims.load_async(&mut connection).await?;
    inner.notes.load_async(&mut connection).await?;
    let mut ear = client.get_async_pubsub().await?;
    ear.subscribe(format!("{EAR}{}", inner.machine)).await?;
    Ok((connection, ear))
}

/// Until the connection ends.
async fn listen(inner: &Arc<Inner>, ear: &mut PubSub, connection: &MultiplexedConnection) {
    let mut calls = ear.on_message();
    while let Some(message) = calls.next().await {
        let question = match told::open(&inner.vault, message.get_payload_bytes()) {
            Some(Called::Question(question)) => question,
            Some(Called::Newer(newer)) => {
                inner.here.overtake(&newer.place, newer.key, newer.noted_us);
                continue;
            }
            // Another key's, or a later program's.
            None => continue,
        };
        // Who gets no answer goes on by itself.
        let Ok(permit) = Arc::clone(&inner.answering).try_acquire_owned() else {
            continue;
        };
        let (asked, connection) = (Arc::clone(inner), connection.clone());
        inner.lifecycle.spawn(async move {
            let hard = asked.lifecycle.hard().clone();
            hard.run_until_cancelled(asked.answer(question, connection, permit))
                .await;
        });
    }
}

impl Inner {
    async fn answer(
        &self,
        question: Question,
        mut connection: MultiplexedConnection,
        _permit: OwnedSemaphorePermit,
    ) {
        let found = self.here.repeat(&question.place, question.key);
        let (first, listener) = match found {
            Repeat::Heard(listener) => {
                (Told::Heard(listener.head().as_ref().into()), Some(listener))
            }
            Repeat::Full => (Told::Full, None),
            Repeat::Unknown => (Told::Unknown, None),
        };
        let to = &question.channel;
        let is_heard = self.tell(to, &first, &mut connection, ANSWER).await;
        if let Some(listener) = listener.filter(|_| is_heard) {
            self.tell_all(to, listener, &mut connection).await;
        }
    }

    /// What the turn says, until its end or until nobody hears it there. A Redis that stalls is waited for until
    /// whoever listens has given us up.
    async fn tell_all(
        &self,
        to: &str,
        mut listener: Listener,
        connection: &mut MultiplexedConnection,
    ) {
        loop {
            let next = timeout(HERE, listener.next()).await;
            let said = next.map_or(Told::Here, Told::from);
            let is_last = matches!(said, Told::End(..) | Told::Fault(_));
            if !self.tell(to, &said, connection, GONE).await || is_last {
                return;
            }
        }
    }

    /// Whether anybody heard it, as far as is known in time.
    async fn tell(
        &self,
        to: &str,
        said: &Told,
        connection: &mut MultiplexedConnection,
        within: Duration,
    ) -> bool {
        let sealed = told::seal(&self.vault, said);
        let ears = connection.publish::<_, _, u64>(to, sealed);
        matches!(timeout(within, ears).await, Ok(Ok(1..)))
    }
}
