//! What the operator is told: once, in the log, as a metric, and as a signed webhook.
//!
//! Whoever notices something calls [`Alerts::raise`], as often as it is noticed, and
//! [`Alerts::over`] when a state has ended. Neither waits for anything. A task of its own decides
//! whether it is news (`ledger`), asks whether another machine has told it already ([`Once`]), and
//! tells it. Webhooks go through a queue on the disk (`courier`, `queue`, `shelf`).
//!
//! To add an alert: a variant in `kinds`, its type, key, rhythm and words there, its row in
//! `docs/TELEMETRY.md`.

mod courier;
mod kinds;
mod ledger;
mod queue;
mod shelf;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Webhook;
use crate::lifecycle::Lifecycle;
use crate::telemetry::events::{AlertDropped, AlertRaised, WebhookTried};

use self::courier::Courier;
use self::kinds::Rhythm;
use self::ledger::{FORGOTTEN, Ledger, REARM};
use self::queue::Queue;
use self::shelf::Shelf;
use self::webhook::{Letter, Post};

pub use self::kinds::{Alert, Day, Refusal, Threshold};
pub use self::webhook::Answer;

/// What was raised and is not looked at yet.
const RAISED: usize = 256;
/// Letters on their way to the disk.
const LETTERS: usize = 64;
/// How long the answer may take whether somebody else has told it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a process is about to tell, for a store to say whether it is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it is about, such as `budget:2026-11-28:80`.
    pub key: String,
    /// So long after it was told by anybody it is not told again: two days where the key names a
    /// window, a quarter of an hour for a state.
    pub quiet: Duration,
}

/// Whether this process is the first to tell it. Asked once for each alert that is news here, one at
/// a time. No answer within two seconds is a yes, and so should any trouble be: told twice is better
/// than not at all.
pub type Once = Box<dyn Fn(Claim) -> BoxFuture<'static, bool> + Send + Sync>;

/// Nobody else tells anything.
#[must_use]
pub fn alone() -> Once {
    Box::new(|_| std::future::ready(true).boxed())
}

/// What alerts need to be told.
pub struct Setup {
    /// Absent: they are logged and counted only.
    pub webhook: Option<Webhook>,
    /// Where webhooks wait: a directory of this process alone.
    pub dir: PathBuf,
    pub once: Once,
    pub clock: Clock,
}

/// What is raised, and what is over.
enum Word {
    Raised(Alert),
    Over(String),
}

/// Where whoever notices something says so. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Alerts(mpsc::Sender<Word>);

impl Alerts {
    /// Starts telling. It ends when the last handle is gone, or with the hard token; what is not
    /// delivered by then waits on the disk for the next start.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn start(setup: Setup, lifecycle: &Lifecycle) -> Result<Self, reqwest::Error> {
        let (tell, words) = mpsc::channel(RAISED);
        let hard = lifecycle.hard().clone();
        let letters = match setup.webhook {
            None => None,
            Some(webhook) => {
                let (send, inbox) = mpsc::channel(LETTERS);
                let courier = Courier {
                    post: Arc::new(Post::new(webhook)?),
                    shelf: Shelf::new(setup.dir, lifecycle.clone()),
                    queue: Queue::new(queue::PAUSES),
                    inbox,
                    clock: setup.clock,
                    hard: hard.clone(),
                };
                lifecycle.spawn(courier.run());
                Some(send)
            }
        };
        let teller = Teller {
            ledger: Ledger::new(),
            once: setup.once,
            letters,
            clock: setup.clock,
            hard,
        };
        lifecycle.spawn(teller.run(words));
        Ok(Self(tell))
    }

    /// Something is so. Never waits: beyond what is being looked at it is dropped and counted.
    pub fn raise(&self, alert: Alert) {
        if self.0.try_send(Word::Raised(alert)).is_err() {
            AlertDropped.emit();
        }
    }

    /// What [`Alert::key`] names is so no more. Never waits.
    pub fn over(&self, key: &str) {
        // Where there is no room the state goes on, and ends when this is said again.
        let _ = self.0.try_send(Word::Over(key.to_owned()));
    }
}

/// Sends a test past the queue, once, and tells what came of it.
///
/// # Errors
/// When the HTTP client cannot be set up.
///
/// # Cancellation
/// Safe: nobody knows then whether it arrived.
pub async fn send_test(webhook: &Webhook, clock: Clock) -> Result<Answer, reqwest::Error> {
    let post = Post::new(webhook.clone())?;
    let letter = Letter::new(&Alert::Test, clock.now_ms());
    Ok(post.deliver(&letter, clock.now_s()).await)
}

/// Decides what is news, and tells it.
struct Teller {
    ledger: Ledger,
    once: Once,
    /// Absent: nobody takes webhooks.
    letters: Option<mpsc::Sender<Letter>>,
    clock: Clock,
    hard: CancellationToken,
}

impl Teller {
    /// Tells until nobody can raise anything, or until the hard token: then what was raised before it.
    async fn run(mut self, mut words: mpsc::Receiver<Word>) {
        let hard = self.hard.clone();
        loop {
            let word = match hard.run_until_cancelled(words.recv()).await {
                Some(word) => word,
                None => {
                    words.close();
                    words.recv().await
                }
            };
            let Some(word) = word else { return };
            if let Some(alert) = self.news(word)
                && self.is_first(&alert).await
            {
                self.tell(&alert);
            }
        }
    }

    fn news(&mut self, word: Word) -> Option<Alert> {
        let now = Instant::now();
        match word {
            Word::Raised(alert) => self.ledger.is_news(&alert, now).then_some(alert),
            Word::Over(key) => {
                self.ledger.over(&key, now);
                None
            }
        }
    }

    async fn is_first(&self, alert: &Alert) -> bool {
        let quiet = match alert.rhythm() {
            Rhythm::Always => return true,
            _ if alert.is_own() => return true,
            Rhythm::Window => FORGOTTEN,
            Rhythm::State => REARM,
        };
        let key = alert.key();
        let asked = timeout(PATIENCE, (self.once)(Claim { key, quiet }));
        // When all ends the store may be gone already: nobody waits for it then.
        let answer = self.hard.run_until_cancelled(asked).await;
        answer.and_then(Result::ok).unwrap_or(true)
    }

    fn tell(&self, alert: &Alert) {
        AlertRaised {
            kind: alert.kind(),
            key: &alert.key(),
            message: &alert.message(),
        }
        .emit();
        let Some(letters) = &self.letters else {
            return;
        };
        let letter = Letter::new(alert, self.clock.now_ms());
        let id = letter.id.clone();
        if letters.try_send(letter).is_err() {
            WebhookTried::lost("full", &id).emit();
        }
    }
}

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
