//! From an accepted request to a turn that can run: everything that waits for nobody, but for other
//! machines, a few milliseconds, where there are any.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use crate::coach::Coach;
use crate::config::SilenceReply;
use crate::memory::{Person, Recalled};
use crate::prompt;
use crate::routing::budget::{Asked, Over};
use crate::session::{MAX_REMEMBERED_BYTES, Speaker, beginning};
use crate::speech::Language;
use crate::telemetry::events::RepeatHeard;
use crate::telemetry::spans;
use crate::turn::{
    Ask, CallerProfile, Conversation, FinishReason, Head, Mark, MemoryOutcome, Message, Outcome,
    Timings, TraceContext, TurnId,
};
use crate::upstream::{AttemptLog, OpenRouter};

use super::choose::{Chosen, choose};
use super::entering::{Again, Entered, enter};
use super::guard::{Guard, Said};
use super::money::Bill;
use super::running::Running;
use super::runway::Runway;
use super::{Mouth, Rooms, SharedMouth, arm, ending, money, stream};

/// More of a history's end than a prompt can hold.
const MAX_UNSAID_BYTES: usize = 128 << 10;

/// A request as the front door hands it over: authenticated, parsed, its speaker known.
#[derive(Debug)]
pub struct TurnRequest {
    pub profile: CallerProfile,
    pub speaker: Speaker,
    pub conversation: Conversation,
    /// A coach named by the request itself, as the `openai` profile's model.
    pub pin: Option<String>,
    /// Where the council's own route asks: the specialists it names, or none for a plan to be made.
    pub council: Option<Vec<String>>,
    /// Whether the caller wants a stream; one body otherwise.
    pub streams: bool,
    /// Whether the caller wants a failure told in its stream rather than spoken.
    pub signals: bool,
    /// Whether the caller wants words as the model writes them, not as they can be spoken.
    pub as_written: bool,
    /// Models to ask before the plan's: simulated ones, on a server that has no others.
    pub faults: Vec<String>,
    pub trace: TraceContext,
    /// How long authentication took.
    pub auth: Duration,
    /// The end of the request body: the turn's clock starts here.
    pub began: Instant,
    /// From there until it was known who speaks.
    pub known: Duration,
}

/// A turn ready to run. Dropping it unrun settles it as interrupted.
pub struct Prepared {
    head: Arc<Head>,
    timings: Timings,
    kind: Kind,
}

/// Why a turn is refused before any work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// As many run as may.
    Full,
    /// A budget's limit is reached.
    Unpaid,
}

enum Kind {
    /// Boxed, as it is handed on from stage to stage: each would else hold room for a copy.
    Turn(Box<Guard>, Box<stream::Turn>),
    /// There is no place or no money for this turn: it will say so and end.
    Shed(Box<Guard>, Shed),
    /// The same request runs already, or ended a moment ago: the same is heard again.
    Repeat(stream::Repeated),
}

/// Chooses coach and models, finds the turn's place in its session, and asks memory; `rooms` decides
/// whether there is room.
///
/// # Cancellation
/// Safe: nothing has begun before its last step, which does not wait.
pub async fn prepare(rooms: &Arc<Rooms>, mut request: TurnRequest) -> Prepared {
    let began = request.began;
    let mut timings = Timings {
        auth: Some(request.auth),
        ..Timings::default()
    };
    timings.mark(Mark::Session, request.known);
    let Chosen {
        coach,
        coach_reason,
        plan,
        council,
        arm,
        complexity,
        switches,
    } = choose(rooms, &request);
    let spoken_in = (switches.speech_filter && coach.speech_filter && !request.as_written)
        .then(|| tongue(&request.conversation));
    let wordless = wordless(rooms, coach, &request.conversation);
    unsay(rooms, &mut request.conversation.history);
    let head = Arc::new(Head {
        turn_id: TurnId::new(),
        coach: coach.id.clone(),
        coach_reason,
        model: plan.candidates.first().cloned().unwrap_or_default(),
        model_reason: plan.reason.clone(),
        trace: request.trace,
    });
    let Entered {
        place,
        permit,
        ticket,
        generation,
    } = match enter(rooms, &mut request, &head, council.as_deref()).await {
        Ok(entered) => entered,
        Err(again) => return repeat(rooms, &request, again, timings),
    };
    let user = request.speaker.user.as_deref();
    let person = user
        .filter(|_| rooms.memory.is_on())
        .map(|user| Person::new(user, request.speaker.session.as_str()));
    let asks_model = permit.is_some() && wordless.is_none();
    let is_new = request.speaker.is_new;
    let span = spans::turn(&head.turn_id.to_string(), &head.coach);
    let recall = person
        .as_ref()
        .filter(|_| asks_model && !is_new)
        .map(|p| span.in_scope(|| rooms.memory.recall(p)));
    let unasked = match person.is_some() && is_new {
        true => MemoryOutcome::Miss,
        false => MemoryOutcome::Off,
    };
    let is_shed = permit.is_none();
    let mut guard = Box::new(Guard {
        rooms: Arc::clone(rooms),
        head: Arc::clone(&head),
        profile: request.profile,
        signals: request.signals,
        person,
        arm,
        place,
        ticket,
        switches,
        spoken_in,
        complexity,
        generation,
        words: beginning(request.conversation.ask.words(), MAX_REMEMBERED_BYTES).to_owned(),
        asked: None,
        began,
        created_at: rooms.clock.now_ms(),
        timings,
        recalled: Recalled {
            context: None,
            outcome: unasked,
        },
        attempts: AttemptLog::new(began, rooms.catalog.clone()),
        span,
        request: Span::current(),
        permit,
        reserved: None,
        _presence: rooms.admission.attend(),
        runway: Runway::new(rooms.speech_wpm),
        speaker: request.speaker,
        said: Said::default(),
    });
    let asked = money::Asked {
        coach,
        council: council.as_deref(),
        conversation: &request.conversation,
        candidates: &plan.candidates,
    };
    let prompt = asks_model.then(|| {
        let coach = arm::changed(coach, guard.arm.as_deref());
        prompt::compose(&coach, asked.conversation, None)
    });
    let money = prompt
        .as_deref()
        .map(|prompt| money::reserve(&guard, asked, prompt));
    let money = match money.transpose() {
        Ok(Some(Asked::Granted(reserved))) => {
            guard.reserved = Some(reserved);
            None
        }
        Ok(asked) => asked,
        Err(over) => return unpaid(guard, over, timings),
    };
    let turn = stream::Turn {
        money,
        panics: request.faults.iter().any(|fault| fault == "sim/panic"),
        plan,
        council,
        conversation: request.conversation,
        prompt,
        recall,
        wordless,
    };
    Prepared {
        head,
        timings,
        kind: match is_shed {
            true => Kind::Shed(guard, Shed::Full),
            false => Kind::Turn(guard, Box::new(turn)),
        },
    }
}

/// A turn for which there is no money: it will say so and end.
fn unpaid(mut guard: Box<Guard>, over: Over, timings: Timings) -> Prepared {
    guard.unpaid(over);
    Prepared {
        head: Arc::clone(&guard.head),
        timings,
        kind: Kind::Shed(guard, Shed::Unpaid),
    }
}

/// The language that is spoken: this turn's, and the talk's before it.
pub(super) fn tongue(conversation: &Conversation) -> Language {
    let before = conversation.history.iter().rev().map(|m| m.text.as_str());
    Language::heard(std::iter::once(conversation.ask.words()).chain(before))
}

/// Takes our own phrases out of what came back, as far back as any prompt reaches.
pub(super) fn unsay(rooms: &Rooms, history: &mut Vec<Message>) {
    let mut bytes = 0;
    let reaches = history.iter().rposition(|m| {
        bytes += m.text.len();
        bytes > MAX_UNSAID_BYTES
    });
    let mut newest = history.split_off(reaches.map_or(0, |at| at + 1));
    rooms.roster.unsay_all(&mut newest);
    history.append(&mut newest);
}

fn repeat(rooms: &Rooms, request: &TurnRequest, again: Again, timings: Timings) -> Prepared {
    let Again { listener, how } = again;
    RepeatHeard { how }.emit();
    let head = Arc::clone(listener.head());
    let coach = rooms.roster.get(&head.coach);
    let coach = coach.unwrap_or_else(|| rooms.roster.master());
    let line = coach.fallback_line(rooms.clock.now_ms().unsigned_abs());
    Prepared {
        head,
        timings,
        kind: Kind::Repeat(stream::Repeated {
            listener,
            signals: request.signals,
            line: line.to_owned(),
            _presence: rooms.admission.attend(),
        }),
    }
}

/// What is said without asking a model, where the user said nothing and the operator wants it so.
/// The coach's nudges are said in their order, the last of them a leave-taking: then the coach waits.
fn wordless(rooms: &Rooms, coach: &Coach, conversation: &Conversation) -> Option<String> {
    if !matches!(conversation.ask, Ask::Silence | Ask::Nothing) {
        return None;
    }
    match rooms.silence {
        // Whoever has been spoken to so often without a word does not want to be spoken to again.
        SilenceReply::Model => {
            let is_enough = coach.nudge(conversation.silences).is_none();
            (conversation.ask == Ask::Silence && is_enough).then(String::new)
        }
        SilenceReply::Quiet => Some(String::new()),
        SilenceReply::Line => {
            let nudged = rooms.roster.nudges_in_a_row(&conversation.history);
            Some(coach.nudge(nudged).unwrap_or_default().to_owned())
        }
    }
}

impl Prepared {
    #[must_use]
    pub fn head(&self) -> &Arc<Head> {
        &self.head
    }

    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// What the turn's calls come to, whenever it is asked; `None` for one that makes none.
    #[must_use]
    pub fn bill(&self) -> Option<Bill> {
        match &self.kind {
            Kind::Turn(guard, _) => Some(Bill::of(guard)),
            Kind::Shed(..) | Kind::Repeat(_) => None,
        }
    }

    /// Why this turn is refused, where its caller would rather be told than spoken to.
    #[must_use]
    pub fn refused(&self) -> Option<Shed> {
        match &self.kind {
            Kind::Shed(guard, why) if guard.signals => Some(*why),
            _ => None,
        }
    }

    /// Whether the request came before, so that it is heard again and asks nobody.
    #[must_use]
    pub fn is_repeat(&self) -> bool {
        matches!(self.kind, Kind::Repeat(_))
    }

    /// Whether it is a turn of its own that may ask a model.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Turn(..))
    }

    /// Settles a refused turn, without a word.
    pub fn refuse(self) {
        if let Kind::Shed(mut guard, _) = self.kind {
            guard.end(Outcome::Shed, FinishReason::Stop);
        }
    }

    /// The rest of the turn: recall, prompt, race, relay, end.
    ///
    /// # Cancellation
    /// Dropping the future closes upstream, gives the permit back and settles the turn; unless a
    /// repeat of the request listens: then the turn goes on for it.
    pub fn run<M: Mouth + 'static>(
        self,
        upstream: Rc<OpenRouter>,
        mouth: SharedMouth<M>,
    ) -> Running<M> {
        match self.kind {
            Kind::Shed(guard, why) => Running::alone(mouth.clone(), async move {
                ending::shed(guard, why, &mouth);
            }),
            Kind::Repeat(repeated) => {
                Running::alone(mouth.clone(), stream::repeat(repeated, mouth))
            }
            Kind::Turn(guard, turn) => Running::turn(guard, turn, upstream, mouth),
        }
    }
}
