//! The simulated OpenRouter and Zep, on a real socket.
//!
//! Ships with the product: the demo, `clm simulate`, rehearsals and the tests speak to it. The
//! model's name chooses what goes wrong ([`Fault`]), [`Options`] choose the pace and what goes
//! wrong at Zep ([`MemoryFault`]) and with the list of models ([`ModelsFault`]), and the [`Ledger`] tells what was asked, sent and billed.
//! Depends on nothing of the service but clock and lifecycle: bytes on a socket are the contract.
//!
//! People reach the same over HTTP: `GET /__ledger`, `POST /__reset`, and `POST /__options` with
//! `{first_token_ms, gap_ms, memory_latency_ms, memory_fault, generation_lag_ms, models_fault, script}`,
//! all of them optional. The ledger's `bill_microusd` is what all of it would have cost.

mod fault;
mod memory_fault;
mod models_fault;
mod voice;
mod catalog;
mod frame;
mod cuts;
mod plan;
mod store;
mod ledger;
mod body;
mod refuse;
mod server;
mod openrouter;
mod generation;
mod zep;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::fault::{BadFault, ErrorShape, Fault, Lookup};
pub use self::ledger::{CallEnd, ChatCall, KEPT_CALLS, Ledger, ZepCall};
pub use self::memory_fault::{MemoryFault, UnknownMemoryFault};
pub use self::models_fault::{ModelsFault, UnknownModelsFault};
pub use self::store::{StoredMessage, StoredThread, StoredUser};
use crate::lifecycle::Lifecycle;
use server::State;

/// Pace, and what is out of order everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// From the request to the first token.
    pub first_token: Duration,
    /// Between two tokens.
    pub gap: Duration,
    /// How long Zep takes for anything.
    pub memory_latency: Duration,
    /// What goes wrong at Zep.
    pub memory_fault: Option<MemoryFault>,
    /// How long after its end a generation cannot be asked about; three times as long after a
    /// hang-up.
    pub generation_lag: Duration,
    /// What goes wrong with the list of models.
    pub models_fault: Option<ModelsFault>,
    /// Answers 401 to who brings no `Bearer` or `Api-Key`.
    pub require_key: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            first_token: Duration::from_millis(180),
            gap: Duration::from_millis(25),
            memory_latency: Duration::from_millis(40),
            memory_fault: None,
            generation_lag: Duration::from_millis(300),
            models_fault: None,
            require_key: false,
        }
    }
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    state: web::Data<State>,
    running: JoinHandle<()>,
}

impl Simulator {
    /// Serves on `listener` until [`Simulator::stop`] or the hard token.
    ///
    /// # Errors
    /// When the listener has no address or cannot be polled.
    #[expect(
        clippy::unused_async,
        reason = "a server may only be made inside a runtime, and the signature says so"
    )]
    pub async fn start(
        listener: TcpListener,
        options: Options,
        lifecycle: &Lifecycle,
    ) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let stopping: CancellationToken = lifecycle.hard().child_token();
        let state = web::Data::new(State::new(options, stopping.clone()));
        let mut server = server::serve(listener, state.clone())?;
        let running = lifecycle.spawn(async move {
            tokio::select! {
                _ = &mut server => return,
                () = stopping.cancelled() => {}
            }
            let stopped = server.handle().stop(false);
            let (_, ()) = tokio::join!(server, stopped);
        });
        Ok(Self {
            addr,
            state,
            running,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base address of the simulated OpenRouter.
    #[must_use]
    pub fn openrouter_url(&self) -> String {
        format!("http://{}/api/v1", self.addr)
    }

    /// The base address of the simulated Zep.
    #[must_use]
    pub fn zep_url(&self) -> String {
        format!("http://{}/api/v2", self.addr)
    }

    /// What was asked, sent and stored.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.state.ledger
    }

    /// The options as they stand.
    #[must_use]
    pub fn options(&self) -> Options {
        self.state.options()
    }

    /// Replaces the options, for requests that begin from now on.
    pub fn set_options(&self, options: Options) {
        self.state.set_options(options);
    }

    /// Replaces the script: names of faults for the next requests, one each, whatever their model.
    pub fn script(&self, names: Vec<&str>) {
        let names = names.into_iter().map(str::to_owned).collect();
        self.state.set_script(names);
    }

    /// Registers the bytes that `replay:NAME` writes, in pieces of `cut_every` bytes (0: in one).
    pub fn add_recording(&self, name: &str, bytes: impl Into<Bytes>, cut_every: usize) {
        self.state.add_recording(name, bytes.into(), cut_every);
    }

    /// Gives a Zep user facts at once, and makes the user when there is none.
    pub fn seed_memory(&self, user_id: &str, facts: &[&str]) {
        self.state.ledger.store().seed(user_id, facts);
    }

    /// Breaks what still runs, and waits until the socket is closed.
    pub async fn stop(self) {
        self.state.stopping.cancel();
        // Either it ended, or its runtime is ending: both are stopped.
        let _ = self.running.await;
    }
}

#[cfg(test)]
mod tests;
