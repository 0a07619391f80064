//! JSON as strangers really send it: any field may be absent, null, of another type, or repeated.
//!
//! An object is a list of borrowed names and raw values; a value is looked into only where it means
//! something, so nothing that is not needed can fail, and a long history is walked, not built.
//! Knows nothing of chat: callers' requests and upstream's chunks are both read with it.

mod depth;
mod walk;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use self::depth::is_shallow;

/// An object's fields in their order; a repeated name counts as it came last.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The fields of an object; anything else has none.
    #[must_use]
    pub fn of(raw: &'a RawValue) -> Self {
        serde_json::from_str(raw.get()).unwrap_or_default()
    }

    fn from_map<A: MapAccess<'a>>(mut map: A) -> Result<Self, A::Error> {
        let mut fields = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            fields.push((name, map.next_value()?));
        }
        Ok(Self(fields))
    }

    /// A field that is there and not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, raw)| *raw).filter(|raw| raw.get() != "null")
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    #[must_use]
    pub fn object(&self, name: &str) -> Self {
        self.get(name).map(Self::of).unwrap_or_default()
    }

    /// The members of an array; anything else has none.
    #[must_use]
    pub fn array(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        self.get(name)
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, raw)| (name.as_ref(), *raw))
    }

    /// Whether the other object has the same fields, to the byte and in the same order.
    #[must_use]
    pub fn are(&self, other: &Self) -> bool {
        self.iter()
            .map(|(name, raw)| (name, raw.get()))
            .eq(other.iter().map(|(name, raw)| (name, raw.get())))
    }

    /// An object's fields but for the one of this name, and of that one, if it is an array, the fields of
    /// its members; what is no object has none. Nothing where `json` is no object, or no UTF-8 throughout.
    #[must_use]
    pub fn and_members(json: &'a [u8], name: &str) -> Option<(Self, Option<Vec<Self>>)> {
        // Seen at once, rather than for each name and each value by itself.
        let json = std::str::from_utf8(json).ok()?;
        match whole(json, walk::List(name)).flatten() {
            Some(listing) => Some((listing.fields, listing.members)),
            None => Self::and_members_by_level(json, name),
        }
    }

    fn and_members_by_level(json: &'a str, name: &str) -> Option<(Self, Option<Vec<Self>>)> {
        let mut fields: Self = serde_json::from_str(json).ok()?;
        let members = fields.array(name);
        fields.0.retain(|(key, _)| key != name);
        let members = members.map(|list| list.into_iter().map(Self::of).collect());
        Some((fields, members))
    }

    /// The numbers of the object at this path within the field, in their order, to a unit of their last
    /// place; whatever else is there is passed over.
    #[must_use]
    pub fn numbers(&self, name: &str, path: &[&str]) -> Vec<(Cow<'a, str>, f64)> {
        let Some(raw) = self.get(name) else {
            return Vec::new();
        };
        whole(raw.get(), walk::NumbersAt(path)).unwrap_or_else(|| Self::numbers_by_level(raw, path))
    }

    fn numbers_by_level(raw: &'a RawValue, path: &[&str]) -> Vec<(Cow<'a, str>, f64)> {
        let object = path
            .iter()
            .fold(Self::of(raw), |object, name| object.object(name));
        let numbers = object.0.into_iter();
        numbers
            .filter_map(|(name, raw)| Some((name, raw.get().parse().ok()?)))
            .collect()
    }
}

/// What is found in the whole text, if the parser can take it to its end.
fn whole<'a, L: walk::Loose<'a>>(json: &'a str, look: L) -> Option<L::Found> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = walk::Any(look).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(found)
}

/// A JSON string as text. Half a surrogate pair becomes U+FFFD rather than an error: one odd
/// character must not cost what was said around it.
#[must_use]
pub fn text(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    if !json.starts_with('"') {
        return None;
    }
    serde_json::from_str::<String>(json).ok().or_else(|| {
        serde_json::from_str::<Lossy>(json)
            .ok()
            .map(|lossy| lossy.0)
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Fields::from_map(map)
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

/// A field's name, borrowed where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// A string read as bytes, which `serde_json` allows to hold lone surrogates. One of them is three
/// bytes that are no UTF-8, and becomes one character.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let mut text = String::with_capacity(bytes.len());
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    let is_new = !chunk.valid().is_empty() || text.is_empty();
                    if is_new && !chunk.invalid().is_empty() {
                        text.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                Ok(Lossy(text))
            }
        }
        deserializer.deserialize_bytes(Take)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn absent_null_and_odd_values_are_all_fine() {
        let fields = Fields::of(raw(
            r#"{"a":null,"b":7,"c":"x","c":"y","\u0064":"z","e":[1,{}]}"#,
        ));
        assert!(fields.get("a").is_none());
        assert_eq!(fields.text("b"), None);
        assert_eq!(fields.text("c").as_deref(), Some("y"));
        assert_eq!(fields.text("d").as_deref(), Some("z"));
        assert_eq!(fields.array("e").unwrap().len(), 2);
        assert!(Fields::of(raw("[1]")).get("a").is_none());
    }

    #[test]
    fn what_is_no_utf8_is_no_object_wherever_it_stands() {
        for json in [
            &b"{\"a\":[\"\xff\"]}"[..],
            b"{\"a\":[[\"\xff\"],{}]}",
            b"{\"b\":\"\xff\",\"a\":[]}",
            b"{\"\xff\":1,\"a\":[]}",
            b"{\"a\":{\"x\":\"\xff\"}}",
        ] {
            assert!(Fields::and_members(json, "a").is_none(), "{json:?}");
        }
        assert!(Fields::and_members("{\"a\":[\"ÿ\"]}".as_bytes(), "a").is_some());
    }

    /// JSON with members and numbers where they are looked for, and with anything else there.
    fn odd() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("1e999".to_owned()),
            Just("-0".to_owned()),
            Just(r#""\ud800""#.to_owned()),
            Just(r#""0.5""#.to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<u16>().prop_map(|n| (f64::from(n) / 16.0).to_string()),
        ];
        let name = prop_oneof![
            Just("a"),
            Just("b"),
            Just("\\u0061"),
            Just("\\ud800"),
            Just("c")
        ];
        leaf.prop_recursive(5, 64, 5, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
                vec((name.clone(), inner), 0..4).prop_map(|fields| {
                    let fields = fields
                        .iter()
                        .map(|(name, value)| format!(r#""{name}": {value}"#));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(" ,"))
                }),
            ]
        })
    }

    fn shown(fields: &Fields<'_>) -> String {
        format!("{:?}", fields.iter().collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_level_by_level_is_found(json in odd()) {
            let told = |found: Option<(Fields<'_>, Option<Vec<Fields<'_>>>)>| {
                found.map(|(fields, members)| {
                    let members = members.map(|list| list.iter().map(shown).collect::<Vec<_>>());
                    (shown(&fields), members)
                })
            };
            let (one, by_level) = (
                Fields::and_members(json.as_bytes(), "a"),
                Fields::and_members_by_level(&json, "a"),
            );
            prop_assert_eq!(told(one), told(by_level));
            let json = format!(r#"{{"m":{json}}}"#);
            let fields = Fields::of(raw(&json));
            if let Some(within) = fields.get("m") {
                for path in [&["a", "b"][..], &["a"], &[]] {
                    let by_level = Fields::numbers_by_level(within, path);
                    prop_assert_eq!(fields.numbers("m", path), by_level);
                }
            }
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_one_odd_character() {
        for (json, expected) in [
            (r#""a\ud83db""#, "a\u{fffd}b"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00 ok""#, "\u{fffd} ok"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
        ] {
            assert_eq!(text(raw(json)).as_deref(), Some(expected), "{json}");
        }
    }
}
