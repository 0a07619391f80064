//! The stream's chunks, read twice where they are odd: once as they should be, which is fast and is
//! how nearly all of them are; and if that fails field by field, so that a field of another type,
//! a broken character or a name said twice costs that field and none of the words.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::{Fields, text};

/// One data event of the stream, with the fields that mean something here.
#[derive(Debug, Deserialize)]
pub(in super::super) struct Chunk<'a> {
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) provider: Option<Cow<'a, str>>,
    /// The first of `choices`; we ask for one.
    #[serde(borrow, default, rename = "choices", deserialize_with = "first")]
    pub(in super::super) choice: Option<Choice<'a>>,
    /// Read with [`super::usage`].
    #[serde(borrow, default)]
    pub(in super::super) usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(in super::super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct Choice<'a> {
    #[serde(borrow, default)]
    pub(in super::super) delta: Option<ChunkDelta<'a>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(in super::super) native_finish_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(in super::super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct ChunkDelta<'a> {
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(in super::super) tool_calls: Option<Vec<ToolFragment<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct ToolFragment<'a> {
    #[serde(default)]
    pub(in super::super) index: Option<u32>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(in super::super) function: Option<FunctionFragment<'a>>,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct FunctionFragment<'a> {
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(in super::super) arguments: Option<Cow<'a, str>>,
}

impl<'a> Chunk<'a> {
    /// A chunk that is as it should be.
    pub(in super::super) fn of(event: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(event).ok()
    }

    /// Whatever can be read of an odd one; nothing of what is no object.
    pub(in super::super) fn of_odd(event: &'a str) -> Option<Self> {
        let fields: Fields<'a> = serde_json::from_str(event).ok()?;
        let choices = fields.array("choices");
        Some(Self {
            id: words(&fields, "id"),
            model: words(&fields, "model"),
            provider: words(&fields, "provider"),
            choice: choices.and_then(|list| list.into_iter().next().map(Choice::of_odd)),
            usage: fields.get("usage"),
            error: fields.get("error"),
        })
    }
}

impl<'a> Choice<'a> {
    fn of_odd(raw: &'a RawValue) -> Self {
        let fields = Fields::of(raw);
        let delta = fields.object("delta");
        let calls = delta.array("tool_calls");
        Self {
            delta: Some(ChunkDelta {
                content: words(&delta, "content"),
                tool_calls: calls.map(|list| list.into_iter().map(ToolFragment::of_odd).collect()),
            }),
            finish_reason: words(&fields, "finish_reason"),
            native_finish_reason: fields.get("native_finish_reason"),
            error: fields.get("error"),
        }
    }
}

impl<'a> ToolFragment<'a> {
    fn of_odd(raw: &'a RawValue) -> Self {
        let fields = Fields::of(raw);
        let function = fields.object("function");
        // Arguments that are no text stay what they are: without them the call would be another.
        let arguments = function.get("arguments");
        Self {
            index: fields
                .get("index")
                .and_then(|index| index.get().trim_matches('"').parse().ok()),
            id: words(&fields, "id"),
            function: Some(FunctionFragment {
                name: words(&function, "name"),
                arguments: arguments
                    .map(|raw| text(raw).map_or(Cow::Borrowed(raw.get()), Cow::Owned)),
            }),
        }
    }
}

/// A text as it stands in the event, copied only where it holds escapes. By itself `Option<Cow<str>>` is
/// always a copy.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(from)?.map(|text| text.0))
}

/// The first of a list, if there is a list and something in it. No list is made of it.
fn first<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    struct First<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_seq(self)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let first = list.next_element()?;
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }

    from.deserialize_option(First(PhantomData))
}

fn words<'a>(fields: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
    fields.text(name).map(Cow::Owned)
}
