//! Rows into the tables, each kind by its own statements.

use rusqlite::{Transaction, params_from_iter};

use crate::lifecycle::give_way;
use crate::record::entry::Kind;
use crate::record::store::StoreError;

use super::columns::Columns;

const FEEDBACK: &str = include_str!("../../../sql/keep/embedded/feedback.sql");
const SATISFACTION: &str = include_str!("../../../sql/keep/embedded/satisfaction.sql");
const COMMIT: &str = include_str!("../../../sql/keep/embedded/commit.sql");
const COMMITTED: &str = include_str!("../../../sql/keep/embedded/committed.sql");
const CAPTURE: &str = include_str!("../../../sql/keep/embedded/capture.sql");
const ERASURE: &str = include_str!("../../../sql/keep/embedded/erasure.sql");
const CHAT: &str = include_str!("../../../sql/keep/embedded/chat.sql");

/// Keeps rows of one kind.
pub(super) fn keep<'a>(
    db: &Transaction<'_>,
    kind: Kind,
    rows: impl Iterator<Item = &'a str>,
) -> Result<(), StoreError> {
    let mut rows = rows.inspect(|_| give_way()).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    match kind {
        Kind::Turn => keep_turns(db, rows),
        Kind::Attempts => keep_attempts(db, rows),
        Kind::Correction => rows.try_for_each(|row| correct(db, row)),
        Kind::Feedback => run_each(db, rows, &[FEEDBACK, SATISFACTION]),
        Kind::Commit => run_each(db, rows, &[COMMIT, COMMITTED]),
        Kind::Capture => run_each(db, rows, &[CAPTURE]),
        Kind::Erasure => run_each(db, rows, &[ERASURE]),
        Kind::Chat => run_each(db, rows, &[CHAT]),
    }
}

/// Runs these statements with each row.
fn run_each<'a>(
    db: &Transaction<'_>,
    mut rows: impl Iterator<Item = &'a str>,
    statements: &[&str],
) -> Result<(), StoreError> {
    rows.try_for_each(|row| {
        statements
            .iter()
            .try_for_each(|sql| run(db, sql, row).map(drop))
    })
}

/// Runs a statement with one row; how many rows it touched.
fn run(db: &Transaction<'_>, sql: &str, json: &str) -> Result<usize, StoreError> {
    Ok(db.prepare_cached(sql)?.execute([json])?)
}

fn keep_turns<'a>(
    db: &Transaction<'_>,
    rows: impl Iterator<Item = &'a str>,
) -> Result<(), StoreError> {
    let mut turn = db.prepare_cached(include_str!("../../../sql/keep/embedded/turn.sql"))?;
    let mut session = db.prepare_cached(include_str!("../../../sql/keep/embedded/session.sql"))?;
    let columns = Columns::of(&turn);
    for json in rows {
        let row = columns.read(json)?;
        let is_new = turn.execute(params_from_iter(&row))? == 1;
        if is_new {
            session.execute([columns.value(&row, "turn_id")])?;
        }
    }
    Ok(())
}

fn keep_attempts<'a>(
    db: &Transaction<'_>,
    rows: impl Iterator<Item = &'a str>,
) -> Result<(), StoreError> {
    let mut attempt = db.prepare_cached(include_str!("../../../sql/keep/embedded/attempt.sql"))?;
    let columns = Columns::of(&attempt);
    for json in rows {
        for row in columns.read_each(json)? {
            attempt.execute(params_from_iter(row))?;
        }
    }
    Ok(())
}

/// Corrects an attempt and takes its turn out of its session's sums, adds it up anew, and puts it back.
fn correct(db: &Transaction<'_>, json: &str) -> Result<(), StoreError> {
    let sql = include_str!("../../../sql/keep/embedded/correct_attempt.sql");
    if run(db, sql, json)? == 0 {
        return Ok(());
    }
    let turn = turn_id(json)?;
    let money = include_str!("../../../sql/keep/embedded/session_money.sql");
    db.prepare_cached(money)?.execute((&turn, -1))?;
    db.prepare_cached(include_str!("../../../sql/keep/embedded/correct_turn.sql"))?
        .execute([&turn])?;
    db.prepare_cached(money)?.execute((&turn, 1))?;
    Ok(())
}

fn turn_id(json: &str) -> Result<String, StoreError> {
    #[derive(serde::Deserialize)]
    struct Of {
        turn_id: String,
    }
    let of: Of = serde_json::from_str(json).map_err(StoreError::Row)?;
    Ok(of.turn_id)
}
