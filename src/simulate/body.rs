//! Plays a plan as a response body, and tells the ledger how it ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::frame::COMMENT;
use super::ledger::{CallEnd, Progress, lock};
use super::plan::{Plan, Step};

const FILLER: [u8; 16 << 10] = [b'x'; 16 << 10];

/// One model call while it runs; settles once, and when dropped unsettled the client hung up.
#[derive(Debug)]
pub(super) struct Call {
    progress: Arc<Progress>,
    stopping: CancellationToken,
    /// Completion tokens of the whole answer.
    whole: u64,
    /// Whether a hang-up stops the bill.
    cancellable: bool,
}

impl Call {
    pub(super) fn new(progress: Arc<Progress>, stopping: CancellationToken) -> Self {
        Self {
            progress,
            stopping,
            whole: 0,
            cancellable: true,
        }
    }

    /// Says what is charged: the prompt, and the whole answer where a hang-up stops nothing.
    pub(super) fn charge(&mut self, prompt: u64, whole: u64, cancellable: bool) {
        self.progress.prompt.store(prompt, Ordering::Relaxed);
        self.whole = whole;
        self.cancellable = cancellable;
    }

    pub(super) fn sent(&self, tokens: u64) {
        self.progress.tokens.fetch_add(tokens, Ordering::Relaxed);
    }

    /// Settles, unless it already is.
    pub(super) fn settle(&self, how: CallEnd) {
        let mut end = lock(&self.progress.end);
        if end.is_none() {
            let sent = self.progress.tokens.load(Ordering::Relaxed);
            let goes_on = how == CallEnd::Aborted && !self.cancellable;
            let billed = if goes_on { self.whole } else { sent };
            self.progress.billed.store(billed, Ordering::Relaxed);
            *end = Some((how, Instant::now()));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.settle(if self.stopping.is_cancelled() {
            CallEnd::Broken
        } else {
            CallEnd::Aborted
        });
    }
}

struct Playing {
    steps: std::iter::Peekable<std::vec::IntoIter<Step>>,
    call: Call,
    due: Instant,
    filler: usize,
    repeat: Option<Duration>,
    wrote: bool,
}

/// The plan as a stream of writes.
pub(super) fn play(plan: Plan, call: Call) -> impl Stream<Item = io::Result<Bytes>> {
    let playing = Playing {
        steps: plan.steps.into_iter().peekable(),
        call,
        due: Instant::now(),
        filler: 0,
        repeat: None,
        wrote: false,
    };
    stream::unfold(playing, |mut playing| async move {
        let written = playing.next().await?;
        Some((written, playing))
    })
}

impl Playing {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if std::mem::replace(&mut self.wrote, true) {
            // Lets the server flush what it has, so that each event is a write of its own.
            tokio::task::yield_now().await;
        }
        loop {
            if self.filler > 0 {
                let piece = self.filler.min(FILLER.len());
                self.filler -= piece;
                return Some(Ok(Bytes::from_static(&FILLER).slice(..piece)));
            }
            if let Some(every) = self.repeat {
                self.rest(every).await;
                return Some(Ok(Bytes::from_static(COMMENT.as_bytes())));
            }
            let Some(step) = self.steps.next() else {
                self.call.settle(CallEnd::Finished);
                return None;
            };
            match step {
                Step::Wait(wait) => self.rest(wait).await,
                Step::Write(bytes, tokens) => {
                    self.call.sent(tokens);
                    if self.steps.peek().is_none() {
                        // A client that has read the last event may well hang up at once.
                        self.call.settle(CallEnd::Finished);
                    }
                    return Some(Ok(bytes));
                }
                Step::Filler(size) => self.filler = size,
                Step::Silence => std::future::pending().await,
                Step::Comments(every) => self.repeat = Some(every),
                Step::Break => {
                    self.call.settle(CallEnd::Broken);
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
        }
    }

    /// Waits by the plan's own clock, so that late wake-ups do not add up.
    async fn rest(&mut self, wait: Duration) {
        self.due = (self.due + wait).max(Instant::now());
        sleep_until(self.due).await;
    }
}
