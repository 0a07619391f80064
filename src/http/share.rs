//! A session shown for a time to whoever has a link, without a key: `POST /v1/sessions/{id}/share` makes
//! one, `GET /v1/shared` and `/v1/shared/turns/{id}` answer to it.
//!
//! The link holds a text sealed under the data key: which session, until when, and who made it. It opens
//! that one session, for reading, on every machine with the same key, until its time is over or its
//! maker's key withdrawn; it tells of turns what an engineer looks at, and never a word of anybody nor who
//! they are. It stands behind the `#` of the page's address, which browsers send to nobody, and travels
//! in a header, so that no log keeps it; and no cache keeps an answer that a header opened.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{Clock, rfc3339};
use crate::record::TurnFilter;
use crate::telemetry::events::SessionShared;
use crate::vault::Vault;

use super::auth::Keys;
use super::error::Refusal;
use super::query::{Asked, PAGE};
use super::{Door, MAX_SMALL_BODY_BYTES, body, made, respond, sessions, turns};

/// The header in which a link's text is sent.
const HEADER: &str = "x-clm-share";
/// What the text is sealed for.
const CONTEXT: &str = "share";
/// How long a link holds unless its maker says otherwise, at least, and at most.
const USUAL: Duration = Duration::from_secs(3600);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// What whoever has a link is not told: names of people, of their calls, and of the session itself, which
/// is somebody's where ids are not signed.
pub(super) const UNTOLD: [&str; 4] = ["session_id", "user_hash", "chats", "trace_id"];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    ttl_s: Option<u64>,
}

/// What a link opens.
#[derive(Serialize, Deserialize)]
struct Share {
    /// The session as it is kept.
    session_id: String,
    /// Milliseconds since the Unix epoch.
    expires_at: i64,
    /// The admin who made it, by the name in audits.
    by: String,
}

impl Share {
    fn sealed(&self, vault: &Vault) -> String {
        let text = json!(self).to_string();
        URL_SAFE_NO_PAD.encode(vault.seal(CONTEXT, text.as_bytes()))
    }

    /// What this request's link opens now.
    fn of(
        request: &HttpRequest,
        vault: &Vault,
        keys: &Keys,
        clock: Clock,
    ) -> Result<Self, Refusal> {
        let sent = request.headers().get(HEADER);
        let opened = sent
            .and_then(|sent| URL_SAFE_NO_PAD.decode(sent).ok())
            .and_then(|sealed| vault.open(CONTEXT, &sealed))
            .and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let share = opened.ok_or(Refusal::Share("is not whole"))?;
        match clock.now_ms() < share.expires_at && keys.knows(&share.by) {
            true => Ok(share),
            false => Err(Refusal::Share("does not hold any more")),
        }
    }

    fn sent(request: &HttpRequest, door: &Door) -> Result<Self, Refusal> {
        Self::of(request, &door.vault, &door.keys, door.rooms.clock)
    }
}

/// Makes a link to a session there is.
pub(super) async fn make(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
    id: Path<String>,
) -> HttpResponse {
    let answered = async {
        let by = door.keys.admin_name(&request)?;
        let body = body::read(&request, payload, MAX_SMALL_BODY_BYTES).await?;
        let wanted = match body.is_empty() {
            true => Wanted::default(),
            false => body::fields(&body)?,
        };
        let lasts = wanted.ttl_s.map_or(USUAL, Duration::from_secs);
        if !(SHORTEST..=LONGEST).contains(&lasts) {
            let (least, most) = (SHORTEST.as_secs(), LONGEST.as_secs());
            let problem = format!("`ttl_s` is not within {least} and {most}");
            return Err(Refusal::Invalid(problem));
        }
        let newest = TurnFilter {
            limit: 1,
            ..TurnFilter::default()
        };
        let found = sessions::find(&door, &id, newest)?.await?;
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        let share = Share {
            session_id: found
                .get("session_id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            expires_at: door.rooms.clock.now_ms().saturating_add(lasts),
            by,
        };
        let (by, until) = (&share.by, &rfc3339(share.expires_at));
        SessionShared { by, until }.emit();
        Ok(HttpResponse::Created().json(json!({
            "path": format!("/shared#{}", share.sealed(&door.vault)),
            "expires_at": until,
        })))
    };
    let answered = answered.await;
    respond(&request, answered)
}

/// The session that the link opens: its sums, who answered in it, and a page of its turns.
pub(super) async fn session(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let answered = async {
        let share = Share::sent(&request, &door)?;
        let asked = Asked::of(&request, &[PAGE])?;
        let filter = TurnFilter {
            session_id: Some(share.session_id),
            before: turns::cursor(&asked)?,
            limit: asked.limit()?,
            ..TurnFilter::default()
        };
        let store = door.store.clone();
        let found = async move {
            let mut found = sessions::session(&store, &filter).await?;
            untold(&mut found);
            if let Some(fields) = found.as_object_mut() {
                let until = rfc3339(share.expires_at);
                fields.insert("expires_at".to_owned(), json!(until));
            }
            Ok(found)
        };
        made(&door, found).await
    };
    let answered = answered.await;
    unkept(respond(&request, answered))
}

/// A turn of that session, with its calls.
pub(super) async fn turn(request: HttpRequest, door: Data<Door>, id: Path<String>) -> HttpResponse {
    let answered = async {
        let share = Share::sent(&request, &door)?;
        let found = turns::find(&door, &id).await?;
        if found.session_id != share.session_id {
            return Err(Refusal::Unknown("turn"));
        }
        let mut json = turns::turn_json(&found, true);
        untold(&mut json);
        Ok(HttpResponse::Ok().json(json))
    };
    let answered = answered.await;
    unkept(respond(&request, answered))
}

/// All links are answered at one address: whoever kept an answer would give it to the next.
fn unkept(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Leaves out what is not told, of a session also in each of its turns.
fn untold(json: &mut Value) {
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|name, _| !UNTOLD.contains(&name.as_str()));
        let turns = fields.get_mut("turns").and_then(Value::as_array_mut);
        turns.into_iter().flatten().for_each(untold);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use actix_web::test::TestRequest;

    use super::*;
    use crate::config::{self, Sources, load};
    use crate::vault::DataKey;

    const NOON: i64 = 1_764_331_200_000;

    fn vault(key: &str) -> Vault {
        let store = config::Store {
            database: None,
            data_dir: PathBuf::from("/nowhere"),
            data_key: Some(key.to_owned().into()),
            retention: None,
            capture_ttl: Duration::from_secs(60),
        };
        Vault::new(&DataKey::load(&store).unwrap())
    }

    fn keys(admins: &str) -> Keys {
        let pairs = [("ADMIN_API_KEYS", admins)];
        Keys::new(&load(&Sources::from_pairs(pairs)).unwrap())
    }

    fn share() -> Share {
        let request = TestRequest::default().insert_header(("authorization", "Bearer admin-one"));
        let by = keys("admin-one").admin_name(&request.to_http_request());
        Share {
            session_id: "ines".to_owned(),
            expires_at: NOON,
            by: by.unwrap(),
        }
    }

    fn opened_by(admins: &str, text: &str, vault: &Vault, now_ms: i64) -> Result<String, Refusal> {
        let request = TestRequest::default().insert_header((HEADER, text));
        let request = request.to_http_request();
        let share = Share::of(&request, vault, &keys(admins), Clock::Fixed(now_ms));
        share.map(|share| share.session_id)
    }

    fn opened(text: &str, vault: &Vault, now_ms: i64) -> Result<String, Refusal> {
        opened_by("admin-one", text, vault, now_ms)
    }

    #[test]
    fn a_link_ends_with_the_key_of_whoever_made_it() {
        let vault = vault("a-data-key-0123456789");
        let text = share().sealed(&vault);
        for (admins, opens) in [
            ("admin-one", true),
            ("admin-two,admin-one", true),
            ("admin-two", false),
        ] {
            let opened = opened_by(admins, &text, &vault, NOON - 1);
            assert_eq!(opened.is_ok(), opens, "{admins}");
        }
    }

    #[test]
    fn a_link_opens_its_session_until_its_time_and_says_nothing_itself() {
        let ours = vault("a-data-key-0123456789");
        let share = share();
        let text = share.sealed(&ours);
        assert!(text.len() < 200 && !text.contains("ines"), "{text}");
        let over = Refusal::Share("does not hold any more");
        assert_eq!(opened(&text, &ours, NOON - 1), Ok("ines".to_owned()));
        assert_eq!(opened(&text, &ours, NOON), Err(over));
        let broken = Refusal::Share("is not whole");
        let theirs = vault("another-key-0123456789");
        assert_eq!(opened(&text, &theirs, 0), Err(broken.clone()));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character has bits that stand for nothing; a decoder refuses those too.
            assert_eq!(opened(&changed, &ours, 0), Err(broken.clone()), "{at}");
        }
        // What is sealed for another place is no link.
        let words =
            URL_SAFE_NO_PAD.encode(ours.seal("memory", json!(share).to_string().as_bytes()));
        for other in [words.as_str(), "", "A", "not base64!"] {
            assert_eq!(opened(other, &ours, 0), Err(broken.clone()), "{other}");
        }
    }
}
