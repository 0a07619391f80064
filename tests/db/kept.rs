//! A store of records and made-up turns to put into it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quest_clm::clock::Clock;
use quest_clm::config::{self, Sources};
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Reader, Recorder, Records, Reporter};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::{
    AttemptRecord, CallerProfile, Cause, CostSource, Identity, MemoryOutcome, MicroUsd, Outcome,
    Tier, TurnRecord,
};
use uuid::{ContextV7, Timestamp, Uuid};

use crate::support::until;

/// 23 November 2026, 12:00 UTC: the tests' now.
pub(crate) const NOW_MS: i64 = 1_795_435_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

/// The records of one process, in one of the two stores.
pub(crate) struct Kept {
    pub(crate) records: Records,
    pub(crate) recorder: Recorder,
    pub(crate) reader: Reader,
    handed: AtomicU64,
    seen: Arc<AtomicU64>,
}

/// The settings of a store under `data_dir`, in PostgreSQL where a URL is given.
pub(crate) fn settings(data_dir: &Path, url: Option<&str>) -> config::Store {
    let mut set = vec![("DATA_DIR", data_dir.to_string_lossy().into_owned())];
    set.extend(url.map(|url| ("DATABASE_URL", url.to_owned())));
    let sources = Sources::from_pairs(set);
    config::load(&sources).unwrap().store
}

impl Kept {
    pub(crate) fn open(data_dir: &Path, url: Option<&str>) -> Self {
        let lifecycle = Lifecycle::new();
        let clock = Clock::Fixed(NOW_MS);
        let settings = settings(data_dir, url);
        let records = Records::open(&settings, &lifecycle, clock, Live::default()).unwrap();
        let seen = Arc::new(AtomicU64::new(0));
        let witness = Arc::clone(&seen);
        let count = move |_: &TurnRecord| {
            witness.fetch_add(1, Ordering::Relaxed);
        };
        let recorder = records.start(count).unwrap();
        let reader = records.reader();
        Self {
            records,
            recorder,
            reader,
            handed: AtomicU64::new(0),
            seen,
        }
    }

    /// One that has no answers of before.
    pub(crate) fn reporter(&self) -> Reporter {
        self.records.reporter(config::Baseline {
            model: "big/model".to_owned(),
            input: MicroUsd(10_000_000),
            output: MicroUsd(30_000_000),
        })
    }

    /// Hands turns over and waits until the store has the last of them.
    pub(crate) async fn keep(&self, turns: &[TurnRecord]) {
        for turn in turns {
            self.recorder.keep(turn.clone());
        }
        self.handed.fetch_add(turns.len() as u64, Ordering::Relaxed);
        self.settled().await;
    }

    /// Waits until nothing is on its way any more.
    pub(crate) async fn settled(&self) {
        let all = self.handed.load(Ordering::Relaxed);
        let seen = || self.seen.load(Ordering::Relaxed);
        until("every turn is seen", async || seen() >= all).await;
        // What is no turn is seen by nobody: the writer takes it within a tenth of a second.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let health = self.records.health();
        until("the spool is empty", async || health.is_settled()).await;
    }
}

/// The `n`th of a day of made-up turns: one a minute back from now, of all kinds.
pub(crate) fn turn(n: u32) -> TurnRecord {
    let created_at = NOW_MS - i64::from(n) * MINUTE_MS - 1000;
    let pick = |of: &[&str]| of[n as usize % of.len()].to_owned();
    let outcome = Outcome::ALL[n as usize % Outcome::ALL.len()];
    let is_answered = !matches!(outcome, Outcome::Failed | Outcome::Shed);
    let model = pick(&["openai/gpt-6-luna", "anthropic/claude-sonnet-5", "x/y"]);
    let cost = (n % 5 != 4).then_some(MicroUsd(100 + i64::from(n)));
    let source = match n % 5 {
        0 | 1 => CostSource::Reported,
        2 | 3 => CostSource::Estimated,
        _ => CostSource::Unknown,
    };
    let attempt = AttemptRecord {
        cause: Cause::First,
        coach: n.is_multiple_of(4).then(|| "network".to_owned()),
        model: model.clone(),
        provider: Some("Anthropic".to_owned()),
        generation_id: Some(format!("gen-{n}")),
        status: Some(200),
        error_kind: (!is_answered).then(|| "first_token_timeout".to_owned()),
        started_ms: 0.25,
        headers_ms: Some(20.5),
        first_token_ms: is_answered.then_some(300.0),
        ended_ms: 1500.0,
        prompt_tokens: Some(800 + u64::from(n)),
        cached_tokens: is_answered.then_some(400),
        completion_tokens: is_answered.then_some(60),
        cost_microusd: cost,
        cost_source: source,
        cancelled: outcome == Outcome::Interrupted,
    };
    TurnRecord {
        turn_id: id_at(created_at, n),
        session_id: format!("session-{}", n % 7),
        user_hash: (!n.is_multiple_of(7)).then(|| format!("user-{}", n % 7)),
        profile: CallerProfile::Hume,
        identity: Identity::Body,
        coach: pick(&["master", "career", "skills", "leadership"]),
        coach_reason: "keyword:é=\"x\"".to_owned(),
        tier: Tier::ALL[n as usize % Tier::ALL.len()],
        complexity: n.is_multiple_of(2).then_some(0.25),
        experiment: n.is_multiple_of(3).then(|| "warmth".to_owned()),
        variant: n.is_multiple_of(3).then(|| pick(&["a", "b"])),
        planned_model: model.clone(),
        served_model: is_answered.then_some(model),
        provider: Some("Anthropic".to_owned()),
        generation_id: Some(format!("gen-{n}")),
        outcome,
        auth_ms: Some(0.01),
        memory_ms: None,
        plan_ms: Some(1.5),
        upstream_headers_ms: Some(20.5),
        first_token_ms: is_answered.then_some(300.0),
        first_speakable_ms: is_answered.then(|| 200.0 + f64::from(n % 40) * 50.0),
        total_ms: 1000.0 + f64::from(n),
        overhead_ms: Some(0.75),
        memory_outcome: MemoryOutcome::Hit,
        prompt_tokens: Some(800 + u64::from(n)),
        completion_tokens: is_answered.then_some(60),
        cached_tokens: Some(0),
        reasoning_tokens: None,
        cost_microusd: cost,
        cost_source: source,
        hedged: n.is_multiple_of(11),
        continued: n.is_multiple_of(13),
        lead_in: n % 2 == 1,
        model_reason: Some("complexity:0.86".to_owned()),
        ceiling_microusd: cost.is_none().then_some(MicroUsd(900)),
        satisfaction: None,
        trace_id: format!("{n:032x}"),
        created_at,
        attempts: vec![attempt],
    }
}

/// A UUIDv7 of that moment.
pub(crate) fn id_at(ms: i64, n: u32) -> String {
    let seconds = u64::try_from(ms / 1000).unwrap();
    let nanos = u32::try_from(ms % 1000).unwrap() * 1_000_000;
    let context = ContextV7::new();
    let stamp = Timestamp::from_unix(&context, seconds, nanos);
    let mut bytes = *Uuid::new_v7(stamp).as_bytes();
    // The same turn has the same id wherever it is made up.
    bytes[6] = 0x70;
    bytes[7] = 0;
    bytes[8] = 0x80;
    bytes[9..12].fill(0);
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    Uuid::from_bytes(bytes).to_string()
}
