//! What is nested, read in one pass where looking into it level by level would read it as often as it is
//! deep. A parser's errors are about values that nobody here asks for (a number beyond any, half a
//! character), so on an error the caller goes level by level instead.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

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

/// The named numbers of an object, in their order.
pub(super) type Numbers<'a> = Vec<(Cow<'a, str>, f64)>;

/// Everything that is not what was looked for is read to its end, and is nothing.
macro_rules! nothing_else {
    ($nothing:expr; $($visit:ident($what:ty)),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }

        $(fn $visit<E: Error>(self, _: $what) -> Result<Self::Value, E> {
            Ok($nothing)
        })*

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

fn drained<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn fields<'de, A: MapAccess<'de>>(mut map: A) -> Result<Fields<'de>, A::Error> {
    let mut fields = Vec::new();
    while let Some(Name(name)) = map.next_key()? {
        fields.push((name, map.next_value()?));
    }
    Ok(Fields(fields))
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Listing<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Listing<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut fields, mut members) = (Vec::new(), None);
        while let Some(Name(name)) = map.next_key()? {
            if name == self.0 {
                // A repeated name counts as it came last.
                members = map.next_value::<Members<'de>>()?.0;
            } else {
                fields.push((name, map.next_value()?));
            }
        }
        Ok(Listing {
            fields: Fields(fields),
            members,
        })
    }
}

/// The members of an array, if it is one.
struct Members<'a>(Option<Vec<Fields<'a>>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Members<'de>;

            nothing_else!(Members(None); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Member(fields)) = list.next_element()? {
                    members.push(fields);
                }
                Ok(Members(Some(members)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                fields(map).map(|_| Members(None))
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

/// The fields of one member; of anything but an object there are none.
struct Member<'a>(Fields<'a>);

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Member<'de>;

            nothing_else!(Member(Fields::default()); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drained(list).map(|()| Member(Fields::default()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                fields(map).map(Member)
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

impl<'de> DeserializeSeed<'de> for NumbersAt<'_> {
    type Value = Numbers<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumbersAt<'_> {
    type Value = Numbers<'de>;

    nothing_else!(Vec::new(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        drained(list).map(|()| Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            match self.0.split_first() {
                Some((first, deeper)) if name == *first => {
                    numbers = map.next_value_seed(NumbersAt(deeper))?;
                }
                Some(_) => drop(map.next_value::<IgnoredAny>()?),
                None => {
                    if let Number(Some(number)) = map.next_value()? {
                        numbers.push((name, number));
                    }
                }
            }
        }
        Ok(numbers)
    }
}

/// A number, if it is one.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Number;

            nothing_else!(Number(None); visit_bool(bool), visit_str(&str));

            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Number(Some(number)))
            }

            #[expect(clippy::cast_precision_loss, reason = "as the text would be read")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Number(Some(number as f64)))
            }

            #[expect(clippy::cast_precision_loss, reason = "as the text would be read")]
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Number(Some(number as f64)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drained(list).map(|()| Number(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                fields(map).map(|_| Number(None))
            }
        }
        deserializer.deserialize_any(Take)
    }
}
