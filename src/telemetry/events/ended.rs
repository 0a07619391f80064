//! The end of a turn: its one line, and everything counted of it.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::info;

use crate::telemetry::metrics::{count, observe};
use crate::telemetry::names;
use crate::turn::{AttemptRecord, CostSource, Outcome, TurnRecord};

/// A turn has ended and been settled: one line, all numbers.
#[derive(Debug)]
pub struct TurnEnded<'a>(pub &'a TurnRecord);

impl TurnEnded<'_> {
    /// Writes the turn's one line and moves its metrics.
    pub fn emit(&self) {
        self.count();
        let t = self.0;
        let cost = match (t.cost_microusd, t.cost_source) {
            (Some(cost), _) => format!("${cost}"),
            (None, _) => CostSource::Unknown.to_string(),
        };
        let errors: Vec<_> = t
            .attempts
            .iter()
            .filter_map(|a| a.error_kind.as_deref())
            .collect();
        info!(
            target: "clm::turn",
            turn = %t.turn_id,
            sess = %short_session(&t.session_id),
            coach = %t.coach,
            why = %t.coach_reason,
            model = t.served_model.as_deref().unwrap_or(&t.planned_model),
            out = %t.outcome,
            mem = %format_args!("{}({})", ms(t.memory_ms), t.memory_outcome),
            up = %ms(t.upstream_headers_ms),
            first = %ms(t.first_speakable_ms),
            total = %ms(Some(t.total_ms)),
            own = %ms(t.overhead_ms),
            tok = t.completion_tokens.unwrap_or(0),
            cost = %cost,
            att = t.attempts.len(),
            err = %errors.join(","),
            identity = %t.identity,
            profile = %t.profile,
            trace = %t.trace_id,
            "turn ended"
        );
    }

    fn count(&self) {
        let t = self.0;
        let coach = ("coach", t.coach.clone());
        count(
            names::TURNS_TOTAL,
            &[("outcome", t.outcome.to_string()), coach.clone()],
        );
        if t.outcome == Outcome::Interrupted {
            count(names::INTERRUPTS_TOTAL, &[]);
        }
        for (name, labels, time) in [
            (names::FIRST_TOKEN_SECONDS, vec![], t.first_token_ms),
            (
                names::FIRST_SPEAKABLE_SECONDS,
                vec![coach],
                t.first_speakable_ms,
            ),
            (names::OVERHEAD_SECONDS, vec![], t.overhead_ms),
            (
                names::MEMORY_SECONDS,
                vec![("source", t.memory_outcome.to_string())],
                t.memory_ms,
            ),
        ] {
            if let Some(time) = time {
                observe(name, &labels, seconds(time));
            }
        }
        for attempt in &t.attempts {
            count_attempt(attempt);
        }
        let moves = t.attempts.windows(2).filter(|pair| match pair {
            [before, after] => before.model != after.model,
            _ => false,
        });
        for _ in moves {
            count(
                names::FAILOVERS_TOTAL,
                &[("phase", "before_speech".to_owned())],
            );
        }
    }
}

fn count_attempt(attempt: &AttemptRecord) {
    let result = match (&attempt.error_kind, attempt.cancelled) {
        (Some(kind), _) => kind.clone(),
        (None, true) => "cancelled".to_owned(),
        (None, false) => "ok".to_owned(),
    };
    let model = ("model", attempt.model.clone());
    count(names::ATTEMPTS_TOTAL, &[model.clone(), ("result", result)]);
    if let Some(first) = attempt.first_token_ms {
        observe(
            names::UPSTREAM_TTFT_SECONDS,
            &[model],
            seconds(first - attempt.started_ms),
        );
    }
}

/// A session's pseudonym for logs: an id may be a key to somebody's memory, so it is never shown.
#[must_use]
pub fn short_session(session_id: &str) -> String {
    if let Some(pseudonym) = session_id.strip_prefix("s_") {
        return format!("s_{}", pseudonym.get(..10).unwrap_or_default());
    }
    let digest = Sha256::digest(session_id.as_bytes());
    digest
        .iter()
        .take(5)
        .fold(String::from("s_"), |mut out, byte| {
            use std::fmt::Write as _;
            let _ = write!(out, "{byte:02x}");
            out
        })
}

fn ms(time: Option<f64>) -> String {
    match time {
        None => "-".to_owned(),
        Some(t) if t >= 1000.0 => format!("{:.2}s", t / 1000.0),
        Some(t) if t >= 10.0 => format!("{t:.0}ms"),
        Some(t) => format!("{t:.2}ms"),
    }
}

fn seconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_at_a_glance() {
        for (time, text) in [
            (None, "-"),
            (Some(0.25), "0.25ms"),
            (Some(531.2), "531ms"),
            (Some(4203.0), "4.20s"),
        ] {
            assert_eq!(ms(time), text);
        }
    }

    #[test]
    fn a_session_is_never_shown() {
        let shown = short_session("alice-secret");
        assert!(shown.starts_with("s_") && shown.len() == 12 && !shown.contains("alice"));
    }
}
