//! What the operator is told, and what became of the webhooks that tell it.

use tracing::{debug, info, warn};

use crate::telemetry::metrics::{count, set};
use crate::telemetry::names;

/// The operator is told something, once.
#[derive(Debug)]
pub struct AlertRaised<'a> {
    /// The event's type, such as `breaker.open`.
    pub kind: &'static str,
    /// What it is about, from a set that configuration bounds.
    pub key: &'a str,
    /// In our words.
    pub message: &'a str,
}

impl AlertRaised<'_> {
    pub fn emit(&self) {
        count(names::ALERTS_TOTAL, &[("type", self.kind.to_owned())]);
        let Self { kind, key, message } = *self;
        warn!(target: "clm::alert", kind, key, what = message, "alert");
    }
}

/// Something that may have been worth telling came when too much was being told. Counted alone: the
/// line would be one for each, when there are too many.
#[derive(Debug)]
pub struct AlertDropped;

impl AlertDropped {
    pub fn emit(&self) {
        count(names::ALERTS_DROPPED_TOTAL, &[]);
    }
}

/// A webhook was tried, or will not be tried any more.
#[derive(Debug)]
pub struct WebhookTried<'a> {
    result: &'static str,
    id: &'a str,
    why: &'a str,
}

impl<'a> WebhookTried<'a> {
    #[must_use]
    pub fn delivered(id: &'a str) -> Self {
        let (result, why) = ("delivered", "");
        Self { result, id, why }
    }

    /// It will be tried again, unless it is lost too.
    #[must_use]
    pub fn failed(id: &'a str, why: &'a str) -> Self {
        let result = "failed";
        Self { result, id, why }
    }

    /// It will not be tried again: `full`, `gone`, `given_up`, `unreadable`, `damaged` or
    /// `stopped`.
    #[must_use]
    pub fn lost(result: &'static str, id: &'a str) -> Self {
        Self {
            result,
            id,
            why: "",
        }
    }

    pub fn emit(&self) {
        let Self { result, id, why } = *self;
        count(names::WEBHOOKS_TOTAL, &[("result", result.to_owned())]);
        match result {
            "delivered" => debug!(target: "clm::alert", webhook = id, "a webhook was delivered"),
            "failed" => {
                debug!(target: "clm::alert", webhook = id, why, "a webhook was not delivered")
            }
            _ => {
                warn!(target: "clm::alert", webhook = id, reason = result, "a webhook was dropped")
            }
        }
    }
}

/// Webhooks that wait to be delivered. Only a metric.
#[derive(Debug)]
pub struct WebhookBacklog(pub usize);

impl WebhookBacklog {
    pub fn emit(&self) {
        let waiting = u32::try_from(self.0).unwrap_or(u32::MAX);
        set(names::WEBHOOK_BACKLOG, f64::from(waiting));
    }
}

/// The receiver stopped taking webhooks, or takes them again. Told once each way.
#[derive(Debug)]
pub struct ReceiverMoved<'a> {
    /// Why it takes none, without its address; absent: it does.
    pub trouble: Option<&'a str>,
}

impl ReceiverMoved<'_> {
    pub fn emit(&self) {
        match self.trouble {
            Some(why) => warn!(
                target: "clm::alert",
                why, "the receiver takes no webhook: they wait and are tried again"
            ),
            None => info!(target: "clm::alert", "the receiver takes webhooks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn an_alert_and_its_webhook_move_their_metrics() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            AlertRaised {
                kind: "breaker.open",
                key: "breaker:zep",
                message: "zep keeps failing",
            }
            .emit();
            AlertDropped.emit();
            WebhookTried::failed("msg_1", "answers 500").emit();
            WebhookTried::failed("msg_1", "answers 500").emit();
            WebhookTried::delivered("msg_1").emit();
            WebhookTried::lost("given_up", "msg_2").emit();
            WebhookBacklog(3).emit();
        });
        let text = recorder.handle().render();
        for line in [
            r#"clm_alerts_total{type="breaker.open"} 1"#,
            "clm_alerts_dropped_total 1",
            r#"clm_webhooks_total{result="failed"} 2"#,
            r#"clm_webhooks_total{result="delivered"} 1"#,
            r#"clm_webhooks_total{result="given_up"} 1"#,
            "clm_webhook_backlog 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
