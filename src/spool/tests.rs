//! Each file holds one promise of the module: `model` that nothing is lost or comes back over crashes,
//! `damage` what wrong bytes do, `failing` what a disk that fails does, `bounds` what is full.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

mod bounds;
mod damage;
mod failing;
mod model;

/// In memory where there is such a place: what a disk keeps is not tested by waiting for one.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

fn open(dir: &Path) -> (Spool, Recovered) {
    Spool::open(dir, Limits::default()).unwrap()
}

fn append(spool: &mut Spool, text: &str) -> Seq {
    let bytes = text.as_bytes();
    spool.append(Class::Essential, bytes, 1_000).unwrap()
}

fn all(spool: &mut Spool) -> Vec<Row> {
    spool.read(None, usize::MAX, usize::MAX)
}

fn texts(spool: &mut Spool) -> Vec<String> {
    let rows = all(spool).into_iter();
    rows.map(|r| String::from_utf8(r.payload).unwrap())
        .collect()
}

/// The segments' files, oldest first.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    paths.sort();
    paths
}

fn bytes_in(dir: &Path) -> u64 {
    let paths = segments(dir);
    paths.iter().map(|p| fs::metadata(p).unwrap().len()).sum()
}

#[test]
fn rows_come_in_order_until_they_are_done_and_over_restarts() {
    let dir = temporary();
    let (mut spool, found) = open(dir.path());
    assert!(found.rows == 0 && found.degraded.is_none() && spool.is_empty());
    assert!(!spool.is_unsynced());
    let rows: Vec<Seq> = ["a", "b", "c", "d"].map(|t| append(&mut spool, t)).into();
    assert!(rows.is_sorted() && spool.is_unsynced());
    spool.sync().unwrap();
    assert!(!spool.is_unsynced());
    spool.ack(&[rows[2], rows[0], Seq(99)]);
    assert!(spool.is_unsynced());
    assert_eq!(texts(&mut spool), ["b", "d"]);
    drop(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!(
        (found.rows, found.lost_rows, found.skipped_bytes),
        (2, 0, 0)
    );
    assert_eq!(texts(&mut spool), ["b", "d"]);
    assert_eq!((spool.len(), spool.oldest()), (2, Some(rows[1])));
    assert_eq!(spool.oldest_at_ms(), Some(1_000));
    let b = spool.read(None, 1, 1_000);
    assert_eq!((b.len(), b[0].seq, b[0].at_ms), (1, rows[1], 1_000));
    assert_eq!(spool.read(Some(b[0].seq), 9, 9)[0].seq, rows[3]);
    assert_eq!(spool.read(None, 9, 1).len(), 1, "the first is always given");
    assert!(spool.read(Some(rows[3]), 9, 9).is_empty());
}

#[test]
fn a_sync_without_news_does_not_touch_the_disk() {
    let dir = temporary();
    let (mut spool, _) = open(dir.path());
    append(&mut spool, "a");
    spool.sync().unwrap();
    let before = spool.disk.faults.state().syncs;
    spool.sync().unwrap();
    assert_eq!(spool.disk.faults.state().syncs, before);
}

#[test]
fn a_number_is_never_given_twice() {
    let dir = temporary();
    let mut highest = Seq(0);
    for life in 0..6 {
        let (mut spool, found) = open(dir.path());
        assert_eq!((found.rows, found.lost_rows), (0, 0), "{life}");
        for _ in 0..life % 3 {
            let seq = append(&mut spool, "row");
            assert!(seq > highest, "{life}: {seq:?}");
            highest = seq;
            spool.ack(&[seq]);
            spool.sync().unwrap();
        }
        assert!(segments(dir.path()).len() <= 2);
    }
    // The name alone says it.
    fs::write(dir.path().join("0000000000000064.log"), "").unwrap();
    let disk = Disk::new(dir.path());
    disk.faults.state().is_read_only = true;
    let (mut spool, _) = Spool::open_on(disk, Limits::default()).unwrap();
    assert_eq!(append(&mut spool, "row"), Seq(100));
}

#[test]
fn segments_go_when_they_are_done_but_for_the_newest() {
    let dir = temporary();
    let limits = Limits {
        segment_bytes: 200,
        ..Limits::default()
    };
    let (mut spool, _) = Spool::open(dir.path(), limits).unwrap();
    let rows: Vec<Seq> = (0..30)
        .map(|n| append(&mut spool, &format!("row {n}")))
        .collect();
    spool.sync().unwrap();
    assert!(segments(dir.path()).len() > 5);
    spool.ack(&rows[1..]);
    spool.sync().unwrap();
    assert!(segments(dir.path()).len() > 5, "the oldest has a row left");
    spool.ack(&rows[..1]);
    spool.sync().unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    assert_eq!(spool.bytes(), bytes_in(dir.path()));
    // No two may come back one without the other: the acknowledgements of one are in the other.
    assert_eq!(spool.disk.faults.state().ghosts.len(), 1);
    drop(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!((found.rows, found.lost_rows), (0, 0));
    assert!(append(&mut spool, "next") > rows[29]);
}

#[test]
fn a_directory_has_one_owner() {
    let dir = temporary();
    let (spool, _) = open(dir.path());
    let second = Spool::open(dir.path(), Limits::default());
    assert!(matches!(second, Err(SpoolError::Owned(_))));
    drop(spool);
    open(dir.path());
}

#[test]
fn only_the_service_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = temporary();
    let path = dir.path().join("new").join("spool");
    let (mut spool, _) = open(&path);
    append(&mut spool, "a");
    let row = all(&mut spool).remove(0);
    spool.quarantine(&row, "test");
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("quarantine")), 0o700);
    assert_eq!(mode(&path.join("lock")), 0o600);
    assert_eq!(mode(&segments(&path)[0]), 0o600);
    let aside = path.join("quarantine").join("0000000000000001.row");
    assert_eq!(mode(&aside), 0o600);
}

#[test]
fn strange_files_are_left_alone() {
    let dir = temporary();
    let strange = [
        "1.log",
        "notes.txt",
        "x.tmp",
        "000000000000000G.log",
        "lock.log",
    ];
    for name in strange {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    fs::create_dir(dir.path().join("00000000000000ff.log")).unwrap();
    fs::create_dir(dir.path().join("quarantine")).unwrap();
    fs::write(dir.path().join("quarantine").join("a.row"), "mine").unwrap();
    // What a crash leaves behind is not strange.
    let left = dir.path().join("0000000000000001.log.tmp");
    fs::write(&left, "half").unwrap();
    let (mut spool, found) = open(dir.path());
    assert!(found.skipped_bytes == 0 && found.rows == 0 && found.degraded.is_none());
    assert_eq!(spool.quarantined(), 0);
    assert!(!left.exists());
    let seq = append(&mut spool, "a");
    spool.ack(&[seq]);
    spool.sync().unwrap();
    drop(spool);
    for name in strange {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"mine", "{name}");
    }
    assert!(dir.path().join("quarantine").join("a.row").exists());
}

#[test]
fn a_waiting_row_costs_few_bytes_of_memory() {
    assert_eq!(size_of::<super::index::Entry>(), 24);
}
