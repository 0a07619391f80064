//! From an accepted request to a turn that can run: everything that waits for nobody.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::coach::{self, Coach};
use crate::memory::{Person, Recalled};
use crate::routing::{self, Plan};
use crate::session::{Begun, MAX_REMEMBERED_BYTES, Speaker, beginning, has_signed_form};
use crate::telemetry::spans;
use crate::turn::{
    CallerProfile, Conversation, Head, Mark, MemoryOutcome, Timings, TraceContext, TurnId,
};
use crate::upstream::{AttemptLog, OpenRouter};

use super::guard::{Guard, Said};
use super::{Mouth, Rooms, SharedMouth, stream};

/// A request as the front door hands it over: authenticated, parsed, its speaker known.
#[derive(Debug)]
pub struct TurnRequest {
    pub profile: CallerProfile,
    pub speaker: Speaker,
    pub conversation: Conversation,
    /// A coach named by the request itself, as the `openai` profile's model.
    pub pin: Option<String>,
    pub trace: TraceContext,
    /// How long authentication took.
    pub auth: Duration,
    /// The end of the request body: the turn's clock starts here.
    pub began: Instant,
}

/// A turn ready to run. Dropping it unrun settles it as interrupted.
pub struct Prepared {
    /// Boxed, as it is handed on from stage to stage: each would else hold room for a copy.
    guard: Box<Guard>,
    turn: stream::Turn,
    /// There was no place for this turn: it will say so and end.
    is_shed: bool,
}

/// Chooses coach and models and asks memory; `rooms` decides whether there is a place.
#[must_use]
pub fn prepare(rooms: &Rooms, request: TurnRequest) -> Prepared {
    let TurnRequest {
        profile,
        speaker,
        conversation,
        pin,
        trace,
        auth,
        began,
    } = request;
    let mut timings = Timings {
        auth: Some(auth),
        ..Timings::default()
    };
    timings.mark(Mark::Session, began.elapsed());
    let permit = rooms
        .admission
        .admit()
        .filter(|_| rooms.lifecycle.is_open());
    let person = speaker
        .user
        .as_deref()
        .filter(|_| rooms.memory.is_on())
        .map(|user| Person::new(user, speaker.session.as_str()));
    let (coach, reason, plan) = choose(rooms, &speaker, &conversation, pin.as_deref());
    let head = Head {
        turn_id: TurnId::new(),
        coach: coach.id.clone(),
        coach_reason: reason,
        model: plan.candidates.first().cloned().unwrap_or_default(),
        trace,
    };
    let ticket = person.as_ref().and_then(|_| {
        let session = speaker.session.as_str();
        match rooms.turns.begin(session, &conversation, head.clone()) {
            Begun::Repeat(_) => None,
            Begun::Fresh(fresh) => {
                rooms.remember(fresh.committed);
                Some(fresh.ticket)
            }
        }
    });
    let recall = person
        .as_ref()
        .filter(|_| permit.is_some())
        .map(|p| rooms.memory.recall(p));
    let span = spans::turn(&head.turn_id.to_string(), &head.coach);
    let is_shed = permit.is_none();
    let guard = Box::new(Guard {
        rooms: rooms.clone(),
        head,
        profile,
        person,
        ticket,
        words: beginning(conversation.ask.words(), MAX_REMEMBERED_BYTES).to_owned(),
        began,
        created_at: rooms.clock.now_ms(),
        timings,
        recalled: Recalled {
            context: None,
            outcome: MemoryOutcome::Off,
        },
        attempts: AttemptLog::new(began),
        span,
        permit,
        _presence: rooms.admission.attend(),
        speaker,
        said: Said::default(),
    });
    let turn = stream::Turn {
        plan,
        conversation,
        recall,
    };
    Prepared {
        guard,
        turn,
        is_shed,
    }
}

fn choose<'r>(
    rooms: &'r Rooms,
    speaker: &Speaker,
    conversation: &Conversation,
    pin: Option<&str>,
) -> (&'r Coach, String, Plan) {
    let pin = speaker.pin.as_deref().or(pin);
    let selection = coach::select(&rooms.roster, conversation.user_lines(), pin);
    let plan = routing::plan(selection.coach, speaker.tier, rooms.fallback);
    (selection.coach, selection.reason.to_string(), plan)
}

impl Prepared {
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.guard.head
    }

    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.guard.timings
    }

    /// The rest of the turn: recall, prompt, race, relay, end.
    ///
    /// # Cancellation
    /// Dropping the future closes upstream, gives the permit back and settles the turn.
    pub async fn run<M: Mouth + 'static>(self, upstream: Rc<OpenRouter>, mouth: SharedMouth<M>) {
        if self.is_shed {
            stream::shed(self.guard, &mouth);
        } else {
            stream::run(self.guard, self.turn, upstream, mouth).await;
        }
    }
}

impl Rooms {
    /// The session id as it is kept: a signed one opens somebody's memory, so only its pseudonym is.
    #[must_use]
    pub fn session_key(&self, session: &str) -> String {
        if has_signed_form(session) {
            format!("s_{}", self.pseudonyms.session(session))
        } else {
            session.to_owned()
        }
    }
}
