//! A council in the corridor: the plan, the specialists side by side, and what they had to say, before
//! the master answers in the ordinary way (see `council` for what is asked of whom).
//!
//! Everything belongs to the turn's own future: dropping it closes every call. Nothing that goes wrong
//! here is a failure of the turn's: whoever is slow, fails or says nothing is left out.

use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::coach::{Coach, MASTER};
use crate::council::{
    self, COST_CAP, Contribution, MAX_SPECIALISTS, Named, PLAN_TOKENS, SPECIALIST_TOKENS, Shares,
    State,
};
use crate::memory::Person;
use crate::prompt;
use crate::routing::catalog;
use crate::routing::{self, Class, Worth};
use crate::telemetry::spans;
use crate::turn::{Conversation, MicroUsd};
use crate::upstream::{AttemptLog, OpenRouter};

use super::asking::{Asked, Asking};
use super::consult::{Unheard, answer};
use super::guard::Guard;
use super::prepare::TurnRequest;
use super::{Mouth, Progress, Rooms, SharedMouth, money};

/// What a specialist reads besides the person's words, in bytes: rules, persona, memory, notes and the
/// end of the talk.
const AROUND: usize = 20_000;
/// The same of the planner.
const AROUND_PLAN: usize = 6_000;

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
    pub(super) rooms: Rooms,
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

    /// What plan and specialists may cost at most, beside the master's own answer.
    pub(super) fn most(&self, rooms: &Rooms, talk: &Conversation, own: MicroUsd) -> MicroUsd {
        let may_sit = |seat: &&Seat| self.invited.is_empty() || self.invited.contains(&seat.coach);
        let seats = self.seats.iter().filter(may_sit);
        let mut dearest: Vec<MicroUsd> = seats.map(|seat| seat.ceiling(rooms, talk)).collect();
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
        match self.invited.is_empty() {
            true => dearest(rooms, &self.planners, talk, (AROUND_PLAN, PLAN_TOKENS)),
            false => MicroUsd::default(),
        }
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
        mouth.borrow_mut().progress(Progress::Plan(&named));
        let planned = ground.convened.elapsed();
        let due = Instant::now() + ground.shares.specialists(planned);
        let mut room = self.room(&ground.rooms, talk, ground.own);
        let mut thinking = FuturesUnordered::new();
        for (at, named) in named.iter().enumerate() {
            let Some(seat) = self.seats.iter().find(|seat| seat.coach == named.coach) else {
                continue;
            };
            let ceiling = seat.ceiling(&ground.rooms, talk);
            let state = match ceiling <= room {
                true => State::Asked,
                false => State::Dropped,
            };
            let told = Progress::Specialist(&named.coach, state);
            mouth.borrow_mut().progress(told);
            if state == State::Asked {
                room = MicroUsd(room.0 - ceiling.0);
                let part = ground.specialist(seat, &named.why, talk, (upstream, due));
                thinking.push(async move { (at, named, part.await) });
            }
        }
        let mut heard = Vec::new();
        while let Some((at, named, fate)) = thinking.next().await {
            let told = Progress::Specialist(&named.coach, fate.state());
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
    /// What this specialist may cost at most, whichever of its models answers.
    fn ceiling(&self, rooms: &Rooms, talk: &Conversation) -> MicroUsd {
        dearest(rooms, &self.candidates, talk, (AROUND, SPECIALIST_TOKENS))
    }
}

/// What the dearest of these models may cost at most; `bytes` is what it reads besides the person's
/// words, `tokens` what it may say.
fn dearest(
    rooms: &Rooms,
    models: &[String],
    talk: &Conversation,
    (bytes, tokens): (usize, u32),
) -> MicroUsd {
    let prompt = catalog::tokens_of(bytes + talk.ask.words().len());
    let costs = models.iter();
    let costs = costs.map(|model| rooms.catalog.ceiling(model, prompt, u64::from(tokens)));
    costs.max().unwrap_or_default()
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
    /// `due` is when the turn must have its first words.
    pub(super) fn of(guard: &Guard, talk: &Conversation, due: Instant) -> Self {
        let convened = Instant::now();
        let session = guard.speaker.session.as_str();
        let master = guard.rooms.roster.master();
        Self {
            rooms: guard.rooms.clone(),
            user: guard.user_hash(),
            session: guard.rooms.pseudonyms.session(session),
            log: Rc::clone(&guard.attempts),
            person: guard.person.clone(),
            memory: guard.recalled.context.clone(),
            own: money::own(guard, master, talk),
            convened,
            shares: Shares::of(due.saturating_duration_since(convened)),
            span: spans::council(&guard.span),
        }
    }

    /// One specialist's part, until `due`.
    async fn specialist(
        &self,
        seat: &Seat,
        why: &str,
        talk: &Conversation,
        (upstream, due): (&OpenRouter, Instant),
    ) -> Fate {
        let Some(coach) = self.rooms.roster.get(&seat.coach) else {
            return Fate::Failed;
        };
        let span = spans::specialist(&self.span, &coach.id);
        let memory = self.recall(coach, why, talk, due);
        let memory = memory.instrument(span.clone()).await;
        let asked = Asked {
            messages: brief(coach, why, talk, memory.as_deref()),
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
) -> Vec<prompt::PromptMessage> {
    let messages = prompt::compose(coach, &council::apart(talk), memory);
    council::brief(messages, &coach.name, why)
}
