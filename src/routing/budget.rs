//! What may still be spent: reserved before a model is asked, settled by what it cost, given back on
//! drop.
//!
//! A day is a UTC day. Its hard cap is one number for all machines. A machine alone takes reservations
//! from the cap itself, which is exact. Several take them from *leases* (`lease`): parts of the cap
//! that a machine holds ahead, so that a turn waits for nobody. What a machine does not hold it asks
//! the others' store for, and the turn waits for that beside memory. In strict mode a machine holds
//! nothing ahead, so that the last turn that fits is answered wherever it comes in.
//!
//! While nobody answers in the store a machine may go one lease beyond what it holds, and in strict
//! mode nothing: so the day is overspent by one lease a machine at most.
//!
//! Besides the day there are caps of a user's day and of a session's life (`purse`): known exactly for
//! what this process spent, and from the records for what others did, a moment late.
//!
//! Reservations are what a turn may cost at most at list price, hedges and continuations aside; a
//! running turn is never cut by money, so those count when they are settled.

mod books;
mod lease;
mod purse;
mod reservation;
mod standing;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::turn::MicroUsd;

use self::books::{Books, Day};
use self::purse::Purses;
use self::waiting::{Ask, Waiting};

pub use lease::{Grant, Holding, Lease, Renewal, renew};
pub use purse::Owner;
pub use reservation::Reservation;
pub use standing::Standing;
pub use waiting::Asked;

/// Less than this left of the day's budget, and everybody gets the cheapest models.
pub const LOW: MicroUsd = MicroUsd(5_000_000);

const DAY_MS: i64 = 86_400_000;

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What a day should cost.
    pub daily: MicroUsd,
    /// What a day must not cost.
    pub cap: MicroUsd,
    /// What one user may cost a day.
    pub user: Option<MicroUsd>,
    /// What one session may cost in its life.
    pub session: Option<MicroUsd>,
}

/// With whom the cap is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// With nobody.
    Alone,
    /// With other machines, by leases of about this size.
    Leased(MicroUsd),
    /// With other machines, each reservation asked for.
    Strict,
}

/// Which limit a turn would go beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Day,
    User,
    Session,
    /// Nobody could say in time whether there is money.
    Unknown,
}

impl Over {
    /// As it stands in records, after `budget:`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "cap",
            Self::User => "user_cap",
            Self::Session => "session_cap",
            Self::Unknown => "unknown",
        }
    }
}

/// Whose turn it is: names for caps beside the day's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payer<'a> {
    /// The user's pseudonym.
    pub user: Option<&'a str>,
    /// The session as records name it.
    pub session: &'a str,
}

/// The books of one process. Cheap to clone; a lock is held for as long as numbers are added.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    books: Mutex<Books>,
    limits: Limits,
    sharing: Sharing,
    /// Something is wanted of the store.
    wanted: Notify,
}

impl Budget {
    /// Nothing is spent so far, as far as is known.
    #[must_use]
    pub fn new(limits: Limits, sharing: Sharing) -> Self {
        Self(Arc::new(Shared {
            books: Mutex::new(Books {
                day: Day::default(),
                ahead_ms: 0,
                granted_at_ms: None,
                now_ms: 0,
                users: Purses::new(limits.user),
                sessions: Purses::new(limits.session),
                waiting: Waiting::default(),
            }),
            limits,
            sharing,
            wanted: Notify::new(),
        }))
    }

    /// Reserves what a turn may cost at most. Never waits: where the store has to be asked, the answer
    /// comes to what is returned.
    ///
    /// # Errors
    /// The limit that it would go beyond.
    pub fn reserve(&self, payer: Payer<'_>, amount: MicroUsd, now_ms: i64) -> Result<Asked, Over> {
        let mut books = self.books(now_ms);
        books.has_room(payer, amount)?;
        if amount.0 <= books.day.at_hand(&self.0.limits, self.0.sharing) {
            let reservation = self.take(&mut books, payer, amount);
            self.look_ahead(&books);
            return Ok(Asked::Granted(reservation));
        }
        if self.0.sharing == Sharing::Alone {
            return Err(Over::Day);
        }
        let asked = books.waiting.ask(payer, amount).ok_or(Over::Day)?;
        drop(books);
        self.0.wanted.notify_one();
        Ok(Asked::Waiting(asked))
    }

    /// How the day stands.
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> Standing {
        let books = self.books(now_ms);
        let day = books.day;
        Standing {
            day_ms: Day::begins_ms(day.number),
            limits: self.0.limits,
            spent: MicroUsd(day.settled.saturating_add(day.others)),
            reserved: MicroUsd(day.reserved),
            at_hand: MicroUsd(day.at_hand(&self.0.limits, self.0.sharing).max(0)),
            is_apart: day.is_apart,
        }
    }

    /// `alone`, `leased` or `strict`.
    #[must_use]
    pub fn sharing_word(&self) -> &'static str {
        match self.0.sharing {
            Sharing::Alone => "alone",
            Sharing::Leased(_) => "leased",
            Sharing::Strict => "strict",
        }
    }

    /// Takes over what the records say was spent since this day began, by a process before this one.
    /// What this one spent meanwhile is in it or will be: the larger of the two stands. Where the cap is
    /// shared the leases tell what others spent, and this is nothing to add.
    pub fn rebuild(&self, spent: MicroUsd, day_ms: i64, now_ms: i64) {
        if self.0.sharing != Sharing::Alone {
            return;
        }
        let mut books = self.books(now_ms);
        if Day::begins_ms(books.day.number) == day_ms {
            books.day.settled = books.day.settled.max(spent.0);
        }
    }

    /// A settled turn of today turned out to cost so much more, or less where negative.
    pub fn correct(&self, more: MicroUsd, turn_at_ms: i64, now_ms: i64) {
        let mut books = self.books(now_ms);
        let begins = Day::begins_ms(books.day.number);
        if turn_at_ms.saturating_add(books.ahead_ms) >= begins {
            books.day.settled = books.day.settled.saturating_add(more.0).max(0);
        }
    }

    /// Owners of purses of whom the records have not been asked today, some of them.
    #[must_use]
    pub fn strangers(&self, now_ms: i64) -> Vec<Owner> {
        let mut books = self.books(now_ms);
        let users = books.users.strangers().into_iter().map(Owner::User);
        let mut strangers: Vec<Owner> = users.collect();
        let sessions = books.sessions.strangers().into_iter().map(Owner::Session);
        strangers.extend(sessions);
        strangers
    }

    /// What the records say somebody spent: a user in the day that began then, a session in its life.
    pub fn know(&self, owner: &Owner, spent: MicroUsd, day_ms: i64, now_ms: i64) {
        let mut books = self.books(now_ms);
        let is_today = Day::begins_ms(books.day.number) == day_ms;
        match owner {
            Owner::User(user) if is_today => books.users.know(user, spent),
            Owner::User(_) => {}
            Owner::Session(session) => books.sessions.know(session, spent),
        }
    }

    /// What is to be told to, and asked of, the store that the cap is shared by; `None` where it is
    /// not.
    #[must_use]
    pub fn renewal(&self, now_ms: i64) -> Option<Renewal> {
        let mut books = self.books(now_ms);
        let day = books.day;
        let asked = books.waiting.ask_for_all();
        let (ahead, needed) = match self.0.sharing {
            Sharing::Alone => return None,
            Sharing::Leased(lease) => (lease.0, asked),
            Sharing::Strict => (asked, asked),
        };
        Some(Renewal {
            day_ms: Day::begins_ms(day.number),
            cap: self.0.limits.cap,
            spent: MicroUsd(day.settled),
            reserved: MicroUsd(day.reserved),
            ahead: MicroUsd(ahead.max(asked)),
            needed: MicroUsd(needed),
        })
    }

    /// Takes what the store granted, and answers whoever it was asked for: all of them, as the store has
    /// no more. Who came meanwhile is asked for next.
    pub fn granted(&self, grant: Grant, clock_ms: i64) {
        let mut books = self.books(clock_ms);
        books.ahead_ms = grant.now_ms.saturating_sub(clock_ms);
        let number = grant.day_ms.div_euclid(DAY_MS);
        if books.day.number != number {
            // Asked for another day: what is asked next is asked for the store's.
            books.begin(number);
            drop(books);
            self.0.wanted.notify_one();
            return;
        }
        books.day.held = grant.held.0;
        books.day.others = grant.others.0;
        (books.day.is_apart, books.day.is_granted) = (false, true);
        books.granted_at_ms = Some(clock_ms);
        let has_more = books.waiting.has_unasked();
        self.answer(books, Over::Day);
        if has_more {
            self.0.wanted.notify_one();
        }
    }

    /// The store does not answer. Whoever waits gets what is at hand.
    ///
    /// Once the others take this machine for dead they share what it held: it goes no further than what
    /// it has taken, and a lease.
    pub fn apart(&self, now_ms: i64) {
        let mut books = self.books(now_ms);
        books.day.is_apart = true;
        let heard = books.granted_at_ms.unwrap_or_default();
        if now_ms.saturating_sub(heard) >= lease::ALIVE_MS {
            books.forget_held();
        }
        books.waiting.ask_for_all();
        self.answer(books, Over::Unknown);
    }

    /// The store is slow to grant the first of the day, and may be away: until that is known whoever waits, and
    /// whoever comes, gets what is at hand apart from it. Who finds no room goes on waiting, and so does everybody in
    /// strict mode.
    pub fn tide_over(&self, now_ms: i64) {
        let mut books = self.books(now_ms);
        if self.0.sharing == Sharing::Strict || books.day.is_granted {
            return;
        }
        books.day.is_apart = true;
        let mut answers = Vec::new();
        loop {
            let at_hand = books.day.at_hand(&self.0.limits, self.0.sharing);
            let fits = |ask: &Ask| ask.amount.0 <= at_hand;
            let Some(ask) = books.waiting.first_if(fits) else {
                break;
            };
            let room = books.has_room(ask.payer(), ask.amount);
            let answer = room.map(|()| self.take(&mut books, ask.payer(), ask.amount));
            answers.push((ask, answer));
        }
        drop(books);
        for (ask, answer) in answers {
            ask.answer(answer);
        }
    }

    /// Resolves when something is wanted of the store.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// Answers whoever was asked for, outside the lock: a reservation that nobody waits for any more is
    /// dropped, which takes the lock. Other limits may have been reached since they came.
    fn answer(&self, mut books: MutexGuard<'_, Books>, over: Over) {
        let mut answers = Vec::new();
        while let Some(ask) = books.waiting.next_asked() {
            let at_hand = books.day.at_hand(&self.0.limits, self.0.sharing);
            let answer = match books.has_room(ask.payer(), ask.amount) {
                Err(over) => Err(over),
                Ok(()) if ask.amount.0 <= at_hand => {
                    Ok(self.take(&mut books, ask.payer(), ask.amount))
                }
                Ok(()) => Err(over),
            };
            answers.push((ask, answer));
        }
        drop(books);
        for (ask, answer) in answers {
            ask.answer(answer);
        }
    }

    fn take(&self, books: &mut Books, payer: Payer<'_>, amount: MicroUsd) -> Reservation {
        let now_ms = books.now_ms;
        books.day.reserved = books.day.reserved.saturating_add(amount.0);
        Reservation {
            shared: Arc::clone(&self.0),
            day: books.day.number,
            amount,
            user: books.users.reserve(payer.user, amount, now_ms),
            session: books.sessions.reserve(Some(payer.session), amount, now_ms),
            is_open: true,
        }
    }

    /// Has the lease renewed before it runs out.
    fn look_ahead(&self, books: &Books) {
        if let Sharing::Leased(lease) = self.0.sharing
            && !books.day.is_apart
            && books.day.at_hand(&self.0.limits, self.0.sharing) < lease.0 / 2
        {
            self.0.wanted.notify_one();
        }
    }

    fn books(&self, now_ms: i64) -> MutexGuard<'_, Books> {
        let mut books = self.0.lock();
        self.0.roll(&mut books, now_ms);
        books
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new day where the old one is over. A clock that goes back does not bring it back.
    fn roll(&self, books: &mut Books, now_ms: i64) {
        books.now_ms = now_ms;
        let number = now_ms.saturating_add(books.ahead_ms).div_euclid(DAY_MS);
        if number > books.day.number {
            books.begin(number);
        }
    }
}

#[cfg(test)]
mod tests;
