//! What is nested, read in one pass where looking into it level by level would read it as often as it is
//! deep. A parser's errors are about values that nobody here asks for (a number beyond any, half a
//! character), so on an error the caller goes level by level instead.
//!
//! To look for something else: a type that is [`Loose`], with what it makes of an object, a list or a number.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Fields, Name};

/// An object with one of its fields, an array, taken apart into its members' fields.
pub(super) struct Listing<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) members: Option<Vec<Fields<'a>>>,
}

/// Reads a [`Listing`]: the name of the array.
pub(super) struct List<'n>(pub(super) &'n str);

/// Reads the numbers of the object at this path; whatever else is there has none.
pub(super) struct NumbersAt<'p>(pub(super) &'p [&'p str]);

/// As many as Hume sends, so that room for them is made once.
const LIKELY_NUMBERS: usize = 48;

/// Takes what it looks for out of any value; all else is read to its end, and is nothing.
pub(super) trait Loose<'de>: Sized {
    type Found: Default;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Found, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Found::default())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Found::default())
    }

    fn number(self, _: f64) -> Self::Found {
        Self::Found::default()
    }
}

/// What is [`Loose`], as serde wants it.
pub(super) struct Any<L>(pub(super) L);

impl<'de, L: Loose<'de>> DeserializeSeed<'de> for Any<L> {
    type Value = L::Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L: Loose<'de>> Visitor<'de> for Any<L> {
    type Value = L::Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.object(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.list(list)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.0.number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "as the text would be read")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.0.number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "as the text would be read")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.0.number(number as f64))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(L::Found::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(L::Found::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(L::Found::default())
    }
}

impl<'de> Loose<'de> for List<'_> {
    type Found = Option<Listing<'de>>;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Found, A::Error> {
        let (mut fields, mut members) = (Vec::new(), None);
        while let Some(Name(name)) = map.next_key()? {
            if name == self.0 {
                // A repeated name counts as it came last.
                members = map.next_value_seed(Any(Members))?;
            } else {
                fields.push((name, map.next_value()?));
            }
        }
        Ok(Some(Listing {
            fields: Fields(fields),
            members,
        }))
    }
}

/// The members of an array, if it is one.
struct Members;

impl<'de> Loose<'de> for Members {
    type Found = Option<Vec<Fields<'de>>>;

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut members = Vec::new();
        while let Some(fields) = list.next_element_seed(Any(Member))? {
            members.push(fields);
        }
        Ok(Some(members))
    }
}

/// The fields of one member; of anything but an object there are none.
struct Member;

impl<'de> Loose<'de> for Member {
    type Found = Fields<'de>;

    fn object<A: MapAccess<'de>>(self, map: A) -> Result<Self::Found, A::Error> {
        Fields::from_map(map)
    }
}

impl<'de> Loose<'de> for NumbersAt<'_> {
    /// Named, in their order.
    type Found = Vec<(Cow<'de, str>, f64)>;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Found, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            match self.0.split_first() {
                Some((first, deeper)) if name == *first => {
                    numbers = map.next_value_seed(Any(NumbersAt(deeper)))?;
                }
                Some(_) => drop(map.next_value::<IgnoredAny>()?),
                None => {
                    if let Some(number) = map.next_value_seed(Any(Number))? {
                        if numbers.is_empty() {
                            numbers.reserve(LIKELY_NUMBERS);
                        }
                        numbers.push((name, number));
                    }
                }
            }
        }
        Ok(numbers)
    }
}

/// A number, if it is one.
struct Number;

impl<'de> Loose<'de> for Number {
    type Found = Option<f64>;

    fn number(self, number: f64) -> Self::Found {
        Some(number)
    }
}
