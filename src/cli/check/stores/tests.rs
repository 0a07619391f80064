//! The places for records, judged.

use std::net::TcpListener;

use super::super::Status;
use super::*;
use crate::config::{Sources, load};
use crate::spool::{Class, Limits, Spool};

fn settings(pairs: &[(&str, &str)]) -> Settings {
    load(&Sources::from_pairs(pairs.iter().copied())).unwrap()
}

#[test]
fn a_schema_is_current_old_newer_or_missing() {
    for (found, status, detail) in [
        (Ok(Some((3, 3))), Status::Ok, "schema version 3"),
        (Ok(Some((4, 3))), Status::Ok, "newer than this program"),
        (Ok(Some((2, 3))), Status::Warn, "version 2, 3 is needed"),
        (Ok(Some((0, 3))), Status::Warn, "without our tables"),
        (Err(StoreError::Timeout), Status::Fail, "unreachable"),
        (
            Err(StoreError::Certificates("none".into())),
            Status::Fail,
            "certificates",
        ),
    ] {
        let row = judge_schema(found);
        assert_eq!(row.status, status, "{row:?}");
        assert!(row.detail.contains(detail), "{row:?}");
    }
}

#[test]
fn a_public_database_has_to_prove_who_it_is() {
    for (url, is_warned) in [
        ("postgres://u@db.example.com/clm", true),
        ("postgres://u@db.example.com/clm?sslmode=require", true),
        ("postgres://u@db.example.com/clm?sslmode=verify-full", false),
        (
            "postgres://u@db.example.com/clm?sslmode=require&sslrootcert=/ca.pem",
            false,
        ),
        ("postgres://u@203.0.113.7/clm?sslmode=disable", true),
        ("postgres://u@10.1.2.3/clm", false),
        ("postgres://u@[fdaa::3]/clm?sslmode=disable", false),
        ("postgres://u@db/clm", false),
        ("postgres://u@localhost/clm", false),
        ("postgres://u@clm-db.flycast/clm?sslmode=disable", false),
    ] {
        let settings = settings(&[("DATABASE_URL", url)]);
        let row = unverified(settings.store.database.as_ref().unwrap());
        assert_eq!(row.is_some(), is_warned, "{url} {row:?}");
    }
}

#[test]
fn a_database_for_many_wants_one_key() {
    let database = ("DATABASE_URL", "postgres://u@db/clm");
    let key = ("DATA_KEY", "0123456789abcdef0123456789abcdef");
    for (pairs, is_warned) in [
        (&[][..], false),
        (&[database], true),
        (&[database, key], false),
    ] {
        assert_eq!(
            data_key(&settings(pairs).store).is_some(),
            is_warned,
            "{pairs:?}"
        );
    }
}

#[tokio::test]
async fn a_spool_is_in_use_empty_or_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&[("DATA_DIR", dir.path().to_str().unwrap())]);
    let lifecycle = Lifecycle::new();
    let row = async || spool(&settings.store, &lifecycle).await;
    assert_eq!(row().await.detail, "none yet");
    let at = record::spool_dir(&settings.store);
    let (mut open, _) = Spool::open(&at, Limits::default()).unwrap();
    assert!(row().await.detail.contains("in use by a running process"));
    open.append(Class::Essential, b"row", 0).unwrap();
    drop(open);
    let left = row().await;
    assert_eq!(left.status, Status::Warn);
    assert!(left.detail.ends_with(": 1"), "{left:?}");
}

#[tokio::test]
async fn nobody_at_the_addresses_is_a_failure_without_a_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = closed.local_addr().unwrap();
    drop(closed);
    let settings = settings(&[
        ("DATABASE_URL", &format!("postgres://u:hunter2@{addr}/clm")),
        ("REDIS_URL", &format!("redis://u:hunter2@{addr}")),
    ]);
    let rows = examine(&settings).await;
    for name in [DATABASE, REDIS] {
        let row = rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(row.status, Status::Fail, "{row:?}");
        assert!(row.detail.contains("refused"), "{row:?}");
    }
    assert!(!format!("{rows:?}").contains("hunter2"));
}
