//! `POST /v1/council`: several coaches heard as one answer, as one JSON body or as events that show how
//! the council gets on. An admin's route: it may name the user.

mod mouth;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use tokio::time::Instant;

use crate::coach::MASTER;
use crate::council::MAX_SPECIALISTS;
use crate::pipeline::{self, Shed, TurnRequest};
use crate::session::{MintRequest, Speaker, Unproven};
use crate::turn::{Ask, CallerProfile, Conversation, Identity};
use crate::upstream::OpenRouter;

use self::mouth::{CouncilMouth, Form};
use super::body::{self, TurnBody};
use super::error::Refusal;
use super::turn::{events, head, refused};
use super::{Door, MAX_SMALL_BODY_BYTES, trace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    message: String,
    session_id: Option<String>,
    user_id: Option<String>,
    /// The specialists to be heard; none for the master to choose.
    #[serde(default)]
    coaches: Vec<String>,
    #[serde(default)]
    stream: bool,
}

pub(super) async fn hold(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
    upstream: Data<Rc<OpenRouter>>,
) -> HttpResponse {
    match accept(&request, payload, &door).await {
        Ok((turn, form)) => respond(&request, &door, (turn, form), &upstream).await,
        Err(refusal) => refusal.respond(&request, &trace(&request)),
    }
}

async fn accept(
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
) -> Result<(TurnRequest, Form), Refusal> {
    let arrived = Instant::now();
    door.keys.admin(request)?;
    let auth = arrived.elapsed();
    let body = body::read(request, payload, MAX_SMALL_BODY_BYTES).await?;
    let began = Instant::now();
    let wanted: Wanted = body::fields(&body)?;
    if wanted.message.trim().is_empty() {
        return Err(Refusal::Invalid("`message` says nothing".to_owned()));
    }
    specialists(door, &wanted.coaches)?;
    let speaker = speaker(door, &wanted)?;
    let form = match wanted.stream {
        true => Form::Events,
        false => Form::Body,
    };
    Ok((turn(request, wanted, (speaker, auth, began)), form))
}

fn turn(
    request: &HttpRequest,
    wanted: Wanted,
    (speaker, auth, began): (Speaker, Duration, Instant),
) -> TurnRequest {
    TurnRequest {
        profile: CallerProfile::Council,
        speaker,
        conversation: Conversation {
            history: Vec::new(),
            ask: Ask::Words(wanted.message),
            context: Vec::new(),
            expressions: Vec::new(),
            tools: None,
            last_reply: None,
            silences: 0,
        },
        pin: None,
        council: Some(wanted.coaches),
        streams: wanted.stream,
        // Whoever calls this reads statuses.
        signals: true,
        as_written: false,
        faults: Vec::new(),
        trace: trace(request),
        auth,
        began,
        known: began.elapsed(),
    }
}

/// Specialists there are, three at most.
fn specialists(door: &Door, ids: &[String]) -> Result<(), Refusal> {
    let roster = &door.rooms.roster;
    if ids.len() > MAX_SPECIALISTS {
        let message = format!("`coaches` holds {MAX_SPECIALISTS} specialists at most");
        return Err(Refusal::Invalid(message));
    }
    let is_one = |id: &String| id != MASTER && roster.get(id).is_some();
    match ids.iter().find(|id| !is_one(id)) {
        None => Ok(()),
        Some(id) => {
            let known = roster.iter().map(|coach| coach.id.as_str());
            let known: Vec<_> = known.filter(|id| *id != MASTER).collect();
            Err(Refusal::Invalid(format!(
                "no specialist is called `{id}`; there are {}",
                known.join(", ")
            )))
        }
    }
}

/// Who speaks, as in a turn; an admin who names a user is believed, unless the session says who it is.
fn speaker(door: &Door, wanted: &Wanted) -> Result<Speaker, Refusal> {
    let named = wanted.user_id.as_deref().filter(|user| !user.is_empty());
    let session = wanted.session_id.as_deref().filter(|id| !id.is_empty());
    let minted = match (session, named) {
        (None, Some(user)) => Some(door.sessions.mint(MintRequest {
            user_id: user.to_owned(),
            ..MintRequest::default()
        })?),
        _ => None,
    };
    let own = minted.as_ref().map(|minted| minted.session.as_str());
    let mut speaker = door.sessions.identify(Unproven {
        session: session.or(own),
        body_session: None,
        body_user: named,
    })?;
    if let (Identity::None, Some(user)) = (speaker.identity, named) {
        speaker.user = Some(user.to_owned());
        speaker.identity = Identity::Body;
    }
    Ok(speaker)
}

async fn respond(
    request: &HttpRequest,
    door: &Door,
    (turn, form): (TurnRequest, Form),
    upstream: &Rc<OpenRouter>,
) -> HttpResponse {
    let session = turn.speaker.session.clone();
    let prepared = pipeline::prepare(&door.rooms, turn).await;
    let (told, timings) = (Arc::clone(prepared.head()), *prepared.timings());
    let head = || head(&told, &timings);
    if let Some(why) = prepared.refused() {
        prepared.refuse();
        let refusal = match why {
            Shed::Full => Refusal::Overloaded,
            Shed::Unpaid => Refusal::Unpaid,
        };
        return refused(&refusal, request, head());
    }
    let mouth = CouncilMouth::new(form, prepared.head(), session.as_str(), prepared.bill());
    let mouth = Rc::new(RefCell::new(mouth));
    let running = prepared.run(Rc::clone(upstream), Rc::clone(&mouth));
    if form == Form::Events {
        return events(TurnBody::new(running, mouth, true), head).await;
    }
    // Awaited here: a caller that hangs up drops this handler and the council with it.
    running.await;
    if let Some(refusal) = mouth.borrow().failure() {
        return refused(&refusal, request, head());
    }
    let body = mouth.borrow().body();
    head().json(body)
}
