//! `/v1/sessions`: a front end's backend asks for a session id to hand to a browser (`POST`), or what
//! became of sessions (`GET`); an operator takes an id back (`DELETE`).

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::rfc3339;
use crate::council;
use crate::memory::Person;
use crate::record::{
    ChatRecord, Reader, Revocation, SessionFilter, SessionModel, SessionRecord, TurnFilter,
};
use crate::session::{IdentityError, MintRequest, is_session_key};
use crate::telemetry::events::SessionsRevoked;
use crate::turn::{ProsodyPolicy, SessionId, Tier};

use super::error::Refusal;
use super::query::{Asked, PAGE, WINDOW};
use super::turns::{self, turns_json, with_source};
use super::{Door, MAX_SMALL_BODY_BYTES, body, made, respond};

/// What tells sessions apart, besides their time.
pub(super) const FILTERS: &[&str] = &["user"];

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
    let minted = minted(&request, payload, &door).await;
    respond(&request, minted)
}

async fn minted(
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
) -> Result<HttpResponse, Refusal> {
    door.keys.admin(request)?;
    let body = body::read(request, payload, MAX_SMALL_BODY_BYTES).await?;
    let wanted: Wanted = body::fields(&body)?;
    if let Some(coach) = wanted
        .coach
        .as_deref()
        .filter(|id| *id != council::PIN && door.rooms.roster.get(id).is_none())
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

/// One page of sessions, the one with the newest turn first.
pub(super) async fn list(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let asked = Asked::of(&request, &[FILTERS, WINDOW, PAGE])?;
        let filter = SessionFilter {
            before: asked.read("cursor", "the `next_cursor` of a page before", opened)?,
            limit: asked.limit()?,
            ..filter(&door, &asked)?
        };
        let store = door.store.clone();
        let list = async move {
            let page = store.sessions(&filter).await;
            let mut page = page.map_err(|_| Refusal::Store)?;
            page.next_cursor = page.next_cursor.map(|c| URL_SAFE_NO_PAD.encode(c));
            let items = page.items.iter().map(session_json);
            let mut answer = Map::new();
            answer.insert("items".to_owned(), items.collect());
            with_source(&mut answer, &page);
            Ok(Value::Object(answer))
        };
        made(&door, list).await
    };
    let answered = answered.await;
    respond(&request, answered)
}

/// The sessions that are asked for: a filter without page.
pub(super) fn filter(door: &Door, asked: &Asked) -> Result<SessionFilter, Refusal> {
    let window = asked.window(door.rooms.clock.now_ms())?;
    let user = asked.text("user");
    Ok(SessionFilter {
        user_hash: user.map(|user| door.rooms.pseudonyms.user(user)),
        since_ms: window.since_ms,
        until_ms: window.until_ms,
        before: None,
        limit: 0,
    })
}

/// The cursor of a list of sessions as the records know it: a time, a dot, a session id. That id is the
/// caller's text, so the whole goes through addresses in base64.
fn opened(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (at, id) = text.split_once('.')?;
    let is_ours = at.parse::<i64>().is_ok() && !id.chars().any(char::is_control);
    is_ours.then_some(text)
}

/// One session: its sums, who answered in it, and a page of its turns. By the id that its caller sent,
/// the one that it is kept under, or that of a chat of it, as the voice platform has it.
pub(super) async fn one(request: HttpRequest, door: Data<Door>, id: Path<String>) -> HttpResponse {
    let answered = async {
        door.keys.admin(&request)?;
        let asked = Asked::of(&request, &[PAGE])?;
        let page = TurnFilter {
            before: turns::cursor(&asked)?,
            limit: asked.limit()?,
            ..TurnFilter::default()
        };
        made(&door, find(&door, &id, page)?).await
    };
    let answered = answered.await;
    respond(&request, answered)
}

/// A session by any of its names, with this page of its turns.
pub(super) fn find(
    door: &Door,
    id: &str,
    page: TurnFilter,
) -> Result<impl Future<Output = Result<Value, Refusal>> + Send + 'static, Refusal> {
    let id = SessionId::parse(id).map_err(IdentityError::Session)?;
    let filter = TurnFilter {
        session_id: Some(door.rooms.session_key(id.as_str())),
        ..page
    };
    let store = door.store.clone();
    Ok(async move {
        let unknown = match session(&store, &filter).await {
            Err(unknown @ Refusal::Unknown(_)) => unknown,
            known => return known,
        };
        let linked = store.session_of_chat(id.as_str()).await;
        let linked = linked.map_err(|_| Refusal::Store)?.ok_or(unknown)?;
        let of_linked = TurnFilter {
            session_id: Some(linked),
            ..filter
        };
        session(&store, &of_linked).await
    })
}

/// The session that this filter names, and the page of its turns.
pub(super) async fn session(store: &Reader, filter: &TurnFilter) -> Result<Value, Refusal> {
    let session_id = filter.session_id.as_deref().unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("session_id".to_owned(), json!(session_id));
    let page = match store.session(session_id).await {
        Ok(Some((session, models))) => {
            answer.extend(names(&session));
            answer.insert("totals".to_owned(), Value::Object(totals(&session)));
            answer.insert("coaches".to_owned(), coaches_json(&models));
            let chats = store.chats(session_id).await.unwrap_or_default();
            answer.insert("chats".to_owned(), chats.iter().map(chat_json).collect());
            let page = store.turns(filter).await;
            page.map_err(|_| Refusal::Store)?
        }
        absent => {
            // Turns that have just ended are on their way; where the store is away, all are. Sums of
            // these alone would be sums of something else.
            let page = store.recent(filter);
            if page.items.is_empty() {
                let unknown = absent.map(|_| Refusal::Unknown("session"));
                return Err(unknown.unwrap_or(Refusal::Store));
            }
            page
        }
    };
    answer.insert("turns".to_owned(), turns_json(&page));
    with_source(&mut answer, &page);
    Ok(Value::Object(answer))
}

/// Takes a signed session id back, on all machines: by the id itself, or by the one that it is kept
/// under. What speaks in it here ends at once; elsewhere when that machine looks.
pub(super) async fn revoke(
    request: HttpRequest,
    door: Data<Door>,
    id: Path<String>,
) -> HttpResponse {
    let revoked = revoked(&request, &door, &id).await;
    respond(&request, revoked)
}

async fn revoked(request: &HttpRequest, door: &Door, id: &str) -> Result<HttpResponse, Refusal> {
    let by = door.keys.admin_name(request)?;
    let id = SessionId::parse(id).map_err(IdentityError::Session)?;
    let (session_id, end_s) = match is_session_key(id.as_str()) {
        true => (id.as_str().to_owned(), door.sessions.latest_end_s()),
        false => {
            let end_s = door.sessions.ends_s(id.as_str()).map_err(|why| {
                let problem =
                    "only a signed session id of this service can be revoked, and this is";
                Refusal::Invalid(format!("{problem} none: {why}"))
            })?;
            (door.rooms.session_key(id.as_str()), end_s)
        }
    };
    let revocation = Revocation {
        session_id,
        expires_at: end_s.saturating_mul(1000),
    };
    let told = door.revocations.revoke(&revocation, &by).await;
    told.map_err(|_| Refusal::Store)?;
    let Revocation {
        session_id,
        expires_at,
    } = revocation;
    // This machine need not wait until it looks again.
    let held = [(session_id.clone(), expires_at)];
    door.revoked.take(held, door.rooms.clock.now_ms());
    SessionsRevoked { sessions: 1 }.emit();
    let ended = door.rooms.silence(|session| door.revoked.has(session));
    Ok(HttpResponse::Ok().json(json!({
        "session_id": session_id,
        "revoked": true,
        "until": rfc3339(expires_at),
        "ended_here": ended,
    })))
}

/// A session in the API's terms: times in RFC 3339, money as a decimal string of dollars.
pub(super) fn session_json(session: &SessionRecord) -> Value {
    let mut json = names(session);
    json.extend(totals(session));
    Value::Object(json)
}

fn names(session: &SessionRecord) -> Map<String, Value> {
    fields([
        ("session_id", json!(session.session_id)),
        ("user_hash", json!(session.user_hash)),
        ("first_turn_at", json!(rfc3339(session.first_turn_at))),
        ("last_turn_at", json!(rfc3339(session.last_turn_at))),
    ])
}

fn totals(session: &SessionRecord) -> Map<String, Value> {
    fields([
        ("turns", json!(session.turns)),
        ("failed_turns", json!(session.failed_turns)),
        ("total_ms", json!(session.total_ms)),
        ("prompt_tokens", json!(session.prompt_tokens)),
        ("completion_tokens", json!(session.completion_tokens)),
        ("cost_usd", json!(session.cost_microusd.to_string())),
        ("unknown_costs", json!(session.unknown_costs)),
    ])
}

fn chat_json(chat: &ChatRecord) -> Value {
    let mut json = json!(chat);
    if let Some(fields) = json.as_object_mut() {
        let times = [
            ("started_at", chat.started_at),
            ("ended_at", chat.ended_at),
            ("told_at", Some(chat.told_at)),
        ];
        for (name, at) in times {
            fields.insert(name.to_owned(), json!(at.map(rfc3339)));
        }
    }
    json
}

/// Who answered, coach by coach, each with the models that spoke for it.
fn coaches_json(models: &[SessionModel]) -> Value {
    let of_one_coach = models.chunk_by(|a, b| a.coach == b.coach);
    let coaches = of_one_coach.filter_map(|of_coach| {
        let coach = &of_coach.first()?.coach;
        let mut json = figures(of_coach);
        json.insert("coach".to_owned(), json!(coach));
        let models = of_coach.iter().map(|model| {
            let mut json = figures(std::slice::from_ref(model));
            json.insert("model".to_owned(), json!(model.model));
            Value::Object(json)
        });
        json.insert("models".to_owned(), models.collect());
        Some(Value::Object(json))
    });
    coaches.collect()
}

/// The sums of some models; null where nothing is known of any.
fn figures(models: &[SessionModel]) -> Map<String, Value> {
    let costs = models.iter().filter_map(|model| model.cost_microusd);
    let cost = costs.reduce(|sum, cost| sum + cost);
    let tokens = models.iter().filter_map(|model| model.completion_tokens);
    fields([
        ("turns", json!(models.iter().map(|m| m.turns).sum::<u64>())),
        ("cost_usd", json!(cost.map(|cost| cost.to_string()))),
        ("completion_tokens", json!(tokens.reduce(|a, b| a + b))),
    ])
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let named = fields.map(|(name, value)| (name.to_owned(), value));
    named.into_iter().collect()
}
