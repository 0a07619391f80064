//! The way to Redis: one task, one connection, one call a second.
//!
//! A call has 20 ms. Whatever fails takes the connection with it and the next second begins anew, so
//! that nothing piles up: neither calls behind a slow one nor sockets into a network that swallows
//! them. After five failures Redis is left alone for a minute; then one call tries. The crate's own
//! connection manager was not taken, because it tries again by itself, beside the breaker.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, Script};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::breaker::Breaker;
use crate::lifecycle::Lifecycle;
use crate::telemetry::events::BreakerMoved;

use super::shared::{self, Answer, Sum};
use super::{Counters, Sharing};

/// How often this machine tells and reads.
const EVERY: Duration = Duration::from_secs(1);
/// What one call may take.
const BUDGET: Duration = Duration::from_millis(20);
/// What the last call may take, a new connection among it: whoever stops waits for it.
const PARTING: Duration = Duration::from_millis(200);
/// What a new connection may take, its handshakes among it. Nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// Why numbers cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("REDIS_URL is no address of a Redis: its path, its query or its end is odd")]
    Address,
    #[error("Redis did not answer within {} ms", BUDGET.as_millis())]
    Late,
    #[error("Redis could not be connected to within {} ms", CONNECT.as_millis())]
    Unreached,
    #[error("Redis failed")]
    Redis(#[from] RedisError),
}

impl LinkError {
    /// The failure's kind, from a closed set.
    fn kind(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Late => "timeout",
            Self::Unreached => "connect_timeout",
            Self::Redis(error) => match error.kind() {
                ErrorKind::Io => "broken",
                ErrorKind::AuthenticationFailed => "unauthorized",
                ErrorKind::Server(_) | ErrorKind::Extension => "refused",
                _ => "malformed",
            },
        }
    }

    /// What Redis calls it, such as `NOAUTH` or `OOM`.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Redis(error) => error.code(),
            _ => None,
        }
    }
}

/// Begins to tell and to read, until the hard token is cancelled.
///
/// # Errors
/// When the address is none.
pub(super) fn start(
    sharing: &Sharing,
    counters: Counters,
    lifecycle: &Lifecycle,
) -> Result<(), LinkError> {
    let mut link = Link::new(sharing)?;
    let hard = lifecycle.hard().clone();
    lifecycle.spawn(async move {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while hard.run_until_cancelled(tick.tick()).await.is_some() {
            hard.run_until_cancelled(link.round(&counters, Instant::now()))
                .await;
        }
        // The day's last turns: they would be missing from everybody's day.
        link.part(&counters).await;
    });
    Ok(())
}

struct Link {
    client: Client,
    script: Script,
    /// Random: a machine that starts again is another one, or its day would begin anew.
    machine: String,
    connection: Option<MultiplexedConnection>,
    /// How often it tells until it reads again.
    unread: u64,
    breaker: Breaker,
    is_open: bool,
    /// Whether the last call failed, as far as the log knows.
    is_lost: bool,
}

impl Link {
    fn new(sharing: &Sharing) -> Result<Self, LinkError> {
        // Where two providers are built in rustls takes neither, and panics. Somebody may have
        // chosen one already: that is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(sharing.url.expose_secret()).map_err(|_| LinkError::Address)?;
        Ok(Self {
            client,
            script: Script::new(shared::SCRIPT),
            machine: format!("{:016x}", rand::random::<u64>()),
            connection: None,
            unread: 0,
            breaker: Breaker::new(sharing.rest),
            is_open: false,
            is_lost: false,
        })
    }

    /// Tells and reads once, unless the breaker forbids.
    ///
    /// # Cancellation
    /// Safe: a call that is dropped may have been taken or not, and the next one says all again.
    async fn round(&mut self, counters: &Counters, now: Instant) {
        if self.breaker.admit(now).is_err() {
            return;
        }
        if self.is_open {
            moved("half_open");
        }
        match self.exchange(counters).await {
            Ok(sum) => {
                counters.heard(sum);
                self.went_well();
            }
            Err(error) => {
                self.connection = None;
                // Whose turn it was to read still has it. A Redis that falters falters for all, who come back in
                // the order that they had.
                self.failed(&error);
            }
        }
    }

    /// What all machines told, if it was read.
    async fn exchange(&mut self, counters: &Counters) -> Result<Option<Sum>, LinkError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sum = self.call(&mut connection, counters).await?;
        self.connection = Some(connection);
        self.unread = match &sum {
            Some(sum) => shared::unread(sum.machines),
            None => self.unread.saturating_sub(1),
        };
        Ok(sum)
    }

    /// The script is brought along, so that no call has to ask twice within its budget.
    async fn connect(&self) -> Result<MultiplexedConnection, LinkError> {
        // Our own clock holds: the crate's would apply to each step by itself.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = async {
            let client = &self.client;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            self.script.load_async(&mut connection).await?;
            Ok(connection)
        };
        let connected = timeout(CONNECT, connecting).await;
        connected.map_err(|_| LinkError::Unreached)?
    }

    async fn call(
        &self,
        connection: &mut MultiplexedConnection,
        counters: &Counters,
    ) -> Result<Option<Sum>, LinkError> {
        let answer = timeout(BUDGET, self.tell(connection, counters, self.unread == 0)).await;
        answer.map_err(|_| LinkError::Late)?
    }

    async fn tell(
        &self,
        connection: &mut MultiplexedConnection,
        counters: &Counters,
        reads: bool,
    ) -> Result<Option<Sum>, LinkError> {
        let (told, day, today) = counters.told();
        let told = serde_json::to_vec(&told).unwrap_or_default();
        let mut call = self.script.key(shared::MACHINES);
        call.key(shared::day_key(day))
            .arg(&self.machine)
            .arg(told)
            .arg(shared::day_words(&today))
            .arg(u8::from(reads));
        let answer = call.invoke_async::<Option<Answer>>(connection).await?;
        Ok(answer.map(Sum::of))
    }

    /// Tells the last numbers, unless Redis failed the last time. A call that was dropped for the stop
    /// took its connection with it, so there may be a new one to open.
    async fn part(&mut self, counters: &Counters) {
        if self.is_lost {
            return;
        }
        let kept = self.connection.take();
        let told = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            self.tell(&mut connection, counters, false).await
        };
        let _ = timeout(PARTING, told).await;
    }

    fn went_well(&mut self) {
        if self.breaker.succeeded() {
            moved("closed");
        }
        self.is_open = false;
        if std::mem::take(&mut self.is_lost) {
            tracing::info!(target: "clm::redis", "redis answers again: live numbers are everybody's");
        }
    }

    fn failed(&mut self, error: &LinkError) {
        if !std::mem::replace(&mut self.is_lost, true) {
            tracing::warn!(
                target: "clm::redis",
                kind = error.kind(),
                code = error.code(),
                "redis fails: live numbers are this machine's alone"
            );
        }
        let opened = self.breaker.failed(Instant::now());
        if opened || self.is_open {
            moved("open");
            self.is_open = true;
        }
    }
}

fn moved(state: &'static str) {
    let target = "redis";
    BreakerMoved { target, state }.emit();
}

#[cfg(test)]
mod tests;
