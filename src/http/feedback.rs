//! `POST /v1/turns/{id}/feedback`: what the user thought of a turn.

use std::time::Duration;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::record::Feedback;

use super::error::Refusal;
use super::holder::Asker;
use super::{Door, MAX_SMALL_BODY_BYTES, body, respond};

/// How long a turn that began lately is waited for: it is written down once it has ended and its bill has come.
const PATIENCE: Duration = Duration::from_secs(3);
/// After which it is looked for first, and the longest until it is looked for again.
const LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_millis(800);
/// Ten times what a turn may last, unless `TURN_DEADLINE_MS` says more.
const LATELY_MS: i64 = 10 * 60 * 1000;
const ACCEPTED: &str = "`satisfaction` must be an integer from 1 to 5";

pub(super) async fn take(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
    id: Path<String>,
) -> HttpResponse {
    let taken = async {
        let asker = Asker::of(&request, &door, None)?;
        let body = body::read(&request, payload, MAX_SMALL_BODY_BYTES).await?;
        let satisfaction = satisfaction(&body)?;
        let turn_id = turn_id(&door, &asker, &id).await?;
        let feedback = Feedback {
            turn_id: turn_id.clone(),
            satisfaction,
            created_at: door.rooms.clock.now_ms(),
        };
        if !door.rooms.recorder.take_feedback(feedback) {
            return Err(Refusal::Queue);
        }
        Ok(HttpResponse::Accepted().json(json!({
            "turn_id": turn_id,
            "satisfaction": satisfaction,
        })))
    };
    let taken = taken.await;
    respond(&request, taken)
}

/// The turn that is meant, by its id or its trace's. While nobody can say whether there is such a turn,
/// an admin is believed: the word waits until its turn is there. A browser is not: it has to be a turn
/// of its own session.
async fn turn_id(door: &Door, asker: &Asker, id: &str) -> Result<String, Refusal> {
    if id.chars().any(char::is_control) {
        return Err(Refusal::Unknown("turn"));
    }
    let now_ms = door.rooms.clock.now_ms();
    let patience = match began_lately(id, now_ms) {
        true => PATIENCE,
        false => Duration::ZERO,
    };
    let until = Instant::now() + patience;
    let mut pause = LOOK;
    loop {
        match (door.store.turn(id).await, asker) {
            (Ok(Some(turn)), _) if asker.may_see(&turn.session_id) => return Ok(turn.turn_id),
            // It is said as soon as the answer is heard, which is before it is written down. Another session's
            // turn takes as long as none, so that nobody learns that there is one.
            (Ok(_), _) if Instant::now() < until => {
                sleep(pause).await;
                pause = (pause * 2).min(LAST_LOOK);
            }
            (Ok(_), _) => return Err(Refusal::Unknown("turn")),
            (Err(_), Asker::Admin) => {
                let ours = Uuid::try_parse(id).ok().filter(|_| id.contains('-'));
                let ours = ours.filter(|id| id.get_version_num() == 7);
                return ours.map(|id| id.to_string()).ok_or(Refusal::Store);
            }
            (Err(_), Asker::Holder(_)) => return Err(Refusal::Store),
        }
    }
}

/// Whether a turn of this id, or a trace that began here, may have begun in the last minutes: both begin with their
/// time. A trace that a caller named does not.
fn began_lately(id: &str, now_ms: i64) -> bool {
    let digits: String = id.chars().filter(|c| *c != '-').take(12).collect();
    let began_ms = i64::from_str_radix(&digits, 16).ok();
    began_ms.is_some_and(|ms| (now_ms - ms).abs() < LATELY_MS)
}

fn satisfaction(body: &[u8]) -> Result<u8, Refusal> {
    let wrong = || Refusal::Invalid(ACCEPTED.to_owned());
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        Refusal::Invalid("the body must be an object such as {\"satisfaction\": 4}".to_owned())
    })?;
    if fields.keys().any(|name| name != "satisfaction") {
        return Err(Refusal::Invalid(
            "`satisfaction` must be the only field of the body".to_owned(),
        ));
    }
    let satisfaction = fields.get("satisfaction").and_then(Value::as_u64);
    let satisfaction = satisfaction.and_then(|n| u8::try_from(n).ok());
    satisfaction
        .filter(|n| (1..=5).contains(n))
        .ok_or_else(wrong)
}
