//! What the simulator saw: every model call, every Zep call, every hit on the trap.
//!
//! Shared and cloneable; answers are snapshots. Bounded by count and by bytes, oldest out first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::catalog;
use super::store::{Store, StoredThread, StoredUser};

/// How many calls of each kind are kept.
pub const KEPT_CALLS: usize = 4096;
/// How many bytes of request bodies of each kind are kept.
const KEPT_BYTES: usize = 64 << 20;

/// One request to `/chat/completions`.
#[derive(Clone, Debug)]
pub struct ChatCall {
    /// The generation's id, `gen-…`.
    pub id: String,
    /// The model asked for.
    pub model: String,
    /// The name that chose the fault: the model, or the script's.
    pub fault: String,
    /// Whether an `Authorization` header came.
    pub authorized: bool,
    /// The header `HTTP-Referer`.
    pub referer: Option<String>,
    /// The header `X-OpenRouter-Title`.
    pub openrouter_title: Option<String>,
    /// The header `X-Title`.
    pub title: Option<String>,
    /// The body; null when it was no JSON.
    pub body: Value,
    /// When the request was there.
    pub received_at: Instant,
    /// Content tokens put on the wire.
    pub tokens_sent: u64,
    /// Prompt tokens, as billed.
    pub prompt_tokens: u64,
    /// Completion tokens billed; after a hang-up the whole answer with providers that go on.
    pub billed_tokens: u64,
    /// How often `GET /generation` was asked about it.
    pub lookups: u64,
    /// When and how the call ended; `None` while it runs.
    pub end: Option<(CallEnd, Instant)>,
}

impl ChatCall {
    /// What was charged for it, in micro-dollars, rounded to the nearest; nothing while it runs.
    #[must_use]
    pub fn bill_microusd(&self) -> i64 {
        let price = catalog::price_of(&self.model);
        let part = |tokens: u64, pico: u64| u128::from(tokens) * u128::from(pico);
        let pico =
            part(self.prompt_tokens, price.prompt) + part(self.billed_tokens, price.completion);
        let micro = i64::try_from((pico + 500_000) / 1_000_000).unwrap_or(i64::MAX);
        self.end.map_or(0, |_| micro)
    }

    /// When the client hung up, if it did.
    #[must_use]
    pub fn aborted_at(&self) -> Option<Instant> {
        self.end
            .filter(|(end, _)| *end == CallEnd::Aborted)
            .map(|(_, at)| at)
    }

    /// Whether all there was to send was sent.
    #[must_use]
    pub fn finished(&self) -> bool {
        matches!(self.end, Some((CallEnd::Finished, _)))
    }
}

/// How a model call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// All there was to send was sent.
    Finished,
    /// The client hung up.
    Aborted,
    /// The simulator broke the connection, or was stopped.
    Broken,
}

impl CallEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Aborted => "aborted",
            Self::Broken => "broken",
        }
    }
}

/// One request to the simulated Zep.
#[derive(Clone, Debug)]
pub struct ZepCall {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// Path and query as they came, not decoded.
    pub path: String,
    /// The body; null when there was none.
    pub body: Value,
    /// When the request was there.
    pub received_at: Instant,
}

/// Counts of one call that its body writes while it runs.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) tokens: AtomicU64,
    pub(super) prompt: AtomicU64,
    pub(super) billed: AtomicU64,
    pub(super) lookups: AtomicU64,
    pub(super) end: Mutex<Option<(CallEnd, Instant)>>,
}

/// Calls in order with a bound.
#[derive(Debug)]
struct Kept<T> {
    calls: VecDeque<(usize, T)>,
    bytes: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            calls: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<T> Kept<T> {
    fn push(&mut self, bytes: usize, call: T) {
        self.bytes += bytes;
        self.calls.push_back((bytes, call));
        while self.calls.len() > KEPT_CALLS || (self.bytes > KEPT_BYTES && self.calls.len() > 1) {
            if let Some((gone, _)) = self.calls.pop_front() {
                self.bytes -= gone;
            }
        }
    }
}

#[derive(Debug)]
struct Inner {
    started: Instant,
    chats: Mutex<Kept<(ChatCall, Arc<Progress>)>>,
    zep: Mutex<Kept<ZepCall>>,
    store: Mutex<Store>,
    trapped: AtomicU64,
}

/// The book of one simulator.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

impl Ledger {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            chats: Mutex::default(),
            zep: Mutex::default(),
            store: Mutex::default(),
            trapped: AtomicU64::new(0),
        }))
    }

    /// Model calls, oldest first, as they stand now.
    #[must_use]
    pub fn chats(&self) -> Vec<ChatCall> {
        lock(&self.0.chats)
            .calls
            .iter()
            .map(|(_, call)| snapshot(call))
            .collect()
    }

    /// The model call with this generation id.
    #[must_use]
    pub fn chat(&self, id: &str) -> Option<ChatCall> {
        let kept = lock(&self.0.chats);
        let found = kept.calls.iter().rev().find(|(_, call)| call.0.id == id)?;
        Some(snapshot(&found.1))
    }

    /// What all calls that are kept have cost, in micro-dollars.
    #[must_use]
    pub fn bill_microusd(&self) -> i64 {
        self.chats().iter().map(ChatCall::bill_microusd).sum()
    }

    /// Notes that somebody asked what a call cost, and gives the call as it stands.
    pub(super) fn look_up(&self, id: &str) -> Option<ChatCall> {
        let kept = lock(&self.0.chats);
        let found = kept.calls.iter().rev().find(|(_, call)| call.0.id == id)?;
        found.1.1.lookups.fetch_add(1, Ordering::Relaxed);
        Some(snapshot(&found.1))
    }

    /// Zep calls, oldest first.
    #[must_use]
    pub fn zep(&self) -> Vec<ZepCall> {
        let kept = lock(&self.0.zep);
        kept.calls.iter().map(|(_, call)| call.clone()).collect()
    }

    /// What Zep stores of each user.
    #[must_use]
    pub fn zep_users(&self) -> Vec<StoredUser> {
        lock(&self.0.store).users()
    }

    /// What Zep stores of each thread, with its messages.
    #[must_use]
    pub fn zep_threads(&self) -> Vec<StoredThread> {
        lock(&self.0.store).threads()
    }

    /// How often somebody followed the redirect.
    #[must_use]
    pub fn trap_hits(&self) -> u64 {
        self.0.trapped.load(Ordering::Relaxed)
    }

    /// Forgets everything, the stored memory too.
    pub fn reset(&self) {
        *lock(&self.0.chats) = Kept::default();
        *lock(&self.0.zep) = Kept::default();
        *lock(&self.0.store) = Store::default();
        self.0.trapped.store(0, Ordering::Relaxed);
    }

    /// The whole book for people; instants are milliseconds since the simulator's start.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ms = |at: Instant| {
            u64::try_from(at.saturating_duration_since(self.0.started).as_millis()).unwrap_or(0)
        };
        let chats: Vec<Value> = self
            .chats()
            .into_iter()
            .map(|call| {
                json!({
                    "id": call.id, "model": call.model, "fault": call.fault,
                    "authorized": call.authorized, "http_referer": call.referer,
                    "x_openrouter_title": call.openrouter_title, "x_title": call.title,
                    "received_ms": ms(call.received_at), "tokens_sent": call.tokens_sent,
                    "prompt_tokens": call.prompt_tokens, "billed_tokens": call.billed_tokens,
                    "bill_microusd": call.bill_microusd(), "lookups": call.lookups,
                    "end": call.end.map(|(end, _)| end.as_str()),
                    "ended_ms": call.end.map(|(_, at)| ms(at)),
                    "body": call.body,
                })
            })
            .collect();
        let zep: Vec<Value> = self
            .zep()
            .into_iter()
            .map(|call| {
                json!({"method": call.method, "path": call.path,
                    "received_ms": ms(call.received_at), "body": call.body})
            })
            .collect();
        json!({"chats": chats, "bill_microusd": self.bill_microusd(), "zep": zep, "zep_users": self.zep_users(),
            "zep_threads": self.zep_threads(), "trap_hits": self.trap_hits()})
    }

    pub(super) fn open_chat(&self, bytes: usize, call: ChatCall) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        lock(&self.0.chats).push(bytes, (call, progress.clone()));
        progress
    }

    pub(super) fn note_zep(&self, bytes: usize, call: ZepCall) {
        lock(&self.0.zep).push(bytes, call);
    }

    pub(super) fn note_trapped(&self) {
        self.0.trapped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.0.store)
    }
}

fn snapshot((call, progress): &(ChatCall, Arc<Progress>)) -> ChatCall {
    ChatCall {
        tokens_sent: progress.tokens.load(Ordering::Relaxed),
        prompt_tokens: progress.prompt.load(Ordering::Relaxed),
        billed_tokens: progress.billed.load(Ordering::Relaxed),
        lookups: progress.lookups.load(Ordering::Relaxed),
        end: *lock(&progress.end),
        ..call.clone()
    }
}

/// Locks; what a panicking thread left behind is still a ledger.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_calls_leave_first() {
        let mut kept = Kept::default();
        for number in 0..KEPT_CALLS + 3 {
            kept.push(1, number);
        }
        assert_eq!(kept.calls.len(), KEPT_CALLS);
        assert_eq!(kept.calls.front(), Some(&(1, 3)));
        kept.push(KEPT_BYTES, 0);
        assert_eq!((kept.calls.len(), kept.bytes), (1, KEPT_BYTES));
    }
}
