//! What there is to tell: a closed set, plain data, no word of anybody.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock;
use crate::turn::MicroUsd;

/// Something that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// So much of the day's budget is spent.
    BudgetThreshold {
        percent: Threshold,
        spent: MicroUsd,
        budget: MicroUsd,
        day: Day,
    },
    /// A turn does not fit under the hard cap, with what it may cost: nothing is sent upstream for it.
    BudgetCap {
        spent: MicroUsd,
        cap: MicroUsd,
        day: Day,
    },
    /// `OpenRouter` refuses the key.
    KeyRefused { status: Refusal },
    /// What is left on the key.
    BalanceLow { remaining: MicroUsd },
    /// A configured model is not there any more.
    ModelGone {
        model: String,
        successor: Option<String>,
    },
    /// A configured model will be retired.
    ModelEnding {
        model: String,
        ends: Day,
        successor: Option<String>,
    },
    /// Turns run on a model of which nobody knows what it costs.
    PriceUnknown { model: String },
    /// A model, or what else has a breaker, is not asked for now.
    BreakerOpen { target: String },
    /// The oldest record has waited so long for the store.
    SpoolAge { age: Duration },
    /// The disk does not take records: they wait in memory, and end with the process.
    SpoolDegraded,
    /// Somebody wants to see one arrive.
    Test,
}

/// A share of the day's budget that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Threshold {
    Half,
    Most,
    All,
}

impl Threshold {
    const EACH: [Self; 3] = [Self::Half, Self::Most, Self::All];

    #[must_use]
    pub const fn percent(self) -> u8 {
        match self {
            Self::Half => 50,
            Self::Most => 80,
            Self::All => 100,
        }
    }

    /// The highest that is reached. Of no budget nothing is.
    #[must_use]
    pub fn reached(spent: MicroUsd, budget: MicroUsd) -> Option<Self> {
        let is_reached =
            |t: &Self| i128::from(spent.0) * 100 >= i128::from(budget.0) * i128::from(t.percent());
        let highest = Self::EACH.into_iter().rfind(is_reached);
        highest.filter(|_| budget.0 > 0)
    }
}

/// How `OpenRouter` refuses a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401: wrong or disabled.
    Unauthorized,
    /// 402: no credits left.
    NoCredits,
    /// 403: over its limit, or a guardrail.
    Forbidden,
}

impl Refusal {
    /// What a status says of the key; absent: nothing.
    #[must_use]
    pub const fn of(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Unauthorized),
            402 => Some(Self::NoCredits),
            403 => Some(Self::Forbidden),
            _ => None,
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::NoCredits => 402,
            Self::Forbidden => 403,
        }
    }
}

/// A day in UTC, which is the window of a budget: `2026-11-28`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day(String);

impl Day {
    /// The day of a moment, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn of(at_ms: i64) -> Self {
        let mut text = clock::rfc3339(at_ms);
        text.truncate(text.find('T').unwrap_or(text.len()));
        Self(text)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How often an alert of one key is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Once: its key names the window.
    Window,
    /// When it begins, and again only after it was over for a while.
    State,
    /// Each time.
    Always,
}

impl Alert {
    /// The event's `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BudgetThreshold { .. } => "budget.threshold",
            Self::BudgetCap { .. } => "budget.cap",
            Self::KeyRefused { .. } => "upstream.key_refused",
            Self::BalanceLow { .. } => "upstream.balance_low",
            Self::ModelGone { .. } => "model.gone",
            Self::ModelEnding { .. } => "model.ending",
            Self::PriceUnknown { .. } => "model.unpriced",
            Self::BreakerOpen { .. } => "breaker.open",
            Self::SpoolAge { .. } => "spool.age",
            Self::SpoolDegraded => "spool.degraded",
            Self::Test => "test",
        }
    }

    /// What it is about: alerts of one key are told once. Figures are no part of it.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::BudgetThreshold { percent, day, .. } => budget_key(day, *percent),
            Self::BudgetCap { day, .. } => format!("budget:{day}:cap"),
            Self::KeyRefused { status } => format!("key:{}", status.status()),
            Self::BalanceLow { .. } => "balance".to_owned(),
            Self::ModelGone { model, .. } => format!("model:{model}:gone"),
            Self::ModelEnding { model, ends, .. } => format!("model:{model}:ending:{ends}"),
            Self::PriceUnknown { model } => format!("model:{model}:unpriced"),
            Self::BreakerOpen { target } => format!("breaker:{target}"),
            Self::SpoolAge { .. } => "spool".to_owned(),
            Self::SpoolDegraded => "spool:degraded".to_owned(),
            Self::Test => "test".to_owned(),
        }
    }

    /// Keys of what need not be told any more once this is: lower thresholds of the same day.
    pub(super) fn covers(&self) -> Vec<String> {
        let Self::BudgetThreshold { percent, day, .. } = self else {
            return Vec::new();
        };
        let lower = Threshold::EACH.iter().filter(|t| *t < percent);
        lower.map(|t| budget_key(day, *t)).collect()
    }

    pub(super) const fn rhythm(&self) -> Rhythm {
        match self {
            Self::BudgetThreshold { .. } | Self::BudgetCap { .. } => Rhythm::Window,
            Self::Test => Rhythm::Always,
            _ => Rhythm::State,
        }
    }

    /// Whether it is about this machine alone: another's is other news, whoever shares the store.
    pub(super) const fn is_own(&self) -> bool {
        matches!(self, Self::SpoolDegraded)
    }

    /// One sentence for a person.
    #[must_use]
    pub fn message(&self) -> String {
        let instead = |successor: &Option<String>| match successor {
            Some(model) => format!("; {model} takes its place"),
            None => String::new(),
        };
        match self {
            Self::BudgetThreshold {
                percent,
                spent,
                budget,
                day,
            } => format!(
                "{} % of the budget of {day} is spent: {spent} of {budget} dollars",
                percent.percent()
            ),
            Self::BudgetCap { spent, cap, day } => format!(
                "a turn does not fit under the hard cap of {day}, of which {spent} of {cap} dollars are spent: \
                 it hears a sentence and no model is asked"
            ),
            Self::KeyRefused { status } => match status {
                Refusal::Unauthorized => "OpenRouter refuses the key as wrong or disabled (401)",
                Refusal::NoCredits => "OpenRouter has no credits left for the key (402)",
                Refusal::Forbidden => "the key is over its limit, or forbidden to do this (403)",
            }
            .to_owned(),
            Self::BalanceLow { remaining } => {
                format!("{remaining} dollars are left at OpenRouter")
            }
            Self::ModelGone { model, successor } => {
                format!("the model {model} is gone{}", instead(successor))
            }
            Self::ModelEnding {
                model,
                ends,
                successor,
            } => format!("the model {model} ends on {ends}{}", instead(successor)),
            Self::PriceUnknown { model } => {
                format!("nobody knows what the model {model} costs: its turns have no cost")
            }
            Self::BreakerOpen { target } => {
                format!("{target} keeps failing and is not asked for now")
            }
            Self::SpoolAge { age } => format!(
                "records have waited {} s for the store; turns go on",
                age.as_secs()
            ),
            Self::SpoolDegraded => {
                "the disk does not take records: they wait in memory and would be \
                 lost with the process; turns go on"
                    .to_owned()
            }
            Self::Test => "a test: alerts arrive here".to_owned(),
        }
    }

    /// The webhook's body: `{type, timestamp, data}`.
    pub(super) fn body(&self, at_ms: i64) -> String {
        let mut data = self.data();
        if let Value::Object(fields) = &mut data {
            fields.insert("message".to_owned(), json!(self.message()));
        }
        let timestamp = clock::rfc3339(at_ms);
        json!({ "type": self.kind(), "timestamp": timestamp, "data": data }).to_string()
    }

    /// Money as decimal text, as everywhere else.
    fn data(&self) -> Value {
        match self {
            Self::BudgetThreshold {
                percent,
                spent,
                budget,
                day,
            } => json!({
                "percent": percent.percent(),
                "spent_usd": spent.to_string(),
                "budget_usd": budget.to_string(),
                "day": day.0,
            }),
            Self::BudgetCap { spent, cap, day } => json!({
                "spent_usd": spent.to_string(),
                "cap_usd": cap.to_string(),
                "day": day.0,
            }),
            Self::KeyRefused { status } => json!({ "status": status.status() }),
            Self::BalanceLow { remaining } => json!({ "remaining_usd": remaining.to_string() }),
            Self::ModelGone { model, successor } => {
                json!({ "model": model, "successor": successor })
            }
            Self::ModelEnding {
                model,
                ends,
                successor,
            } => json!({ "model": model, "ends": ends.0, "successor": successor }),
            Self::PriceUnknown { model } => json!({ "model": model }),
            Self::BreakerOpen { target } => json!({ "target": target }),
            Self::SpoolAge { age } => json!({ "age_s": age.as_secs() }),
            Self::SpoolDegraded | Self::Test => json!({}),
        }
    }
}

fn budget_key(day: &Day, percent: Threshold) -> String {
    format!("budget:{day}:{}", percent.percent())
}

#[cfg(test)]
#[path = "kinds/tests.rs"]
mod tests;
