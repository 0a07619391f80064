//! One statement for two stores: parameters by name, lines that are left out where they are not asked
//! for, rows as JSON objects named as the columns are.
//!
//! The statements under `sql/ask` are written in what SQLite and PostgreSQL have in common, so that
//! both give the same answers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::store::StoreError;

/// What a statement is asked with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arg {
    Text(String),
    Id(Uuid),
    Int(i64),
    Small(i16),
    Real(f64),
    /// A time of day, milliseconds since the Unix epoch.
    At(i64),
}

/// Parameters by their names in the statement.
pub(super) type Args = Vec<(&'static str, Arg)>;

/// A row as its columns are named.
pub(super) type Row = Map<String, Value>;

/// A statement of `sql/` and what it is asked with.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) text: &'static str,
    pub(super) args: Args,
    /// Whether what belongs together with it is undone where it touches no row.
    pub(super) must_touch: bool,
}

/// How a store writes its parameters: `$1` or `?1`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    Dollar,
    Question,
}

impl Question {
    pub(super) fn new(text: &'static str, args: Args) -> Self {
        Self {
            text,
            args,
            must_touch: false,
        }
    }

    /// The same, for a statement without which the others are void.
    pub(super) fn required(self) -> Self {
        Self {
            must_touch: true,
            ..self
        }
    }

    /// The statement as the store takes it, and its parameters in order.
    pub(super) fn compose(&self, mark: Mark) -> (String, Vec<Arg>) {
        let (mut sql, mut used) = (String::with_capacity(self.text.len()), Vec::new());
        for line in self.text.lines() {
            let (line, condition) = match line.split_once("-- ") {
                Some((before, comment)) => (before, comment.strip_prefix("when ")),
                None => (line, None),
            };
            let is_given = |name: &str| self.args.iter().any(|(n, _)| *n == name);
            if line.trim().is_empty() || condition.is_some_and(|name| !is_given(name.trim())) {
                continue;
            }
            self.number(line, mark, &mut sql, &mut used);
            sql.push('\n');
        }
        let args = used
            .into_iter()
            .filter_map(|name| self.args.iter().find(|(n, _)| *n == name))
            .map(|(_, arg)| arg.clone())
            .collect();
        (sql, args)
    }

    /// Copies a line with each `:name` as the number of its parameter.
    fn number(&self, line: &str, mark: Mark, sql: &mut String, used: &mut Vec<&'static str>) {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(':') {
            sql.push_str(before);
            let end = after
                .find(|c: char| !(c.is_ascii_lowercase() || c == '_'))
                .unwrap_or(after.len());
            let (name, tail) = after.split_at(end);
            match self.args.iter().find(|(n, _)| *n == name) {
                None => {
                    sql.push(':');
                    sql.push_str(name);
                }
                Some((name, _)) => {
                    let place = used.iter().position(|n| n == name).unwrap_or(used.len());
                    if place == used.len() {
                        used.push(name);
                    }
                    sql.push(match mark {
                        Mark::Dollar => '$',
                        Mark::Question => '?',
                    });
                    sql.push_str(&(place + 1).to_string());
                }
            }
            rest = tail;
        }
        sql.push_str(rest);
    }
}

/// Rows as values of ours.
pub(super) fn typed<T: DeserializeOwned>(rows: Vec<Row>) -> Result<Vec<T>, StoreError> {
    rows.into_iter()
        .map(|row| serde_json::from_value(Value::Object(row)).map_err(StoreError::Row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "-- A comment with a :name.\nselect a\nfrom t\nwhere a = :alpha\n  \
                        and b < :beta -- when beta\n  and c -- when gamma\n  and d > :alpha\n";

    #[test]
    fn lines_that_are_not_asked_for_are_left_out() {
        let question = Question::new(TEXT, vec![("alpha", Arg::Int(1))]);
        let (sql, args) = question.compose(Mark::Dollar);
        assert_eq!(sql, "select a\nfrom t\nwhere a = $1\n  and d > $1\n");
        assert_eq!(args, [Arg::Int(1)]);
    }

    #[test]
    fn parameters_are_numbered_as_they_come() {
        let args = vec![
            ("beta", Arg::Real(0.5)),
            ("gamma", Arg::Int(1)),
            ("alpha", Arg::Int(1)),
        ];
        let (sql, args) = Question::new(TEXT, args).compose(Mark::Question);
        assert_eq!(
            sql,
            "select a\nfrom t\nwhere a = ?1\n  and b < ?2 \n  and c \n  and d > ?1\n"
        );
        assert_eq!(args, [Arg::Int(1), Arg::Real(0.5)]);
    }
}
