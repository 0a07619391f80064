//! What is set aside for one turn.

use std::sync::Arc;

use crate::turn::MicroUsd;

use super::Shared;

/// What one turn may cost at most, set aside for it. Dropping it gives all of it back.
#[derive(Debug)]
pub struct Reservation {
    pub(super) shared: Arc<Shared>,
    pub(super) day: i64,
    pub(super) amount: MicroUsd,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) is_open: bool,
}

impl Reservation {
    /// What was set aside.
    #[must_use]
    pub fn amount(&self) -> MicroUsd {
        self.amount
    }

    /// The turn is over and cost so much; where that is more than was set aside, it is spent all the
    /// same. A turn that ends on the next day is the day's on which it began.
    pub fn settle(mut self, cost: MicroUsd) {
        self.close(cost);
    }

    fn close(&mut self, cost: MicroUsd) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let mut books = self.shared.lock();
        if books.day.number == self.day {
            books.day.reserved = books.day.reserved.saturating_sub(self.amount.0).max(0);
            books.day.settled = books.day.settled.saturating_add(cost.0);
            books.users.settle(self.user.as_deref(), self.amount, cost);
        }
        let session = self.session.as_deref();
        books.sessions.settle(session, self.amount, cost);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(MicroUsd::default());
    }
}
