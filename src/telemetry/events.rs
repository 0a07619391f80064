//! Things worth telling. Each is a struct; `emit` writes its line and moves its metrics.

mod alerts;
mod ended;
mod money;
mod records;

use tracing::{debug, error, info, warn};

use super::metrics::{count, count_by, set_breaker};
use super::names;

pub use alerts::{AlertDropped, AlertRaised, ReceiverMoved, WebhookBacklog, WebhookTried};
pub use ended::{TurnEnded, short_session};
pub use money::{BudgetSeen, CatalogRefreshed, CostLookedUp, FlagChanged, LeaseRefused};
pub use records::{
    LogUnwritten, LogWritten, RecordDropped, RecordsDelayed, RecordsFlow, RowQuarantined,
    SchemaSeen, SpoolRecovered, SpoolSeen,
};

/// Committed exchanges that memory will never hold.
#[derive(Debug)]
pub struct MemoryWriteDropped {
    /// `queue_full`, `spool_full`, `unreadable`, `given_up` or `stopped`.
    pub reason: &'static str,
    pub exchanges: usize,
}

impl MemoryWriteDropped {
    pub fn emit(&self) {
        count_by(
            names::MEMORY_WRITES_DROPPED_TOTAL,
            &[("reason", self.reason.to_owned())],
            self.exchanges as u64,
        );
        warn!(
            target: "clm::memory",
            reason = self.reason,
            exchanges = self.exchanges,
            "memory writes were dropped"
        );
    }
}

/// A request was refused with an error body.
#[derive(Debug)]
pub struct RequestRefused<'a> {
    pub kind: &'static str,
    pub status: u16,
    pub route: &'a str,
    /// Why, without any of the caller's text.
    pub reason: &'a str,
    pub trace_id: &'a str,
}

impl RequestRefused<'_> {
    pub fn emit(&self) {
        count(names::HTTP_ERRORS_TOTAL, &[("type", self.kind.to_owned())]);
        info!(
            target: "clm::http",
            kind = self.kind,
            status = self.status,
            route = self.route,
            reason = self.reason,
            trace = self.trace_id,
            "request refused"
        );
    }
}

/// A key or a session has had as many turns as it may. Counted alone: the refusal has its own line.
#[derive(Debug)]
pub struct TurnLimited {
    /// `key` or `session`.
    pub scope: &'static str,
}

impl TurnLimited {
    pub fn emit(&self) {
        count(
            names::RATE_LIMITED_TOTAL,
            &[("scope", self.scope.to_owned())],
        );
    }
}

/// An export was broken off before its end. Its head was sent with 200, so no error counts it.
#[derive(Debug)]
pub struct ExportCut<'a> {
    pub reason: &'a str,
}

impl ExportCut<'_> {
    pub fn emit(&self) {
        warn!(target: "clm::http", reason = self.reason, "an export was broken off");
    }
}

/// A request asked for what had been asked already, and got the answer that was there.
#[derive(Debug)]
pub struct RepeatHeard {
    /// `joined`: the first one's answer was still being said. `replayed`: it was said again.
    /// `elsewhere`: either, by another machine.
    pub how: &'static str,
}

impl RepeatHeard {
    pub fn emit(&self) {
        count(names::REPEATS_TOTAL, &[("how", self.how.to_owned())]);
        debug!(target: "clm::turn", how = self.how, "a request was heard again");
    }
}

/// A model stopped before it had said all. Counted alone: the turn's own line tells of the turn.
#[derive(Debug)]
pub struct AnswerCut {
    /// `length`: it met a limit of tokens, its own or ours. `content_filter`: its provider's filter stopped it.
    pub reason: &'static str,
}

impl AnswerCut {
    pub fn emit(&self) {
        count(
            names::ANSWERS_CUT_TOTAL,
            &[("reason", self.reason.to_owned())],
        );
    }
}

/// A session's next request showed how much of the last reply was heard. Counted alone: it happens
/// in every turn, and the line would be one a turn.
#[derive(Debug)]
pub struct ReplyHeard {
    /// `cut` or `unheard`.
    pub how: &'static str,
}

impl ReplyHeard {
    pub fn emit(&self) {
        count(names::REPLIES_HEARD_TOTAL, &[("how", self.how.to_owned())]);
    }
}

/// A voice platform told of a call.
#[derive(Debug)]
pub struct WebhookTaken {
    pub platform: &'static str,
    /// `started`, `ended` or `other`.
    pub event: &'static str,
    /// `taken` or `ignored`.
    pub status: &'static str,
}

impl WebhookTaken {
    pub fn emit(&self) {
        info!(
            target: "clm::webhook",
            platform = self.platform,
            event = self.event,
            status = self.status,
            "a platform told of a call"
        );
    }
}

/// Session ids hold no more. Which ones is for the store to say.
#[derive(Debug)]
pub struct SessionsRevoked {
    pub sessions: usize,
}

impl SessionsRevoked {
    pub fn emit(&self) {
        info!(target: "clm::session", sessions = self.sessions, "session ids were revoked");
    }
}

/// Somebody made a link that opens a session to whoever has it. Which one the line does not say: an id
/// that nobody signed may be somebody's name.
#[derive(Debug)]
pub struct SessionShared<'a> {
    /// The admin, as in the audit of flags.
    pub by: &'a str,
    /// When it ends, RFC 3339.
    pub until: &'a str,
}

impl SessionShared<'_> {
    pub fn emit(&self) {
        let Self { by, until } = *self;
        info!(target: "clm::session", by, until, "a link to a session was made");
    }
}

/// A turn's code panicked. What it panicked with may hold words of somebody and is not told here.
#[derive(Debug)]
pub struct TurnPanicked;

impl TurnPanicked {
    pub fn emit(&self) {
        count(names::PANICS_TOTAL, &[]);
        error!(target: "clm::turn", "a turn ended in a panic");
    }
}

/// A circuit breaker changed its mind.
#[derive(Debug)]
pub struct BreakerMoved<'a> {
    /// What it stands before; from a set that configuration bounds, since it is a label.
    pub target: &'a str,
    /// `open`, `half_open` (one call tries), `cooling` (told to wait, not broken) or `closed`.
    pub state: &'static str,
}

impl BreakerMoved<'_> {
    pub fn emit(&self) {
        let Self { target, state } = *self;
        // The field is not called `target`: in a JSON line that is the name of the line's origin.
        let level = match state {
            "closed" => {
                info!(target: "clm::breaker", breaker = target, state, "calls are made again");
                0
            }
            "open" => {
                warn!(target: "clm::breaker", breaker = target, state, "calls are stopped for now");
                2
            }
            _ => {
                debug!(target: "clm::breaker", breaker = target, state, "calls are held down");
                1
            }
        };
        set_breaker(target, level);
    }
}

/// Events of one upstream stream that could not be read and were passed over.
#[derive(Debug)]
pub struct SkippedEvents<'a> {
    pub model: &'a str,
    pub count: u64,
}

impl SkippedEvents<'_> {
    pub fn emit(&self) {
        if self.count == 0 {
            return;
        }
        let model = self.model.to_owned();
        count_by(
            names::UPSTREAM_MALFORMED_TOTAL,
            &[("model", model)],
            self.count,
        );
        debug!(
            target: "clm::upstream",
            model = self.model,
            count = self.count,
            "upstream events were skipped"
        );
    }
}

/// Telemetry that never reached the collector. Counted alone: the line is the collector's.
#[derive(Debug)]
pub struct TelemetryDropped {
    /// `traces` or `metrics`.
    pub signal: &'static str,
    /// Spans, or exports of metrics.
    pub count: usize,
}

impl TelemetryDropped {
    #[must_use]
    pub fn spans(count: usize) -> Self {
        let signal = "traces";
        Self { signal, count }
    }

    pub fn emit(&self) {
        let by = u64::try_from(self.count).unwrap_or(u64::MAX);
        let labels = [("signal", self.signal.to_owned())];
        count_by(names::TELEMETRY_DROPPED_TOTAL, &labels, by);
    }
}

/// The collector stopped taking telemetry, or takes it again. Told once each way.
#[derive(Debug)]
pub struct CollectorMoved {
    /// `traces` or `metrics`.
    pub signal: &'static str,
    /// Why it takes none; absent: it does.
    pub trouble: Option<&'static str>,
}

impl CollectorMoved {
    pub fn emit(&self) {
        let signal = self.signal;
        match self.trouble {
            Some(kind) => warn!(
                target: "clm::export",
                signal, kind, "the collector takes no telemetry: it is dropped and counted"
            ),
            None => info!(target: "clm::export", signal, "the collector takes telemetry"),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn an_event_moves_its_metric() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            RepeatHeard { how: "joined" }.emit();
            ReplyHeard { how: "cut" }.emit();
            TurnPanicked.emit();
            for (target, state) in [
                ("a", "open"),
                ("b", "open"),
                ("b", "half_open"),
                ("c", "cooling"),
                ("d", "open"),
                ("d", "closed"),
            ] {
                BreakerMoved { target, state }.emit();
            }
            for count in [0, 3, 2] {
                SkippedEvents { model: "m", count }.emit();
            }
            let (model, count) = ("none", 0);
            SkippedEvents { model, count }.emit();
        });
        let text = recorder.handle().render();
        for line in [
            r#"clm_repeats_total{how="joined"} 1"#,
            r#"clm_replies_heard_total{how="cut"} 1"#,
            "clm_panics_total 1",
            r#"clm_breaker_state{target="a"} 2"#,
            r#"clm_breaker_state{target="b"} 1"#,
            r#"clm_breaker_state{target="c"} 1"#,
            r#"clm_breaker_state{target="d"} 0"#,
            r#"clm_upstream_malformed_total{model="m"} 5"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("none"), "{text}");
    }
}
