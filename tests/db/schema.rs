//! The schema that the migrations make, held against the file that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use quest_clm::lifecycle::Lifecycle;
use quest_clm::record;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::kept::settings;
use crate::support::postgres::Database;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/SCHEMA.md");
const HEAD: &str = "# The records' schema

What `sql/migrations/postgres` makes, as PostgreSQL itself describes it. The embedded store has the same tables and
columns, with SQLite's types: text for uuid, integer for whole numbers, flags and times of day (milliseconds since 1970).
`tests/db/schema.rs` holds this file to both; `WRITE_SCHEMA=1 cargo test --test db schema` writes it anew.
";

const COLUMNS: &str = "
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(col_description(c.oid, a.attnum), ''), coalesce(obj_description(c.oid), '')
from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'r' and c.relname <> 'refinery_schema_history'
order by c.relname, a.attnum";

const INDEXES: &str = "
select tablename, indexdef from pg_indexes
where schemaname = 'public' and tablename <> 'refinery_schema_history'
order by tablename, indexname";

/// Table, columns with type, whether they may be null, and meaning.
type Tables = BTreeMap<String, Vec<(String, String, bool, String)>>;

async fn described(url: &str) -> (String, Tables) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let lifecycle = Lifecycle::new();
    lifecycle.spawn(connection);
    let (mut tables, mut meanings) = (Tables::new(), BTreeMap::new());
    for row in client.query(COLUMNS, &[]).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let (kind, is_needed, meaning): (String, bool, String) =
            (row.get(2), row.get(3), row.get(4));
        assert!(!meaning.is_empty(), "{table}.{column} says nothing");
        meanings.insert(table.clone(), row.get::<_, String>(5));
        let columns = tables.entry(table).or_default();
        columns.push((column, kind, !is_needed, meaning));
    }
    let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in client.query(INDEXES, &[]).await.unwrap() {
        let definition: String = row.get(1);
        let short = definition.replace("public.", "");
        indexes.entry(row.get(0)).or_default().push(short);
    }
    let mut text = HEAD.to_owned();
    for (table, columns) in &tables {
        let meaning = &meanings[table];
        assert!(!meaning.is_empty(), "{table} says nothing");
        write!(
            text,
            "\n## {table}\n\n{meaning}\n\n| column | type | null | meaning |\n|---|---|---|---|\n"
        )
        .unwrap();
        for (column, kind, may_be_null, meaning) in columns {
            let null = if *may_be_null { "yes" } else { "" };
            writeln!(text, "| `{column}` | {kind} | {null} | {meaning} |").unwrap();
        }
        text.push('\n');
        for index in &indexes[table] {
            writeln!(text, "- `{index}`").unwrap();
        }
    }
    (text, tables)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "it is the test that is told to write, not the service"
)]
async fn the_schema_is_as_its_file_says() {
    let database = Database::fresh().await;
    let dir = TempDir::new().unwrap();
    let done = record::migrate(
        &settings(dir.path(), Some(database.url())),
        &Lifecycle::new(),
    )
    .await;
    assert!(!done.unwrap().applied.is_empty());
    let again = record::migrate(
        &settings(dir.path(), Some(database.url())),
        &Lifecycle::new(),
    )
    .await;
    assert!(again.unwrap().applied.is_empty(), "once is enough");
    let (text, tables) = described(database.url()).await;
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        fs::write(FILE, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(FILE).unwrap_or_default(), text);

    record::migrate(&settings(dir.path(), None), &Lifecycle::new())
        .await
        .unwrap();
    let embedded = Connection::open(dir.path().join("clm.db")).unwrap();
    for (table, columns) in &tables {
        let mut statement = embedded
            .prepare("select name, type, \"notnull\" = 0 from pragma_table_info(?1)")
            .unwrap();
        let found = statement.query_map([table], |row| {
            Ok((
                row.get::<_, String>(0)?,
                (row.get::<_, String>(1)?, row.get::<_, bool>(2)?),
            ))
        });
        let found: BTreeMap<_, _> = found.unwrap().map(Result::unwrap).collect();
        let wanted: BTreeMap<_, _> = columns
            .iter()
            .map(|(name, kind, null, _)| {
                let kind = match kind.as_str() {
                    "text" | "uuid" => "TEXT",
                    "double precision" => "REAL",
                    _ => "INTEGER",
                };
                (name.clone(), (kind.to_owned(), *null))
            })
            .collect();
        assert_eq!(found, wanted, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_that_start_together_migrate_once() {
    let database = Database::fresh().await;
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path(), Some(database.url()));
    let lifecycle = Lifecycle::new();
    let all = (0..6).map(|_| {
        let settings = settings.clone();
        lifecycle.spawn(async move { record::migrate(&settings, &Lifecycle::new()).await.unwrap() })
    });
    let mut appliers = 0;
    for one in all.collect::<Vec<_>>() {
        appliers += usize::from(!one.await.unwrap().applied.is_empty());
    }
    assert_eq!(appliers, 1);
}
