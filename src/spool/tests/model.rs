//! The spool against a model of it: whatever is done to it, in any order, with crashes between.
//!
//! A crash is a loss of power at its worst: of each file any part that no fsync covered may be gone, a
//! file made may not be there, and one removed may be there again.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(bool, usize),
    Sync,
    Read(usize, usize, usize),
    Ack(Vec<usize>),
    Quarantine(usize),
    Retry,
    Reopen,
    /// Chances for what survives; none is a process that died on a machine that did not.
    Crash(Vec<u16>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        14 => (any::<bool>(), 0..200_usize).prop_map(|(d, n)| Step::Append(d, n)),
        4 => Just(Step::Sync),
        2 => (0..40_usize, 0..30_usize, 0..2_000_usize).prop_map(|(a, r, b)| Step::Read(a, r, b)),
        5 => vec(0..60_usize, 1..12).prop_map(Step::Ack),
        1 => (0..60_usize).prop_map(Step::Quarantine),
        1 => Just(Step::Retry),
        1 => Just(Step::Reopen),
        2 => vec(any::<u16>(), 0..6).prop_map(Step::Crash),
    ]
}

const LIMITS: Limits = Limits {
    segment_bytes: 500,
    total_bytes: 4_000,
    row_bytes: 180,
    ring_rows: 5,
    quarantine_bytes: 700,
};

struct Model {
    dir: TempDir,
    spool: Spool,
    waiting: BTreeMap<Seq, Row>,
    /// Done, but not durably: they may come again.
    limbo: BTreeMap<Seq, Row>,
    /// The rows that must survive.
    durable: BTreeMap<Seq, Row>,
    /// The highest number that no crash can take back.
    highest: Option<Seq>,
    appended: usize,
}

impl Model {
    fn new() -> Self {
        let dir = temporary();
        let (spool, _) = Spool::open(dir.path(), LIMITS).unwrap();
        Self {
            dir,
            spool,
            waiting: BTreeMap::new(),
            limbo: BTreeMap::new(),
            durable: BTreeMap::new(),
            highest: None,
            appended: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append(is_detail, length) => self.append(is_detail, length),
            Step::Sync => {
                self.spool.sync().unwrap();
                self.synced();
            }
            Step::Read(after, rows, bytes) => self.read(after, rows, bytes),
            Step::Ack(picks) => {
                let rows: Vec<Seq> = picks.iter().filter_map(|n| self.nth(*n)).collect();
                self.spool.ack(&rows);
                rows.iter().for_each(|seq| self.done(*seq));
            }
            Step::Quarantine(pick) => {
                if let Some(row) = self
                    .nth(pick)
                    .and_then(|seq| self.waiting.get(&seq))
                    .cloned()
                {
                    self.spool.quarantine(&row, "poison");
                    self.done(row.seq);
                }
            }
            Step::Retry => {
                let is_well = self.spool.retry_disk();
                assert_eq!(is_well, !self.spool.is_degraded());
                self.dropped();
                if is_well {
                    self.synced();
                }
            }
            Step::Reopen => self.reopen(),
            Step::Crash(chances) => self.crash(&chances),
        }
        self.check();
    }

    fn nth(&self, n: usize) -> Option<Seq> {
        self.waiting.keys().nth(n).copied()
    }

    fn done(&mut self, seq: Seq) {
        self.durable.remove(&seq);
        if let Some(row) = self.waiting.remove(&seq) {
            self.limbo.insert(seq, row);
        }
    }

    /// The oldest details went.
    fn dropped(&mut self) {
        let counts = self.spool.take_counts();
        assert_eq!(counts.damaged, 0);
        for _ in 0..counts.dropped_detail {
            let mut rows = self.waiting.values();
            let oldest = rows.find(|r| r.class == Class::Detail).unwrap().seq;
            self.done(oldest);
        }
    }

    fn append(&mut self, is_detail: bool, length: usize) {
        let class = [Class::Essential, Class::Detail][usize::from(is_detail)];
        self.appended += 1;
        let payload = self.appended.to_le_bytes().repeat(length / 8);
        let at_ms = i64::try_from(self.appended).unwrap();
        let result = self.spool.append(class, &payload, at_ms);
        self.dropped();
        match result {
            Ok(seq) => {
                assert!(self.waiting.keys().all(|s| *s < seq));
                assert!(self.highest.is_none_or(|h| h < seq), "{seq:?} again");
                // The number of a row that power cut off.
                self.limbo.remove(&seq);
                let row = Row {
                    seq,
                    class,
                    at_ms,
                    payload,
                };
                self.waiting.insert(seq, row);
            }
            Err(Refused::TooLarge) => assert!(payload.len() > LIMITS.row_bytes),
            Err(Refused::Full) => {
                let has_detail = self.waiting.values().any(|r| r.class == Class::Detail);
                assert!(!has_detail && bytes_in(self.dir.path()) > 2_000);
            }
        }
    }

    fn synced(&mut self) {
        self.limbo.clear();
        let in_memory: Vec<u64> = self.spool.ring.numbers().collect();
        self.durable = self.waiting.clone();
        self.durable.retain(|seq, _| !in_memory.contains(&seq.0));
        self.highest = self.highest.max(self.durable.keys().next_back().copied());
    }

    fn read(&mut self, after: usize, rows: usize, bytes: usize) {
        let after = self.nth(after);
        let read = self.spool.read(after, rows, bytes);
        let expected = self.waiting.values().filter(|r| Some(r.seq) > after);
        let expected: Vec<Row> = expected.take(read.len() + 1).cloned().collect();
        assert_eq!(read, expected[..read.len()]);
        let size = |rows: &[Row]| rows.iter().map(|r| r.payload.len()).sum::<usize>();
        let first = size(&read[..read.len().min(1)]);
        assert!(read.len() <= rows && size(&read) <= bytes.max(first));
        let is_end = expected.len() == read.len();
        assert!(is_end || read.len() == rows || size(&expected) > bytes);
    }

    fn reopen(&mut self) {
        let in_memory: Vec<u64> = self.spool.ring.numbers().collect();
        let other = Spool::open(temporary().path(), LIMITS).unwrap().0;
        drop(std::mem::replace(&mut self.spool, other));
        let (spool, found) = Spool::open(self.dir.path(), LIMITS).unwrap();
        self.spool = spool;
        self.waiting.retain(|seq, _| !in_memory.contains(&seq.0));
        assert!(found.lost_rows <= in_memory.len() as u64, "{found:?}");
        assert_eq!(found.skipped_bytes, 0);
        self.synced();
    }

    fn crash(&mut self, chances: &[u16]) {
        let left = after_power_loss(&self.spool, chances);
        let (spool, found) = Spool::open(left.path(), LIMITS).unwrap();
        self.spool = spool;
        self.dir = left;
        assert!(found.degraded.is_none());
        let rows = all(&mut self.spool);
        for row in &rows {
            let mut known = [&self.waiting, &self.limbo].into_iter();
            assert!(
                known.any(|k| k.get(&row.seq) == Some(row)),
                "came back: {row:?}"
            );
        }
        let missing = |row: &&Row| !rows.contains(row);
        assert_eq!(self.durable.values().find(missing), None, "lost");
        let undecided = self.waiting.len() - self.durable.len() + self.limbo.len();
        assert!(found.lost_rows <= undecided as u64, "{found:?}");
        self.waiting = rows.into_iter().map(|row| (row.seq, row)).collect();
        self.synced();
    }

    fn check(&mut self) {
        let rows = all(&mut self.spool);
        assert!(rows.iter().eq(self.waiting.values()));
        assert_eq!(self.spool.len(), self.waiting.len() as u64);
        assert_eq!(self.spool.oldest(), self.waiting.keys().next().copied());
        let oldest = self.waiting.values().next().map(|r| r.at_ms);
        assert_eq!(self.spool.oldest_at_ms(), oldest);
        let bytes = bytes_in(self.dir.path());
        let aside = self.spool.disk.faults.state().peak;
        assert!(bytes.max(aside) <= LIMITS.total_bytes);
        assert_eq!(self.spool.bytes(), bytes);
        assert_eq!(self.spool.take_counts(), Counts::default());
    }
}

/// What a loss of power leaves of a spool's directory.
pub(super) fn after_power_loss(spool: &Spool, chances: &[u16]) -> TempDir {
    let left = temporary();
    let state = spool.disk.faults.state();
    let mut chances = chances.iter().map(|c| usize::from(*c)).cycle();
    let mut chance = |n: usize| chances.next().map(|c| c % n);
    for path in segments(spool.disk.dir()) {
        let inode = fs::metadata(&path).unwrap().ino();
        let bytes = fs::read(&path).unwrap();
        let durable = state
            .durable
            .get(&inode)
            .map_or(0, |d| usize::try_from(*d).unwrap());
        let durable = durable.min(bytes.len());
        let is_linked = !state.unlinked.contains(&inode) || chance(3) != Some(0);
        let kept = chance(bytes.len() - durable + 1).unwrap_or(bytes.len() - durable);
        if is_linked {
            let to = left.path().join(path.file_name().unwrap());
            fs::write(to, &bytes[..durable + kept]).unwrap();
        }
    }
    for (path, bytes) in &state.ghosts {
        let to = left.path().join(path.file_name().unwrap());
        let is_segment = path.extension().is_some_and(|e| e == "log");
        if is_segment && chance(2) == Some(0) {
            fs::write(to, bytes).unwrap();
        }
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn nothing_durable_is_lost_and_nothing_done_comes_back(steps in vec(step(), 1..150)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }
    }
}
