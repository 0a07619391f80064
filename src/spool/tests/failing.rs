//! A disk that fails: rows go to memory, and from there back in order.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NO_SPACE: i32 = 28;

fn on(dir: &Path) -> (Spool, std::sync::Arc<disk::faults::Faults>) {
    let (spool, _) = open(dir);
    let faults = spool.disk.faults.clone();
    (spool, faults)
}

#[test]
fn a_disk_that_runs_full_in_mid_frame_costs_nothing() {
    for room in 0..60 {
        let dir = temporary();
        let (mut spool, faults) = on(dir.path());
        append(&mut spool, "a");
        append(&mut spool, "b");
        spool.sync().unwrap();
        faults.state().room = Some(room);
        for text in ["c", "d", "e"] {
            append(&mut spool, text);
        }
        assert!(spool.is_degraded() && spool.is_unsynced());
        assert_eq!(spool.sync().unwrap_err().raw_os_error(), Some(NO_SPACE));
        assert!(!spool.retry_disk());
        spool.ack(&[Seq(2), Seq(4)]);
        assert_eq!(texts(&mut spool), ["a", "c", "e"]);
        faults.state().room = None;
        append(&mut spool, "f");
        assert!(spool.retry_disk() && !spool.is_degraded() && !spool.is_unsynced());
        append(&mut spool, "g");
        assert_eq!(texts(&mut spool), ["a", "c", "e", "f", "g"]);
        drop(spool);
        let (mut spool, found) = open(dir.path());
        assert_eq!((found.lost_rows, found.skipped_bytes), (0, 0), "{room}");
        assert_eq!(texts(&mut spool), ["a", "c", "e", "f", "g"]);
    }
}

#[test]
fn a_disk_that_is_full_of_what_is_done_takes_rows_again() {
    for waiting in [0, 1, 3] {
        let dir = temporary();
        let (mut spool, faults) = on(dir.path());
        for _ in 0..3 {
            append(&mut spool, &"long ".repeat(40));
        }
        spool.sync().unwrap();
        faults.state().room = Some(0);
        let kept: Vec<Seq> = (0..3).map(|_| append(&mut spool, "d")).collect();
        spool.ack(&[Seq(1), Seq(3)]);
        assert!(
            !spool.retry_disk(),
            "somebody waits for a row that fills it"
        );
        spool.ack(&[Seq(2)]);
        spool.ack(&kept[waiting..]);
        assert!(spool.retry_disk() && !spool.is_degraded(), "{waiting}");
        assert_eq!(texts(&mut spool), vec!["d"; waiting]);
        drop(spool);
        let (mut spool, found) = open(dir.path());
        assert_eq!((found.lost_rows, found.skipped_bytes), (0, 0));
        let newer = append(&mut spool, "e");
        assert!(newer > kept[2], "no number is given twice");
        let mut left = vec!["d"; waiting];
        left.push("e");
        assert_eq!(texts(&mut spool), left);
    }
}

#[test]
fn after_a_failed_fsync_rows_are_kept_in_memory() {
    let dir = temporary();
    let (mut spool, faults) = on(dir.path());
    append(&mut spool, "durable");
    spool.sync().unwrap();
    let length = bytes_in(dir.path());
    append(&mut spool, "unknown");
    spool.ack(&[Seq(1)]);
    faults.state().syncs_fail = true;
    spool.sync().unwrap_err();
    assert!(spool.is_degraded());
    assert_eq!(bytes_in(dir.path()), length, "what is unknown is cut away");
    assert_eq!(texts(&mut spool), ["unknown"]);
    for _ in 0..20 {
        assert!(!spool.retry_disk());
    }
    assert_eq!(
        bytes_in(dir.path()),
        length,
        "trying does not fill the disk"
    );
    faults.state().syncs_fail = false;
    assert!(spool.retry_disk());
    drop(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!(
        (found.lost_rows, texts(&mut spool)),
        (0, vec!["unknown".into()])
    );
}

#[test]
fn what_memory_has_no_room_for_after_a_failed_fsync_stays_on_disk() {
    let dir = temporary();
    let limits = Limits {
        ring_rows: 2,
        ..Limits::default()
    };
    let (mut spool, _) = Spool::open(dir.path(), limits).unwrap();
    let faults = spool.disk.faults.clone();
    for text in ["a", "b", "c", "d"] {
        append(&mut spool, text);
    }
    faults.state().syncs_fail = true;
    spool.sync().unwrap_err();
    assert_eq!(texts(&mut spool), ["a", "b", "c", "d"]);
    faults.state().syncs_fail = false;
    assert!(spool.retry_disk());
    let left = model::after_power_loss(&spool, &[0]);
    assert_eq!(texts(&mut open(left.path()).0), ["a", "b", "c", "d"]);
    append(&mut spool, "e");
    drop(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!((found.rows, found.lost_rows), (5, 0));
    assert_eq!(texts(&mut spool), ["a", "b", "c", "d", "e"]);
    // The first copies of what was written twice do not come back either.
    let rows = all(&mut spool);
    spool.ack(&rows.iter().map(|r| r.seq).collect::<Vec<_>>());
    drop(spool);
    assert!(open(dir.path()).0.is_empty());
}

#[test]
fn of_rows_written_twice_the_older_copy_counts_for_nothing() {
    let dir = temporary();
    let (mut spool, faults) = on(dir.path());
    append(&mut spool, "a");
    spool.sync().unwrap();
    append(&mut spool, "b");
    faults.state().syncs_fail = true;
    faults.state().is_read_only = true;
    spool.sync().unwrap_err();
    let path = &segments(dir.path())[0];
    let both = fs::read(path).unwrap();
    faults.state().syncs_fail = false;
    faults.state().is_read_only = false;
    assert!(spool.retry_disk());
    drop(spool);
    assert_eq!(segments(dir.path()).len(), 2);
    // A crash came before it was cut away.
    assert!(both.len() > fs::read(path).unwrap().len());
    fs::write(path, both).unwrap();
    let (mut spool, found) = open(dir.path());
    assert_eq!((found.rows, texts(&mut spool).join("")), (2, "ab".into()));
    spool.ack(&[Seq(1), Seq(2)]);
    spool.sync().unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
}

#[test]
fn on_a_disk_that_became_read_only_what_lies_there_is_read() {
    let dir = temporary();
    let (mut spool, _) = open(dir.path());
    append(&mut spool, "old");
    drop(spool);
    let disk = Disk::new(dir.path());
    let faults = disk.faults.clone();
    faults.state().is_read_only = true;
    let (mut spool, found) = Spool::open_on(disk, Limits::default()).unwrap();
    assert_eq!(found.rows, 1);
    let kind = found.degraded.map(|e| e.kind());
    assert_eq!(kind, Some(io::ErrorKind::ReadOnlyFilesystem));
    append(&mut spool, "new");
    assert!(spool.is_degraded());
    assert_eq!(texts(&mut spool), ["old", "new"]);
    spool.ack(&[Seq(1)]);
    faults.state().is_read_only = false;
    assert!(spool.retry_disk());
    drop(spool);
    assert_eq!(texts(&mut open(dir.path()).0), ["new"]);
}

#[test]
fn a_directory_that_comes_late_is_taken_with_what_lies_there() {
    let home = temporary();
    let dir = home.path().join("mount");
    let (mut spool, _) = open(&dir);
    let old = append(&mut spool, "old");
    drop(spool);
    let away = home.path().join("away");
    fs::rename(&dir, &away).unwrap();
    fs::write(&dir, "not mounted").unwrap();

    let (mut spool, found) = open(&dir);
    assert!(found.degraded.is_some() && spool.is_degraded());
    let done = append(&mut spool, "done");
    assert!(append(&mut spool, "new") > old);
    spool.ack(&[done]);
    assert!(!spool.retry_disk());
    fs::remove_file(&dir).unwrap();
    fs::rename(&away, &dir).unwrap();
    let (owner, _) = open(&dir);
    assert!(!spool.retry_disk(), "somebody else has it");
    drop(owner);
    assert!(spool.retry_disk());
    assert_eq!(spool.take_counts(), Counts::default());
    assert_eq!(texts(&mut spool), ["old", "new"]);
    drop(spool);
    let (mut spool, found) = open(&dir);
    assert_eq!((found.rows, found.lost_rows), (2, 0));
    assert_eq!(texts(&mut spool), ["old", "new"]);
}

#[test]
fn a_directory_whose_numbers_would_clash_is_left_alone() {
    let home = temporary();
    let dir = home.path().join("mount");
    let (mut spool, _) = open(&dir);
    append(&mut spool, "old");
    drop(spool);
    let away = home.path().join("away");
    fs::rename(&dir, &away).unwrap();
    fs::write(&dir, "not mounted").unwrap();
    let (mut spool, _) = open(&dir);
    // Without a clock.
    spool.append(Class::Essential, b"new", 0).unwrap();
    fs::remove_file(&dir).unwrap();
    fs::rename(&away, &dir).unwrap();
    assert!(!spool.retry_disk() && spool.is_degraded());
    assert_eq!(texts(&mut spool), ["new"]);
    assert_eq!(texts(&mut open(&dir).0), ["old"]);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Ack(usize),
    Room(Option<usize>),
    SyncsFail(bool),
    ReadOnly(bool),
    Retry,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..150_usize).prop_map(Step::Append),
        3 => Just(Step::Sync),
        4 => (0..20_usize).prop_map(Step::Ack),
        2 => proptest::option::of(0..400_usize).prop_map(Step::Room),
        2 => any::<bool>().prop_map(Step::SyncsFail),
        1 => any::<bool>().prop_map(Step::ReadOnly),
        3 => Just(Step::Retry),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn whatever_fails_what_was_taken_is_there(steps in vec(step(), 1..80)) {
        let dir = temporary();
        let limits = Limits { segment_bytes: 400, ..Limits::default() };
        let (mut spool, _) = Spool::open(dir.path(), limits).unwrap();
        let faults = spool.disk.faults.clone();
        let mut waiting: Vec<(Seq, Vec<u8>)> = Vec::new();
        let is_same = |spool: &mut Spool, waiting: &[(Seq, Vec<u8>)]| {
            all(spool).into_iter().map(|r| (r.seq, r.payload)).eq(waiting.iter().cloned())
        };
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(length) => {
                    let payload = vec![u8::try_from(n).unwrap(); length];
                    let seq = spool.append(Class::Essential, &payload, 7).unwrap();
                    prop_assert!(waiting.iter().all(|(s, _)| *s < seq));
                    waiting.push((seq, payload));
                }
                Step::Sync => prop_assert!(spool.sync().is_ok() || spool.is_degraded()),
                Step::Ack(at) if at < waiting.len() => spool.ack(&[waiting.remove(at).0]),
                Step::Ack(_) => spool.ack(&[Seq(u64::MAX)]),
                Step::Room(room) => faults.state().room = room,
                Step::SyncsFail(fail) => faults.state().syncs_fail = fail,
                Step::ReadOnly(is) => faults.state().is_read_only = is,
                Step::Retry => prop_assert_eq!(spool.retry_disk(), !spool.is_degraded()),
            }
            prop_assert!(is_same(&mut spool, &waiting));
            prop_assert_eq!(spool.bytes(), bytes_in(dir.path()));
        }
        faults.state().room = None;
        faults.state().syncs_fail = false;
        faults.state().is_read_only = false;
        prop_assert!(spool.retry_disk());
        prop_assert_eq!(spool.take_counts(), Counts::default());
        let left = model::after_power_loss(&spool, &[0, 1]);
        let (mut spool, found) = Spool::open(left.path(), limits).unwrap();
        // A read-only disk keeps what is torn.
        prop_assert_eq!(found.lost_rows, 0);
        prop_assert!(is_same(&mut spool, &waiting));
    }
}
