use std::fs;
use std::path::Path;

use quest_clm::spool::{Class, Left, Limits, Spool, look};

/// A segment of a spool, its name in front: whatever lies there, it opens, gives no row that was not
/// written, and keeps a new one.
pub(crate) fn spool(input: &[u8]) {
    let dir = laid(input);
    let left = look(dir.path()).unwrap();
    let (mut spool, recovered) = Spool::open(dir.path(), Limits::default()).unwrap();
    let found = spool.read(None, usize::MAX, usize::MAX);
    assert!(found.iter().all(|row| was_written(&row.payload)));
    assert_eq!(left, Left::Rows(recovered.rows));
    assert!(
        spool.take_counts().damaged == 0 && found.len() == usize::try_from(recovered.rows).unwrap()
    );
    let kept = spool.append(Class::Essential, b"new", 1);
    let done: Vec<_> = found.iter().map(|row| row.seq).collect();
    spool.ack(&done);
    drop(spool);
    // The last number there is may be taken: then nothing more is.
    let expected: &[&[u8]] = if kept.is_ok() { &[b"new"] } else { &[] };
    assert_eq!(rows(&dir), expected);
}

/// The rows of the corpus: `{"rows":0}` and on, five; `done`, six, three of them acknowledged; `one`.
fn was_written(payload: &[u8]) -> bool {
    let of = |name: &str, count: u32| {
        let mut rows = (0..count).map(|n| format!("{{\"{name}\":{n}}}"));
        rows.any(|row| row.as_bytes() == payload)
    };
    of("rows", 5) || of("done", 6) || of("one", 1)
}

/// A spool's directory with this segment in it.
fn laid(input: &[u8]) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.unwrap();
    let (name, segment) = input.split_at(input.len().min(8));
    let mut number = [0; 8];
    number[..name.len()].copy_from_slice(name);
    let name = format!("{:016x}.log", u64::from_le_bytes(number));
    fs::write(dir.path().join(name), segment).unwrap();
    dir
}

fn rows(dir: &tempfile::TempDir) -> Vec<Vec<u8>> {
    let (mut spool, _) = Spool::open(dir.path(), Limits::default()).unwrap();
    let rows = spool.read(None, usize::MAX, usize::MAX);
    rows.into_iter().map(|row| row.payload).collect()
}
