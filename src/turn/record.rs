//! What is kept of a turn: exactly the columns of the tables, and no word of anybody.

use serde::{Deserialize, Serialize};

use super::end::{CallerProfile, Cause, CostSource, Identity, MemoryOutcome, Outcome, Tier};
use super::money::MicroUsd;

/// One row of table `turn`, with its attempts. Times in milliseconds from the end of the request
/// body, money in micro-dollars, `created_at` in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    pub turn_id: String,
    pub session_id: String,
    /// Keyed hash of the user id; absent when nobody is known.
    pub user_hash: Option<String>,
    pub profile: CallerProfile,
    pub identity: Identity,
    pub coach: String,
    pub coach_reason: String,
    pub tier: Tier,
    /// How demanding the turn was held to be, 0 to 1.
    pub complexity: Option<f64>,
    /// The experiment that the session took part in, and its arm.
    pub experiment: Option<String>,
    pub variant: Option<String>,
    pub planned_model: String,
    pub served_model: Option<String>,
    pub provider: Option<String>,
    pub generation_id: Option<String>,
    pub outcome: Outcome,
    pub auth_ms: Option<f64>,
    pub memory_ms: Option<f64>,
    pub plan_ms: Option<f64>,
    pub upstream_headers_ms: Option<f64>,
    pub first_token_ms: Option<f64>,
    pub first_speakable_ms: Option<f64>,
    pub total_ms: f64,
    pub overhead_ms: Option<f64>,
    pub memory_outcome: MemoryOutcome,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    pub cost_microusd: Option<MicroUsd>,
    pub cost_source: CostSource,
    /// Whether two models raced for the first words.
    pub hedged: bool,
    /// Whether another model was asked to go on after words were out.
    pub continued: bool,
    /// Whether a lead-in phrase was said before the answer.
    pub lead_in: bool,
    /// Why the planned model was chosen.
    #[serde(default)]
    pub model_reason: Option<String>,
    /// What it cost at most, where that was not known when it ended: what budgets count until it is.
    #[serde(default)]
    pub ceiling_microusd: Option<MicroUsd>,
    /// What the user thought of it, 1 to 5, where they said so.
    pub satisfaction: Option<u8>,
    pub trace_id: String,
    pub created_at: i64,
    /// One entry per upstream call, in the order they were made.
    #[serde(default)]
    pub attempts: Vec<AttemptRecord>,
}

/// One row of table `attempt`: one upstream call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub cause: Cause,
    /// The specialist of a council that was asked; absent where the turn's own coach was.
    #[serde(default)]
    pub coach: Option<String>,
    pub model: String,
    pub provider: Option<String>,
    pub generation_id: Option<String>,
    /// HTTP status, where a response head came.
    pub status: Option<u16>,
    /// The failure's kind, from a closed set; absent when it went well.
    pub error_kind: Option<String>,
    pub started_ms: f64,
    pub headers_ms: Option<f64>,
    pub first_token_ms: Option<f64>,
    pub ended_ms: f64,
    pub prompt_tokens: Option<u64>,
    /// Of them, what the provider had in its cache.
    #[serde(default)]
    pub cached_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub cost_microusd: Option<MicroUsd>,
    pub cost_source: CostSource,
    /// The connection was closed by us before the stream's own end.
    pub cancelled: bool,
}

/// What an upstream call really cost, as upstream's own books say some time after it was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    pub turn_id: String,
    /// The attempt's place in its turn, from 0.
    pub position: u32,
    pub cost_microusd: MicroUsd,
    pub provider: Option<String>,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
}
