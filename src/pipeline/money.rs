//! A turn's money: what is set aside for it before a model is asked, and what it is charged at its end.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::coach::Coach;
use crate::council;
use crate::prompt::{self, PromptMessage};
use crate::routing::budget::{self, Over, Payer};
use crate::routing::catalog::Catalog;
use crate::turn::{AttemptRecord, Conversation, CostSource, MicroUsd};
use crate::upstream::AttemptLog;

use super::council::Council;
use super::guard::Guard;

/// What a turn is to be paid for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'t> {
    pub(super) coach: &'t Coach,
    pub(super) council: Option<&'t Council>,
    pub(super) conversation: &'t Conversation,
    /// Whoever may come to answer.
    pub(super) candidates: &'t [String],
}

/// Sets aside what the dearest candidate may cost at most that reads this prompt, since any of them may come to
/// answer, and a council's calls with it.
///
/// # Errors
/// The limit that it would go beyond.
pub(super) fn reserve(
    guard: &Guard,
    asked: Asked<'_>,
    prompt: &[PromptMessage],
) -> Result<budget::Asked, Over> {
    let rooms = &guard.rooms;
    let remembered = remembered(guard);
    let own = own(guard, asked, prompt, remembered);
    let council = asked.council;
    let council = council.map(|council| council.most(rooms, asked.conversation, (own, remembered)));
    let user = guard.user_hash();
    let session = rooms.session_key(guard.speaker.session.as_str());
    let payer = Payer {
        user: user.as_deref(),
        session: &session,
    };
    let amount = own + council.unwrap_or_default();
    rooms.budget.reserve(payer, amount, guard.created_at)
}

/// As many tokens as memory may yet add to a prompt.
fn remembered(guard: &Guard) -> u64 {
    match guard.person.is_some() && !guard.speaker.is_new {
        true => prompt::QUOTED_TOKENS,
        false => 0,
    }
}

/// What the answer may cost at most, whoever gives it: it reads the whole of this prompt, and `more` tokens
/// that are not known yet. Of a council's other members it reads all that may be heard.
pub(super) fn own(
    guard: &Guard,
    asked: Asked<'_>,
    prompt: &[PromptMessage],
    more: u64,
) -> MicroUsd {
    let rooms = &guard.rooms;
    // An experiment changes what it is told, and neither its openings nor its bounds.
    let coach = asked.coach;
    let tools = asked.conversation.tools.as_ref();
    let tools = tools.map_or(0, |tools| prompt::tokens_of(tools.tools.get()));
    let read = match asked.council {
        None => read(prompt, tools + more),
        Some(_) => {
            let openings = coach.openings.iter().map(String::as_str);
            let opening = openings.max_by_key(|line| line.len());
            let fullest = council::fullest(&rooms.roster);
            let woven = council::weave(prompt.to_vec(), opening.unwrap_or_default(), &fullest);
            read(&woven, tools + more)
        }
    };
    dearest(&rooms.catalog, asked.candidates, read, coach.max_tokens)
}

/// As many tokens as a model reads at most of these messages and so many more: counted by length, they
/// may be a quarter too few.
pub(super) fn read(messages: &[PromptMessage], more: u64) -> u64 {
    let tokens = prompt::tokens_in(messages).saturating_add(more);
    tokens.saturating_add(tokens.div_ceil(4))
}

/// What the dearest of these models may cost at most that reads and says so many tokens.
pub(super) fn dearest(catalog: &Catalog, models: &[String], read: u64, said: u32) -> MicroUsd {
    let said = u64::from(said);
    let costs = models.iter();
    let costs = costs.map(|model| catalog.ceiling(model, read, said));
    costs.max().unwrap_or_default()
}

/// The reservation of a turn, once there is one or none to be had: waited for no longer than memory.
///
/// # Errors
/// The limit that it would go beyond.
pub(super) async fn secure(
    asked: Option<budget::Asked>,
    due: Instant,
) -> Result<Option<Reserved>, Over> {
    match asked {
        None => Ok(None),
        Some(asked) => asked.until(due).await.map(Some),
    }
}

pub(super) use crate::routing::budget::Reservation as Reserved;

/// A turn's calls as they stand, for whoever tells of them while it runs.
#[derive(Clone)]
pub struct Bill {
    log: Rc<AttemptLog>,
    catalog: Catalog,
    began: Instant,
}

/// What some of a turn's calls come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The model asked last.
    pub model: Option<String>,
    /// Absent where nobody knows.
    pub cost: Option<MicroUsd>,
    /// Read and written.
    pub tokens: u64,
}

impl Bill {
    pub(super) fn of(guard: &Guard) -> Self {
        Self {
            log: Rc::clone(&guard.attempts),
            catalog: guard.rooms.catalog.clone(),
            began: guard.began,
        }
    }

    /// All calls, or those for one specialist of a council.
    #[must_use]
    pub fn share(&self, coach: Option<&str>) -> Share {
        let attempts = self.log.so_far(coach);
        let tokens = |a: &AttemptRecord| {
            let read = a.prompt_tokens.unwrap_or_default();
            read.saturating_add(a.completion_tokens.unwrap_or_default())
        };
        Share {
            model: attempts.last().map(|a| a.model.clone()),
            cost: Cost::of(&attempts, &self.catalog).sum,
            tokens: attempts.iter().map(tokens).fold(0, u64::saturating_add),
        }
    }

    /// Since the turn began.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.began.elapsed()
    }
}

/// What all attempts of a turn cost.
pub(super) struct Cost {
    pub(super) sum: Option<MicroUsd>,
    pub(super) source: CostSource,
    /// The sum, with what calls of unknown cost may have cost at most.
    pub(super) charge: MicroUsd,
}

impl Cost {
    /// An attempt that never reached a model costs nothing; one that did and whose price nobody
    /// knows makes the sum unknown.
    pub(super) fn of(attempts: &[AttemptRecord], catalog: &Catalog) -> Self {
        let paid = attempts
            .iter()
            .filter(|a| a.cost_microusd.is_some() || was_begun(a));
        let mut sum = Some(MicroUsd::default());
        let mut source = CostSource::Reported;
        let mut charge = MicroUsd::default();
        for attempt in paid {
            let Some(cost) = attempt.cost_microusd else {
                let tokens = |count: Option<u64>| count.unwrap_or_default();
                let prompt = tokens(attempt.prompt_tokens);
                let completion = tokens(attempt.completion_tokens);
                charge = charge + catalog.ceiling(&attempt.model, prompt, completion);
                (sum, source) = (None, CostSource::Unknown);
                continue;
            };
            charge = charge + cost;
            sum = sum.map(|sum| sum + cost);
            if attempt.cost_source == CostSource::Estimated && sum.is_some() {
                source = CostSource::Estimated;
            }
        }
        Self {
            sum,
            source,
            charge,
        }
    }
}

/// Whether upstream may charge for it: it answered, or it has the prompt and we left before it could.
fn was_begun(attempt: &AttemptRecord) -> bool {
    match attempt.status {
        Some(status) => status == 200,
        None => attempt.cancelled && attempt.prompt_tokens.is_some(),
    }
}
