//! Takes letters to the receiver, one at a time, in a task of its own: no turn ever waits for it.
//!
//! A letter is on the disk before it is tried, and stays there until it has arrived, the receiver
//! wants none of it, or its days are over. So it arrives at least once: a process that dies between
//! an answer and its acknowledgement leaves a letter that arrived, and the receiver knows it by its id.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::queue::{Arrival, Queue};
use super::shelf::Shelf;
use super::webhook::{Answer, Letter, Post};
use crate::clock::Clock;
use crate::spool::Seq;
use crate::telemetry::events::{ReceiverMoved, WebhookBacklog, WebhookTried};

/// A directory that another process holds is tried again after this.
const REOPEN: Duration = Duration::from_secs(5);
/// By how much pauses are stretched at most.
const JITTER: f64 = 0.1;

/// See the module's words.
pub(super) struct Courier {
    pub(super) post: Arc<Post>,
    pub(super) shelf: Shelf,
    pub(super) queue: Queue,
    pub(super) inbox: mpsc::Receiver<Letter>,
    pub(super) clock: Clock,
    /// Cancelled when nothing more may be sent.
    pub(super) hard: CancellationToken,
}

/// What a courier knows of its surroundings.
struct State {
    /// Nobody can hand in a letter any more.
    is_closed: bool,
    /// When to look at the directory again that another process holds.
    reopen: Option<Instant>,
    /// The last letter did not arrive.
    is_troubled: bool,
}

impl Courier {
    /// Delivers until nobody can hand in anything and nothing is due, or until the hard token. What
    /// is left lies on the disk.
    pub(super) async fn run(mut self) {
        let mut state = State {
            is_closed: false,
            reopen: Some(Instant::now()),
            is_troubled: false,
        };
        let hard = self.hard.clone();
        hard.run_until_cancelled(self.deliver_all(&mut state)).await;
        // What was told last is put by for the next start.
        self.open(&mut state).await;
        while let Some(letter) = self.inbox.recv().await {
            self.take_in(letter).await;
        }
        for letter in self.queue.unkept() {
            WebhookTried::lost("stopped", &letter.id).emit();
        }
        for _ in 0..self.shelf.close().await {
            WebhookTried::lost("stopped", "").emit();
        }
    }

    async fn deliver_all(&mut self, state: &mut State) {
        loop {
            self.open(state).await;
            let now = Instant::now();
            if let Some(letter) = self.queue.due(now) {
                let answer = self.deliver(&letter, state).await;
                self.settle(&letter.id, answer, state).await;
                continue;
            }
            if state.is_closed {
                return;
            }
            let wake = self.queue.next().into_iter().chain(state.reopen).min();
            tokio::select! {
                letter = self.inbox.recv() => self.receive(letter, state).await,
                () = asleep(wake) => {}
            }
        }
    }

    /// One try, during which others come in.
    async fn deliver(&mut self, letter: &Letter, state: &mut State) -> Answer {
        let post = Arc::clone(&self.post);
        let trying = post.deliver(letter, self.clock.now_s());
        tokio::pin!(trying);
        loop {
            tokio::select! {
                answer = &mut trying => return answer,
                letter = self.inbox.recv(), if !state.is_closed => self.receive(letter, state).await,
            }
        }
    }

    async fn receive(&mut self, letter: Option<Letter>, state: &mut State) {
        match letter {
            Some(letter) => self.take_in(letter).await,
            None => state.is_closed = true,
        }
    }

    async fn take_in(&mut self, letter: Letter) {
        if self.queue.is_full() {
            WebhookTried::lost("full", &letter.id).emit();
            return;
        }
        let seq = self.shelf.keep(&letter).await;
        self.push(letter, seq);
    }

    fn push(&mut self, letter: Letter, seq: Option<Seq>) {
        let age = self.clock.now_ms().saturating_sub(letter.at_ms);
        let arrival = Arrival {
            letter,
            seq,
            age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            stretch: 1.0 + rand::random_range(0.0..JITTER),
        };
        self.queue.push(arrival, Instant::now());
        self.show();
    }

    async fn settle(&mut self, id: &str, answer: Answer, state: &mut State) {
        let now = Instant::now();
        let trouble = answer.trouble();
        let is_over = match &answer {
            Answer::Delivered => {
                WebhookTried::delivered(id).emit();
                self.queue.hurry(now);
                true
            }
            Answer::Gone => {
                WebhookTried::lost("gone", id).emit();
                true
            }
            _ => {
                WebhookTried::failed(id, trouble.as_deref().unwrap_or_default()).emit();
                let is_over = !self.queue.put_off(id, &answer, now);
                if is_over {
                    WebhookTried::lost("given_up", id).emit();
                }
                is_over
            }
        };
        if is_over && let Some(seq) = self.queue.remove(id) {
            self.shelf.done(seq).await;
        }
        if state.is_troubled != trouble.is_some() {
            state.is_troubled = trouble.is_some();
            ReceiverMoved {
                trouble: trouble.as_deref(),
            }
            .emit();
        }
        self.show();
    }

    /// Opens the shelf where that is due, takes up what lies there, and puts by what has no place
    /// there yet.
    async fn open(&mut self, state: &mut State) {
        let now = Instant::now();
        if state.reopen.is_none_or(|at| at > now) {
            return;
        }
        let Some(found) = self.shelf.open().await else {
            state.reopen = Some(now + REOPEN);
            return;
        };
        state.reopen = None;
        let unkept = self.queue.unkept();
        for (letter, seq) in found.letters {
            self.push(letter, Some(seq));
        }
        for letter in unkept {
            if let Some(seq) = self.shelf.keep(&letter).await {
                self.queue.kept(&letter.id, seq);
            }
        }
        for _ in 0..found.unreadable {
            WebhookTried::lost("unreadable", "").emit();
        }
        for _ in 0..found.damaged {
            WebhookTried::lost("damaged", "").emit();
        }
    }

    fn show(&self) {
        WebhookBacklog(self.queue.len()).emit();
    }
}

async fn asleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "courier/tests.rs"]
mod tests;
