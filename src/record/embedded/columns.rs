//! A row's JSON as the parameters of a statement: `:name` is the field of that name, and null where there is
//! none. As `->>` takes them, which would look through the whole text again for each of forty columns.

use std::fmt;

use rusqlite::Statement;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::store::StoreError;

/// The names of a statement's parameters, in their order.
pub(super) struct Columns(Vec<String>);

/// What to bind, in the order of the parameters.
pub(super) type Values<'a> = Vec<ToSqlOutput<'a>>;

impl Columns {
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        let names = (1..=statement.parameter_count()).map(|at| {
            let name = statement.parameter_name(at).unwrap_or_default();
            name.trim_start_matches(':').to_owned()
        });
        Self(names.collect())
    }

    /// # Errors
    /// When the text is no JSON object.
    pub(super) fn read<'a>(&self, json: &'a str) -> Result<Values<'a>, StoreError> {
        let mut text = serde_json::Deserializer::from_str(json);
        let values = text.deserialize_map(Fields(&self.0));
        let values = values.and_then(|values| text.end().map(|()| values));
        values.map_err(StoreError::Row)
    }

    /// The rows of a list.
    ///
    /// # Errors
    /// When the text is no list of objects.
    pub(super) fn read_each<'a>(&self, json: &'a str) -> Result<Vec<Values<'a>>, StoreError> {
        let rows: Vec<&RawValue> = serde_json::from_str(json).map_err(StoreError::Row)?;
        rows.into_iter().map(|row| self.read(row.get())).collect()
    }

    pub(super) fn value<'v, 'a>(
        &self,
        values: &'v Values<'a>,
        name: &str,
    ) -> Option<&'v ToSqlOutput<'a>> {
        let at = self.0.iter().position(|of| of == name)?;
        values.get(at)
    }
}

struct Fields<'n>(&'n [String]);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Values<'de>, A::Error> {
        let null = || ToSqlOutput::Borrowed(ValueRef::Null);
        let mut values: Values<'de> = self.0.iter().map(|_| null()).collect();
        let mut next = 0;
        while let Some(place) = fields.next_key_seed(Place(self.0, next))? {
            match place.and_then(|at| values.get_mut(at)) {
                Some(value) => *value = bound(fields.next_value()?)?,
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
            next = place.map_or(next, |at| at + 1);
        }
        Ok(values)
    }
}

/// Where among the names a field's is, beginning with the one that it will be, as most rows have their fields in
/// the statement's order.
struct Place<'n>(&'n [String], usize);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Self(names, next) = self;
        let is_next = names.get(next).is_some_and(|of| of == name);
        Ok(is_next
            .then_some(next)
            .or_else(|| names.iter().position(|of| of == name)))
    }
}

/// A value as `->>` gives it. Numbers are read by the standard library, to the last bit.
fn bound<E: serde::de::Error>(value: &RawValue) -> Result<ToSqlOutput<'_>, E> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => ToSqlOutput::Borrowed(ValueRef::Null),
        Some(b't' | b'f') => ToSqlOutput::Owned(Value::Integer(i64::from(text == "true"))),
        Some(b'"') => match plain(text) {
            Some(words) => ToSqlOutput::Borrowed(ValueRef::Text(words.as_bytes())),
            None => ToSqlOutput::Owned(Value::Text(serde_json::from_str(text).map_err(E::custom)?)),
        },
        Some(b'-' | b'0'..=b'9') => match text.parse() {
            Ok(whole) => ToSqlOutput::Owned(Value::Integer(whole)),
            Err(_) => ToSqlOutput::Owned(Value::Real(text.parse().map_err(E::custom)?)),
        },
        // A list or an object, which no column is.
        _ => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
    })
}

/// What stands between the quotes, where it means itself.
fn plain(text: &str) -> Option<&str> {
    let words = text.strip_prefix('"')?.strip_suffix('"')?;
    (!words.contains('\\')).then_some(words)
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params_from_iter};

    use super::*;

    /// What arrives in SQLite of each field, and what its own operator finds.
    fn both(json: &str, names: &[&str]) -> [Vec<Value>; 2] {
        let db = Connection::open_in_memory().unwrap();
        let list = |of: fn(&str) -> String| {
            let each: Vec<_> = names.iter().map(|name| of(name)).collect();
            format!("select {}", each.join(", "))
        };
        let all = |row: &rusqlite::Row<'_>| (0..names.len()).map(|at| row.get(at)).collect();
        let mut bound = db.prepare(&list(|name| format!(":{name}"))).unwrap();
        let values = Columns::of(&bound).read(json).unwrap();
        let bound = bound.query_row(params_from_iter(values), all).unwrap();
        let found = list(|name| format!("?1 ->> '{name}'"));
        [bound, db.query_row(&found, [json], all).unwrap()]
    }

    #[test]
    fn fields_arrive_as_sqlites_own_operator_finds_them() {
        let json = r#"{"none":null,"yes":true,"no":false,"words":"a \"b\" \u00e9\n","plain":"é {[","empty":"",
            "whole":42,"least":-9223372036854775808,"beyond":9223372036854775808,"part":0.30000000000000004,
            "tiny":1.5e-7,"minus":-712.3456789012345,"list":[1,2],"unknown":{"deep":["}"]},"last":1}"#;
        let names = [
            "last", "none", "yes", "no", "words", "plain", "empty", "whole", "least", "beyond",
            "part", "tiny", "minus", "list", "missing",
        ];
        let [bound, found] = both(json, &names);
        assert_eq!(bound, found);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let columns = Columns(vec!["a".to_owned()]);
        for odd in ["", "[]", "{\"a\":1", "{} {}", "\"a\"", "{\"a\":}"] {
            let refused = columns.read(odd).unwrap_err();
            assert!(refused.is_poison(), "{odd}");
        }
        assert_eq!(columns.read_each(r#"[{"a":1},{}]"#).unwrap().len(), 2);
        assert!(columns.read_each(r#"{"a":1}"#).is_err());
    }
}
