//! Every metric name, once. Units are in the names: seconds, never milliseconds.

pub const TURNS_TOTAL: &str = "clm_turns_total";
pub const FIRST_TOKEN_SECONDS: &str = "clm_first_token_seconds";
pub const FIRST_SPEAKABLE_SECONDS: &str = "clm_first_speakable_seconds";
pub const OVERHEAD_SECONDS: &str = "clm_overhead_seconds";
pub const MEMORY_SECONDS: &str = "clm_memory_seconds";
pub const UPSTREAM_TTFT_SECONDS: &str = "clm_upstream_ttft_seconds";
pub const ATTEMPTS_TOTAL: &str = "clm_attempts_total";
pub const FAILOVERS_TOTAL: &str = "clm_failovers_total";
pub const HEDGES_TOTAL: &str = "clm_hedges_total";
pub const RESUMES_TOTAL: &str = "clm_resumes_total";
pub const LEADINS_TOTAL: &str = "clm_leadins_total";
pub const UPSTREAM_MALFORMED_TOTAL: &str = "clm_upstream_malformed_total";
pub const BREAKER_STATE: &str = "clm_breaker_state";
pub const PROMPT_TOKENS_TOTAL: &str = "clm_prompt_tokens_total";
pub const CACHED_TOKENS_TOTAL: &str = "clm_cached_tokens_total";
pub const INTERRUPTS_TOTAL: &str = "clm_interrupts_total";
pub const ANSWERS_CUT_TOTAL: &str = "clm_answers_cut_total";
pub const REPEATS_TOTAL: &str = "clm_repeats_total";
pub const REPLIES_HEARD_TOTAL: &str = "clm_replies_heard_total";
pub const PANICS_TOTAL: &str = "clm_panics_total";
pub const INFLIGHT: &str = "clm_inflight";
pub const CONNECTIONS: &str = "clm_connections";
pub const CONNECTIONS_LIMIT: &str = "clm_connections_limit";
pub const START_TIME_SECONDS: &str = "clm_start_time_seconds";
pub const SPOOL_ROWS: &str = "clm_spool_rows";
pub const SPOOL_BYTES: &str = "clm_spool_bytes";
pub const SPOOL_AGE_SECONDS: &str = "clm_spool_age_seconds";
pub const SPOOL_DEGRADED: &str = "clm_spool_degraded";
pub const SPOOL_QUARANTINED: &str = "clm_spool_quarantined";
pub const SPOOL_DROPPED_TOTAL: &str = "clm_spool_dropped_total";
pub const MEMORY_WRITES_DROPPED_TOTAL: &str = "clm_memory_writes_dropped_total";
pub const MEMORY_BACKLOG: &str = "clm_memory_backlog";
pub const LOG_DROPPED_TOTAL: &str = "clm_log_dropped_total";
pub const CATALOG_REFRESHES_TOTAL: &str = "clm_catalog_refreshes_total";
pub const CATALOG_UPDATED_SECONDS: &str = "clm_catalog_updated_timestamp_seconds";
pub const MODELS_UNLISTED: &str = "clm_models_unlisted";
pub const COST_CORRECTIONS_TOTAL: &str = "clm_cost_corrections_total";
pub const BUDGET_SPENT_DOLLARS: &str = "clm_budget_spent_dollars";
pub const BUDGET_USED_RATIO: &str = "clm_budget_used_ratio";
pub const BUDGET_REFUSALS_TOTAL: &str = "clm_budget_refusals_total";
pub const RATE_LIMITED_TOTAL: &str = "clm_rate_limited_total";
pub const HTTP_ERRORS_TOTAL: &str = "clm_http_errors_total";
pub const TELEMETRY_DROPPED_TOTAL: &str = "clm_telemetry_dropped_total";
pub const ALERTS_TOTAL: &str = "clm_alerts_total";
pub const ALERTS_DROPPED_TOTAL: &str = "clm_alerts_dropped_total";
pub const WEBHOOKS_TOTAL: &str = "clm_webhooks_total";
pub const WEBHOOK_BACKLOG: &str = "clm_webhook_backlog";

// The GenAI conventions' histograms, as `/metrics` spells them; [`GENAI`] has their own names.
pub const CALL_SECONDS: &str = "gen_ai_client_operation_duration_seconds";
pub const FIRST_CHUNK_SECONDS: &str = "gen_ai_client_operation_time_to_first_chunk_seconds";
pub const CHUNK_SECONDS: &str = "gen_ai_client_operation_time_per_output_chunk_seconds";
pub const TOKENS: &str = "gen_ai_client_token_usage";

/// Name, kind, help. What `/metrics` describes and `docs/TELEMETRY.md` lists.
pub const ALL: &[(&str, Kind, &str)] = &[
    (
        TURNS_TOTAL,
        Kind::Counter,
        "Turns settled, by outcome and coach.",
    ),
    (
        FIRST_TOKEN_SECONDS,
        Kind::Histogram,
        "From the end of the request body to upstream's first data event of any kind.",
    ),
    (
        FIRST_SPEAKABLE_SECONDS,
        Kind::Histogram,
        "From the end of the request body to the first words that can be spoken, by coach. \
         Leaves out endpointing, transport and speech synthesis.",
    ),
    (
        OVERHEAD_SECONDS,
        Kind::Histogram,
        "Our own share of the first speakable time: less the waiting on memory and upstream.",
    ),
    (
        MEMORY_SECONDS,
        Kind::Histogram,
        "How long a turn waited for memory, by outcome.",
    ),
    (
        UPSTREAM_TTFT_SECONDS,
        Kind::Histogram,
        "From an attempt's start to upstream's first data event, by model.",
    ),
    (
        ATTEMPTS_TOTAL,
        Kind::Counter,
        "Upstream calls, by model and result.",
    ),
    (
        FAILOVERS_TOTAL,
        Kind::Counter,
        "Moves to another model within one turn after a failure, by phase.",
    ),
    (
        HEDGES_TOTAL,
        Kind::Counter,
        "Second models asked because the first was slow, by result.",
    ),
    (
        RESUMES_TOTAL,
        Kind::Counter,
        "Turns whose answer broke off and that another model was asked to go on with, by result.",
    ),
    (
        LEADINS_TOTAL,
        Kind::Counter,
        "Turns that said a lead-in phrase before the answer.",
    ),
    (
        UPSTREAM_MALFORMED_TOTAL,
        Kind::Counter,
        "Upstream events skipped because they could not be read, by model.",
    ),
    (
        BREAKER_STATE,
        Kind::Gauge,
        "Whether a target may be called: 0 closed, all calls; 1 half open or cooling; 2 open, none.",
    ),
    (
        PROMPT_TOKENS_TOTAL,
        Kind::Counter,
        "Tokens of prompts whose bill tells how many of them came from a provider's cache, by coach.",
    ),
    (
        CACHED_TOKENS_TOTAL,
        Kind::Counter,
        "Those of them that came from the cache, by coach.",
    ),
    (
        INTERRUPTS_TOTAL,
        Kind::Counter,
        "Turns that the caller hung up on: barge-ins.",
    ),
    (
        ANSWERS_CUT_TOTAL,
        Kind::Counter,
        "Answers that a model stopped before it had said all, by reason.",
    ),
    (
        REPEATS_TOTAL,
        Kind::Counter,
        "Requests that repeated one already known, by how they were answered.",
    ),
    (
        REPLIES_HEARD_TOTAL,
        Kind::Counter,
        "Replies that a later request told about, by how much of them was heard.",
    ),
    (
        PANICS_TOTAL,
        Kind::Counter,
        "Turns that ended in a panic, which is a bug.",
    ),
    (INFLIGHT, Kind::Gauge, "Turns being answered now."),
    (CONNECTIONS, Kind::Gauge, "Callers' connections open now."),
    (
        CONNECTIONS_LIMIT,
        Kind::Gauge,
        "How many connections callers may have; those beyond wait to be let in.",
    ),
    (
        START_TIME_SECONDS,
        Kind::Gauge,
        "When this process began, seconds since the Unix epoch.",
    ),
    (SPOOL_ROWS, Kind::Gauge, "Rows that wait for the store."),
    (SPOOL_BYTES, Kind::Gauge, "Bytes of the spool on disk."),
    (
        SPOOL_AGE_SECONDS,
        Kind::Gauge,
        "How long the oldest row has waited for the store; 0 without any.",
    ),
    (
        SPOOL_DEGRADED,
        Kind::Gauge,
        "1 while the disk takes no rows and they wait in memory.",
    ),
    (
        SPOOL_QUARANTINED,
        Kind::Gauge,
        "Rows that no store takes, set aside.",
    ),
    (
        SPOOL_DROPPED_TOTAL,
        Kind::Counter,
        "Rows that could not be kept, by reason.",
    ),
    (
        MEMORY_WRITES_DROPPED_TOTAL,
        Kind::Counter,
        "Memory writes given up, by reason.",
    ),
    (
        MEMORY_BACKLOG,
        Kind::Gauge,
        "Exchanges that wait to be written to memory, on the disk or in the queue.",
    ),
    (
        LOG_DROPPED_TOTAL,
        Kind::Counter,
        "Log lines dropped because the output was blocked, or took them no more.",
    ),
    (
        CATALOG_REFRESHES_TOTAL,
        Kind::Counter,
        "Tries to refresh the list of models and their prices, by outcome.",
    ),
    (
        CATALOG_UPDATED_SECONDS,
        Kind::Gauge,
        "When the list of models was last refreshed, in seconds since the Unix epoch; 0 for never.",
    ),
    (
        MODELS_UNLISTED,
        Kind::Gauge,
        "Configured models that the newest list of models does not hold: retired, or about to be.",
    ),
    (
        COST_CORRECTIONS_TOTAL,
        Kind::Counter,
        "Calls that brought no bill and were looked up afterwards, by result.",
    ),
    (
        BUDGET_SPENT_DOLLARS,
        Kind::Gauge,
        "What turns of this UTC day cost, dollars: of all machines, as far as they told.",
    ),
    (
        BUDGET_USED_RATIO,
        Kind::Gauge,
        "The same as a part of DAILY_BUDGET_USD: 1 is all of it.",
    ),
    (
        BUDGET_REFUSALS_TOTAL,
        Kind::Counter,
        "Turns that heard a sentence instead of a model for want of money, by limit.",
    ),
    (
        RATE_LIMITED_TOTAL,
        Kind::Counter,
        "Turns refused because their key or their session has had as many as it may, by scope.",
    ),
    (
        HTTP_ERRORS_TOTAL,
        Kind::Counter,
        "Requests refused with an error body, by type.",
    ),
    (
        TELEMETRY_DROPPED_TOTAL,
        Kind::Counter,
        "Spans, and exports of metrics, that never reached the collector, by signal.",
    ),
    (
        ALERTS_TOTAL,
        Kind::Counter,
        "Alerts told to the operator, by type.",
    ),
    (
        ALERTS_DROPPED_TOTAL,
        Kind::Counter,
        "Alerts dropped because too many were raised at once.",
    ),
    (
        WEBHOOKS_TOTAL,
        Kind::Counter,
        "Tries to deliver a webhook, and webhooks given up, by result.",
    ),
    (
        WEBHOOK_BACKLOG,
        Kind::Gauge,
        "Webhooks that wait to be delivered.",
    ),
];

/// What the conventions call a histogram, on `/metrics` and to a collector; its unit; its help.
/// Source: open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md.
pub const GENAI: &[(&str, &str, &str, &str)] = &[
    (
        CALL_SECONDS,
        "gen_ai.client.operation.duration",
        "s",
        "GenAI operation duration.",
    ),
    (
        FIRST_CHUNK_SECONDS,
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        "Time to receive the first chunk, measured from when the client issues the generation request.",
    ),
    (
        CHUNK_SECONDS,
        "gen_ai.client.operation.time_per_output_chunk",
        "s",
        "Time per output chunk, from the end of the previous chunk to the end of the current one.",
    ),
    (
        TOKENS,
        "gen_ai.client.token.usage",
        "{token}",
        "Number of input and output tokens used.",
    ),
];

/// The attributes of those histograms: as labels, and by their own names.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("gen_ai_operation_name", "gen_ai.operation.name"),
    ("gen_ai_provider_name", "gen_ai.provider.name"),
    ("gen_ai_request_model", "gen_ai.request.model"),
    ("gen_ai_token_type", "gen_ai.token.type"),
    ("server_address", "server.address"),
    ("server_port", "server.port"),
    ("error_type", "error.type"),
];

/// What a metric of `/metrics` is called towards a collector, and its unit. Ours keep their names:
/// a query written for one is right for the other.
#[must_use]
pub fn instrument(name: &str) -> (&str, &'static str) {
    match GENAI.iter().find(|(page, ..)| *page == name) {
        Some((_, own, unit, _)) => (own, unit),
        None if name.ends_with("_seconds") => (name, "s"),
        None => (name, "1"),
    }
}

/// What a label of `/metrics` is called towards a collector.
#[must_use]
pub fn attribute(label: &str) -> &str {
    let known = ATTRIBUTES.iter().find(|(page, _)| *page == label);
    known.map_or(label, |(_, own)| own)
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}
