//! Log lines on their way out of the process, as many at a time as there are.
//!
//! `tracing-appender`'s thread writes each line by itself and waits for the next, so that under load every
//! line costs its writer a wake-up and the processor two changes of thread: at 780 turns a second a twentieth of
//! it (docs/DECISIONS.md). Here they gather while the thread rests.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::lifecycle::leave_real_time;

/// How long lines gather after some were written: what a kill may cost of them, and more than anybody sees.
const REST: Duration = Duration::from_millis(20);
/// In bytes; so many go out without waiting for more.
const FULL: usize = 64 << 10;
/// The most that is written at once, in bytes, unless one line is longer: what a pipe takes whole, among whatever
/// other processes write there (`PIPE_BUF` of Linux).
const PIECE: usize = 4 << 10;

/// Writes what it was given when it is flushed, which `tracing-appender`'s thread does once nothing waits, and
/// rests then: a line that comes alone goes out at once. It never fails: that thread takes an error for its end's
/// not having come. What could not be written is counted, and not tried again, as it might be there twice.
#[derive(Debug)]
pub(super) struct Lines<W, R> {
    out: W,
    waiting: Vec<u8>,
    /// The last line that went out is not whole.
    is_torn: bool,
    lost: Lost,
    rest: R,
}

/// How many lines could not be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost(Arc<AtomicUsize>);

impl Lost {
    pub(super) fn lines(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl<W: Write> Lines<W, fn()> {
    pub(super) fn new(out: W, lost: Lost) -> Self {
        Self::resting(out, lost, || thread::sleep(REST))
    }
}

impl<W: Write, R: FnMut()> Lines<W, R> {
    fn resting(out: W, lost: Lost, rest: R) -> Self {
        Self {
            out,
            waiting: Vec::new(),
            is_torn: false,
            lost,
            rest,
        }
    }

    fn write_out(&mut self) {
        let mut waiting = mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while let Some((piece, behind)) = split(rest) {
            rest = behind;
            self.put(piece);
        }
        waiting.clear();
        self.waiting = waiting;
    }

    /// Whole lines, on a line of their own.
    fn put(&mut self, lines: &[u8]) {
        let is_apart = !self.is_torn || self.out.write_all(b"\n").is_ok();
        let left = match is_apart {
            true => left(&mut self.out, lines),
            false => lines,
        };
        let gone = lines.len() - left.len();
        if is_apart {
            self.is_torn = gone > 0 && lines.get(gone - 1) != Some(&b'\n');
        }
        let lost = left.iter().filter(|byte| **byte == b'\n').count();
        self.lost.0.fetch_add(lost, Ordering::Relaxed);
    }
}

/// The lines that go out at once, and those behind them.
fn split(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
    let fit = lines.get(..PIECE).unwrap_or(lines);
    let end = match ends(fit) {
        Some(end) => end + 1,
        None => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
    };
    lines.split_at_checked(end).filter(|_| end > 0)
}

/// What of it could not be written.
fn left<'b>(out: &mut impl Write, mut bytes: &'b [u8]) -> &'b [u8] {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(many) if many > 0 => bytes = bytes.get(many..).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    bytes
}

impl<W: Write, R: FnMut()> Write for Lines<W, R> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(line);
        if self.waiting.len() >= FULL {
            self.write_out();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            leave_real_time();
            self.write_out();
            (self.rest)();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Tells of each write.
    struct Told(SyncSender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.0.send(text).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes so many bytes a write, one write each.
    struct Takes(Vec<usize>, Vec<u8>);

    impl Write for Takes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let many = self.0.remove(0).min(bytes.len());
            self.1.extend_from_slice(&bytes[..many]);
            match many {
                0 => Err(ErrorKind::WouldBlock.into()),
                _ => Ok(many),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn next(writes: &Receiver<String>) -> String {
        writes.recv_timeout(SOON).unwrap()
    }

    #[test]
    fn a_line_goes_out_at_once_and_those_behind_it_together() {
        let (told, writes) = sync_channel(8);
        let (wake, woken) = sync_channel::<()>(1);
        let rest = move || woken.recv().unwrap_or_default();
        let lines = Lines::resting(Told(told), Lost::default(), rest);
        let (mut log, guard) = NonBlockingBuilder::default().finish(lines);
        let mut say = |line: &str| log.write_all(line.as_bytes()).unwrap();
        say("one\n");
        assert_eq!(next(&writes), "one\n");
        for line in ["two\n", "three\n", "four\n"] {
            say(line);
        }
        assert!(writes.try_recv().is_err(), "it rests");
        wake.send(()).unwrap();
        assert_eq!(next(&writes), "two\nthree\nfour\n");
        drop(wake);
        drop(guard);
    }

    #[test]
    fn its_thread_ends_where_nothing_can_be_written() {
        let (told, writes) = sync_channel(8);
        drop(writes);
        // Held by the thread for as long as it lives.
        let (alive, ended) = sync_channel::<()>(1);
        let lost = Lost::default();
        let rest = move || {
            assert!(!matches!(
                alive.try_send(()),
                Err(TrySendError::Disconnected(()))
            ))
        };
        let lines = Lines::resting(Told(told), lost.clone(), rest);
        let (mut log, guard) = NonBlockingBuilder::default().finish(lines);
        log.write_all(b"lost\n").unwrap();
        drop(guard);
        let after_its_rest = ended
            .recv_timeout(SOON)
            .and_then(|()| ended.recv_timeout(SOON));
        assert_eq!(after_its_rest, Err(RecvTimeoutError::Disconnected));
        assert_eq!(lost.lines(), 1);
    }

    #[test]
    fn many_lines_go_out_in_pieces_that_end_with_a_line() {
        let (told, writes) = sync_channel(64);
        let mut lines = Lines::resting(Told(told), Lost::default(), || {
            panic!("nothing was flushed")
        });
        let line = "a".repeat(999) + "\n";
        let many = FULL.div_ceil(line.len());
        for n in 1..=many {
            assert!(writes.try_recv().is_err(), "{n}");
            lines.write_all(line.as_bytes()).unwrap();
        }
        let pieces: Vec<String> = writes.try_iter().collect();
        assert_eq!(pieces.concat(), line.repeat(many));
        assert!(
            pieces
                .iter()
                .all(|piece| piece.len() <= PIECE && piece.ends_with('\n'))
        );
        assert!(pieces.len() <= many.div_ceil(4), "{}", pieces.len());
        let long = "b".repeat(FULL) + "\n";
        lines.write_all(long.as_bytes()).unwrap();
        assert_eq!(next(&writes), long);
    }

    #[test]
    fn what_could_not_be_written_is_counted_and_the_next_line_stands_alone() {
        let lost = Lost::default();
        let all = usize::MAX;
        // A line that is torn; one for which there is no room; then there is some again.
        let takes = Takes(vec![4, 0, 0, all, all, all], Vec::new());
        let mut lines = Lines::resting(takes, lost.clone(), || {});
        for line in ["torn line\nand one\n", "gone\n", "whole\n", "and so on\n"] {
            lines.write_all(line.as_bytes()).unwrap();
            lines.flush().unwrap();
        }
        let written = String::from_utf8(lines.out.1).unwrap();
        assert_eq!(written, "torn\nwhole\nand so on\n");
        assert_eq!(lost.lines(), 3);
    }
}
