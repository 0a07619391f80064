//! What platforms and operators ask: alive, ready, metrics, version, models.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::memory::{MemoryHealth, Waiting};
use crate::record::Standing;
use crate::record::counters::RedisHealth;
use crate::telemetry::metrics;
use crate::upstream::TargetState;

use super::error::Refusal;
use super::{Door, trace};

/// The process runs; nothing else is asked.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether turns can be taken. A lost store, memory or Redis degrades, it does not make unready:
/// speech goes on without them.
pub(super) async fn readyz(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    // A reader busy with a long question must not make the platform think that we are dead.
    let read = door.store.is_well().await;
    let standing = door.records.standing();
    let store = standing.refused.is_none() && read;
    let memory = door.rooms.memory.health();
    let is_ready = door.rooms.lifecycle.is_ready();
    let is_pressed = door.rooms.admission.is_pressed();
    let redis = door.counters.redis();
    let waiting = door.rooms.memory.waiting();
    let is_degraded = !store
        || standing.is_degraded
        || waiting.is_degraded
        || is_pressed
        || matches!(memory, MemoryHealth::Down(_))
        || redis == RedisHealth::Down;
    let status = match (is_ready, is_degraded) {
        (false, _) => "stopping",
        (true, true) => "degraded",
        (true, false) => "ready",
    };
    let body = if door.keys.admin(&request).is_ok() {
        json!({
            "status": status,
            "dependencies": {
                "store": store_json(store, door.store.kind(), &standing),
                "spool": spool_json(&standing, door.rooms.clock.now_ms()),
                "memory": memory_json(&memory, &waiting, door.rooms.clock.now_ms()),
                "redis": { "status": redis_word(redis) },
                "upstream": { "status": "on demand", "resting": resting(&door) },
            },
            "inflight": door.rooms.admission.open(),
            "memory_is_short": is_pressed,
        })
    } else {
        json!({ "status": status })
    };
    let mut response = if is_ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response.json(body)
}

fn store_json(is_well: bool, kind: &str, standing: &Standing) -> Value {
    match (is_well, standing.refused) {
        (true, _) => json!({ "status": "ok", "kind": kind }),
        (false, why) => json!({ "status": "down", "kind": kind, "refused": why }),
    }
}

fn spool_json(standing: &Standing, now_ms: i64) -> Value {
    json!({
        "status": if standing.is_degraded { "degraded" } else { "ok" },
        "rows": standing.rows,
        "bytes": standing.bytes,
        "age_s": standing.oldest_at_ms.map(|at| (now_ms - at).max(0) / 1000),
        "quarantined": standing.quarantined,
    })
}

/// Models that are not asked as usual just now, and why.
fn resting(door: &Door) -> Vec<Value> {
    let states = door.rooms.health.states(Instant::now());
    let resting = states
        .iter()
        .filter(|(_, state)| *state != TargetState::Closed);
    resting
        .map(|(model, state)| json!({ "model": model, "state": state.as_str() }))
        .collect()
}

fn redis_word(health: RedisHealth) -> &'static str {
    match health {
        RedisHealth::Off => "off",
        RedisHealth::Up => "ok",
        RedisHealth::Down => "down",
    }
}

fn memory_json(health: &MemoryHealth, waiting: &Waiting, now_ms: i64) -> Value {
    let (status, kind) = match health {
        MemoryHealth::Off => return json!({ "status": "off" }),
        MemoryHealth::Up => ("ok", None),
        MemoryHealth::Down(kind) => ("down", Some(*kind)),
    };
    json!({
        "status": status,
        "kind": kind,
        "writes_waiting": waiting.exchanges,
        "on_disk": waiting.on_disk,
        "age_s": waiting.oldest_ms.map(|at| (now_ms - at).max(0) / 1000),
        "spool": if waiting.is_degraded { "degraded" } else { "ok" },
    })
}

/// Prometheus text format.
pub(super) async fn prometheus(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    match door.keys.admin(&request) {
        Ok(()) => prometheus_without_key(door).await,
        Err(refusal) => refusal.respond(&request, &trace(&request)),
    }
}

/// The same where only operators come.
pub(super) async fn prometheus_without_key(door: Data<Door>) -> HttpResponse {
    if let Some(dropped) = &door.dropped_lines {
        dropped.publish();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics::render())
}

pub(super) async fn version() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
    }))
}

/// The coaches as models, `clm` first: the one that chooses among them.
pub(super) async fn models(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    if let Err(refusal) = door.keys.caller(&request) {
        return refusal.respond(&request, &trace(&request));
    }
    let coaches = door.rooms.roster.iter().map(|coach| coach.id.as_str());
    let data: Vec<Value> = std::iter::once("clm")
        .chain(coaches)
        .map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "clm" }))
        .collect();
    HttpResponse::Ok().json(json!({ "object": "list", "data": data }))
}

pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    Refusal::NotFound.respond(&request, &trace(&request))
}
