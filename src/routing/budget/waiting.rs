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
                _ => Err(Over::Unknown),
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
pub(super) struct Waiting {
    asks: VecDeque<Ask>,
    /// So many of the first were asked for.
    asked: usize,
}

impl Waiting {
    /// `None` where as many wait as may.
    pub(super) fn ask(
        &mut self,
        payer: Payer<'_>,
        amount: MicroUsd,
    ) -> Option<oneshot::Receiver<Result<Reservation, Over>>> {
        if self.asks.len() >= MOST {
            return None;
        }
        let (answer, asked) = oneshot::channel();
        self.asks.push_back(Ask {
            user: payer.user.map(str::to_owned),
            session: payer.session.to_owned(),
            amount,
            answer,
        });
        Some(asked)
    }

    /// What all that wait would take together: it is asked for now.
    pub(super) fn ask_for_all(&mut self) -> i64 {
        self.asked = self.asks.len();
        let waiting = self.asks.iter().filter(|ask| !ask.answer.is_closed());
        waiting.fold(0, |sum, ask| sum.saturating_add(ask.amount.0))
    }

    /// Whether somebody came since.
    pub(super) fn has_unasked(&self) -> bool {
        self.asks.len() > self.asked
    }

    /// The first that still waits, asked for or not, if this is so of it.
    pub(super) fn first_if(&mut self, is_so: impl Fn(&Ask) -> bool) -> Option<Ask> {
        loop {
            let is_gone = match self.asks.front()? {
                ask if ask.answer.is_closed() => true,
                ask if is_so(ask) => false,
                _ => return None,
            };
            self.asked = self.asked.saturating_sub(1);
            let ask = self.asks.pop_front()?;
            if !is_gone {
                return Some(ask);
            }
        }
    }

    /// The next that was asked for and still waits.
    pub(super) fn next_asked(&mut self) -> Option<Ask> {
        while self.asked > 0 {
            self.asked -= 1;
            let ask = self.asks.pop_front()?;
            if !ask.answer.is_closed() {
                return Some(ask);
            }
        }
        None
    }
}
