//! What a turn holds while it waits for memory, and what it makes of the answer or of none.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::turn::MemoryOutcome;

/// What a turn gets to know of a person.
#[derive(Clone)]
pub struct Recalled {
    /// At most 8,000 characters: data to be quoted to the model, never obeyed.
    pub context: Option<Arc<str>>,
    pub outcome: MemoryOutcome,
}

impl fmt::Debug for Recalled {
    /// Without a word of the context.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recalled")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// An answer of the store: a context, or that nothing is known; or no answer.
pub(super) type Answer = Result<Option<Arc<str>>, Failed>;

/// The store failed; why is the gate's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// A person's context, at hand or under way.
pub struct Recall {
    state: State,
}

enum State {
    AtHand(Recalled),
    UnderWay {
        answer: watch::Receiver<Option<Answer>>,
        /// The last context that is still usable in need.
        old: Option<Arc<str>>,
    },
}

impl Recall {
    /// A context, or that nothing is known, without a question.
    pub(super) fn at_hand(context: Option<Arc<str>>) -> Self {
        Self {
            state: State::AtHand(known(context)),
        }
    }

    /// A question is being asked; `old` is used where its answer comes too late, or not at all.
    pub(super) fn under_way(
        answer: watch::Receiver<Option<Answer>>,
        old: Option<Arc<str>>,
    ) -> Self {
        Self {
            state: State::UnderWay { answer, old },
        }
    }

    pub(super) fn off() -> Self {
        let recalled = Recalled {
            context: None,
            outcome: MemoryOutcome::Off,
        };
        Self {
            state: State::AtHand(recalled),
        }
    }

    /// The context, when it need not be waited for.
    #[must_use]
    pub fn ready(&self) -> Option<Recalled> {
        match &self.state {
            State::AtHand(recalled) => Some(recalled.clone()),
            State::UnderWay { answer, old } => {
                let answer = answer.borrow().clone()?;
                Some(settled(answer, old.clone()))
            }
        }
    }

    /// Waits for the context until `deadline`; after that, or when the store fails, takes the last
    /// one that is still usable.
    ///
    /// # Cancellation
    /// Safe: the question goes on, and its answer is kept.
    pub async fn within(self, deadline: Instant) -> Recalled {
        let (mut answer, old) = match self.state {
            State::AtHand(recalled) => return recalled,
            State::UnderWay { answer, old } => (answer, old),
        };
        let wait = async {
            let told = answer.wait_for(Option::is_some).await.ok()?;
            told.clone()
        };
        match timeout_at(deadline, wait).await {
            Ok(answer) => settled(answer.unwrap_or(Err(Failed)), old),
            Err(_elapsed) => instead(old, MemoryOutcome::Late),
        }
    }
}

fn settled(answer: Answer, old: Option<Arc<str>>) -> Recalled {
    match answer {
        Ok(context) => known(context),
        Err(Failed) => instead(old, MemoryOutcome::Error),
    }
}

/// An answer the store gave.
fn known(context: Option<Arc<str>>) -> Recalled {
    let outcome = match context {
        Some(_) => MemoryOutcome::Hit,
        None => MemoryOutcome::Miss,
    };
    Recalled { context, outcome }
}

/// What is used where no answer came, and what that is called.
fn instead(old: Option<Arc<str>>, without: MemoryOutcome) -> Recalled {
    let outcome = match old {
        Some(_) => MemoryOutcome::Stale,
        None => without,
    };
    Recalled {
        context: old,
        outcome,
    }
}
