//! Going back to a backup, as `docs/OPERATIONS.md` has it.

use std::fs;

use quest_clm::record::TurnFilter;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::contract::{turns, walk};
use crate::kept::{Kept, turn};
use crate::support::postgres::Database;

/// What comes after the backup, and is lost with it.
const LATER: u32 = 400;

/// The store that was restored has what was backed up and nothing else, and goes on from there.
async fn is_as_it_was(back: &Kept) {
    let found = walk(back, &TurnFilter::default()).await;
    assert_eq!(found.len(), turns().len());
    for turn in turns() {
        let found = back.reader.turn(&turn.turn_id).await.unwrap();
        assert_eq!(found, Some(turn));
    }
    let more = turn(LATER + 1);
    back.keep(std::slice::from_ref(&more)).await;
    // Delivered again, as by a spool that was not empty.
    back.keep(&turns()).await;
    let found = back.reader.turn(&more.turn_id).await.unwrap();
    assert_eq!(found, Some(more));
    let all = walk(back, &TurnFilter::default()).await;
    assert_eq!(all.len(), turns().len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_goes_back_to_what_pg_dump_wrote_while_it_ran() {
    let (database, restored) = (Database::fresh().await, Database::fresh().await);
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let kept = Kept::open(dirs[0].path(), Some(database.url()));
    kept.keep(&turns()).await;
    let file = dirs[0].path().join("backup");
    fs::write(&file, database.dumped().await).unwrap();
    kept.keep(&[turn(LATER)]).await;
    restored.restore(&file).await;
    is_as_it_was(&Kept::open(dirs[1].path(), Some(restored.url()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_goes_back_to_what_sqlite_wrote_while_it_ran() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let kept = Kept::open(dirs[0].path(), None);
    kept.keep(&turns()).await;
    // A copy by SQLite itself.
    let copy = dirs[1].path().join("clm.db");
    let store = Connection::open(dirs[0].path().join("clm.db")).unwrap();
    store
        .execute("vacuum into ?1", [copy.to_str().unwrap()])
        .unwrap();
    kept.keep(&[turn(LATER)]).await;
    is_as_it_was(&Kept::open(dirs[1].path(), None)).await;
}
