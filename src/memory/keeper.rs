//! Keeps on the disk what waits to be written: one thread between the desk, the spool and the queue.
//!
//! Whatever comes in is sealed and appended before it goes into the queue, and acknowledged once the
//! writer is done with it. The queue is a window: while it is full, what comes in stays on the disk
//! and is read from there, in order, as it empties. What an earlier process left comes first.
//!
//! At least once, then: a process that dies between a write and its acknowledgement leaves a row that
//! was written. Rows of an earlier process are marked, and the writer asks the store about them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::desk::{Desk, End, Order, Waiting, Work};
use super::queue::{Item, Queue, WINDOW};
use super::row;
use super::{Exchange, Person};
use crate::clock::Clock;
use crate::lifecycle::{give_way, leave_real_time};
use crate::spool::{Class, Limits, Row, Seq, Spool};
use crate::vault::Vault;

/// What was appended is on the disk for certain after this.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// A disk that takes nothing, or a directory that another process holds, is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Rows and bytes read at once.
const READ_ROWS: usize = 256;
const READ_BYTES: usize = 4 << 20;

/// Where exchanges wait, and what seals them there.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// A directory of this process alone.
    pub dir: PathBuf,
    pub vault: Vault,
}

/// See the module's words.
pub(super) struct Keeper {
    shelf: Shelf,
    desk: Arc<Desk>,
    queue: Arc<Queue>,
    clock: Clock,
    /// None while another process holds the directory.
    spool: Option<Spool>,
    /// The last row that went into the queue, or was passed over.
    cursor: Option<Seq>,
    /// Where to go on once rows are read that lay on a disk that could only be had later.
    resume: Option<Seq>,
    /// Nothing on the disk waits for room in the queue.
    is_level: bool,
    /// The first row of this process: those before it are an earlier one's.
    first: Option<Seq>,
    synced: Instant,
    tried: Instant,
    /// The disk was in trouble when last looked at, and a line says so.
    was_degraded: bool,
}

impl Keeper {
    pub(super) fn new(shelf: Shelf, desk: Arc<Desk>, queue: Arc<Queue>, clock: Clock) -> Self {
        let now = Instant::now();
        Self {
            shelf,
            desk,
            queue,
            clock,
            spool: None,
            cursor: None,
            resume: None,
            is_level: true,
            first: None,
            synced: now,
            tried: now,
            was_degraded: false,
        }
    }

    /// Keeps until the writer has ended. Blocks: for a thread of its own.
    pub(super) fn run(mut self) {
        self.open();
        self.fill();
        self.show();
        loop {
            let Work {
                inbox,
                done,
                orders,
                is_last,
                is_over,
            } = self.desk.take(self.most(), self.pause());
            leave_real_time();
            self.acknowledge(&done);
            for order in orders {
                self.forget(order);
            }
            for (who, exchange) in inbox {
                give_way();
                self.take_in(&who, exchange);
                self.sync();
            }
            if is_over {
                self.end();
                return;
            }
            self.tend();
            self.fill();
            self.show();
            if is_last && self.is_level {
                self.queue.close();
            }
        }
    }

    fn open(&mut self) {
        self.tried = Instant::now();
        let Ok((spool, found)) = Spool::open(&self.shelf.dir, Limits::default()) else {
            return;
        };
        self.spool = Some(spool);
        self.adopt(found.rows);
        // They were in the directory's order and are not in it: nobody had taken them up.
        self.desk.found(many(found.lost_rows));
        self.desk.lose("damaged", many(found.lost_rows));
    }

    /// Takes up rows that an earlier process left.
    fn adopt(&mut self, rows: u64) {
        if rows > 0 {
            self.is_level = false;
            self.desk.found(many(rows));
            tracing::info!(target: "clm::memory", exchanges = rows, "memory writes of an earlier run are taken up");
        }
    }

    /// How many of what came in can be placed: without a disk, what the queue has room for.
    fn most(&self) -> usize {
        match self.spool {
            Some(_) => usize::MAX,
            None => self.queue.room(),
        }
    }

    /// How long nothing needs to be done if nothing comes.
    fn pause(&self) -> Option<Duration> {
        match &self.spool {
            Some(spool) if !spool.is_degraded() => spool
                .is_unsynced()
                .then(|| SYNC_EVERY.saturating_sub(self.synced.elapsed())),
            _ => Some(RETRY),
        }
    }

    fn take_in(&mut self, who: &Person, exchange: Exchange) {
        let sealed = row::seal(&self.shelf.vault, who, &exchange);
        let now_ms = self.clock.now_ms();
        let spool = self.spool.as_mut();
        let seq = spool.and_then(|s| s.append(Class::Essential, &sealed, now_ms).ok());
        let fits = self.is_level && self.queue.room() > 0;
        match seq {
            Some(seq) => {
                self.first.get_or_insert(seq);
                self.is_level = fits;
            }
            None if fits => self.desk.unkept(),
            None => self.desk.lose("spool_full", 1),
        }
        if fits {
            self.cursor = seq.or(self.cursor);
            let item = Item {
                exchange,
                seq,
                is_old: false,
            };
            self.queue.push(who, item);
        }
    }

    /// Reads on into the queue, once half of it is empty.
    fn fill(&mut self) {
        while !self.is_level && self.queue.room() >= WINDOW / 2 {
            let rows = self.read(self.cursor);
            if rows.is_empty() {
                self.is_level = self.resume.is_none();
                self.cursor = self.resume.take().or(self.cursor);
            }
            for row in rows {
                if self.resume.is_some() && !self.is_old(&row) {
                    self.cursor = self.resume.take();
                    break;
                }
                self.cursor = Some(row.seq);
                self.put(&row);
            }
        }
    }

    fn put(&mut self, row: &Row) {
        let Some((who, exchange)) = row::open(&self.shelf.vault, &row.payload) else {
            if let Some(spool) = &mut self.spool {
                spool.quarantine(
                    row,
                    "cannot be opened: sealed with another key, or no exchange",
                );
            }
            self.desk.lose("unreadable", 1);
            return;
        };
        let item = Item {
            exchange,
            seq: Some(row.seq),
            is_old: self.is_old(row),
        };
        self.queue.push(&who, item);
    }

    fn is_old(&self, row: &Row) -> bool {
        self.first.is_none_or(|first| row.seq < first)
    }

    fn read(&mut self, after: Option<Seq>) -> Vec<Row> {
        let spool = self.spool.as_mut();
        spool.map_or_else(Vec::new, |s| s.read(after, READ_ROWS, READ_BYTES))
    }

    /// Drops what waits of a person, in the queue and behind it.
    fn forget(&mut self, order: Order) {
        let items = self.queue.forget(&order.user);
        self.desk.finish(&items, End::Dropped);
        let mut behind = Vec::new();
        let mut after = self.cursor;
        loop {
            let rows = self.read(after);
            let Some(last) = rows.last() else { break };
            after = Some(last.seq);
            let theirs = rows.iter().filter(|row| {
                let opened = row::open(&self.shelf.vault, &row.payload);
                opened.is_some_and(|(who, _)| who.user == order.user)
            });
            behind.extend(theirs.map(|row| row.seq));
        }
        self.acknowledge(&behind);
        self.desk.dropped(behind.len());
        // Who asked may have gone.
        let dropped = order.dropped + items.len() + behind.len();
        let _ = order.told.send(dropped);
    }

    fn acknowledge(&mut self, seqs: &[Seq]) {
        if let Some(spool) = &mut self.spool {
            spool.ack(seqs);
        }
    }

    /// What the disk needs from time to time.
    fn tend(&mut self) {
        let is_due = self.tried.elapsed() >= RETRY;
        match &mut self.spool {
            None if is_due => self.open(),
            Some(spool) if spool.is_degraded() && is_due => self.retry(),
            Some(spool) if spool.is_degraded() => {}
            _ => self.sync(),
        }
        let counts = self.spool.as_mut().map(Spool::take_counts);
        let damaged = many(counts.map_or(0, |counts| counts.damaged));
        self.desk.lose("damaged", damaged);
    }

    /// Makes what was appended certain, where it is time.
    fn sync(&mut self) {
        if let Some(spool) = &mut self.spool
            && spool.is_unsynced()
            && !spool.is_degraded()
            && self.synced.elapsed() >= SYNC_EVERY
        {
            self.synced = Instant::now();
            // A failure makes the spool degraded, which is told when that is shown and tried again.
            let _ = spool.sync();
        }
    }

    /// Tries a disk that failed. Rows may lie on it that could not be seen before.
    fn retry(&mut self) {
        self.tried = Instant::now();
        let Some(spool) = &mut self.spool else { return };
        let before = spool.len();
        spool.retry_disk();
        let more = spool.len().saturating_sub(before);
        if more > 0 {
            self.resume = self.cursor.take();
            self.adopt(more);
        }
    }

    fn show(&mut self) {
        let is_degraded = self.spool.as_ref().is_none_or(Spool::is_degraded);
        let disk = self.spool.as_ref().map(|spool| Waiting {
            exchanges: 0,
            on_disk: many(spool.len()).saturating_sub(spool.in_memory()),
            oldest_ms: spool.oldest_at_ms(),
            is_degraded,
        });
        self.desk.show(disk.unwrap_or(Waiting {
            is_degraded,
            ..Waiting::default()
        }));
        if is_degraded != self.was_degraded {
            self.was_degraded = is_degraded;
            if is_degraded {
                tracing::warn!(target: "clm::memory", "memory writes wait in memory alone: their directory cannot be used");
            } else {
                tracing::info!(target: "clm::memory", "memory writes wait on the disk again");
            }
        }
    }

    /// The writer has ended: all that came in is appended, and all that is done acknowledged.
    fn end(&mut self) {
        if let Some(spool) = &mut self.spool {
            if spool.is_degraded() {
                spool.retry_disk();
            }
            // What is in memory then is lost, and told; the rest is as durable as it can be.
            let _ = spool.sync();
            self.desk.lose("stopped", spool.in_memory());
        }
        let left = self.desk.settle();
        if left > 0 {
            tracing::info!(target: "clm::memory", exchanges = left, "memory writes wait on the disk for the next start");
        }
        self.show();
    }
}

/// A count of rows, of which no disk holds more than memory can count.
fn many(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}
