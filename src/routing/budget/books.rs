//! A day's sums, and whose purses and waits go with them.

use crate::turn::MicroUsd;

use super::purse::Purses;
use super::waiting::Waiting;
use super::{DAY_MS, Limits, Over, Payer, Sharing};

#[derive(Debug)]
pub(super) struct Books {
    pub(super) day: Day,
    /// The store's clock less ours, milliseconds: the day is the same for all machines.
    pub(super) ahead_ms: i64,
    /// When the store last granted anything, by our clock.
    pub(super) granted_at_ms: Option<i64>,
    /// When the books were last opened.
    pub(super) now_ms: i64,
    pub(super) users: Purses,
    pub(super) sessions: Purses,
    pub(super) waiting: Waiting,
}

/// One day's sums, micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Days since 1970.
    pub(super) number: i64,
    pub(super) settled: i64,
    pub(super) reserved: i64,
    /// Granted to this machine.
    pub(super) held: i64,
    /// Spent by other machines, as last told.
    pub(super) others: i64,
    /// The store did not answer the last time.
    pub(super) is_apart: bool,
    /// The store has granted something of this day.
    pub(super) is_granted: bool,
}

impl Day {
    pub(super) fn begins_ms(number: i64) -> i64 {
        number.saturating_mul(DAY_MS)
    }

    /// What may be reserved without asking.
    pub(super) fn at_hand(&self, limits: &Limits, sharing: Sharing) -> i64 {
        let held = match sharing {
            Sharing::Alone => limits.cap.0,
            // What was spent beyond the cap counts against the lease: a store that comes and goes would else
            // be good for one each time.
            Sharing::Leased(lease) if self.is_apart => {
                let left = limits.cap.0.saturating_sub(self.others).max(0);
                self.held.min(left).saturating_add(lease.0)
            }
            Sharing::Leased(_) | Sharing::Strict => self.held,
        };
        held.saturating_sub(self.taken())
    }

    fn taken(&self) -> i64 {
        self.settled.saturating_add(self.reserved)
    }
}

impl Books {
    /// # Errors
    /// The cap of the user or the session, if this would go beyond it.
    pub(super) fn has_room(&mut self, payer: Payer<'_>, amount: MicroUsd) -> Result<(), Over> {
        if !self.users.has_room(payer.user, amount) {
            return Err(Over::User);
        }
        match self.sessions.has_room(Some(payer.session), amount) {
            true => Ok(()),
            false => Err(Over::Session),
        }
    }

    /// What was held and not taken is others' by now.
    pub(super) fn forget_held(&mut self) {
        self.day.held = self.day.held.min(self.day.taken());
    }

    /// A new day, of which nothing is known.
    pub(super) fn begin(&mut self, number: i64) {
        self.day = Day {
            number,
            is_apart: self.day.is_apart,
            ..Day::default()
        };
        self.users.begin_day();
    }
}
