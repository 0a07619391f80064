//! `ElevenLabs` Agents' webhooks after a call.
//!
//! One header, `t=<seconds>,v0=<hex>`: HMAC-SHA256 with the webhook's secret over the time, a dot and the
//! body. Believed for 30 minutes, as `ElevenLabs` says. The body holds the whole transcript, so it may be
//! long, and nothing of it is read but names: the session is what the page passed as extra body.
//!
//! Source: `ElevenLabs`' "Post-call webhooks" guide.

use actix_web::http::header::HeaderMap;
use hmac::Mac as _;

use crate::json::Fields;

use super::{Event, Platform, Seal, Told, mac_of, name};

/// What a page passes, and where in it `session_id` is, most trusted first.
const SESSIONS: &[&str] = &["custom_llm_extra_body", "dynamic_variables"];

pub(super) static ELEVENLABS: Platform = Platform {
    name: "elevenlabs",
    path: "/v1/webhooks/elevenlabs",
    setting: "ELEVENLABS_WEBHOOK_SECRET",
    keys: |settings| &settings.elevenlabs,
    max_bytes: 1 << 20,
    window_s: 30 * 60,
    seal,
    signed: |mac, body, time| {
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
    },
    event,
};

fn seal(headers: &HeaderMap) -> Option<Seal<'_>> {
    let text = headers.get("elevenlabs-signature")?.to_str().ok()?;
    let part = |name| {
        let mut parts = text.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name))
    };
    Some(Seal {
        time: part("t=")?,
        mac: mac_of(part("v0=")?)?,
    })
}

fn event(body: &[u8]) -> Option<Event> {
    let fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    if fields.text("type")? != "post_call_transcription" {
        return Some(Event::Other);
    }
    let data = fields.object("data");
    let started = data.object("conversation_initiation_client_data");
    let session = SESSIONS.iter().find_map(|passed| {
        let id = started.object(passed).text("session_id");
        id.filter(|id| !id.is_empty())
    });
    Some(Event::Ended(Told {
        chat_id: name(data.text("conversation_id"))?,
        session,
        ..Told::default()
    }))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_session_is_what_the_page_passed() {
        let body = |started: &str| {
            format!(
                r#"{{"type":"post_call_transcription","data":{{"conversation_id":"c",
                    "transcript":[{{"message":"Hi"}}],
                    "conversation_initiation_client_data":{started}}}}}"#
            )
        };
        for (started, session) in [
            (
                r#"{"custom_llm_extra_body":{"session_id":"a"},"dynamic_variables":{"session_id":"b"}}"#,
                Some("a"),
            ),
            (
                r#"{"custom_llm_extra_body":{},"dynamic_variables":{"session_id":"b"}}"#,
                Some("b"),
            ),
            (r#"{"custom_llm_extra_body":null,"user_id":"u"}"#, None),
            ("7", None),
        ] {
            let Some(Event::Ended(told)) = event(body(started).as_bytes()) else {
                panic!("an end")
            };
            let expected = Told {
                chat_id: "c".into(),
                session: session.map(str::to_owned),
                ..Told::default()
            };
            assert_eq!(told, expected, "{started}");
        }
        assert_eq!(event(br#"{"type":"post_call_audio"}"#), Some(Event::Other));
        assert_eq!(event(b"{}"), None);
    }

    #[test]
    fn the_signature_is_one_header_of_two_parts() {
        let seal = |text: &str| {
            let request = TestRequest::default().insert_header(("elevenlabs-signature", text));
            let request = request.to_http_request();
            super::seal(request.headers()).map(|seal| seal.time.to_owned())
        };
        let hex = "0a".repeat(32);
        assert_eq!(seal(&format!("t=12,v0={hex}")).as_deref(), Some("12"));
        assert_eq!(seal(&format!("v0={hex}, t=12")).as_deref(), Some("12"));
        for odd in [
            "t=12",
            &format!("v0={hex}"),
            &format!("t=12,v1={hex}"),
            "t=12,v0=0a",
        ] {
            assert_eq!(seal(odd), None, "{odd}");
        }
    }
}
