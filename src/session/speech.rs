//! What talker, listeners and session share of one turn: its words under one lock, held for no
//! longer than a copy takes, and never while somebody is woken.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::turn::{Head, ToolCall};

use super::generation::{Heard, Piece};
use super::heard::{Asked, Past};
use super::key::Key;
use super::spoken::{MAX_REMEMBERED_BYTES, beginning};
use super::text::Text;

/// How long after its end an answer is given again to the same request.
pub const REPLAY_FOR: Duration = Duration::from_secs(120);
/// What is kept of a turn while it runs. Beyond it nothing is added, as a hole would be heard.
const MAX_SAID_BYTES: usize = 256 << 10;
/// What is kept of a turn once it has ended and its listeners have gone.
const MAX_KEPT_BYTES: usize = 64 << 10;

/// Who may listen to one turn at once: a platform repeats a request a few times, not more.
const MAX_LISTENERS: usize = 8;

/// What became of a wish to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    Heard {
        id: u64,
        is_replay: bool,
    },
    /// As many listen as may.
    Full,
    /// There is nothing to be heard any more.
    Over,
}

/// Whether an answer may be given again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is whole.
    Keep,
    /// It failed: the next request is answered anew.
    Forget,
    /// Its caller broke in: likewise, and there were more words to come.
    CutOff,
}

/// What talker, listeners and session share.
#[derive(Debug)]
pub(super) struct Speech {
    pub(super) head: Arc<Head>,
    pub(super) key: Key,
    pub(super) superseded: CancellationToken,
    /// Bytes kept of ended turns, all sessions together.
    kept: Arc<AtomicUsize>,
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    /// What it answers.
    asked: Asked,
    /// Everything to be spoken.
    text: Text,
    /// The parts of it that are ours, in order.
    phrases: Vec<Range<usize>>,
    /// Tool calls, and where in the text each stands.
    tools: Vec<(usize, ToolCall)>,
    tool_bytes: usize,
    /// Something found no room.
    is_full: bool,
    end: Option<End>,
    /// Its caller has left and nobody listens: it is about to go.
    is_closing: bool,
    /// Bytes counted in `kept`.
    counted: usize,
    listeners: Vec<Waiting>,
    next_listener: u64,
    /// Who waits for the last listener to go.
    deserted: Vec<Waker>,
}

#[derive(Debug)]
struct End {
    last: Piece,
    replay: Replay,
    at: Instant,
    /// The text goes when nobody listens to it.
    is_released: bool,
}

impl End {
    fn is_fresh(&self, now: Instant) -> bool {
        self.replay == Replay::Keep && now.saturating_duration_since(self.at) <= REPLAY_FOR
    }
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    waker: Option<Waker>,
}

impl Speech {
    pub(super) fn new(head: Arc<Head>, key: Key, asked: Asked, kept: Arc<AtomicUsize>) -> Self {
        Self {
            head,
            key,
            superseded: CancellationToken::new(),
            kept,
            said: Mutex::new(Said::new(asked)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn words(&self, words: &str) {
        self.add(words.len(), |said| said.text.push_str(words));
    }

    pub(super) fn phrase(&self, words: &str) {
        self.add(words.len(), |said| {
            let start = said.text.len();
            said.text.push_str(words);
            said.phrases.push(start..said.text.len());
        });
    }

    pub(super) fn tool(&self, call: &ToolCall) {
        let bytes = call.id.len() + call.name.len() + call.arguments.len();
        self.add(bytes, |said| {
            said.tools.push((said.text.len(), call.clone()));
            said.tool_bytes += bytes;
        });
    }

    fn add(&self, bytes: usize, something: impl FnOnce(&mut Said)) {
        let mut said = self.lock();
        said.is_full |= said.bytes() + bytes > MAX_SAID_BYTES;
        if said.is_full || said.end.is_some() {
            return;
        }
        something(&mut said);
        // Nearly every token of every turn.
        if said.listeners.is_empty() {
            return;
        }
        let wakers = said.wakers();
        // Woken without the lock: they come for it at once.
        drop(said);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// `last` is an end or a fault.
    pub(super) fn end(&self, last: Piece, replay: Replay) {
        let mut said = self.lock();
        if said.end.is_some() {
            return;
        }
        said.text.end();
        let bytes = said.bytes();
        let fits = bytes <= MAX_KEPT_BYTES && !said.is_full;
        said.counted = bytes + said.asked.bytes();
        self.kept.fetch_add(said.counted, Ordering::Relaxed);
        said.end = Some(End {
            last,
            replay: match replay {
                Replay::Keep if !fits => Replay::Forget,
                replay => replay,
            },
            at: Instant::now(),
            is_released: bytes > MAX_KEPT_BYTES,
        });
        let wakers = said.wakers();
        self.tidy(&mut said);
        drop(said);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// One more listener, if the same request may hear this turn: it runs and nothing newer came,
    /// or it ended whole a short while ago. Asked and done at once, so that nobody joins a turn that
    /// is being let go.
    pub(super) fn join(&self, now: Instant) -> Join {
        let mut said = self.lock();
        let may_be_heard = match &said.end {
            None => !said.is_closing && !self.superseded.is_cancelled(),
            Some(end) => end.is_fresh(now),
        };
        if !may_be_heard {
            return Join::Over;
        }
        if said.listeners.len() >= MAX_LISTENERS {
            return Join::Full;
        }
        let id = said.next_listener;
        said.next_listener += 1;
        said.listeners.push(Waiting { id, waker: None });
        Join::Heard {
            id,
            is_replay: said.end.is_some(),
        }
    }

    /// The talker's caller has left. True if nobody listens: from then on nobody can.
    pub(super) fn close_if_alone(&self) -> bool {
        let mut said = self.lock();
        said.is_closing |= said.listeners.is_empty();
        said.is_closing
    }

    pub(super) fn poll_next(&self, id: u64, heard: &mut Heard, cx: &Context<'_>) -> Poll<Piece> {
        let mut said = self.lock();
        if let Some(piece) = said.after(heard) {
            return Poll::Ready(piece);
        }
        let own = said.listeners.iter_mut().find(|l| l.id == id);
        let old = own.and_then(|own| match &own.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => own.waker.replace(cx.waker().clone()),
        });
        // A waker may take its task with it, and that a listener.
        drop(said);
        drop(old);
        Poll::Pending
    }

    pub(super) fn leave(&self, id: u64) {
        let mut said = self.lock();
        let at = said.listeners.iter().position(|l| l.id == id);
        let left = at.map(|at| said.listeners.swap_remove(at));
        if !said.listeners.is_empty() {
            drop(said);
            return drop(left);
        }
        let deserted = std::mem::take(&mut said.deserted);
        self.tidy(&mut said);
        drop(said);
        deserted.into_iter().for_each(Waker::wake);
    }

    pub(super) fn poll_deserted(&self, cx: &Context<'_>) -> Poll<()> {
        let mut said = self.lock();
        if said.listeners.is_empty() {
            said.is_closing = true;
            return Poll::Ready(());
        }
        // One for each task, however often it begins to wait anew.
        if !said.deserted.iter().any(|w| w.will_wake(cx.waker())) {
            said.deserted.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// It ended whole, a short while ago.
    pub(super) fn may_be_replayed(&self, now: Instant) -> bool {
        let said = self.lock();
        said.end.as_ref().is_some_and(|end| end.is_fresh(now))
    }

    /// It ended so long ago that no repeat may hear it.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let said = self.lock();
        let end = said.end.as_ref();
        end.is_some_and(|end| now.saturating_duration_since(end.at) > REPLAY_FOR)
    }

    pub(super) fn reply(&self) -> Arc<str> {
        self.lock().reply(MAX_REMEMBERED_BYTES)
    }

    pub(super) fn text(&self) -> Arc<str> {
        self.lock().reply(usize::MAX)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// What it said so far, to be looked for in a newer request's history.
    pub(super) fn past(&self) -> Past {
        let said = self.lock();
        Past {
            asked: said.asked.clone(),
            reply: said.reply(MAX_REMEMBERED_BYTES),
            broken_off: match &said.end {
                None => true,
                Some(end) => end.replay == Replay::CutOff,
            },
        }
    }

    /// Gives the words of an ended turn back, as soon as nobody listens to them.
    pub(super) fn release(&self) {
        let mut said = self.lock();
        if let Some(end) = &mut said.end {
            if end.replay == Replay::Keep {
                end.replay = Replay::Forget;
            }
            end.is_released = true;
        }
        self.tidy(&mut said);
    }

    fn tidy(&self, said: &mut Said) {
        let is_released = said.end.as_ref().is_some_and(|end| end.is_released);
        if is_released && said.listeners.is_empty() {
            let counted = std::mem::take(&mut said.counted);
            self.kept.fetch_sub(counted, Ordering::Relaxed);
            said.asked = Asked::Nothing;
            said.text = Text::default();
            said.phrases = Vec::new();
            said.tools = Vec::new();
        }
    }
}

impl Drop for Speech {
    fn drop(&mut self) {
        let said = self.said.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.kept.fetch_sub(said.counted, Ordering::Relaxed);
    }
}

impl Said {
    fn new(asked: Asked) -> Self {
        Self {
            asked,
            text: Text::default(),
            phrases: Vec::new(),
            tools: Vec::new(),
            tool_bytes: 0,
            is_full: false,
            end: None,
            is_closing: false,
            counted: 0,
            listeners: Vec::new(),
            next_listener: 0,
            deserted: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.tool_bytes
    }

    /// What comes next for who heard so much.
    fn after(&self, heard: &mut Heard) -> Option<Piece> {
        let call = self.tools.get(heard.tools);
        let upto = call.map_or(self.text.len(), |(at, _)| *at);
        let words = self.text.get(heard.text..upto).unwrap_or_default();
        if !words.is_empty() {
            heard.text = upto;
            return Some(Piece::Words(words.to_owned()));
        }
        if let Some((_, call)) = call {
            heard.tools += 1;
            return Some(Piece::Tool(call.clone()));
        }
        Some(self.end.as_ref()?.last.clone())
    }

    /// Listeners that wait. Allocates only where somebody does.
    fn wakers(&mut self) -> Vec<Waker> {
        let waiting = self.listeners.iter_mut();
        waiting.filter_map(|l| l.waker.take()).collect()
    }

    /// The model's words, from the beginning.
    fn reply(&self, max_bytes: usize) -> Arc<str> {
        if self.phrases.is_empty() && self.text.len() <= max_bytes {
            return self.text.shared();
        }
        let mut reply = String::new();
        let mut from = 0;
        let ours = self.phrases.iter().map(|phrase| (phrase.start, phrase.end));
        for (start, end) in ours.chain([(self.text.len(), 0)]) {
            let words = self.text.get(from..start).unwrap_or_default();
            let room = max_bytes.saturating_sub(reply.len());
            reply.push_str(beginning(words, room));
            if words.len() > room {
                break;
            }
            from = end;
        }
        reply.into()
    }
}
