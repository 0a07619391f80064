//! Values to rows and back: the only place that pairs a record's fields with the table's columns.

use rusqlite::{Connection, Error, Row, named_params, types::Type};

use crate::turn::{
    AttemptRecord, CallerProfile, Cause, CostSource, Identity, MemoryOutcome, MicroUsd, Outcome,
    Tier, TurnRecord,
};

pub(super) fn insert(db: &Connection, t: &TurnRecord) -> Result<(), Error> {
    let mut turn = db.prepare_cached(include_str!("../../sql/queries/embedded/insert_turn.sql"))?;
    turn.execute(named_params! {
        ":turn_id": t.turn_id,
        ":session_id": t.session_id,
        ":user_hash": t.user_hash,
        ":profile": t.profile.as_str(),
        ":identity": t.identity.as_str(),
        ":coach": t.coach,
        ":coach_reason": t.coach_reason,
        ":tier": t.tier.as_str(),
        ":planned_model": t.planned_model,
        ":served_model": t.served_model,
        ":provider": t.provider,
        ":generation_id": t.generation_id,
        ":outcome": t.outcome.as_str(),
        ":auth_ms": t.auth_ms,
        ":memory_ms": t.memory_ms,
        ":plan_ms": t.plan_ms,
        ":upstream_headers_ms": t.upstream_headers_ms,
        ":first_token_ms": t.first_token_ms,
        ":first_speakable_ms": t.first_speakable_ms,
        ":total_ms": t.total_ms,
        ":overhead_ms": t.overhead_ms,
        ":memory_outcome": t.memory_outcome.as_str(),
        ":prompt_tokens": signed(t.prompt_tokens),
        ":completion_tokens": signed(t.completion_tokens),
        ":cached_tokens": signed(t.cached_tokens),
        ":reasoning_tokens": signed(t.reasoning_tokens),
        ":cost_microusd": t.cost_microusd.map(|m| m.0),
        ":cost_source": t.cost_source.as_str(),
        ":hedged": t.hedged,
        ":continued": t.continued,
        ":lead_in": t.lead_in,
        ":attempts": i64::try_from(t.attempts.len()).unwrap_or(i64::MAX),
        ":trace_id": t.trace_id,
        ":created_at": t.created_at,
    })?;
    for (position, a) in (0_i64..).zip(&t.attempts) {
        insert_attempt(db, &t.turn_id, position, a)?;
    }
    Ok(())
}

fn insert_attempt(
    db: &Connection,
    turn_id: &str,
    position: i64,
    a: &AttemptRecord,
) -> Result<(), Error> {
    let mut attempt = db.prepare_cached(include_str!(
        "../../sql/queries/embedded/insert_attempt.sql"
    ))?;
    attempt.execute(named_params! {
        ":turn_id": turn_id,
        ":position": position,
        ":cause": a.cause.as_str(),
        ":model": a.model,
        ":provider": a.provider,
        ":generation_id": a.generation_id,
        ":status": a.status,
        ":error_kind": a.error_kind,
        ":started_ms": a.started_ms,
        ":headers_ms": a.headers_ms,
        ":first_token_ms": a.first_token_ms,
        ":ended_ms": a.ended_ms,
        ":prompt_tokens": signed(a.prompt_tokens),
        ":completion_tokens": signed(a.completion_tokens),
        ":cost_microusd": a.cost_microusd.map(|m| m.0),
        ":cost_source": a.cost_source.as_str(),
        ":cancelled": a.cancelled,
    })?;
    Ok(())
}

/// A turn without its attempts.
pub(super) fn turn(row: &Row<'_>) -> Result<TurnRecord, Error> {
    Ok(TurnRecord {
        turn_id: row.get("turn_id")?,
        session_id: row.get("session_id")?,
        user_hash: row.get("user_hash")?,
        profile: word(row, "profile", CallerProfile::parse)?,
        identity: word(row, "identity", Identity::parse)?,
        coach: row.get("coach")?,
        coach_reason: row.get("coach_reason")?,
        tier: word(row, "tier", Tier::parse)?,
        complexity: None,
        experiment: None,
        variant: None,
        planned_model: row.get("planned_model")?,
        served_model: row.get("served_model")?,
        provider: row.get("provider")?,
        generation_id: row.get("generation_id")?,
        outcome: word(row, "outcome", Outcome::parse)?,
        auth_ms: row.get("auth_ms")?,
        memory_ms: row.get("memory_ms")?,
        plan_ms: row.get("plan_ms")?,
        upstream_headers_ms: row.get("upstream_headers_ms")?,
        first_token_ms: row.get("first_token_ms")?,
        first_speakable_ms: row.get("first_speakable_ms")?,
        total_ms: row.get("total_ms")?,
        overhead_ms: row.get("overhead_ms")?,
        memory_outcome: word(row, "memory_outcome", MemoryOutcome::parse)?,
        prompt_tokens: unsigned(row, "prompt_tokens")?,
        completion_tokens: unsigned(row, "completion_tokens")?,
        cached_tokens: unsigned(row, "cached_tokens")?,
        reasoning_tokens: unsigned(row, "reasoning_tokens")?,
        cost_microusd: row.get::<_, Option<i64>>("cost_microusd")?.map(MicroUsd),
        cost_source: word(row, "cost_source", CostSource::parse)?,
        hedged: row.get("hedged")?,
        continued: row.get("continued")?,
        lead_in: row.get("lead_in")?,
        satisfaction: None,
        trace_id: row.get("trace_id")?,
        created_at: row.get("created_at")?,
        attempts: Vec::new(),
    })
}

pub(super) fn attempt(row: &Row<'_>) -> Result<AttemptRecord, Error> {
    Ok(AttemptRecord {
        cause: word(row, "cause", Cause::parse)?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        generation_id: row.get("generation_id")?,
        status: row.get("status")?,
        error_kind: row.get("error_kind")?,
        started_ms: row.get("started_ms")?,
        headers_ms: row.get("headers_ms")?,
        first_token_ms: row.get("first_token_ms")?,
        ended_ms: row.get("ended_ms")?,
        prompt_tokens: unsigned(row, "prompt_tokens")?,
        completion_tokens: unsigned(row, "completion_tokens")?,
        cost_microusd: row.get::<_, Option<i64>>("cost_microusd")?.map(MicroUsd),
        cost_source: word(row, "cost_source", CostSource::parse)?,
        cancelled: row.get("cancelled")?,
    })
}

fn signed(n: Option<u64>) -> Option<i64> {
    n.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

fn unsigned(row: &Row<'_>, column: &str) -> Result<Option<u64>, Error> {
    let n: Option<i64> = row.get(column)?;
    Ok(n.map(|n| u64::try_from(n).unwrap_or_default()))
}

/// A word of a closed set; one that this version does not know is a fault of the row.
fn word<T>(row: &Row<'_>, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, Error> {
    let text: String = row.get(column)?;
    let unknown =
        || Error::FromSqlConversionFailure(0, Type::Text, format!("{column}: {text}").into());
    parse(&text).ok_or_else(unknown)
}
