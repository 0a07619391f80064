//! Rows back from where they lie.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;

use super::frame::{self, Kind, Place};
use super::index::Entry;
use super::segment::{Id, Segment};
use super::{Row, Seq, Spool};

/// The segment that was read from last: rows next to each other mostly share one.
#[derive(Debug, Default)]
pub(super) struct Reader(Option<(Id, File)>);

impl Spool {
    pub(super) fn read_rows(&mut self, after: Option<Seq>, rows: usize, bytes: usize) -> Vec<Row> {
        let mut taken = Vec::new();
        let mut damaged = Vec::new();
        let mut left = bytes;
        let mut reader = Reader::default();
        for (seq, entry) in self.index.after(after.map(|seq| seq.0)) {
            let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
            let is_enough = length > left && !taken.is_empty();
            if taken.len() >= rows || is_enough {
                break;
            }
            match self.payload(seq, entry, &mut reader) {
                Ok(Some(payload)) => {
                    left = left.saturating_sub(length);
                    taken.push(Row {
                        seq: Seq(seq),
                        class: entry.class,
                        at_ms: entry.at_ms,
                        payload,
                    });
                }
                Ok(None) => damaged.push(seq),
                // The disk may give it another time.
                Err(_) => {}
            }
        }
        for seq in damaged {
            self.finish(seq);
            self.counts.damaged += 1;
        }
        taken
    }

    /// A row's payload, or nothing where it is damaged.
    pub(super) fn payload(
        &self,
        seq: u64,
        entry: &Entry,
        reader: &mut Reader,
    ) -> io::Result<Option<Vec<u8>>> {
        let Some(id) = entry.segment else {
            return Ok(self.ring.get(seq).cloned());
        };
        let Some(segment) = self.segments.get(&id) else {
            return Ok(None);
        };
        let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.saturating_add(frame::HEADER)];
        let read = self
            .file(id, segment, reader)
            .and_then(|file| file.read_exact_at(&mut bytes, u64::from(entry.offset)));
        match read {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound) => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        }
        let place = Place {
            segment: segment.name,
            offset: u64::from(entry.offset),
        };
        let is_it = match frame::decode(&bytes, place) {
            Some((head, payload)) => {
                head.seq == seq && head.kind == Kind::Row(entry.class) && payload.len() == length
            }
            None => false,
        };
        bytes.drain(..frame::HEADER);
        Ok(is_it.then_some(bytes))
    }

    fn file<'a>(&self, id: Id, segment: &Segment, reader: &'a mut Reader) -> io::Result<&'a File> {
        let same = reader.0.take().filter(|(of, _)| *of == id);
        let open = match same {
            Some(open) => open,
            None => {
                let path = self.disk.path(&Segment::file_name(segment.name));
                (id, File::open(path)?)
            }
        };
        Ok(&reader.0.insert(open).1)
    }
}
