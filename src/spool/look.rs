//! What lies in a spool, for whoever only wants to know: nothing is changed, cut or told as lost.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use super::disk::Disk;
use super::frame::{self, Kind};
use super::ranges::Ranges;
use super::segment::Segment;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is no spool yet.
    Nothing,
    /// A running process owns it.
    Owned,
    /// Nobody does, and so many rows wait.
    Rows(u64),
}

/// Looks into the directory of a spool. The lock is tried and let go at once, so that a process that
/// begins meanwhile finds it free.
///
/// # Errors
/// When it cannot be read.
pub fn look(dir: &Path) -> io::Result<Left> {
    let disk = Disk::new(dir);
    if !dir.is_dir() {
        return Ok(Left::Nothing);
    }
    match disk.own() {
        Some(Err(TryLockError::WouldBlock)) => return Ok(Left::Owned),
        Some(Err(TryLockError::Error(error))) => return Err(error),
        Some(Ok(())) | None => {}
    }
    let (mut rows, mut done) = (BTreeSet::new(), Ranges::default());
    for file_name in disk.names(dir)? {
        let Some(name) = Segment::parse(&file_name) else {
            continue;
        };
        frame::scan(
            name,
            &fs::read(disk.path(&file_name))?,
            |_, head, payload| match head.kind {
                Kind::Done => frame::decode_done(payload, &mut done),
                Kind::Row(_) => {
                    rows.insert(head.seq);
                }
            },
        );
    }
    for (first, last) in done.iter() {
        let after = last.checked_add(1);
        let mut rest = rows.split_off(&first);
        if let Some(after) = after {
            rows.append(&mut rest.split_off(&after));
        }
    }
    Ok(Left::Rows(u64::try_from(rows.len()).unwrap_or(u64::MAX)))
}

impl Disk {
    /// Whether somebody owns the directory; `None` where nobody ever did.
    fn own(&self) -> Option<Result<(), TryLockError>> {
        let file = File::open(self.path(super::disk::LOCK)).ok()?;
        Some(file.try_lock_shared())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Limits, Spool};
    use super::*;

    #[test]
    fn a_look_tells_what_is_left_and_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("spool");
        assert_eq!(look(&at).unwrap(), Left::Nothing);
        let (mut spool, _) = Spool::open(&at, Limits::default()).unwrap();
        let mut add = |text: &str| spool.append(Class::Essential, text.as_bytes(), 0).unwrap();
        let rows = [add("a"), add("b"), add("c"), add("d")];
        spool.ack(&rows[1..3]);
        assert_eq!(look(&at).unwrap(), Left::Owned);
        drop(spool);
        for _ in 0..2 {
            assert_eq!(look(&at).unwrap(), Left::Rows(2));
        }
        let (mut spool, found) = Spool::open(&at, Limits::default()).unwrap();
        assert_eq!((found.rows, found.lost_rows), (2, 0));
        let left = spool.read(None, 9, 99);
        assert_eq!(left[1].payload, b"d");
    }
}
