//! Corrects what calls cost that brought no bill: a stream that was hung up on never does. The
//! estimate stands until upstream's own books tell better, and for good where they never do.
//!
//! One task asks, unhurried: each call about a second after its end, then ever more seldom for a
//! quarter of an hour; a few questions a second, more of them where more wait, sixteen at once. It ends with the soft
//! token. What is left then is found in the store by whoever owns it, and given here again.

mod schedule;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use reqwest::Client;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::telemetry::events::CostLookedUp;
use crate::turn::{Correction, CostSource, MicroUsd, TurnRecord};

use self::schedule::{Job, Schedule, Verdict};
use super::generation::{self, Look};
use super::openrouter::Target;

/// Questions that are open at once: at the fastest pace, each may take 0.4 s to be answered.
const AT_ONCE: usize = 16;

/// Whoever has calls to correct holds one of these. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Corrections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    schedule: Mutex<Schedule>,
    /// There is something new to ask.
    changed: Notify,
    clock: Clock,
}

impl Corrections {
    /// Begins to ask. `books` is called with every correction that is found and with the estimate that
    /// stood until then, on the background runtime, and must not block. It is let go with the soft token, not with the last clone of what
    /// is returned, so it may hold on to what waits for clones to go.
    pub fn start(
        target: Target,
        client: Client,
        lifecycle: &Lifecycle,
        books: impl Fn(Correction, Option<MicroUsd>) + Send + Sync + 'static,
    ) -> Self {
        let look = move |id: String| -> BoxFuture<'static, Look> {
            let (target, client) = (target.clone(), client.clone());
            Box::pin(async move { generation::look(&target, &client, &id).await })
        };
        Self::begin(Clock::System, look, lifecycle, books)
    }

    fn begin(
        clock: Clock,
        look: impl Fn(String) -> BoxFuture<'static, Look> + Send + 'static,
        lifecycle: &Lifecycle,
        books: impl Fn(Correction, Option<MicroUsd>) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            schedule: Mutex::default(),
            changed: Notify::new(),
            clock,
        });
        let soft = lifecycle.soft().clone();
        let asking = Arc::clone(&shared);
        lifecycle.spawn(async move {
            soft.run_until_cancelled(asking.run(look, books)).await;
        });
        Self(shared)
    }

    /// Takes in the attempts of a settled turn whose cost is not upstream's own word and can be asked
    /// for. Never waits. Of more than 10,000 the oldest give way, which is counted.
    pub fn consider(&self, turn: &TurnRecord) {
        for (position, attempt) in (0..).zip(&turn.attempts) {
            let is_guess = matches!(
                attempt.cost_source,
                CostSource::Estimated | CostSource::Unknown
            );
            let Some(id) = attempt.generation_id.as_deref().filter(|_| is_guess) else {
                continue;
            };
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float-to-integer cast saturates, and a turn is a minute long"
            )]
            let ended_at_ms = turn.created_at.saturating_add(attempt.ended_ms as i64);
            let call = Call {
                turn_id: &turn.turn_id,
                position,
                generation_id: id,
                estimate: attempt.cost_microusd,
            };
            self.0.consider(call, ended_at_ms);
        }
    }

    /// The same for an attempt that is in the store with an estimate, or with nothing, after a restart.
    /// One that ended longer ago than a quarter of an hour is still asked about, once it is known.
    pub fn consider_attempt(
        &self,
        turn_id: &str,
        position: u32,
        generation_id: &str,
        ended_at_ms: i64,
    ) {
        let call = Call {
            turn_id,
            position,
            generation_id,
            estimate: None,
        };
        self.0.consider(call, ended_at_ms);
    }

    /// Calls whose cost is still looked for.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting()
    }
}

/// A call that may be asked about.
struct Call<'a> {
    turn_id: &'a str,
    position: u32,
    generation_id: &'a str,
    estimate: Option<MicroUsd>,
}

impl Shared {
    fn consider(&self, call: Call<'_>, ended_at_ms: i64) {
        if !generation::is_askable(call.generation_id) {
            return;
        }
        let age = self.clock.now_ms().saturating_sub(ended_at_ms);
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let job = Job {
            turn_id: call.turn_id.to_owned(),
            position: call.position,
            generation_id: call.generation_id.to_owned(),
            estimate: call.estimate,
        };
        let displaced = self.lock().add(job, age, Instant::now());
        if let Some(displaced) = displaced {
            tell(&displaced, "crowded_out");
        }
        self.changed.notify_one();
    }

    /// Asks for ever.
    async fn run(
        self: Arc<Self>,
        look: impl Fn(String) -> BoxFuture<'static, Look>,
        books: impl Fn(Correction, Option<MicroUsd>),
    ) {
        let mut asking = FuturesUnordered::new();
        loop {
            while asking.len() < AT_ONCE
                && let Some((serial, id)) = self.next()
            {
                let answer = look(id);
                asking.push(async move { (serial, answer.await) });
            }
            let next = self.lock().next_at().filter(|_| asking.len() < AT_ONCE);
            tokio::select! {
                Some((serial, look)) = asking.next() => self.take_in(serial, look, &books),
                () = self.changed.notified() => {}
                () = at(next) => {}
            }
        }
    }

    fn next(&self) -> Option<(u64, String)> {
        self.lock().take(Instant::now())
    }

    fn take_in(&self, serial: u64, look: Look, books: &impl Fn(Correction, Option<MicroUsd>)) {
        let verdict = self.lock().judge(serial, look, Instant::now());
        let (job, bill) = match verdict {
            Verdict::Again => return,
            Verdict::GaveUp(job) => return tell(&job, "gave_up"),
            Verdict::Found(job, bill) => (job, bill),
        };
        let is_news = job.estimate != Some(bill.cost);
        tell(&job, if is_news { "corrected" } else { "unchanged" });
        let correction = Correction {
            turn_id: job.turn_id,
            position: job.position,
            cost_microusd: bill.cost,
            provider: bill.provider,
            prompt_tokens: bill.prompt_tokens,
            completion_tokens: bill.completion_tokens,
        };
        books(correction, job.estimate);
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

fn tell(job: &Job, result: &'static str) {
    CostLookedUp {
        result,
        turn_id: &job.turn_id,
        generation_id: &job.generation_id,
    }
    .emit();
}

#[cfg(test)]
mod tests;
