//! Values of ours as PostgreSQL's, and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio_postgres::Row as PgRow;
use tokio_postgres::types::{ToSql, Type};

use crate::record::sql::{Arg, Row};
use crate::record::store::StoreError;

/// A parameter as the driver takes it.
pub(super) struct Bound {
    value: Box<dyn ToSql + Sync + Send>,
    kind: Type,
}

impl Bound {
    pub(super) fn all(args: Vec<Arg>) -> Vec<Self> {
        args.into_iter().map(Self::of).collect()
    }

    pub(super) fn borrow(all: &[Self]) -> Vec<(&(dyn ToSql + Sync), Type)> {
        let pairs = all.iter().map(|b| {
            let value: &(dyn ToSql + Sync) = b.value.as_ref();
            (value, b.kind.clone())
        });
        pairs.collect()
    }

    fn of(arg: Arg) -> Self {
        let (value, kind): (Box<dyn ToSql + Sync + Send>, Type) = match arg {
            Arg::Text(text) => (Box::new(text), Type::TEXT),
            Arg::Id(id) => (Box::new(id), Type::UUID),
            Arg::Int(n) => (Box::new(n), Type::INT8),
            Arg::Small(n) => (Box::new(n), Type::INT2),
            Arg::Real(n) => (Box::new(n), Type::FLOAT8),
            Arg::At(ms) => (Box::new(time(ms)), Type::TIMESTAMPTZ),
        };
        Self { value, kind }
    }
}

fn time(ms: i64) -> SystemTime {
    let since = Duration::from_millis(ms.unsigned_abs());
    let time = if ms < 0 {
        UNIX_EPOCH.checked_sub(since)
    } else {
        UNIX_EPOCH.checked_add(since)
    };
    time.unwrap_or(UNIX_EPOCH)
}

fn millis(time: SystemTime) -> i64 {
    let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    }
}

/// A row as its columns are named; times as milliseconds since the Unix epoch.
pub(super) fn row(row: &PgRow) -> Result<Row, StoreError> {
    let mut named = Row::new();
    for (at, column) in row.columns().iter().enumerate() {
        let value: Value = match *column.type_() {
            Type::BOOL => row.try_get::<_, Option<bool>>(at)?.into(),
            Type::INT2 => row.try_get::<_, Option<i16>>(at)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(at)?.into(),
            Type::INT8 => row.try_get::<_, Option<i64>>(at)?.into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(at)?.into(),
            Type::UUID => {
                let id: Option<uuid::Uuid> = row.try_get(at)?;
                id.map(|id| id.to_string()).into()
            }
            Type::TIMESTAMPTZ => row.try_get::<_, Option<SystemTime>>(at)?.map(millis).into(),
            _ => row.try_get::<_, Option<String>>(at)?.into(),
        };
        named.insert(column.name().to_owned(), value);
    }
    Ok(named)
}
