//! `POST /v1/sessions/{id}/emotion`: how the user sounds, from whoever measures it beside the voice
//! platform; used in the prompt of the session's next turn, and nowhere else.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::session::{IdentityError, Unproven};
use crate::turn::{ProsodyPolicy, SessionId};

use super::error::Refusal;
use super::holder::Asker;
use super::{Door, MAX_SMALL_BODY_BYTES, body, callers, respond};

/// Answers 202 and whether the reading will be used: a page that measures need not know what the
/// operator or the session allows, and what may not be used is dropped here.
pub(super) async fn take(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
    id: Path<String>,
) -> HttpResponse {
    let taken = taken(&request, payload, &door, &id).await;
    let taken = taken.map(|used| HttpResponse::Accepted().json(json!({ "used": used })));
    respond(&request, taken)
}

async fn taken(
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
    id: &str,
) -> Result<bool, Refusal> {
    // As with a session's events, the signed id in the path is proof enough.
    let asker = Asker::of(request, door, Some(id))?;
    let session = SessionId::parse(id).map_err(IdentityError::Session)?;
    let session_key = door.rooms.session_key(session.as_str());
    if !asker.may_see(&session_key) {
        return Err(Refusal::Holder);
    }
    let body = body::read(request, payload, MAX_SMALL_BODY_BYTES).await?;
    let reading = callers::posted(&body).map_err(Refusal::Invalid)?;
    let speaker = door.sessions.identify(Unproven {
        session: Some(session.as_str()),
        ..Unproven::default()
    })?;
    if speaker.prosody == ProsodyPolicy::Off {
        return Ok(false);
    }
    let left = reading.taken().left(door.rooms.clock.now_ms());
    if let Some(left) = left {
        door.readings.keep(&session_key, reading, left);
    }
    Ok(left.is_some())
}
