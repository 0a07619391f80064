//! Log lines on their way out of the process, as many at a time as there are.
//!
//! `tracing-appender`'s thread writes each line by itself and waits for the next, so that under load every
//! line costs its writer a wake-up and the processor two changes of thread: a twenty-fifth of a processor at 780
//! turns a second (docs/DECISIONS.md). Here they gather while the thread rests.

use std::io::{self, Write};
use std::mem;
use std::thread;
use std::time::Duration;

use crate::lifecycle::leave_real_time;

/// How long lines gather after some were written: what a kill may cost of them, and more than anybody sees.
const REST: Duration = Duration::from_millis(20);
/// In bytes; so many are written without waiting for more.
const FULL: usize = 64 << 10;

/// Writes what it was given when it is flushed, which `tracing-appender`'s thread does once nothing waits, and
/// rests then: a line that comes alone goes out at once.
#[derive(Debug)]
pub(super) struct Lines<W, R> {
    out: W,
    waiting: Vec<u8>,
    rest: R,
}

impl<W: Write> Lines<W, fn()> {
    pub(super) fn new(out: W) -> Self {
        Self::resting(out, || thread::sleep(REST))
    }
}

impl<W: Write, R: FnMut()> Lines<W, R> {
    fn resting(out: W, rest: R) -> Self {
        Self {
            out,
            waiting: Vec::new(),
            rest,
        }
    }

    /// What could not be written is lost, as a line by itself would be: written again it might appear twice.
    fn write_out(&mut self) -> io::Result<()> {
        let mut lines = mem::take(&mut self.waiting);
        self.out.write_all(&lines)?;
        lines.clear();
        self.waiting = lines;
        self.out.flush()
    }
}

impl<W: Write, R: FnMut()> Write for Lines<W, R> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(line);
        if self.waiting.len() >= FULL {
            self.write_out()?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        leave_real_time();
        self.write_out()?;
        (self.rest)();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;

    /// Tells of each write.
    struct Told(mpsc::SyncSender<String>);

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

    #[test]
    fn a_line_goes_out_at_once_and_those_behind_it_together() {
        let (told, writes) = mpsc::sync_channel(8);
        let (wake, woken) = mpsc::sync_channel::<()>(1);
        let lines = Lines::resting(Told(told), move || woken.recv().unwrap_or_default());
        let (mut log, guard) = NonBlockingBuilder::default().finish(lines);
        let mut say = |line: &str| log.write_all(line.as_bytes()).unwrap();
        say("one\n");
        assert_eq!(writes.recv().unwrap(), "one\n");
        for line in ["two\n", "three\n", "four\n"] {
            say(line);
        }
        assert!(writes.try_recv().is_err(), "it rests");
        wake.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "two\nthree\nfour\n");
        // What is there at the end is not lost.
        say("last\n");
        drop(wake);
        drop(guard);
        assert_eq!(writes.recv().unwrap(), "last\n");
    }

    #[test]
    fn many_lines_do_not_pile_up() {
        let (told, writes) = mpsc::sync_channel(8);
        let mut lines = Lines::resting(Told(told), || panic!("nothing was flushed"));
        let line = "a".repeat(FULL - 1);
        lines.write_all(line.as_bytes()).unwrap();
        assert!(writes.try_recv().is_err());
        lines.write_all(b"b").unwrap();
        assert_eq!(writes.try_recv().unwrap().len(), FULL);
    }

    #[test]
    fn what_could_not_be_written_is_not_written_later() {
        let (told, writes) = mpsc::sync_channel(8);
        drop(writes);
        let mut lines = Lines::resting(Told(told), || {});
        lines.write_all(b"lost\n").unwrap();
        assert!(lines.flush().is_err());
        assert!(lines.flush().is_ok(), "nothing is left to write");
    }
}
