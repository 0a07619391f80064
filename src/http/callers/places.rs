//! Where in a body a caller puts what is not part of the talk: the session, the user, a reading.

use serde_json::value::RawValue;

use crate::json::{Fields, text};

use super::Path;

/// What is found at the first of these places where there is something; anything else there, a number
/// for a name, is nothing.
pub(super) fn first<'p, T>(
    body: &Fields<'_>,
    places: impl IntoIterator<Item = &'p Path>,
    found: impl Fn(&RawValue) -> Option<T>,
) -> Option<T> {
    places.into_iter().find_map(|path| {
        let (name, outer) = path.split_last()?;
        let Some((outermost, inner)) = outer.split_first() else {
            return found(body.get(name)?);
        };
        let holder = body.object(outermost);
        let holder = inner
            .iter()
            .fold(holder, |holder, name| holder.object(name));
        found(holder.get(name)?)
    })
}

pub(super) fn id(raw: &RawValue) -> Option<String> {
    text(raw).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::elevenlabs::ELEVENLABS;
    use super::super::hume::HUME;
    use super::super::vapi::VAPI;
    use super::super::{ALL, Dialect, Path, Place, decode};

    /// A body with these names, one within the other, around this value.
    fn nested(path: &[&str], value: &str) -> String {
        let within = |value, name: &&str| format!(r#"{{"{name}":{value}}}"#);
        path.iter().rev().fold(value.to_owned(), within)
    }

    fn body_places(dialect: &Dialect) -> Vec<Path> {
        let places = dialect.sessions.iter();
        let paths = places.filter_map(|place| match place {
            Place::Body(path) => Some(*path),
            _ => None,
        });
        paths.collect()
    }

    /// Two bodies as one, members of the same objects together.
    fn merged(one: &str, other: &str) -> String {
        fn merge(into: &mut Value, from: Value) {
            match (into, from) {
                (Value::Object(into), Value::Object(from)) => {
                    for (name, value) in from {
                        merge(into.entry(name).or_insert(Value::Null), value);
                    }
                }
                (into, from) => *into = from,
            }
        }
        let mut body = serde_json::from_str(one).unwrap();
        merge(&mut body, serde_json::from_str(other).unwrap());
        merge(&mut body, json!({"messages": []}));
        body.to_string()
    }

    #[test]
    fn the_first_place_that_names_the_session_counts() {
        for dialect in ALL {
            let session = |json: &str| decode(json.as_bytes(), dialect).unwrap().session;
            let places = body_places(dialect);
            for (at, first) in places.iter().enumerate() {
                let alone = merged(&nested(first, r#""first""#), "{}");
                assert_eq!(session(&alone).as_deref(), Some("first"), "{first:?}");
                for second in &places[at + 1..] {
                    let other = nested(second, r#""second""#);
                    let both = merged(&other, &nested(first, r#""first""#));
                    assert_eq!(session(&both).as_deref(), Some("first"), "{both}");
                    for odd in [r#""""#, "null", "7", "true", "[]", "{}", r#"["x"]"#] {
                        let both = merged(&other, &nested(first, odd));
                        assert_eq!(session(&both).as_deref(), Some("second"), "{both}");
                    }
                }
            }
            for odd in [r#""text""#, "null", "7", "[[]]"] {
                for path in places.iter().filter(|path| path.len() > 1) {
                    let json = merged(&nested(&path[..path.len() - 1], odd), "{}");
                    assert_eq!(session(&json), None, "{json}");
                }
            }
            // What the body says without being asked is another matter.
            let named = decode(
                br#"{"messages":[],"session_id":"s","user_id":"u"}"#,
                dialect,
            );
            let named = named.unwrap();
            let body = (named.body_session.as_deref(), named.body_user.as_deref());
            assert_eq!((named.session, body), (None, (Some("s"), Some("u"))));
        }
    }

    #[test]
    fn hume_names_no_session_in_the_body() {
        assert!(body_places(&HUME).is_empty());
        let all = br#"{"messages":[],"custom_session_id":"a","metadata":{"session_id":"b"},
            "call":{"id":"c"},"user":"d"}"#;
        assert_eq!(decode(all, &HUME).unwrap().session, None);
    }

    #[test]
    fn a_user_is_named_where_the_platform_puts_what_the_page_passed() {
        for (dialect, json, expected) in [
            (
                &ELEVENLABS,
                r#"{"elevenlabs_extra_body":{"user_id":"u"}}"#,
                Some("u"),
            ),
            (
                &ELEVENLABS,
                r#"{"user_id":7,"elevenlabs_extra_body":{"user_id":"u"}}"#,
                Some("u"),
            ),
            (&ELEVENLABS, r#"{"metadata":{"user_id":"u"}}"#, None),
            (&VAPI, r#"{"metadata":{"user_id":"u"}}"#, Some("u")),
            (&VAPI, r#"{"call":{"metadata":{"user_id":"u"}}}"#, Some("u")),
            (
                &VAPI,
                r#"{"customer":{"number":"+15550100"},"call":{"customer":{"number":"+1"}}}"#,
                None,
            ),
        ] {
            let decoded = decode(merged(json, "{}").as_bytes(), dialect).unwrap();
            assert_eq!(decoded.body_user.as_deref(), expected, "{json}");
        }
    }
}
