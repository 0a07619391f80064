//! What is full, and what goes first.

use super::*;

fn limits(total_bytes: u64) -> Limits {
    Limits {
        segment_bytes: total_bytes / 8,
        total_bytes,
        row_bytes: 1_000,
        ring_rows: 3,
        quarantine_bytes: 600,
    }
}

fn row(spool: &mut Spool, class: Class, n: usize) -> Result<Seq, Refused> {
    spool.append(class, format!("{n:0100}").as_bytes(), 0)
}

#[test]
fn details_go_first_and_the_oldest_of_them() {
    let dir = temporary();
    let (mut spool, _) = Spool::open(dir.path(), limits(16_000)).unwrap();
    let mut kept: Vec<(Seq, Class)> = Vec::new();
    let mut dropped = 0;
    for n in 0..300 {
        let class = [Class::Detail, Class::Essential, Class::Detail][n % 3];
        let Ok(seq) = row(&mut spool, class, n) else {
            break;
        };
        kept.push((seq, class));
        for _ in 0..spool.take_counts().dropped_detail {
            let oldest = kept.iter().position(|(_, c)| *c == Class::Detail).unwrap();
            kept.remove(oldest);
            dropped += 1;
        }
        let left: Vec<(Seq, Class)> = all(&mut spool).iter().map(|r| (r.seq, r.class)).collect();
        assert_eq!(left, kept);
        let replaced = spool.disk.faults.state().ghosts.clone();
        assert!(replaced.keys().all(|path| !path.exists()), "durably");
        assert!(bytes_in(dir.path()) <= 16_000 && spool.bytes() == bytes_in(dir.path()));
    }
    assert!(dropped > 100);
    drop(spool);
    let (mut spool, found) = Spool::open(dir.path(), limits(16_000)).unwrap();
    assert_eq!((found.lost_rows, found.skipped_bytes), (0, 0));
    let left: Vec<Seq> = all(&mut spool).iter().map(|r| r.seq).collect();
    // Those in memory were lost with the process, which had no room on disk.
    assert!(kept.len() - left.len() <= 3);
    assert!(kept.iter().map(|(seq, _)| *seq).take(left.len()).eq(left));
}

#[test]
fn what_is_essential_stays_and_then_fills_the_memory() {
    let dir = temporary();
    let (mut spool, _) = Spool::open(dir.path(), limits(16_000)).unwrap();
    let mut rows = Vec::new();
    while let Ok(seq) = row(&mut spool, Class::Essential, rows.len()) {
        rows.push(seq);
    }
    assert_eq!(spool.ring.numbers().count(), 3);
    assert!(spool.is_degraded() && rows.len() > 80);
    assert_eq!(row(&mut spool, Class::Detail, 0), Err(Refused::Full));
    assert_eq!(row(&mut spool, Class::Essential, 0), Err(Refused::Full));
    assert!(!spool.retry_disk());
    let seqs = |spool: &mut Spool| -> Vec<Seq> { all(spool).iter().map(|r| r.seq).collect() };
    assert_eq!(seqs(&mut spool), rows);
    // Every other row done: segments are written anew, and memory is emptied.
    let done: Vec<Seq> = rows.iter().copied().step_by(2).collect();
    spool.ack(&done);
    assert!(spool.retry_disk() && !spool.is_degraded());
    assert!(row(&mut spool, Class::Detail, 0).is_ok());
    rows.retain(|seq| !done.contains(seq));
    assert_eq!(seqs(&mut spool)[..rows.len()], rows);
    assert!(bytes_in(dir.path()) <= 16_000);
    drop(spool);
    let (mut spool, found) = Spool::open(dir.path(), limits(16_000)).unwrap();
    assert_eq!(found.lost_rows, 0);
    assert_eq!(seqs(&mut spool)[..rows.len()], rows);
}

#[test]
fn in_memory_too_a_detail_gives_way() {
    let dir = temporary();
    let file = dir.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let (mut spool, _) = Spool::open(&file, limits(16_000)).unwrap();
    let first = row(&mut spool, Class::Essential, 0).unwrap();
    row(&mut spool, Class::Detail, 1).unwrap();
    let third = row(&mut spool, Class::Detail, 2).unwrap();
    assert_eq!(row(&mut spool, Class::Detail, 3), Err(Refused::Full));
    let fourth = row(&mut spool, Class::Essential, 3).unwrap();
    let left: Vec<Seq> = all(&mut spool).iter().map(|r| r.seq).collect();
    assert_eq!(left, [first, third, fourth]);
    assert_eq!(spool.take_counts().dropped_detail, 1);
}

#[test]
fn a_row_too_large_is_refused() {
    let dir = temporary();
    let (mut spool, _) = Spool::open(dir.path(), limits(16_000)).unwrap();
    let payload = vec![7; 1_001];
    assert_eq!(
        spool.append(Class::Essential, &payload, 0),
        Err(Refused::TooLarge)
    );
    spool.append(Class::Essential, &payload[1..], 0).unwrap();
    assert_eq!(all(&mut spool)[0].payload, payload[1..]);
    drop(spool);
    // One that could never be on disk would block the way for all others.
    let other = temporary();
    let (mut spool, _) = Spool::open(other.path(), limits(1_000)).unwrap();
    assert_eq!(
        spool.append(Class::Essential, &payload[..900], 0),
        Err(Refused::TooLarge)
    );
}

#[test]
fn a_row_larger_than_a_segment_has_its_own() {
    let dir = temporary();
    let limits = Limits {
        segment_bytes: 100,
        ..Limits::default()
    };
    let (mut spool, _) = Spool::open(dir.path(), limits).unwrap();
    for n in 0..3 {
        row(&mut spool, Class::Essential, n).unwrap();
    }
    assert_eq!(segments(dir.path()).len(), 3);
    assert_eq!(all(&mut spool).len(), 3);
}

#[test]
fn a_poison_row_is_set_aside_with_its_reason() {
    let dir = temporary();
    let (mut spool, _) = Spool::open(dir.path(), limits(16_000)).unwrap();
    for n in 0..20 {
        row(&mut spool, Class::Essential, n).unwrap();
    }
    let rows = all(&mut spool);
    spool.quarantine(&rows[0], "no such\ncolumn");
    let folder = dir.path().join("quarantine");
    let name = |row: &Row| folder.join(format!("{:016x}.row", row.seq.0));
    let kept = fs::read_to_string(name(&rows[0])).unwrap();
    let (line, payload) = kept.split_once('\n').unwrap();
    assert_eq!(line, "seq=1 at_ms=0 class=essential why=no such column");
    assert_eq!(payload.as_bytes(), rows[0].payload);
    assert_eq!((spool.len(), spool.quarantined()), (19, 1));
    spool.quarantine(&rows[0], "again");
    assert_eq!(spool.quarantined(), 1);
    for row in &rows[1..10] {
        spool.quarantine(row, "why");
        let sizes = fs::read_dir(&folder).unwrap();
        let bytes: u64 = sizes.map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 600);
    }
    assert_eq!(spool.quarantined(), 4);
    assert!(name(&rows[9]).exists() && !name(&rows[5]).exists());
    drop(spool);
    let (spool, _) = Spool::open(dir.path(), limits(16_000)).unwrap();
    assert_eq!((spool.quarantined(), spool.len()), (4, 10));
}
