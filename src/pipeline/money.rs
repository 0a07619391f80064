//! A turn's money: what is set aside for it before a model is asked, and what it is charged at its end.

use tokio::time::Instant;

use crate::coach::Coach;
use crate::routing::budget::{Asked, Over, Payer};
use crate::routing::catalog::{self, Catalog};
use crate::turn::{AttemptRecord, Conversation, CostSource, MicroUsd};

use super::guard::Guard;

/// As much of a conversation as a prompt holds, in bytes.
const MOST_HISTORY: usize = 48_000;
/// Rules, persona, memory and notes around it, in bytes.
const AROUND: usize = 12_000;

/// Sets aside what the planned model may cost at most.
///
/// # Errors
/// The limit that it would go beyond.
pub(super) fn reserve(
    guard: &Guard,
    coach: &Coach,
    conversation: &Conversation,
) -> Result<Asked, Over> {
    let rooms = &guard.rooms;
    let history = conversation.history.iter().map(|m| m.text.len());
    let said: usize = history.sum::<usize>().min(MOST_HISTORY);
    let bytes = said + conversation.ask.words().len() + AROUND;
    let (prompt, completion) = (catalog::tokens_of(bytes), u64::from(coach.max_tokens));
    let amount = rooms.catalog.ceiling(&guard.head.model, prompt, completion);
    let user = guard.user_hash();
    let session = rooms.session_key(guard.speaker.session.as_str());
    let payer = Payer {
        user: user.as_deref(),
        session: &session,
    };
    rooms.budget.reserve(payer, amount, guard.created_at)
}

/// The reservation of a turn, once there is one or none to be had: waited for no longer than memory.
///
/// # Errors
/// The limit that it would go beyond.
pub(super) async fn secure(asked: Option<Asked>, due: Instant) -> Result<Option<Reserved>, Over> {
    match asked {
        None => Ok(None),
        Some(asked) => asked.until(due).await.map(Some),
    }
}

pub(super) use crate::routing::budget::Reservation as Reserved;

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
