//! Wrong bytes: nothing is invented, nothing else is lost, nothing panics.

use super::*;

/// Segments of a few rows each, some of them done, one whose payload is a whole frame.
fn small(dir: &Path) -> Vec<Row> {
    let other = temporary();
    let (mut spool, _) = open(other.path());
    append(&mut spool, "never appended here");
    drop(spool);
    let foreign = fs::read(&segments(other.path())[0]).unwrap();
    let limits = Limits {
        segment_bytes: 250,
        ..Limits::default()
    };
    let (mut spool, _) = Spool::open(dir, limits).unwrap();
    for n in 0..9 {
        let class = [Class::Essential, Class::Detail][n % 2];
        let payload = match n {
            2 => foreign.clone(),
            _ => format!("payload {n}").into_bytes(),
        };
        let seq = spool.append(class, &payload, 5).unwrap();
        if n == 4 || n == 7 {
            spool.ack(&[seq]);
            spool.sync().unwrap();
        }
    }
    all(&mut spool)
}

fn copy(from: &Path) -> TempDir {
    let to = temporary();
    for path in segments(from) {
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

/// The rows that a spool with damage has: all of them genuine. Those of `rows` that are missing.
fn missing(dir: &Path, rows: &[Row], done: &[Seq]) -> (Vec<Row>, Recovered) {
    let (mut spool, found) = open(dir);
    let left = all(&mut spool);
    assert_eq!(found.rows, left.len() as u64);
    assert!(left.is_sorted_by_key(|r| r.seq));
    for row in &left {
        assert!(rows.contains(row) || done.contains(&row.seq), "{row:?}");
    }
    let next = append(&mut spool, "next");
    assert!(next > rows.last().unwrap().seq, "{next:?}");
    let rows = rows.iter().filter(|row| !left.contains(row));
    (rows.cloned().collect(), found)
}

#[test]
fn a_flipped_bit_costs_the_row_it_is_in() {
    let dir = temporary();
    let rows = small(dir.path());
    let done = [Seq(5), Seq(8)];
    assert_eq!((rows.len(), segments(dir.path()).len() > 2), (7, true));
    assert!(missing(copy(dir.path()).path(), &rows, &done).0.is_empty());
    let mut lost_once = 0;
    for file in 0..segments(dir.path()).len() {
        let bytes = fs::read(&segments(dir.path())[file]).unwrap();
        for at in 0..bytes.len() {
            let copy = copy(dir.path());
            let path = &segments(copy.path())[file];
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << (at % 8);
            fs::write(path, wrong).unwrap();
            let (lost, found) = missing(copy.path(), &rows, &done);
            assert!(lost.len() <= 1, "{file} {at}: {lost:?}");
            assert!(found.skipped_bytes > 0, "{file} {at}");
            // A number at the very end leaves no gap.
            let is_last = lost.iter().any(|r| r.seq == rows.last().unwrap().seq);
            if !lost.is_empty() && !is_last {
                assert_eq!(found.lost_rows, 1, "{file} {at}");
                lost_once += 1;
            }
            // Told once.
            let (_, again) = open(copy.path());
            assert_eq!(again.lost_rows, 0, "{file} {at}");
        }
    }
    assert!(lost_once > 200);
}

#[test]
fn a_file_cut_anywhere_costs_what_was_behind() {
    let dir = temporary();
    let rows = small(dir.path());
    let done = [Seq(5), Seq(8)];
    for file in 0..segments(dir.path()).len() {
        let bytes = fs::read(&segments(dir.path())[file]).unwrap();
        let mut before = usize::MAX;
        for at in 0..=bytes.len() {
            let copy = copy(dir.path());
            fs::write(&segments(copy.path())[file], &bytes[..at]).unwrap();
            let (mut spool, found) = open(copy.path());
            let left = all(&mut spool);
            for row in &left {
                assert!(rows.contains(row) || done.contains(&row.seq));
            }
            let lost = rows.iter().filter(|row| !left.contains(row)).count();
            assert!(lost <= before && found.degraded.is_none(), "{file} {at}");
            before = lost;
            append(&mut spool, "goes on");
            drop(spool);
            let (mut spool, _) = open(copy.path());
            assert_eq!(all(&mut spool).len(), left.len() + 1, "{file} {at}");
        }
        assert_eq!(before, 0);
    }
}

#[test]
fn what_is_torn_at_the_end_is_cut_away_and_told_once() {
    let dir = temporary();
    let (mut spool, _) = open(dir.path());
    append(&mut spool, "whole");
    let torn = append(&mut spool, "torn");
    drop(spool);
    let path = &segments(dir.path())[0];
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    let (mut spool, found) = open(dir.path());
    assert_eq!((found.rows, found.skipped_bytes), (1, 39));
    assert!(append(&mut spool, "next") > torn);
    drop(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!((found.lost_rows, found.skipped_bytes), (0, 0));
    assert_eq!(texts(&mut spool), ["whole", "next"]);
}

#[test]
fn a_row_damaged_since_is_dropped_and_counted() {
    let dir = temporary();
    let (mut spool, _) = open(dir.path());
    for text in ["a", "b", "c"] {
        append(&mut spool, text);
    }
    let path = &segments(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[37 + 36] ^= 1;
    fs::write(path, &bytes).unwrap();
    assert_eq!(texts(&mut spool), ["a", "c"]);
    assert_eq!(spool.take_counts().damaged, 1);
    assert_eq!(spool.take_counts(), Counts::default());
    assert_eq!(spool.len(), 2);
    fs::remove_file(path).unwrap();
    assert!(all(&mut spool).is_empty());
    assert_eq!(spool.take_counts().damaged, 2);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_survived(files in proptest::collection::vec(
        proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), 1..4),
        real in 0..4_usize, at in 0..200_usize) {
        let dir = temporary();
        let rows = small(dir.path());
        for (n, noise) in files.iter().enumerate() {
            let path = dir.path().join(format!("{:016x}.log", n * real + 1));
            let mut bytes = fs::read(&path).unwrap_or_default();
            let at = at.min(bytes.len());
            bytes.splice(at..at, noise.iter().copied());
            fs::write(&path, bytes).unwrap();
        }
        let (mut spool, _) = open(dir.path());
        for row in all(&mut spool) {
            proptest::prop_assert!(rows.contains(&row) || [5, 8].contains(&row.seq.0), "{row:?}");
        }
        let before = spool.len();
        append(&mut spool, "goes on");
        drop(spool);
        proptest::prop_assert_eq!(open(dir.path()).0.len(), before + 1);
    }
}
