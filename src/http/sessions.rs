//! `POST /v1/sessions`: a front end's backend asks for a session id to hand to a browser.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use crate::clock::rfc3339;
use crate::memory::Person;
use crate::session::MintRequest;
use crate::turn::{ProsodyPolicy, Tier};

use super::error::Refusal;
use super::{Door, MAX_SMALL_BODY_BYTES, body, trace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user_id: String,
    tier: Option<Tier>,
    coach: Option<String>,
    ttl_s: Option<i64>,
    prosody: Option<ProsodyPolicy>,
}

pub(super) async fn mint(request: HttpRequest, payload: Payload, door: Data<Door>) -> HttpResponse {
    match minted(&request, payload, &door).await {
        Ok(response) => response,
        Err(refusal) => refusal.respond(&request, &trace(&request)),
    }
}

async fn minted(
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
) -> Result<HttpResponse, Refusal> {
    door.keys.admin(request)?;
    let body = body::read(request, payload, MAX_SMALL_BODY_BYTES).await?;
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|e| Refusal::Invalid(e.to_string()))?;
    if let Some(coach) = wanted
        .coach
        .as_deref()
        .filter(|id| door.rooms.roster.get(id).is_none())
    {
        let ids: Vec<_> = door.rooms.roster.iter().map(|c| c.id.as_str()).collect();
        let message = format!("no coach is called `{coach}`; there are {}", ids.join(", "));
        return Err(Refusal::Invalid(message));
    }
    let user = wanted.user_id.clone();
    let minted = door.sessions.mint(MintRequest {
        user_id: wanted.user_id,
        tier: wanted.tier,
        coach: wanted.coach,
        ttl_s: wanted.ttl_s,
        prosody: wanted.prosody,
    })?;
    // The call is about to begin: what is known of this person will be ready.
    door.rooms
        .memory
        .prefetch(&Person::new(&user, minted.session.as_str()));
    Ok(HttpResponse::Created().json(json!({
        "session_id": minted.session.as_str(),
        "expires_at": rfc3339(minted.expires_at * 1000),
    })))
}
