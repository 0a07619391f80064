//! The process's metrics: described, zeroed, and rendered for Prometheus. The raw macros stay here.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::Histogram;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use super::logs::DroppedLines;
use super::names::{self, Kind};

/// Bounds fit for voice, in seconds.
const BUCKETS: &[f64] = &[
    0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0,
];
/// Our own share is far smaller than any of those.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
];

/// The `GenAI` conventions' advice for times: doubling.
const CALL_BUCKETS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// And for tokens: by four.
const TOKEN_BUCKETS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Counters that read zero before they move: name, label, the label's known values.
const ZEROED: &[(&str, &str, &[&str])] = &[
    (
        names::SPOOL_DROPPED_TOTAL,
        "reason",
        &["queue_full", "spool_full"],
    ),
    (
        names::MEMORY_WRITES_DROPPED_TOTAL,
        "reason",
        &["queue_full", "given_up"],
    ),
    (
        names::FAILOVERS_TOTAL,
        "phase",
        &["before_speech", "after_speech"],
    ),
    (names::HEDGES_TOTAL, "result", &["won", "lost", "failed"]),
    (names::RESUMES_TOTAL, "result", &["recovered", "failed"]),
    (names::RATE_LIMITED_TOTAL, "scope", &["key", "session"]),
    (
        names::ANSWERS_CUT_TOTAL,
        "reason",
        &["length", "content_filter"],
    ),
    (names::REPEATS_TOTAL, "how", &["joined", "replayed"]),
    (names::REPLIES_HEARD_TOTAL, "how", &["cut", "unheard"]),
    (
        names::CATALOG_REFRESHES_TOTAL,
        "outcome",
        &[
            "fresh",
            "unpriced",
            "unreachable",
            "refused",
            "unreadable",
            "too_large",
        ],
    ),
    (
        names::COST_CORRECTIONS_TOTAL,
        "result",
        &["corrected", "unchanged", "gave_up", "crowded_out"],
    ),
    (
        names::TELEMETRY_DROPPED_TOTAL,
        "signal",
        &["traces", "metrics"],
    ),
    (
        names::WEBHOOKS_TOTAL,
        "result",
        &["delivered", "failed", "given_up"],
    ),
];

/// Whoever knows how many log lines were lost.
static LOST_LINES: OnceLock<DroppedLines> = OnceLock::new();

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder once and describes every metric; later calls find it installed.
pub fn install() {
    RECORDER.get_or_init(|| {
        let recorder = build().ok()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        Some(handle)
    });
}

fn build() -> Result<metrics_exporter_prometheus::PrometheusRecorder, BuildError> {
    use metrics_exporter_prometheus::Matcher;
    let of = |name: &str| Matcher::Full(name.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets(BUCKETS)?
        .set_buckets_for_metric(of(names::OVERHEAD_SECONDS), OVERHEAD_BUCKETS)?
        .set_buckets_for_metric(of(names::CALL_SECONDS), CALL_BUCKETS)?
        .set_buckets_for_metric(of(names::FIRST_CHUNK_SECONDS), CALL_BUCKETS)?
        .set_buckets_for_metric(of(names::CHUNK_SECONDS), CALL_BUCKETS)?
        .set_buckets_for_metric(of(names::TOKENS), TOKEN_BUCKETS)?
        .build_recorder())
}

fn describe() {
    for (name, kind, help) in names::ALL {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
    for (name, _, _, help) in names::GENAI {
        metrics::describe_histogram!(*name, *help);
    }
    // A metric that has never moved reads zero, not nothing.
    metrics::gauge!(names::INFLIGHT).set(0.0);
    metrics::gauge!(names::CONNECTIONS).set(0.0);
    metrics::counter!(names::LOG_DROPPED_TOTAL).absolute(0);
    metrics::gauge!(names::CATALOG_UPDATED_SECONDS).set(0.0);
    metrics::gauge!(names::MODELS_UNLISTED).set(0.0);
    metrics::gauge!(names::MEMORY_BACKLOG).set(0.0);
    metrics::gauge!(names::WEBHOOK_BACKLOG).set(0.0);
    for name in [
        names::INTERRUPTS_TOTAL,
        names::LEADINS_TOTAL,
        names::PANICS_TOTAL,
        names::ALERTS_DROPPED_TOTAL,
    ] {
        metrics::counter!(name).absolute(0);
    }
    for outcome in crate::turn::Outcome::ALL {
        metrics::counter!(names::TURNS_TOTAL, "outcome" => outcome.as_str(), "coach" => "master")
            .absolute(0);
    }
    for (name, label, values) in ZEROED {
        for value in *values {
            metrics::counter!(*name, &[(*label, *value)]).absolute(0);
        }
    }
}

/// The Prometheus text format, version 0.0.4.
#[must_use]
pub fn render() -> String {
    if let Some(lost) = LOST_LINES.get() {
        lost.publish();
    }
    RECORDER
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// From now on the page tells how many log lines were lost.
pub(super) fn watch_log(lines: DroppedLines) {
    // There is one log in a process.
    let _ = LOST_LINES.set(lines);
}

/// Keeps histograms bounded: to be called every few seconds.
pub fn upkeep() {
    if let Some(handle) = RECORDER.get().and_then(Option::as_ref) {
        handle.run_upkeep();
    }
}

pub(super) fn count(name: &'static str, labels: &[(&'static str, String)]) {
    count_by(name, labels, 1);
}

pub(super) fn count_by(name: &'static str, labels: &[(&'static str, String)], by: u64) {
    metrics::counter!(name, labels).increment(by);
}

pub(super) fn observe(name: &'static str, labels: &[(&'static str, String)], time: Duration) {
    handle(name, labels).record(time.as_secs_f64());
}

/// A histogram's series, for what is measured more than once.
pub(super) fn handle(name: &'static str, labels: &[(&'static str, String)]) -> Histogram {
    metrics::histogram!(name, labels)
}

pub(super) fn set(name: &'static str, value: f64) {
    metrics::gauge!(name).set(value);
}

/// How far a breaker is open, from 0 to 2; set by its event.
pub(super) fn set_breaker(target: &str, level: u8) {
    metrics::gauge!(names::BREAKER_STATE, "target" => target.to_owned()).set(f64::from(level));
}

/// What was spent today, dollars, and which part of the budget that is; set by its event.
#[expect(
    clippy::cast_precision_loss,
    reason = "billions of dollars would be needed"
)]
pub(super) fn set_budget(spent: i64, daily: i64) {
    let spent = spent as f64;
    metrics::gauge!(names::BUDGET_SPENT_DOLLARS).set(spent / 1e6);
    // A budget of nothing is all used up.
    let ratio = if daily > 0 { spent / daily as f64 } else { 1.0 };
    metrics::gauge!(names::BUDGET_USED_RATIO).set(ratio);
}

/// When the list of models was refreshed, and how many configured ones it lacks; set by its event.
pub(super) fn set_catalog(updated_s: i64, unlisted: usize) {
    // Exact until the year 2106.
    let updated = u32::try_from(updated_s).unwrap_or(u32::MAX);
    let unlisted = u32::try_from(unlisted).unwrap_or(u32::MAX);
    metrics::gauge!(names::CATALOG_UPDATED_SECONDS).set(f64::from(updated));
    metrics::gauge!(names::MODELS_UNLISTED).set(f64::from(unlisted));
}

/// Turns open now; set by admission.
pub fn set_inflight(turns: usize) {
    let turns = u32::try_from(turns).unwrap_or(u32::MAX);
    metrics::gauge!(names::INFLIGHT).set(f64::from(turns));
}

/// How many connections callers may have, and when the process began, seconds since the Unix epoch.
pub fn set_started(places: usize, at_s: i64) {
    let places = u32::try_from(places).unwrap_or(u32::MAX);
    let at_s = u32::try_from(at_s).unwrap_or_default();
    metrics::gauge!(names::CONNECTIONS_LIMIT).set(f64::from(places));
    metrics::gauge!(names::START_TIME_SECONDS).set(f64::from(at_s));
}

/// A caller's connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connected(());

impl Connected {
    /// Counts one more.
    #[must_use]
    pub fn one() -> Self {
        metrics::gauge!(names::CONNECTIONS).increment(1.0);
        Self(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        metrics::gauge!(names::CONNECTIONS).decrement(1.0);
    }
}

/// Exchanges that wait to be written to memory; set by what keeps them.
pub fn set_memory_backlog(exchanges: usize) {
    let exchanges = u32::try_from(exchanges).unwrap_or(u32::MAX);
    metrics::gauge!(names::MEMORY_BACKLOG).set(f64::from(exchanges));
}

/// Log lines lost so far; read from the writer when metrics are rendered.
pub fn set_log_dropped(lines: usize) {
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    metrics::counter!(names::LOG_DROPPED_TOTAL).absolute(lines);
}
