//! `GET /v1/turns`, `/v1/turns/{id}` and `/v1/turns/live`: what was recorded, and what is.

use std::time::Duration;

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder as _};
use actix_web_lab::sse;
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::record::TurnFilter;
use crate::telemetry::live::Seen;
use crate::turn::{MicroUsd, Outcome, TurnRecord};

use super::error::Refusal;
use super::{Door, trace};

const DEFAULT_PAGE: u32 = 50;
/// How often a quiet live stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Every filter may be left out; an empty one counts as left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    session: Option<String>,
    coach: Option<String>,
    model: Option<String>,
    outcome: Option<String>,
    slow_over_ms: Option<f64>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    request: HttpRequest,
    door: Data<Door>,
    wanted: Result<Query<Wanted>, actix_web::Error>,
) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let wanted = wanted.map_err(|_| {
            Refusal::Invalid("limit must be an integer and slow_over_ms a number".to_owned())
        })?;
        let filter = filter(&door, wanted.into_inner())?;
        door.store.turns(&filter).await.map_err(|_| Refusal::Store)
    };
    match answered.await {
        Ok(page) => {
            let items: Vec<Value> = page.items.iter().map(|t| turn_json(t, false)).collect();
            HttpResponse::Ok().json(json!({ "items": items, "next_cursor": page.next_cursor }))
        }
        Err(refusal) => refusal.respond(&request, &trace(&request)),
    }
}

pub(super) async fn one(request: HttpRequest, door: Data<Door>, id: Path<String>) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let found = door
            .store
            .turn(&id.into_inner())
            .await
            .map_err(|_| Refusal::Store)?;
        found.ok_or(Refusal::Unknown("turn"))
    };
    match answered.await {
        Ok(turn) => HttpResponse::Ok().json(turn_json(&turn, true)),
        Err(refusal) => refusal.respond(&request, &trace(&request)),
    }
}

/// Every settled turn as it happens, as events named `turn`; a watcher that falls behind is told
/// with an event named `missed` how many it did not see.
pub(super) async fn live(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    if let Err(refusal) = door.keys.admin(&request) {
        return refusal.respond(&request, &trace(&request));
    }
    let stopping = door.rooms.lifecycle.soft().clone().cancelled_owned();
    let events = stream::unfold(door.live.watch(), |mut watch| async {
        let event = match watch.next().await? {
            Seen::Turn(turn) => sse::Data::new(turn_json(&turn, true).to_string())
                .id(turn.turn_id.clone())
                .event("turn"),
            Seen::Missed(turns) => sse::Data::new(turns.to_string()).event("missed"),
        };
        Some((sse::Event::Data(event), watch))
    });
    sse::Sse::from_infallible_stream(events.take_until(stopping))
        .with_keep_alive(KEEP_ALIVE)
        .respond_to(&request)
        .map_into_boxed_body()
}

fn filter(door: &Door, wanted: Wanted) -> Result<TurnFilter, Refusal> {
    let some = |text: Option<String>| text.filter(|t| !t.is_empty());
    let outcome = some(wanted.outcome)
        .map(|text| {
            let known: Vec<_> = Outcome::ALL.iter().map(|o| o.as_str()).collect();
            let wrong = || Refusal::Invalid(format!("outcome must be one of {}", known.join(", ")));
            Outcome::parse(&text).ok_or_else(wrong)
        })
        .transpose()?;
    let limit = wanted.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=200).contains(&limit) {
        return Err(Refusal::Invalid(
            "limit must be between 1 and 200".to_owned(),
        ));
    }
    Ok(TurnFilter {
        session_id: some(wanted.session).map(|id| door.rooms.session_key(&id)),
        coach: some(wanted.coach),
        model: some(wanted.model),
        outcome,
        slow_over_ms: wanted.slow_over_ms,
        since_ms: None,
        until_ms: None,
        before: some(wanted.cursor),
        limit,
    })
}

/// A record in the API's terms: times in RFC 3339, money as a decimal string of dollars.
pub(super) fn turn_json(turn: &TurnRecord, with_attempts: bool) -> Value {
    let mut json = json!(turn);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("created_at".to_owned(), json!(rfc3339(turn.created_at)));
        in_dollars(fields, turn.cost_microusd);
        fields.remove("attempts");
        if with_attempts {
            let attempts = turn.attempts.iter().map(|a| {
                let mut attempt = json!(a);
                if let Some(fields) = attempt.as_object_mut() {
                    in_dollars(fields, a.cost_microusd);
                }
                attempt
            });
            fields.insert("attempts".to_owned(), attempts.collect());
        }
    }
    json
}

fn in_dollars(fields: &mut serde_json::Map<String, Value>, cost: Option<MicroUsd>) {
    fields.remove("cost_microusd");
    fields.insert("cost_usd".to_owned(), json!(cost.map(|c| c.to_string())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_and_its_attempts_tell_what_they_cost_and_why_they_were_made() {
        let turn: TurnRecord = serde_json::from_value(json!({
            "turn_id": "t", "session_id": "s", "profile": "hume", "identity": "body",
            "coach": "master", "coach_reason": "default", "tier": "free", "planned_model": "a",
            "outcome": "complete", "total_ms": 1.0, "memory_outcome": "off",
            "cost_microusd": 170, "cost_source": "estimated", "hedged": true, "continued": false,
            "lead_in": true, "trace_id": "x", "created_at": 0,
            "attempts": [
                { "cause": "first", "model": "a", "started_ms": 0.0, "ended_ms": 1.0,
                  "cost_microusd": 170, "cost_source": "estimated", "cancelled": true },
                { "cause": "hedge", "model": "b", "started_ms": 0.5, "ended_ms": 1.0,
                  "cost_source": "unknown", "cancelled": false },
            ],
        }))
        .unwrap();
        let json = turn_json(&turn, true);
        for (path, expected) in [
            ("/cost_usd", json!("0.000170")),
            ("/cost_source", json!("estimated")),
            ("/hedged", json!(true)),
            ("/continued", json!(false)),
            ("/lead_in", json!(true)),
            ("/attempts/0/cause", json!("first")),
            ("/attempts/0/cost_usd", json!("0.000170")),
            ("/attempts/0/cost_source", json!("estimated")),
            ("/attempts/1/cause", json!("hedge")),
            // Unknown is not zero.
            ("/attempts/1/cost_usd", json!(null)),
            ("/attempts/1/cost_source", json!("unknown")),
        ] {
            assert_eq!(json.pointer(path), Some(&expected), "{path}");
        }
        assert!(!json.to_string().contains("microusd"));
        assert!(turn_json(&turn, false).get("attempts").is_none());
    }
}
