//! `POST /v1/webhooks/{platform}`: what voice platforms tell of their calls. Instead of a key each is
//! signed, and nothing of its body is read before the signature holds.
//!
//! A call that begins has its speaker's memory fetched ahead; one that ends has its last turn remembered
//! at once. Both join the platform's own name for the call to the session. All of it may be done twice
//! without harm: what was seen is remembered by this process alone, for as long as it would be believed.
//!
//! To add a platform: a file with its [`Platform`] and its line in [`ALL`], and the setting of its key.

mod elevenlabs;
mod hume;

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lru::LruCache;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::Sha256;

use crate::config;
use crate::json::is_shallow;
use crate::memory::Person;
use crate::record::Chat;
use crate::session::Unproven;
use crate::telemetry::events::WebhookTaken;
use crate::turn::SessionId;

use super::error::Refusal;
use super::{Door, body, respond};

/// Who sends webhooks.
pub(super) static ALL: &[&Platform] = &[&hume::HUME, &elevenlabs::ELEVENLABS];

/// Webhooks that are remembered, so that none is acted on twice; beyond it the oldest is forgotten.
const SEEN: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// How a platform sends webhooks.
#[derive(Debug)]
pub(super) struct Platform {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// The setting of its keys.
    setting: &'static str,
    keys: fn(&config::Webhooks) -> &[SecretString],
    /// The largest body, bytes.
    max_bytes: usize,
    /// How far from now it may have been signed, seconds.
    window_s: u64,
    seal: fn(&HeaderMap) -> Option<Seal<'_>>,
    /// Feeds what the signature is over: body, and time as it was sent.
    signed: fn(&mut Hmac<Sha256>, &[u8], &str),
    /// What an authentic body tells; `None` where it is not what the platform sends.
    event: fn(&[u8]) -> Option<Event>,
}

/// When a webhook was signed, and its signature.
#[derive(Debug, PartialEq, Eq)]
struct Seal<'r> {
    time: &'r str,
    mac: [u8; 32],
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Started(Told),
    Ended(Told),
    /// One that is nothing to us.
    Other,
}

/// What is told of a call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    chat_id: String,
    /// The session id as the platform has it, believed no more than in a turn.
    session: Option<String>,
    group: Option<String>,
    /// Milliseconds since the Unix epoch.
    started_at: Option<i64>,
    ended_at: Option<i64>,
    reason: Option<String>,
}

/// The keys of all platforms, and what was seen.
#[derive(Debug)]
pub struct Webhooks {
    /// By the platform's place in [`ALL`].
    keys: Vec<Vec<Hmac<Sha256>>>,
    seen: Mutex<LruCache<[u8; 32], ()>>,
}

impl Webhooks {
    #[must_use]
    pub fn new(settings: &config::Webhooks) -> Self {
        let keyed = |key: &SecretString| Hmac::new_from_slice(key.expose_secret().as_bytes()).ok();
        let keys = |platform: &&Platform| {
            let keys = (platform.keys)(settings);
            keys.iter().filter_map(keyed).collect()
        };
        Self {
            keys: ALL.iter().map(keys).collect(),
            seen: Mutex::new(LruCache::sparse(SEEN)),
        }
    }

    fn keys_of(&self, platform: &Platform) -> &[Hmac<Sha256>] {
        let at = ALL.iter().position(|p| p.name == platform.name);
        at.and_then(|at| self.keys.get(at))
            .map_or(&[], Vec::as_slice)
    }

    fn has_seen(&self, seal: &Seal<'_>) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(&seal.mac)
    }

    fn note(&self, seal: &Seal<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.put(seal.mac, ());
    }
}

pub(super) async fn take(
    platform: &'static Platform,
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
) -> HttpResponse {
    let taken = taken(platform, &request, payload, &door).await;
    let taken = taken.map(|status| HttpResponse::Ok().json(json!({ "status": status })));
    respond(&request, taken)
}

async fn taken(
    platform: &'static Platform,
    request: &HttpRequest,
    payload: Payload,
    door: &Door,
) -> Result<&'static str, Refusal> {
    let keys = door.webhooks.keys_of(platform);
    if keys.is_empty() {
        return Err(Refusal::WebhookClosed(platform.setting));
    }
    let seal = (platform.seal)(request.headers());
    let seal = seal.ok_or(Refusal::Unsealed(
        "is missing, or not as this platform has it",
    ))?;
    let at_s: Option<i64> = seal.time.parse().ok();
    let age_s = at_s.map(|at| door.rooms.clock.now_s().abs_diff(at));
    if age_s.is_none_or(|age| age > platform.window_s) {
        return Err(Refusal::Unsealed("is too old, or of a time to come"));
    }
    let body = body::read(request, payload, platform.max_bytes).await?;
    let is_genuine = keys.iter().any(|key| {
        let mut mac = key.clone();
        (platform.signed)(&mut mac, &body, seal.time);
        mac.verify_slice(&seal.mac).is_ok()
    });
    if !is_genuine {
        return Err(Refusal::Unsealed("does not match"));
    }
    if door.webhooks.has_seen(&seal) {
        return Ok("repeated");
    }
    let event = is_shallow(&body).then(|| (platform.event)(&body));
    let event = event.flatten().ok_or_else(|| {
        Refusal::Invalid("the body must be an event as this platform sends it".to_owned())
    })?;
    let (what, status) = heed(platform, door, event)?;
    door.webhooks.note(&seal);
    WebhookTaken {
        platform: platform.name,
        event: what,
        status,
    }
    .emit();
    Ok(status)
}

/// Does what an event asks for; its name, and what became of it.
fn heed(
    platform: &Platform,
    door: &Door,
    event: Event,
) -> Result<(&'static str, &'static str), Refusal> {
    let (what, told) = match event {
        Event::Other => return Ok(("other", "ignored")),
        Event::Started(told) => ("started", told),
        Event::Ended(told) => ("ended", told),
    };
    // A call without a session has had no turn with one either.
    let session = told.session.as_deref().map(SessionId::parse);
    let Some(Ok(session)) = session else {
        return Ok((what, "ignored"));
    };
    let rooms = &door.rooms;
    let speaker = door.sessions.identify(Unproven {
        session: Some(session.as_str()),
        ..Unproven::default()
    });
    let user = speaker.ok().and_then(|speaker| speaker.user);
    let user_hash = user.as_deref().map(|user| rooms.pseudonyms.user(user));
    let chat = Chat {
        chat_id: told.chat_id,
        session_id: rooms.session_key(session.as_str()),
        user_hash,
        platform: platform.name.to_owned(),
        chat_group_id: told.group,
        started_at: told.started_at,
        ended_at: told.ended_at,
        end_reason: told.reason,
        told_at: rooms.clock.now_ms(),
    };
    match (what, &user) {
        ("ended", _) => rooms.conclude(session.as_str()),
        (_, Some(user)) => rooms.memory.prefetch(&Person::new(user, session.as_str())),
        (_, None) => {}
    }
    if !rooms.recorder.take_chat(chat) {
        return Err(Refusal::Queue);
    }
    Ok((what, "taken"))
}

/// 64 lower-case hex digits as the 32 bytes they stand for.
fn mac_of(hex: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let digits: Option<Vec<u8>> = hex.bytes().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let mut mac = [0; 32];
    for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Some(mac)
}

/// A platform's name for something: of a session id's bounds, as it is kept and asked for.
fn name(text: Option<String>) -> Option<String> {
    text.filter(|text| SessionId::parse(text).is_ok())
}

/// A platform's word for a reason; a sentence is none.
fn word(text: Option<String>) -> Option<String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.filter(|text| (1..=64).contains(&text.len()) && text.chars().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_64_hex_digits() {
        let mac = mac_of(&format!("{}0af9", "00".repeat(30))).unwrap();
        assert_eq!(mac[30..], [0x0a, 0xf9]);
        for odd in [
            "",
            "00",
            &"0g".repeat(32),
            &"AB".repeat(32),
            &"0".repeat(65),
            &"é".repeat(32),
        ] {
            assert_eq!(mac_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_reason_is_a_word() {
        let word = |text: &str| word(Some(text.to_owned()));
        assert_eq!(word("USER_ENDED").as_deref(), Some("USER_ENDED"));
        for odd in ["", "She said goodbye", "a\n", &"x".repeat(65)] {
            assert_eq!(word(odd), None, "{odd}");
        }
    }
}
