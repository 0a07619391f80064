//! Turns that wait for the store's word on their money.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::turn::MicroUsd;

use super::{Over, Payer, Reservation};

/// Turns that may wait at once; more are refused.
const MOST: usize = 4096;

/// A reservation, or the wait for one.
#[derive(Debug)]
pub enum Asked {
    Granted(Reservation),
    Waiting(oneshot::Receiver<Result<Reservation, Over>>),
}

impl Asked {
    /// The reservation, until `due`. Who hears nothing by then has not got it.
    ///
    /// # Errors
    /// The limit that it would go beyond.
    ///
    /// # Cancellation
    /// Safe: what is granted later is given back.
    pub async fn until(self, due: Instant) -> Result<Reservation, Over> {
        match self {
            Self::Granted(reservation) => Ok(reservation),
            Self::Waiting(answer) => match timeout_at(due, answer).await {
                Ok(Ok(answer)) => answer,
                _ => Err(Over::Day),
            },
        }
    }
}

#[derive(Debug)]
pub(super) struct Ask {
    user: Option<String>,
    session: String,
    pub(super) amount: MicroUsd,
    answer: oneshot::Sender<Result<Reservation, Over>>,
}

impl Ask {
    /// Tells the one who waits.
    pub(super) fn answer(self, answer: Result<Reservation, Over>) {
        // Whoever has gone has no use for it: what comes back is dropped, and so given back.
        drop(self.answer.send(answer));
    }

    pub(super) fn payer(&self) -> Payer<'_> {
        Payer {
            user: self.user.as_deref(),
            session: &self.session,
        }
    }
}

/// First come, first served.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<Ask>);

impl Waiting {
    /// `None` where as many wait as may.
    pub(super) fn ask(
        &mut self,
        payer: Payer<'_>,
        amount: MicroUsd,
    ) -> Option<oneshot::Receiver<Result<Reservation, Over>>> {
        if self.0.len() >= MOST {
            return None;
        }
        let (answer, asked) = oneshot::channel();
        self.0.push_back(Ask {
            user: payer.user.map(str::to_owned),
            session: payer.session.to_owned(),
            amount,
            answer,
        });
        Some(asked)
    }

    /// What all that wait would take together.
    pub(super) fn sum(&self) -> i64 {
        let waiting = self.0.iter().filter(|ask| !ask.answer.is_closed());
        waiting.fold(0, |sum, ask| sum.saturating_add(ask.amount.0))
    }

    /// The next that still waits.
    pub(super) fn next(&mut self) -> Option<Ask> {
        loop {
            let ask = self.0.pop_front()?;
            if !ask.answer.is_closed() {
                return Some(ask);
            }
        }
    }
}
