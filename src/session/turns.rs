//! The turns of every session: one of them live, the last ones kept for repeats, and the newest held
//! back until it is real.
//!
//! Callers speculate, repeat, and cut off. The same request again hears what the first one says; any
//! other supersedes what still runs. A turn counts for memory only once it is *committed*: seen in
//! the session's next request (then as it was heard), or read to its end with no newer request for
//! [`COMMIT_AFTER`], or when the session or the service ends.
//!
//! The lock over all sessions is held for moves only: requests are hashed before it is taken, and
//! histories are read after it is let go. A turn's own lock may be taken under it, never the reverse.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::turn::{Conversation, Head, LastReply};
use crate::vault::DataKey;

use super::generation::{Generation, Listener};
use super::heard::{Asked, last_reply};
use super::key::{Key, Keys};
use super::speech::{Join, Speech};
use super::spoken::{Committed, Evidence, Spoken};

use self::elsewhere::AmongMachines;

/// A turn read to its end counts after this long without a newer request.
pub const COMMIT_AFTER: Duration = Duration::from_secs(60);
/// Between two lead-ins of a session.
pub const LEAD_IN_AGAIN: Duration = Duration::from_secs(8);
/// Sessions held at once; beyond it the longest untouched is settled early.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Turns of a session beside the newest that may be heard again.
const REPLAYABLE: usize = 2;
/// Turns of a session beside the newest that a history may still speak of.
const REMEMBERED: usize = 2;
/// What ended turns keep of their words, all sessions together.
const MAX_KEPT_BYTES: usize = 16 << 20;
/// Ended turns that are looked after.
const MAX_ENDED: usize = 3 * MAX_SESSIONS.get();

/// One request's place in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// What a request is to its session.
#[derive(Debug)]
pub enum Begun<T> {
    /// The same request as one that runs, or that ended whole a short while ago. The session is as
    /// it was before.
    Repeat(Listener),
    /// The same, but as many listen to it as may.
    Full,
    Fresh(Fresh<T>),
}

/// Whether a request came before.
#[derive(Debug)]
pub enum Repeat {
    Heard(Listener),
    /// It did, and as many listen to its turn as may.
    Full,
    Unknown,
}

/// A turn of its own. Whatever of the session ran before is superseded.
#[derive(Debug)]
pub struct Fresh<T> {
    pub ticket: Ticket,
    /// Turns before it that this request shows to count.
    pub committed: Vec<Committed<T>>,
    /// What it shows of the last reply, where that was not heard whole.
    pub last_reply: Option<LastReply>,
    pub generation: Arc<Generation>,
}

#[derive(Debug)]
struct Session<T> {
    /// The newest request seen.
    newest: u64,
    /// Requests whose turn has not ended yet.
    running: u32,
    pending: Option<(Spoken<T>, Instant)>,
    /// Held only while the turn it speaks of runs.
    evidence: Option<Evidence>,
    /// The newest first, by ticket; it alone may be live.
    speeches: VecDeque<(u64, Arc<Speech>)>,
    /// The last lead-in and when it was said.
    led_in: Option<(usize, Instant)>,
    elsewhere: AmongMachines,
}

impl<T> Default for Session<T> {
    fn default() -> Self {
        Self {
            newest: 0,
            running: 0,
            pending: None,
            evidence: None,
            speeches: VecDeque::new(),
            led_in: None,
            elsewhere: AmongMachines::default(),
        }
    }
}

#[derive(Debug)]
struct Sessions<T> {
    by_id: LruCache<Arc<str>, Session<T>>,
    /// Turns that ended, the oldest first.
    ended: VecDeque<Weak<Speech>>,
    /// When those of them that are gone were last taken out.
    swept: Instant,
    /// Sessions whose turn is held back, and since when; the longest first. One that came on meanwhile
    /// stands here again, and its older place means nothing.
    held: VecDeque<(Instant, Arc<str>)>,
    /// Sessions that may keep a turn that no repeat hears any more, by when it ended; the longest first.
    aging: VecDeque<(Instant, Arc<str>)>,
}

/// The turns of every session.
#[derive(Debug)]
pub struct Turns<T> {
    sessions: Mutex<Sessions<T>>,
    /// One count for all sessions: a session that was evicted and came back cannot take an old
    /// turn for its newest.
    tickets: AtomicU64,
    keys: Keys,
    /// Bytes that ended turns keep.
    kept: Arc<AtomicUsize>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            sessions: Mutex::new(Sessions {
                by_id: LruCache::new(MAX_SESSIONS),
                ended: VecDeque::new(),
                swept: Instant::now(),
                held: VecDeque::new(),
                aging: VecDeque::new(),
            }),
            tickets: AtomicU64::new(0),
            keys: Keys::default(),
            kept: Arc::default(),
        }
    }
}

/// What the lock gives out when a fresh turn enters.
struct Entered<T> {
    /// The turn held back in a session that had to go.
    evicted: Option<Spoken<T>>,
    /// The turn held back in this one.
    pending: Option<Spoken<T>>,
    /// What the session said before, newest first.
    past: Vec<Arc<Speech>>,
}

impl<T> Turns<T> {
    /// With keys that mean the same on every machine that has this data key.
    #[must_use]
    pub fn shared(key: &DataKey) -> Self {
        Self {
            keys: Keys::shared(key),
            ..Self::default()
        }
    }

    /// By what a request is known again: its words and its coach, in its session.
    #[must_use]
    pub fn key(&self, session: &str, coach: &str, next: &Conversation) -> Key {
        self.keys.of(session, coach, next)
    }

    /// The turn that the same request made, where it can still be heard.
    #[must_use]
    pub fn repeat(&self, session: &str, key: Key) -> Repeat {
        self.lock().repeat(session, key)
    }

    /// Whether a turn of this session speaks now.
    #[must_use]
    pub fn is_speaking(&self, session: &str) -> bool {
        let mut sessions = self.lock();
        let entry = sessions.by_id.get_mut(session);
        let newest = entry.and_then(|entry| entry.speeches.front());
        newest.is_some_and(|(_, speech)| !speech.has_ended())
    }

    /// A new request of the session. `head` is its turn's, if it is to be one.
    pub fn begin(&self, session: &str, key: Key, next: &Conversation, head: Arc<Head>) -> Begun<T> {
        let asked = Asked::of(&next.ask);
        let mut sessions = self.lock();
        match sessions.repeat(session, key) {
            Repeat::Heard(listener) => return Begun::Repeat(listener),
            Repeat::Full => return Begun::Full,
            Repeat::Unknown => {}
        }
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed) + 1;
        let speech = Arc::new(Speech::new(head, key, asked, Arc::clone(&self.kept)));
        let entered = sessions.enter(session, next, (ticket, Arc::clone(&speech)));
        drop(sessions);
        // What still runs is compared as far as it went, and only then told to stop: told first, it
        // might be gone.
        let last_reply = last_reply(entered.past.iter().map(|s| s.past()), next);
        for older in entered.past.iter().filter(|s| !s.has_ended()) {
            older.superseded.cancel();
        }
        let evicted = entered.evicted.and_then(Spoken::by_itself);
        let shown = entered
            .pending
            .and_then(|spoken| spoken.judge(&next.history, next.ask.words()));
        Begun::Fresh(Fresh {
            ticket: Ticket(ticket),
            committed: evicted.into_iter().chain(shown).collect(),
            last_reply,
            generation: Arc::new(Generation::new(speech)),
        })
    }

    /// The request's turn has ended, with something that may count or with nothing. A turn that was
    /// overtaken while it ran counts only as far as the newer request's history holds it.
    /// What its generation said is told by that one's own end, before or after.
    pub fn end(
        &self,
        session: &str,
        ticket: Ticket,
        spoken: Option<Spoken<T>>,
    ) -> Option<Committed<T>> {
        let mut sessions = self.lock();
        let now = Instant::now();
        let (id, entry) = sessions.by_id.get_key_value_mut(session)?;
        entry.running = entry.running.saturating_sub(1);
        let evidence = entry.evidence.take_if(|e| e.of == ticket.0);
        if entry.running == 0 {
            entry.evidence = None;
        }
        let overtaken = match spoken {
            Some(spoken) if entry.newest == ticket.0 => {
                entry.pending = Some((spoken, now));
                None
            }
            other => other,
        };
        let said = entry.speeches.iter().find(|(turn, _)| *turn == ticket.0);
        let said = said.map(|(_, speech)| Arc::downgrade(speech));
        let held = entry.pending.is_some().then(|| (now, Arc::clone(id)));
        let id = Arc::clone(id);
        sessions.ended.extend(said);
        sessions.held.extend(held);
        sessions.aging.push_back((now, id));
        sessions.give_back(&self.kept);
        drop(sessions);
        evidence?.judge(overtaken?)
    }

    /// Everything that counts without further proof: the service is leaving.
    pub fn drain(&self) -> Vec<Committed<T>> {
        self.lock()
            .by_id
            .iter_mut()
            .filter_map(|(_, entry)| entry.pending.take())
            .filter_map(|(spoken, _)| spoken.by_itself())
            .collect()
    }

    /// Which of the coach's `phrases` to say now, by its place: never one twice in a row, and none
    /// within [`LEAD_IN_AGAIN`] of the session's last.
    pub fn lead_in(&self, session: &str, phrases: usize, now: Instant) -> Option<usize> {
        let some = usize::try_from(rand::random::<u32>()).unwrap_or_default();
        let some = some.checked_rem(phrases)?;
        let mut sessions = self.lock();
        let Some(entry) = sessions.by_id.get_mut(session) else {
            // Not made for this alone: somebody else's turn would have to go.
            return Some(some);
        };
        let phrase = match entry.led_in {
            Some((_, at)) if now.saturating_duration_since(at) < LEAD_IN_AGAIN => return None,
            Some((last, _)) => (last + 1) % phrases,
            None => some,
        };
        entry.led_in = Some((phrase, now));
        Some(phrase)
    }

    fn lock(&self) -> MutexGuard<'_, Sessions<T>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sessions<T> {
    /// A turn of the session that the same request may hear.
    fn repeat(&mut self, session: &str, key: Key) -> Repeat {
        let Some(entry) = self.by_id.get_mut(session) else {
            return Repeat::Unknown;
        };
        let now = Instant::now();
        // Only the newest can be live: an older one, and one that is older than another machine's, is about to be
        // told to stop, if it was not yet.
        let is_live = |at: usize| at == 0 && !entry.elsewhere.is_overtaken;
        let alike = entry.speeches.iter().enumerate();
        let alike = alike
            .filter(|(at, (_, speech))| speech.key == key && (is_live(*at) || speech.has_ended()));
        for (_, (_, speech)) in alike {
            match Listener::join(speech, now) {
                Ok(listener) => return Repeat::Heard(listener),
                Err(Join::Full) => return Repeat::Full,
                Err(_) => {}
            }
        }
        Repeat::Unknown
    }

    /// A fresh turn: it is the session's newest from here on.
    fn enter(
        &mut self,
        session: &str,
        next: &Conversation,
        (ticket, speech): (u64, Arc<Speech>),
    ) -> Entered<T> {
        let mut entered = Entered {
            evicted: None,
            pending: None,
            past: Vec::new(),
        };
        if !self.by_id.contains(session) {
            let evicted = self.by_id.push(session.into(), Session::default());
            let pending = evicted.and_then(|(_, old)| old.pending);
            entered.evicted = pending.map(|(spoken, _)| spoken);
        }
        let Some(entry) = self.by_id.get_mut(session) else {
            return entered;
        };
        let before = std::mem::replace(&mut entry.newest, ticket);
        entry.elsewhere = AmongMachines::default();
        entered.pending = entry.pending.take().map(|(spoken, _)| spoken);
        entered.past = entry.speeches.iter().map(|(_, s)| Arc::clone(s)).collect();
        entry.evidence = (entry.running > 0).then(|| Evidence::of(before, next));
        entry.running += 1;
        entry.speeches.push_front((ticket, speech));
        entry.forget(Instant::now());
        entered
    }

    /// Keeps ended turns within their bound: the oldest lose their words first.
    fn give_back(&mut self, kept: &AtomicUsize) {
        while kept.load(Ordering::Relaxed) > MAX_KEPT_BYTES || self.ended.len() > MAX_ENDED {
            let Some(oldest) = self.ended.pop_front() else {
                return;
            };
            if let Some(speech) = oldest.upgrade() {
                speech.release();
            }
        }
    }
}

impl<T> Session<T> {
    /// Lets go of old turns. The newest stays: however late the next request is, its history is
    /// about this one.
    fn forget(&mut self, now: Instant) {
        if self.speeches.len() < 2 {
            return;
        }
        let mut at = 0;
        let (mut replayable, mut remembered) = (0, 0);
        self.speeches.retain(|(_, speech)| {
            at += 1;
            if at == 1 {
                return true;
            }
            if speech.may_be_replayed(now) {
                replayable += 1;
                return replayable <= REPLAYABLE;
            }
            remembered += 1;
            remembered <= REMEMBERED && !speech.is_over(now)
        });
    }
}

mod aging;
mod closing;
mod elsewhere;
#[cfg(test)]
mod tests;
