//! `GET /v1/turns` and `/v1/turns/{id}`: what was recorded.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::{milliseconds, rfc3339};
use crate::pipeline::{Words, unseal};
use crate::record::{Page, Reader, Source, TurnFilter};
use crate::turn::{MicroUsd, Outcome, TurnRecord};

use super::error::Refusal;
use super::query::{Asked, PAGE, WINDOW};
use super::{Door, made, respond};

/// What tells turns apart, besides their time.
pub(super) const FILTERS: &[&str] = &[
    "session",
    "coach",
    "model",
    "outcome",
    "slow_over",
    "slow_over_ms",
];

pub(super) async fn list(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let asked = Asked::of(&request, &[FILTERS, WINDOW, PAGE])?;
        let filter = TurnFilter {
            before: cursor(&asked)?,
            limit: asked.limit()?,
            ..filter(&door, &asked)?
        };
        let store = door.store.clone();
        let list = async move {
            let page = turns_of(&store, filter).await?;
            let mut answer = Map::new();
            answer.insert("items".to_owned(), turns_json(&page));
            with_source(&mut answer, &page);
            Ok(Value::Object(answer))
        };
        made(&door, list).await
    };
    let answered = answered.await;
    respond(&request, answered)
}

/// A page of turns. A session that has none may be a chat, by the name that a voice platform has for it.
async fn turns_of(store: &Reader, filter: TurnFilter) -> Result<Page<TurnRecord>, Refusal> {
    let page = store.turns(&filter).await.map_err(|_| Refusal::Store)?;
    let Some(chat) = filter
        .session_id
        .as_deref()
        .filter(|_| page.items.is_empty())
    else {
        return Ok(page);
    };
    // Who cannot be asked has not said that there is one.
    let Ok(Some(linked)) = store.session_of_chat(chat).await else {
        return Ok(page);
    };
    let of_linked = TurnFilter {
        session_id: Some(linked),
        ..filter
    };
    store.turns(&of_linked).await.map_err(|_| Refusal::Store)
}

pub(super) async fn one(request: HttpRequest, door: Data<Door>, id: Path<String>) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let turn = find(&door, &id).await?;
        let mut json = turn_json(&turn, true);
        let words = words(&door, &turn).await;
        if let Some(fields) = json.as_object_mut() {
            match words {
                Ok(words) => fields.insert("words".to_owned(), json!(words)),
                Err(why) => fields.insert("words_missing".to_owned(), json!(why)),
            };
        }
        Ok(HttpResponse::Ok().json(json))
    };
    let answered = answered.await;
    respond(&request, answered)
}

/// A turn by its own id, its trace's, or upstream's for one of its calls.
pub(super) async fn find(door: &Door, id: &str) -> Result<TurnRecord, Refusal> {
    // No id holds one, and PostgreSQL takes no text with a zero in it.
    if id.chars().any(char::is_control) {
        return Err(Refusal::Unknown("turn"));
    }
    let found = door.store.turn(id).await.map_err(|_| Refusal::Store)?;
    found.ok_or(Refusal::Unknown("turn"))
}

/// The captured words of a turn, or why there are none.
async fn words(door: &Door, turn: &TurnRecord) -> Result<Words, &'static str> {
    let rooms = &door.rooms;
    // The rest of the answer is as good without.
    let sealed = door.store.captured(&turn.turn_id).await;
    match sealed.map_err(|_| "store_away")? {
        Some(sealed) => unseal(&door.vault, &turn.turn_id, &sealed).ok_or("unreadable"),
        None => {
            let now_ms = rooms.clock.now_ms();
            let is_on = rooms.flags.of(&turn.session_id, now_ms).capture;
            let age_ms = now_ms.saturating_sub(turn.created_at);
            Err(missing(
                is_on,
                u128::try_from(age_ms).unwrap_or(0) >= rooms.captor.ttl().as_millis(),
            ))
        }
    }
}

/// Why no words were kept of a turn, as far as it can be told afterwards.
const fn missing(is_on: bool, is_older: bool) -> &'static str {
    match (is_on, is_older) {
        (false, _) => "off",
        (true, true) => "expired",
        (true, false) => "not_kept",
    }
}

/// The turns that are asked for: a filter without page.
pub(super) fn filter(door: &Door, asked: &Asked) -> Result<TurnFilter, Refusal> {
    let outcomes: Vec<_> = Outcome::ALL.iter().map(|o| (o.as_str(), *o)).collect();
    let slow_over = "a number and its unit ms, s, m, h or d, such as 1500ms or 1.5s";
    let slow_over = asked.read("slow_over", slow_over, milliseconds)?;
    let slow_over_ms = asked.read("slow_over_ms", "a number of milliseconds", |value| {
        let ms = value.parse().ok();
        ms.filter(|ms: &f64| ms.is_finite() && *ms >= 0.0)
    })?;
    if slow_over.is_some() && slow_over_ms.is_some() {
        let problem = "`slow_over` and `slow_over_ms` say the same: give one of them";
        return Err(Refusal::Invalid(problem.to_owned()));
    }
    let window = asked.window(door.rooms.clock.now_ms())?;
    let session = asked.text("session");
    Ok(TurnFilter {
        session_id: session.map(|id| door.rooms.session_key(id)),
        coach: asked.owned("coach"),
        model: asked.owned("model"),
        outcome: asked.choice("outcome", &outcomes)?,
        slow_over_ms: slow_over.or(slow_over_ms),
        since_ms: window.since_ms,
        until_ms: window.until_ms,
        before: None,
        limit: 0,
    })
}

/// The cursor of a list of turns, which is a turn's id.
pub(super) fn cursor(asked: &Asked) -> Result<Option<String>, Refusal> {
    asked.read("cursor", "the `next_cursor` of a page before", |value| {
        Uuid::try_parse(value).ok().map(|id| id.to_string())
    })
}

/// The turns of a page, without their attempts.
pub(super) fn turns_json(page: &Page<TurnRecord>) -> Value {
    page.items
        .iter()
        .map(|turn| turn_json(turn, false))
        .collect()
}

/// Adds where the next page begins, and where the answer is from, unless from the store.
pub(super) fn with_source<T>(answer: &mut Map<String, Value>, page: &Page<T>) {
    answer.insert("next_cursor".to_owned(), json!(page.next_cursor));
    if page.source == Source::Recent {
        answer.insert("source".to_owned(), json!(page.source));
    }
}

/// A record in the API's terms: times in RFC 3339, money as a decimal string of dollars.
pub(super) fn turn_json(turn: &TurnRecord, with_attempts: bool) -> Value {
    let mut json = json!(turn);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("created_at".to_owned(), json!(rfc3339(turn.created_at)));
        in_dollars(fields, turn.cost_microusd);
        fields.remove("ceiling_microusd");
        let ceiling = turn.ceiling_microusd.map(|most| most.to_string());
        fields.insert("ceiling_usd".to_owned(), json!(ceiling));
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
