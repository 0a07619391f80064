//! Which turns and which sessions are wanted.

use uuid::Uuid;

use crate::turn::{Outcome, TurnRecord};

use super::sql::{Arg, Args};

/// How far a turn's id and its beginning may be apart.
const SKEW_MS: i64 = 60_000;
/// Above this the index of slow turns is of use; it holds no others.
const VERY_SLOW_MS: f64 = 1000.0;

/// Which turns are wanted; `None` means any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnFilter {
    pub session_id: Option<String>,
    pub coach: Option<String>,
    pub model: Option<String>,
    pub outcome: Option<Outcome>,
    /// Only turns whose first speakable words took longer, in milliseconds.
    pub slow_over_ms: Option<f64>,
    /// Only turns that began then or later, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only turns that began before.
    pub until_ms: Option<i64>,
    /// The cursor: the last turn id of the page before.
    pub before: Option<String>,
    /// Rows wanted, 1 to [`super::MAX_PAGE`].
    pub limit: u32,
}

/// Which sessions are wanted; `None` means any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionFilter {
    pub user_hash: Option<String>,
    /// Only sessions with a turn then or later, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only sessions whose newest turn began before.
    pub until_ms: Option<i64>,
    /// The cursor of the page before.
    pub before: Option<String>,
    /// Rows wanted, 1 to [`super::MAX_PAGE`].
    pub limit: u32,
}

/// The parameters of a page of turns; `None` for a cursor that is none.
pub(super) fn turn_args(filter: &TurnFilter, limit: u32) -> Option<Args> {
    let mut args: Args = vec![("limit", Arg::Int(i64::from(limit) + 1))];
    let texts = [
        ("session", &filter.session_id),
        ("coach", &filter.coach),
        ("model", &filter.model),
    ];
    for (name, text) in texts {
        args.extend(text.clone().map(|text| (name, Arg::Text(text))));
    }
    let outcome = filter.outcome.map(|o| o.as_str().to_owned());
    args.extend(outcome.map(|o| ("outcome", Arg::Text(o))));
    if let Some(at) = filter.since_ms {
        args.push(("since", Arg::At(at)));
        args.push(("since_id", Arg::Id(first_id(at.saturating_sub(SKEW_MS)))));
    }
    if let Some(at) = filter.until_ms {
        args.push(("until", Arg::At(at)));
        args.push(("until_id", Arg::Id(first_id(at.saturating_add(SKEW_MS)))));
    }
    if let Some(ms) = filter.slow_over_ms {
        args.push(("slow_over_ms", Arg::Real(ms)));
        if ms >= VERY_SLOW_MS {
            args.push(("is_very_slow", Arg::Int(1)));
        }
    }
    if let Some(before) = &filter.before {
        args.push(("before", Arg::Id(Uuid::try_parse(before).ok()?)));
    }
    Some(args)
}

impl TurnFilter {
    /// Whether a turn is wanted, as the store would judge it.
    #[must_use]
    pub fn admits(&self, turn: &TurnRecord) -> bool {
        fn fits<T: PartialEq + ?Sized>(wanted: Option<&T>, is: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        let model = turn.served_model.as_ref().unwrap_or(&turn.planned_model);
        let is_slow = |ms| turn.first_speakable_ms.is_some_and(|first| first > ms);
        let is_before = |id: &String| turn.turn_id.as_str() < id.as_str();
        fits(self.session_id.as_ref(), &turn.session_id)
            && fits(self.coach.as_ref(), &turn.coach)
            && fits(self.model.as_ref(), model)
            && fits(self.outcome.as_ref(), &turn.outcome)
            && self.since_ms.is_none_or(|at| turn.created_at >= at)
            && self.until_ms.is_none_or(|at| turn.created_at < at)
            && self.slow_over_ms.is_none_or(is_slow)
            && self.before.as_ref().is_none_or(is_before)
    }
}

/// The lowest id of a turn that begins then: a UUIDv7 leads with its milliseconds.
fn first_id(ms: i64) -> Uuid {
    let ms = u128::try_from(ms).unwrap_or(0) & ((1 << 48) - 1);
    Uuid::from_u128((ms << 80) | (0x7 << 76))
}
