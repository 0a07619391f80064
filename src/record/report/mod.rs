//! Reports: what models and coaches cost and how they did, over any time that is kept.
//!
//! `source` reads sums (`cells`) from summaries and turns, `items` makes reports of them (`verdict`
//! judges experiments), `summarise` makes the summaries. To add a report: a word in [`ReportKind`], a function in `items`.

mod cells;
mod columns;
mod interval;
mod items;
pub(super) mod sketch;
mod source;
mod summarise;
mod verdict;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::config::Baseline;

use super::store::{Store, StoreError};

use self::source::DAY_MS;

pub use self::items::Item;
pub use self::summarise::Summariser;

/// How long an answer stands before it is made anew.
const FRESH: Duration = Duration::from_secs(5);
/// Answers kept, for whoever asks again and for when the store does not answer.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
/// How long a report may take in all; each of its questions has its own bound besides.
const PATIENCE: Duration = Duration::from_secs(10);
/// Up to here spend is told by the hour.
const BY_HOUR_MS: i64 = 2 * DAY_MS;

/// What can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    Models,
    Coaches,
    Savings,
    Spend,
    Experiments,
}

impl ReportKind {
    /// Every report, in the order in which they are listed.
    pub const ALL: [Self; 5] = [
        Self::Models,
        Self::Coaches,
        Self::Savings,
        Self::Spend,
        Self::Experiments,
    ];

    /// Its name in addresses and commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Coaches => "coaches",
            Self::Savings => "savings",
            Self::Spend => "spend",
            Self::Experiments => "experiments",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub kind: ReportKind,
    /// The time it covers, milliseconds since the Unix epoch; the end is not included.
    pub since_ms: i64,
    pub until_ms: i64,
    pub items: Vec<Item>,
    pub totals: Item,
    /// The store does not answer now: this is what it said before, until `until_ms`.
    pub is_stale: bool,
}

/// Makes reports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reporter {
    store: Store,
    clock: Clock,
    baseline: Arc<Baseline>,
    kept: Arc<Mutex<LruCache<Wanted, (Instant, Report)>>>,
}

type Wanted = (ReportKind, Duration);

impl Reporter {
    pub(super) fn new(store: Store, clock: Clock, baseline: Baseline) -> Self {
        Self {
            store,
            clock,
            baseline: Arc::new(baseline),
            kept: Arc::new(Mutex::new(LruCache::new(KEPT))),
        }
    }

    /// A report over the last `range`. Answers are made anew after five seconds at the earliest; where
    /// the store does not answer, an older one is given and says so.
    ///
    /// # Errors
    /// When the store does not answer and nobody has asked for the same before.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn report(&self, kind: ReportKind, range: Duration) -> Result<Report, StoreError> {
        let wanted = (kind, range);
        let before = self.kept().get(&wanted).cloned();
        if let Some((at, report)) = &before
            && at.elapsed() < FRESH
        {
            return Ok(report.clone());
        }
        let made = timeout(PATIENCE, self.make(kind, range)).await;
        match made.unwrap_or(Err(StoreError::Timeout)) {
            Ok(report) => {
                self.kept().put(wanted, (Instant::now(), report.clone()));
                Ok(report)
            }
            Err(error) => {
                let (_, mut report) = before.ok_or(error)?;
                report.is_stale = true;
                Ok(report)
            }
        }
    }

    async fn make(&self, kind: ReportKind, range: Duration) -> Result<Report, StoreError> {
        // The turn that began in this very millisecond is part of the answer.
        let until_ms = self.clock.now_ms() + 1;
        let range_ms = i64::try_from(range.as_millis()).unwrap_or(i64::MAX);
        let since_ms = until_ms.saturating_sub(range_ms).max(0);
        let days = kind != ReportKind::Spend || range_ms > BY_HOUR_MS;
        let cells = source::cells(&self.store, since_ms, until_ms, days).await?;
        let (items, totals) = match kind {
            ReportKind::Models => items::models(&cells),
            ReportKind::Coaches => items::coaches(&cells),
            ReportKind::Savings => items::savings(&cells, &self.baseline),
            ReportKind::Spend => items::spend(&cells, days),
            ReportKind::Experiments => items::experiments(&cells),
        };
        Ok(Report {
            kind,
            since_ms,
            until_ms,
            items,
            totals,
            is_stale: false,
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, LruCache<Wanted, (Instant, Report)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
