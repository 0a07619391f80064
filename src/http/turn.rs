//! The turn routes: key, body, speaker, and then the corridor.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use crate::council;
use crate::pipeline::{self, Prepared, Shed, TurnRequest};
use crate::session::{IdentityError, Unproven};
use crate::turn::{Head, InvalidSessionId, SessionId, Timings};
use crate::upstream::OpenRouter;

use super::body::{self, Outlet, TurnBody};
use super::callers::{self, Dialect, EventMouth, Frame, JsonMouth, Place};
use super::error::Refusal;
use super::limits::Slot;
use super::words_first::{arrived_first, ready_first};
use super::{Door, page, trace};

/// Simulated models that one request may name.
const MAX_FAULTS: usize = 4;
/// The caller's model name when it sent none.
const DEFAULT_MODEL: &str = "clm";

/// A turn of this caller.
pub(super) async fn take(
    dialect: &'static Dialect,
    (request, payload): (HttpRequest, Payload),
    door: Data<Door>,
    upstream: Data<Rc<OpenRouter>>,
) -> HttpResponse {
    let accepted = accept(&request, payload, &door, dialect).await;
    respond(&request, accepted, &upstream).await
}

/// A person who opened the address in a browser, or a machine with the wrong method.
pub(super) async fn visited(request: HttpRequest) -> HttpResponse {
    let accepts = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok());
    if request.method() == actix_web::http::Method::GET
        && accepts.is_some_and(|a| a.contains("text/html"))
    {
        return page::turn_route(&request);
    }
    Refusal::Method("POST".to_owned()).respond(&request, &trace(&request))
}

/// An accepted turn, ready to be answered in its caller's form.
struct Accepted {
    prepared: Prepared,
    /// The turn's places among those of its key and its session.
    slots: [Slot; 2],
    session: SessionId,
    model: String,
    created: i64,
    streams: bool,
    wants_usage: bool,
    keeps_alive: bool,
}

async fn accept(
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
    dialect: &'static Dialect,
) -> Result<Accepted, Refusal> {
    let arrived = Instant::now();
    let key = door.keys.caller(request)?;
    let of_key = door.turn_limits.of_key(key)?;
    let auth = arrived.elapsed();
    if request
        .path()
        .ends_with("/chat/completions/chat/completions")
    {
        tracing::warn!(target: "clm::http", "the caller doubled the route: its base URL already holds /chat/completions");
    }
    let body = body::read(request, payload, door.limits.max_body_bytes).await?;
    let began = Instant::now();
    let mut decoded = callers::decode(&body, dialect)?;
    drop(body);
    let session = session_of(request, dialect, decoded.session.as_deref())?;
    let speaker = door.sessions.identify(Unproven {
        session: session.as_deref(),
        body_session: decoded.body_session.as_deref(),
        body_user: decoded.body_user.as_deref(),
    })?;
    // An id that was made up for this request cannot have come before.
    let of_session = match speaker.is_new {
        true => Slot::default(),
        false => door.turn_limits.of_session(speaker.session.as_str())?,
    };
    decoded.hear(speaker.prosody, door.rooms.clock.now_ms(), |conversation| {
        let session_key = door.rooms.session_key(speaker.session.as_str());
        door.readings
            .heard(&session_key, conversation.history.len())
    });
    let pin = decoded
        .model
        .as_deref()
        .filter(|_| dialect.model_names_coach);
    let pin = pin
        .filter(|model| *model == council::PIN || door.rooms.roster.get(model).is_some())
        .map(str::to_owned);
    let session = speaker.session.clone();
    let streams = decoded.stream.unwrap_or(dialect.streams_by_default);
    let signals = header(request, "x-clm-errors") == Some("signal");
    let as_written = header(request, "x-clm-speech") == Some("as-written");
    let faults = faults(request, door.simulated);
    let known = began.elapsed();
    // It has no place in its session yet: in order.
    ready_first().await;
    let prepared = pipeline::prepare(
        &door.rooms,
        TurnRequest {
            profile: dialect.profile,
            speaker,
            conversation: decoded.conversation,
            pin,
            council: None,
            streams,
            signals,
            as_written,
            faults,
            trace: trace(request),
            auth,
            began,
            known,
        },
    )
    .await;
    if prepared.is_repeat() {
        of_session.forgive();
    }
    Ok(Accepted {
        prepared,
        slots: [of_key, of_session],
        session,
        model: decoded.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
        created: door.rooms.clock.now_s(),
        streams,
        wants_usage: decoded.wants_usage,
        keeps_alive: dialect.keeps_alive,
    })
}

async fn respond(
    request: &HttpRequest,
    accepted: Result<Accepted, Refusal>,
    upstream: &Rc<OpenRouter>,
) -> HttpResponse {
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.respond(request, &trace(request)),
    };
    let Accepted {
        prepared,
        slots,
        session,
        model,
        created,
        streams,
        wants_usage,
        keeps_alive,
    } = accepted;
    let frame = Frame {
        id: format!("chatcmpl-{}", prepared.head().turn_id),
        created,
        model,
        fingerprint: session.as_str().to_owned(),
        trace_id: prepared.head().trace.trace_id(),
    };
    if let Some(why) = prepared.refused() {
        let head = head(prepared.head(), prepared.timings());
        prepared.refuse();
        let refusal = match why {
            Shed::Full => Refusal::Overloaded,
            Shed::Unpaid => Refusal::Unpaid,
        };
        return refused(&refusal, request, head);
    }
    // Not before the turn's body has it: that sees to whoever listens besides, should the caller go.
    let is_own = prepared.is_own();
    if streams {
        let mouth = Rc::new(RefCell::new(EventMouth::new(&frame, wants_usage)));
        let (told, timings) = (Arc::clone(prepared.head()), *prepared.timings());
        let turn = prepared.run(Rc::clone(upstream), Rc::clone(&mouth));
        let body = TurnBody::new(turn, mouth, keeps_alive).counted(slots);
        if is_own {
            arrived_first().await;
        }
        events(body, || head(&told, &timings)).await
    } else {
        let mut response = head(prepared.head(), prepared.timings());
        let mouth = Rc::new(RefCell::new(JsonMouth::new(&frame)));
        // Awaited here: a caller that hangs up drops this handler and the turn with it.
        let turn = prepared.run(Rc::clone(upstream), Rc::clone(&mouth));
        if is_own {
            arrived_first().await;
        }
        turn.await;
        if let Some(refusal) = mouth.borrow().failure() {
            return refused(&refusal, request, response);
        }
        let body = mouth.borrow().body();
        response
            .insert_header((CONTENT_TYPE, "application/json"))
            .body(body)
    }
}

/// A turn's answer as events. What is asked of a model is on its way before the head is put together.
pub(super) async fn events<M: Outlet + 'static>(
    body: TurnBody<M>,
    head: impl FnOnce() -> HttpResponseBuilder,
) -> HttpResponse {
    let body = body.begun().await;
    head()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .body(body)
}

/// A refusal of a turn that was accepted: with what every turn's response carries.
pub(super) fn refused(
    refusal: &Refusal,
    request: &HttpRequest,
    mut head: HttpResponseBuilder,
) -> HttpResponse {
    let mut response = refusal.respond(request, &trace(request));
    for (name, value) in head.finish().headers() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

/// Simulated models to ask before the plan's, named by their faults (`cut:7,restart`): heeded only
/// where all models are simulated.
fn faults(request: &HttpRequest, simulated: bool) -> Vec<String> {
    let named = header(request, "x-clm-fault").filter(|_| simulated);
    let faults = named.into_iter().flat_map(|text| text.split(','));
    faults
        .map(str::trim)
        .filter(|fault| !fault.is_empty())
        .map(|fault| format!("sim/{fault}"))
        .take(MAX_FAULTS)
        .collect()
}

pub(super) fn head(head: &Head, timings: &Timings) -> HttpResponseBuilder {
    let ms = |d: Option<std::time::Duration>| d.unwrap_or_default().as_secs_f64() * 1e3;
    let mut response = HttpResponse::Ok();
    response
        .insert_header(("x-clm-trace-id", head.trace.trace_id()))
        .insert_header(("x-clm-turn-id", head.turn_id.to_string()))
        .insert_header(("x-clm-coach", head.coach.as_str()))
        .insert_header(("x-clm-model", head.model.as_str()))
        .insert_header(("traceparent", head.trace.traceparent()))
        .insert_header((
            "server-timing",
            format!(
                "auth;dur={:.3}, session;dur={:.3}",
                ms(timings.auth),
                ms(timings.session)
            ),
        ));
    response
}

/// The session id from the first of the caller's places that has one; `told` is that of the first in
/// the body.
fn session_of<'r>(
    request: &'r HttpRequest,
    dialect: &Dialect,
    told: Option<&'r str>,
) -> Result<Option<Cow<'r, str>>, Refusal> {
    for place in dialect.sessions {
        let found = match place {
            Place::Header => session_of_header(request.headers())?.map(Cow::Borrowed),
            Place::Query => session_of_query(request.query_string())?.map(Cow::Owned),
            Place::Body(_) => told.map(Cow::Borrowed),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The session id of a header. It is text of the caller's, so it is UTF-8, not ASCII only.
pub(super) fn session_of_header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all("x-clm-session").map(HeaderValue::as_bytes);
    let invalid = |_| Refusal::Identity(IdentityError::Session(InvalidSessionId::NotUtf8));
    values
        .find(|value| !value.is_empty())
        .map(|value| std::str::from_utf8(value).map_err(invalid))
        .transpose()
}

/// The first `custom_session_id` of a query string that is not empty.
fn session_of_query(query: &str) -> Result<Option<String>, Refusal> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_named = |key: &str| percent_decode_str(key).eq(b"custom_session_id".iter().copied());
    let value = pairs
        .filter(|(key, value)| !value.is_empty() && is_named(key))
        .map(|(_, value)| value.replace('+', " "))
        .next();
    value
        .map(|value| {
            let decoded = percent_decode_str(&value).decode_utf8();
            decoded.map(Cow::into_owned).map_err(|_| Refusal::Query)
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn a_session_id_is_read_from_the_query() {
        for (query, expected) in [
            ("", Ok(None)),
            ("custom_session_id=", Ok(None)),
            ("a=1&custom_session_id=x%7Cy&b", Ok(Some("x|y".to_owned()))),
            ("custom_session_id=a+b", Ok(Some("a b".to_owned()))),
            ("custom_session_id=%C3%A9", Ok(Some("é".to_owned()))),
            ("custom_session_id=%FF", Err(Refusal::Query)),
            ("my_custom_session_id=x", Ok(None)),
            ("custom_session_id", Ok(None)),
            (
                "custom_session_id=&custom_session_id=x&custom_session_id=y",
                Ok(Some("x".to_owned())),
            ),
            ("custom%5Fsession%5fid=x=y", Ok(Some("x=y".to_owned()))),
            ("%FF=%FF&custom_session_id=x", Ok(Some("x".to_owned()))),
            (
                "custom_session_id=x&custom_session_id=%FF",
                Ok(Some("x".to_owned())),
            ),
        ] {
            assert_eq!(session_of_query(query), expected, "{query}");
        }
    }

    #[test]
    fn a_session_id_is_read_from_the_header() {
        let invalid = Refusal::Identity(IdentityError::Session(InvalidSessionId::NotUtf8));
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&[&b""[..]], Ok(None)),
            (&[b"", b"x", b"y"], Ok(Some("x"))),
            (&["é|1".as_bytes()], Ok(Some("é|1"))),
            (&[b"a\xff"], Err(invalid)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                let name = HeaderName::from_static("x-clm-session");
                headers.append(name, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(session_of_header(&headers), expected, "{values:?}");
        }
    }
}
