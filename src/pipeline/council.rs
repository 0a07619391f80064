//! A council in the corridor: the plan, the specialists side by side, and what they had to say, before
//! the master answers in the ordinary way (see `council` for what is asked of whom).
//!
//! Everything belongs to the turn's own future: dropping it closes every call. Nothing that goes wrong
//! here is a failure of the turn's: whoever is slow, fails or says nothing is left out.

use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::coach::{Coach, MASTER};
use crate::council::{
    self, COST_CAP, Contribution, MAX_SPECIALISTS, Named, PLAN_TOKENS, SPECIALIST_TOKENS, Shares,
    State,
};
use crate::memory::Person;
use crate::prompt::{self, PromptMessage};
use crate::routing::{self, Class, Worth};
use crate::telemetry::spans;
use crate::turn::{Conversation, MicroUsd};
use crate::upstream::{AttemptLog, OpenRouter};

use super::asking::{Asked, Asking};
use super::consult::{Unheard, answer};
use super::guard::Guard;
use super::prepare::TurnRequest;
use super::{Mouth, Progress, Rooms, SharedMouth, money};

/// A council as it is held in one turn.
pub(super) struct Council {
    /// Specialists that the caller named.
    invited: Vec<String>,
    /// Every coach that may be heard.
    seats: Vec<Seat>,
    /// Who may plan, in order.
    planners: Vec<String>,
    /// What the master has said by itself; empty until it has.
    opening: String,
    heard: Vec<Contribution>,
}

/// A specialist and its models, in order.
struct Seat {
    coach: String,
    candidates: Vec<String>,
}

/// What the calls of a council share, taken from the turn.
pub(super) struct Ground {
    pub(super) rooms: Arc<Rooms>,
    pub(super) user: Option<String>,
    pub(super) session: String,
    pub(super) log: Rc<AttemptLog>,
    person: Option<Person>,
    /// What the turn knows of them.
    memory: Option<Arc<str>>,
    /// What the master's own answer may cost at most.
    own: MicroUsd,
    convened: Instant,
    shares: Shares,
    span: Span,
}

impl Council {
    /// Every coach but the master with the models that this turn is worth.
    pub(super) fn of(rooms: &Rooms, request: &TurnRequest, worth: Worth) -> Self {
        let session = request.speaker.session.as_str();
        let now_ms = rooms.clock.now_ms();
        let admitted = |mut models: Vec<String>| {
            rooms.flags.admit(&mut models, session, now_ms);
            models
        };
        let specialists = rooms.roster.iter().filter(|coach| coach.id != MASTER);
        let seats = specialists.map(|coach| Seat {
            coach: coach.id.clone(),
            candidates: admitted(routing::plan(coach, worth, rooms.fallback).candidates),
        });
        let master = rooms.roster.master();
        let planners = routing::candidates(master, Class::CostSaving, rooms.fallback);
        Self {
            invited: request.council.clone().unwrap_or_default(),
            seats: seats.collect(),
            planners: admitted(planners.into_iter().map(str::to_owned).collect()),
            opening: String::new(),
            heard: Vec::new(),
        }
    }

    /// What a repeat of the request has in the place of a coach.
    pub(super) fn voice(&self) -> String {
        format!("council {}", self.invited.join(" "))
    }

    pub(super) fn open(&mut self, sentence: &str) {
        sentence.clone_into(&mut self.opening);
    }

    /// What the master has said by itself; empty until it has.
    pub(super) fn opening(&self) -> &str {
        &self.opening
    }

    /// What the specialists said, in the plan's order.
    pub(super) fn heard(&self) -> &[Contribution] {
        &self.heard
    }

    /// What plan and specialists may cost at most, beside the master's `own` answer: their prompts, and in
    /// each so many tokens of memory.
    pub(super) fn most(
        &self,
        rooms: &Rooms,
        talk: &Conversation,
        (own, remembered): (MicroUsd, u64),
    ) -> MicroUsd {
        let may_sit = |seat: &&Seat| self.invited.is_empty() || self.invited.contains(&seat.coach);
        let seats = self.seats.iter().filter(may_sit);
        let mut dearest: Vec<MicroUsd> = seats
            .map(|seat| seat.most(rooms, talk, remembered))
            .collect();
        dearest.sort_unstable_by(|a, b| b.cmp(a));
        let wanted: MicroUsd = dearest.into_iter().take(MAX_SPECIALISTS).sum();
        self.plan_ceiling(rooms, talk) + wanted.min(self.room(rooms, talk, own))
    }

    /// What the specialists may cost together.
    fn room(&self, rooms: &Rooms, talk: &Conversation, own: MicroUsd) -> MicroUsd {
        let taken = own + self.plan_ceiling(rooms, talk);
        MicroUsd(COST_CAP.0.saturating_sub(taken.0).max(0))
    }

    fn plan_ceiling(&self, rooms: &Rooms, talk: &Conversation) -> MicroUsd {
        if !self.invited.is_empty() {
            return MicroUsd::default();
        }
        let read = money::read(&council::question(&rooms.roster, talk), 0);
        money::dearest(&rooms.catalog, &self.planners, read, PLAN_TOKENS)
    }

    /// Plans and hears, within its shares of what is left for the turn's first words.
    ///
    /// # Cancellation
    /// Dropping the future closes every call.
    pub(super) async fn hear<M: Mouth>(
        &mut self,
        ground: &Ground,
        talk: &Conversation,
        upstream: &OpenRouter,
        mouth: &SharedMouth<M>,
    ) {
        let named = self.plan(ground, talk, upstream).await;
        // Nobody else would be answered, and memory need not be waited for.
        if ground.log.is_key_refused() {
            return;
        }
        mouth.borrow_mut().progress(Progress::Plan(&named));
        let planned = ground.convened.elapsed();
        let due = Instant::now() + ground.shares.specialists(planned);
        let mut room = self.room(&ground.rooms, talk, ground.own);
        let sitting = named.iter().enumerate().filter_map(|(at, named)| {
            let seat = self.seats.iter().find(|seat| seat.coach == named.coach)?;
            let coach = ground.rooms.roster.get(&seat.coach)?;
            Some((at, seat, coach, named.why.as_str()))
        });
        // What each will read decides what it costs, and so who can be asked: the plan's first go first.
        let briefed = sitting.map(async |(at, seat, coach, why)| {
            let brief = ground.brief(coach, why, talk, due).await;
            (at, seat, brief)
        });
        let mut thinking = FuturesUnordered::new();
        for (at, seat, brief) in join_all(briefed).await {
            let ceiling = seat.ceiling(&ground.rooms, &brief.messages, 0);
            let state = match ceiling <= room {
                true => State::Asked,
                false => State::Dropped,
            };
            let told = Progress::Specialist(&seat.coach, state);
            mouth.borrow_mut().progress(told);
            if state == State::Dropped {
                spans::heard(&brief.span, state.as_str());
                continue;
            }
            room = MicroUsd(room.0 - ceiling.0);
            let part = ground.specialist(seat, brief, (upstream, due));
            thinking.push(async move { (at, seat, part.await) });
        }
        let mut heard = Vec::new();
        while let Some((at, seat, fate)) = thinking.next().await {
            let told = Progress::Specialist(&seat.coach, fate.state());
            mouth.borrow_mut().progress(told);
            if let Fate::Answered(said) = fate {
                heard.push((at, said));
            }
        }
        drop(thinking);
        heard.sort_unstable_by_key(|(at, _)| *at);
        self.heard = heard.into_iter().map(|(_, said)| said).collect();
    }

    /// Who is to be heard: whom the caller named, whom the master names in time, or whom the words
    /// concern.
    async fn plan(
        &self,
        ground: &Ground,
        talk: &Conversation,
        upstream: &OpenRouter,
    ) -> Vec<Named> {
        let roster = &ground.rooms.roster;
        if !self.invited.is_empty() {
            return council::named(&self.invited, roster);
        }
        let asked = Asked {
            messages: council::question(roster, talk),
            max_tokens: PLAN_TOKENS,
        };
        let asking = Asking::of_council(ground, roster.master(), asked);
        let due = ground.convened + ground.shares.plan;
        let search = asking.consult(upstream, &self.planners, due, None);
        let answered = answer(&search, ground, due).instrument(ground.span.clone());
        let named = match answered.await {
            Ok(text) => council::parse(&text, roster),
            Err(_) => Vec::new(),
        };
        match named.is_empty() {
            true => council::instead(talk, roster),
            false => named,
        }
    }
}

impl Seat {
    /// What this specialist may cost at most, whichever of its models answers, before anybody knows why
    /// it is heard.
    fn most(&self, rooms: &Rooms, talk: &Conversation, remembered: u64) -> MicroUsd {
        // A character that is a token of its own.
        let why = "\u{5b57}".repeat(council::WHY);
        let coach = rooms.roster.get(&self.coach);
        let messages = coach.map(|coach| brief(coach, &why, talk, None));
        self.ceiling(rooms, &messages.unwrap_or_default(), remembered)
    }

    /// The same with this to read, and so many tokens more.
    fn ceiling(&self, rooms: &Rooms, messages: &[PromptMessage], more: u64) -> MicroUsd {
        let read = money::read(messages, more);
        money::dearest(&rooms.catalog, &self.candidates, read, SPECIALIST_TOKENS)
    }
}

/// What a specialist is to read.
struct Brief<'r> {
    coach: &'r Coach,
    messages: Vec<PromptMessage>,
    span: Span,
}

/// How a specialist's part ended.
enum Fate {
    Answered(Contribution),
    Late,
    Failed,
}

impl Fate {
    fn state(&self) -> State {
        match self {
            Self::Answered(_) => State::Answered,
            Self::Late => State::Late,
            Self::Failed => State::Failed,
        }
    }
}

impl Ground {
    /// `own` is what the master's answer may cost at most, `due` when the turn must have its first words.
    pub(super) fn of(guard: &Guard, own: MicroUsd, due: Instant) -> Self {
        let convened = Instant::now();
        let session = guard.speaker.session.as_str();
        Self {
            rooms: Arc::clone(&guard.rooms),
            user: guard.user_hash(),
            session: guard.rooms.pseudonyms.session(session),
            log: Rc::clone(&guard.attempts),
            person: guard.person.clone(),
            memory: guard.recalled.context.clone(),
            own,
            convened,
            shares: Shares::of(due.saturating_duration_since(convened)),
            span: spans::council(&guard.span),
        }
    }

    /// What this coach is to read, once memory has answered it, or has not by `due`.
    async fn brief<'r>(
        &self,
        coach: &'r Coach,
        why: &str,
        talk: &Conversation,
        due: Instant,
    ) -> Brief<'r> {
        let span = spans::specialist(&self.span, &coach.id);
        let memory = self.recall(coach, why, talk, due);
        let memory = memory.instrument(span.clone()).await;
        Brief {
            coach,
            messages: brief(coach, why, talk, memory.as_deref()),
            span,
        }
    }

    /// One specialist's part, until `due`.
    async fn specialist(
        &self,
        seat: &Seat,
        brief: Brief<'_>,
        (upstream, due): (&OpenRouter, Instant),
    ) -> Fate {
        let Brief {
            coach,
            messages,
            span,
        } = brief;
        let asked = Asked {
            messages,
            max_tokens: SPECIALIST_TOKENS,
        };
        let asking = Asking::of_council(self, coach, asked);
        let search = asking.consult(upstream, &seat.candidates, due, Some(&seat.coach));
        let answered = answer(&search, self, due).instrument(span.clone());
        let fate = match answered.await {
            Ok(words) => Fate::Answered(Contribution {
                name: coach.name.clone(),
                words,
            }),
            Err(Unheard::Late) => Fate::Late,
            Err(Unheard::Failed) => Fate::Failed,
        };
        spans::heard(&span, fate.state().as_str());
        fate
    }

    /// What a specialist knows of the person: what bears on its own ground, else what the turn knows.
    async fn recall(
        &self,
        coach: &Coach,
        why: &str,
        talk: &Conversation,
        due: Instant,
    ) -> Option<Arc<str>> {
        let known = || self.memory.clone();
        let Some(person) = &self.person else {
            return known();
        };
        let question = council::recollection(coach, why, talk);
        let until = due.min(Instant::now() + self.rooms.deadlines.memory);
        let found = self.rooms.memory.search(person, &question, until).await;
        found.or_else(known)
    }
}

/// The prompt of a specialist: of the talk it gets the end.
fn brief(
    coach: &Coach,
    why: &str,
    talk: &Conversation,
    memory: Option<&str>,
) -> Vec<PromptMessage> {
    let messages = prompt::compose(coach, &council::apart(talk), memory);
    council::brief(messages, &coach.name, why)
}
