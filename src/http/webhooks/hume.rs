//! Hume EVI's webhooks: `chat_started`, `chat_ended`.
//!
//! Signed with the webhook signing key: lower-case hex HMAC-SHA256 over the body, a dot and the time in
//! seconds, each in a header of its own. Hume's own examples believe it for 180 s.
//!
//! Source: Hume's webhook examples and the types of its SDK.

use actix_web::http::header::HeaderMap;
use hmac::Mac as _;
use serde_json::value::RawValue;

use crate::clock::LAST_MS;
use crate::http::MAX_SMALL_BODY_BYTES;
use crate::json::Fields;

use super::{Event, Platform, Seal, Told, mac_of, name, word};

pub(super) static HUME: Platform = Platform {
    name: "hume",
    path: "/v1/webhooks/hume",
    setting: "HUME_WEBHOOK_KEY",
    keys: |settings| &settings.hume,
    max_bytes: MAX_SMALL_BODY_BYTES,
    window_s: 180,
    seal,
    signed: |mac, body, time| {
        mac.update(body);
        mac.update(b".");
        mac.update(time.as_bytes());
    },
    event,
};

fn seal(headers: &HeaderMap) -> Option<Seal<'_>> {
    let text = |name| headers.get(name)?.to_str().ok();
    Some(Seal {
        time: text("x-hume-ai-webhook-timestamp")?,
        mac: mac_of(text("x-hume-ai-webhook-signature")?)?,
    })
}

fn event(body: &[u8]) -> Option<Event> {
    let fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let kind = fields.text("event_name")?;
    if kind != "chat_started" && kind != "chat_ended" {
        return Some(Event::Other);
    }
    let told = Told {
        chat_id: name(fields.text("chat_id"))?,
        session: fields.text("custom_session_id").filter(|id| !id.is_empty()),
        group: name(fields.text("chat_group_id")),
        started_at: fields.get("start_time").and_then(time),
        ended_at: fields.get("end_time").and_then(time),
        reason: word(fields.text("end_reason")),
    };
    Some(match kind.as_str() {
        "chat_started" => Event::Started(told),
        _ => Event::Ended(told),
    })
}

/// Milliseconds since the Unix epoch.
fn time(raw: &RawValue) -> Option<i64> {
    let ms: i64 = raw.get().parse().ok()?;
    (0..=LAST_MS).contains(&ms).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_of_an_event_is_read_and_the_rest_is_not() {
        let ended = br#"{"event_name":"chat_ended","chat_id":"c-1","chat_group_id":"g-1",
            "config_id":null,"custom_session_id":"s","caller_number":"+15550100",
            "end_time":1700000000000,"duration_seconds":3,"end_reason":"USER_ENDED","new":[1]}"#;
        let Some(Event::Ended(told)) = event(ended) else {
            panic!("an end")
        };
        assert_eq!(
            told,
            Told {
                chat_id: "c-1".into(),
                session: Some("s".into()),
                group: Some("g-1".into()),
                started_at: None,
                ended_at: Some(1_700_000_000_000),
                reason: Some("USER_ENDED".into()),
            }
        );
        let odd = br#"{"event_name":"chat_started","chat_id":"c","custom_session_id":null,
            "start_time":"today","chat_group_id":7}"#;
        let Some(Event::Started(told)) = event(odd) else {
            panic!("a start")
        };
        let bare = Told {
            chat_id: "c".into(),
            ..Told::default()
        };
        assert_eq!(told, bare);
        assert_eq!(event(br#"{"event_name":"tool_call"}"#), Some(Event::Other));
        for none in [&b""[..], b"[]", b"{}", br#"{"event_name":"chat_ended"}"#] {
            assert_eq!(event(none), None);
        }
    }
}
