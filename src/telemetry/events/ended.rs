//! The end of a turn: its one line, and everything counted of it.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::info;

use crate::telemetry::genai;
use crate::telemetry::metrics::{count, count_by, observe};
use crate::telemetry::names;
use crate::turn::{AttemptRecord, Cause, CostSource, Outcome, TurnRecord};

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
            plan = t.model_reason.as_deref().unwrap_or_default(),
            out = %t.outcome,
            mem = %format_args!("{}({})", ms(t.memory_ms), t.memory_outcome),
            up = %ms(t.upstream_headers_ms),
            first = %ms(t.first_speakable_ms),
            total = %ms(Some(t.total_ms)),
            own = %ms(t.overhead_ms),
            tok = t.completion_tokens.unwrap_or(0),
            cost = %cost,
            att = t.attempts.len(),
            hedge = u8::from(t.hedged),
            cont = u8::from(t.continued),
            lead = u8::from(t.lead_in),
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
        let limit = t.model_reason.as_deref();
        let limit = limit.and_then(|reason| reason.strip_prefix("budget:"));
        if let Some(limit) = limit.filter(|_| t.outcome == Outcome::Shed) {
            count(names::BUDGET_REFUSALS_TOTAL, &[("limit", limit.to_owned())]);
        }
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
            genai::count_call(attempt);
            count_cached(t, attempt);
            count_cause(t, attempt);
        }
        if t.lead_in {
            count(names::LEADINS_TOTAL, &[]);
        }
        if t.continued {
            let result = match t.outcome {
                Outcome::PartialRecovered => "recovered",
                _ => "failed",
            };
            count(names::RESUMES_TOTAL, &[("result", result.to_owned())]);
        }
    }
}

/// Counts how much of each call's prompt a provider had cached. Both counters move together or not at
/// all, so that one over the other is a coach's ratio: it falls when something volatile gets into the
/// prefix.
fn count_cached(turn: &TurnRecord, attempt: &AttemptRecord) {
    let (Some(prompt), Some(cached)) = (attempt.prompt_tokens, attempt.cached_tokens) else {
        return;
    };
    let coach = attempt.coach.as_ref().unwrap_or(&turn.coach);
    let coach = [("coach", coach.clone())];
    // A bill that claims more than was asked must not make the ratio more than one.
    let cached = cached.min(prompt);
    count_by(names::PROMPT_TOKENS_TOTAL, &coach, prompt);
    count_by(names::CACHED_TOKENS_TOTAL, &coach, cached);
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

/// Counts what an attempt was made for, where that is a race or another's failure.
fn count_cause(turn: &TurnRecord, attempt: &AttemptRecord) {
    let (name, label, value) = match attempt.cause {
        Cause::First | Cause::Mended | Cause::Plan | Cause::Specialist => return,
        Cause::Fallback => (names::FAILOVERS_TOTAL, "phase", "before_speech"),
        Cause::Resume => (names::FAILOVERS_TOTAL, "phase", "after_speech"),
        Cause::Hedge => (names::HEDGES_TOTAL, "result", hedge_result(turn, attempt)),
    };
    count(name, &[(label, value.to_owned())]);
}

/// Whether a hedge was worth it: `failed` with an error, `won` if it is the one that spoke, else
/// `lost`, also where the caller hung up before either spoke.
fn hedge_result(turn: &TurnRecord, hedge: &AttemptRecord) -> &'static str {
    if hedge.error_kind.is_some() {
        return "failed";
    }
    // Not told by `cancelled`: a caller who talks over the winner cancels it as well. Nor by the
    // model alone: a loser's model may be asked again, to go on after a break.
    let served = turn.served_model.as_deref();
    let last = turn.attempts.iter().rfind(|a| Some(&*a.model) == served);
    if last.is_some_and(|last| std::ptr::eq(last, hedge)) {
        "won"
    } else {
        "lost"
    }
}

/// A session's pseudonym for logs: an id may be a key to somebody's memory, so it is never shown.
#[must_use]
pub fn short_session(session_id: &str) -> String {
    if let Some(pseudonym) = session_id.strip_prefix("s_") {
        return format!("s_{}", pseudonym.get(..10).unwrap_or_default());
    }
    let digest: [u8; 32] = Sha256::digest(session_id.as_bytes()).into();
    format!("s_{}", base16ct::lower::encode_string(&digest[..5]))
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
    use std::sync::{Arc, Mutex};

    use metrics_exporter_prometheus::PrometheusBuilder;
    use serde_json::{Value, json};

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

    fn turn(fields: &Value, attempts: &[Value]) -> TurnRecord {
        let attempts: Vec<Value> = attempts
            .iter()
            .map(|attempt| {
                let mut all = json!({ "cost_source": "unknown", "cancelled": false,
                    "started_ms": 0.0, "ended_ms": 1.0 });
                merge(&mut all, attempt);
                all
            })
            .collect();
        let mut all = json!({
            "turn_id": "t", "session_id": "s", "profile": "hume", "identity": "body",
            "coach": "master", "coach_reason": "default", "tier": "free", "planned_model": "a",
            "served_model": "a", "outcome": "complete", "total_ms": 1.0, "memory_outcome": "off",
            "cost_source": "unknown", "hedged": false, "continued": false, "lead_in": false,
            "trace_id": "x", "created_at": 0, "attempts": attempts,
        });
        merge(&mut all, fields);
        serde_json::from_value(all).unwrap()
    }

    fn merge(into: &mut Value, from: &Value) {
        for (name, value) in from.as_object().unwrap() {
            into[name] = value.clone();
        }
    }

    /// The lines of `/metrics` that tell of races, moves, resumes, lead-ins and caches.
    fn counted(turn: &TurnRecord) -> Vec<String> {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || TurnEnded(turn).emit());
        let text = recorder.handle().render();
        let wanted = [
            "clm_failovers",
            "clm_hedges",
            "clm_leadins",
            "clm_resumes",
            "clm_prompt_tokens",
            "clm_cached_tokens",
        ];
        let mut lines: Vec<String> = text
            .lines()
            .filter(|l| wanted.iter().any(|w| l.starts_with(w)))
            .map(|l| l.trim_start_matches("clm_").replace("_total", ""))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn an_attempt_counts_by_what_it_was_made_for() {
        let first = json!({ "model": "a", "cause": "first", "error_kind": "status_429" });
        let mended = json!({ "model": "a", "cause": "mended", "error_kind": "status_500" });
        let fallback = json!({ "model": "b", "cause": "fallback", "error_kind": "cut" });
        let resume = json!({ "model": "c", "cause": "resume" });
        let attempts = [first, mended, fallback, resume];
        let mut fields = json!({ "served_model": "b", "outcome": "partial_recovered",
            "continued": true, "lead_in": true });
        let moves = [
            r#"failovers{phase="after_speech"} 1"#,
            r#"failovers{phase="before_speech"} 1"#,
            "leadins 1",
        ];
        let mut expected = moves.to_vec();
        expected.push(r#"resumes{result="recovered"} 1"#);
        assert_eq!(counted(&turn(&fields, &attempts)), expected);
        fields["outcome"] = json!("partial_failed");
        expected[3] = r#"resumes{result="failed"} 1"#;
        assert_eq!(counted(&turn(&fields, &attempts)), expected);
        let plain = [json!({ "model": "a", "cause": "first" })];
        assert!(counted(&turn(&json!({}), &plain)).is_empty());
    }

    #[test]
    fn what_was_cached_counts_beside_what_was_asked() {
        for (prompt, cached, expected) in [
            (json!(900), json!(600), &[600, 900][..]),
            (json!(900), json!(0), &[0, 900]),
            (json!(900), json!(1_000), &[900, 900]),
            (json!(900), json!(null), &[]),
            (json!(null), json!(600), &[]),
        ] {
            let call = json!({ "model": "a", "cause": "first", "prompt_tokens": prompt,
                "cached_tokens": cached });
            let names = ["cached_tokens", "prompt_tokens"].into_iter().zip(expected);
            let lines: Vec<String> = names
                .map(|(name, count)| format!(r#"{name}{{coach="master"}} {count}"#))
                .collect();
            let counts = counted(&turn(&json!({}), std::slice::from_ref(&call)));
            let counts: Vec<_> = counts.into_iter().filter(|l| l.contains("coach")).collect();
            assert_eq!(counts, lines, "{call}");
        }
        // Of a council each coach has its own.
        let of = |coach: Option<&str>| {
            json!({ "model": "a", "cause": "specialist", "coach": coach,
                "prompt_tokens": 900, "cached_tokens": 600 })
        };
        let counts = counted(&turn(&json!({}), &[of(Some("career")), of(None)]));
        for coach in ["career", "master"] {
            let line = format!(r#"cached_tokens{{coach="{coach}"}} 600"#);
            assert!(counts.contains(&line), "{line}: {counts:?}");
        }
    }

    #[test]
    fn a_hedge_wins_loses_or_fails() {
        let first = json!({ "model": "a", "cause": "first", "cancelled": true });
        let hedge = json!({ "model": "b", "cause": "hedge" });
        let cancelled = json!({ "model": "b", "cause": "hedge", "cancelled": true });
        let failed = json!({ "model": "b", "cause": "hedge", "error_kind": "cut" });
        let resume = json!({ "model": "b", "cause": "resume" });
        for (served, attempts, result) in [
            (json!("b"), vec![&first, &hedge], "won"),
            // The caller talked over the winner.
            (json!("b"), vec![&first, &cancelled], "won"),
            (json!("a"), vec![&first, &cancelled], "lost"),
            (json!("a"), vec![&first, &hedge], "lost"),
            (json!(null), vec![&first, &cancelled], "lost"),
            (json!("b"), vec![&first, &cancelled, &resume], "lost"),
            (json!("a"), vec![&first, &failed], "failed"),
            (json!("b"), vec![&first, &failed], "failed"),
        ] {
            let attempts: Vec<Value> = attempts.into_iter().cloned().collect();
            let turn = turn(&json!({ "served_model": served }), &attempts);
            let expected = format!(r#"hedges{{result="{result}"}} 1"#);
            assert!(counted(&turn).contains(&expected), "{turn:?}");
        }
    }

    #[test]
    fn the_turn_line_has_its_short_keys_in_order() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Sink(Arc::clone(&sink)))
            .finish();
        let attempts = [
            json!({ "model": "a", "cause": "first" }),
            json!({ "model": "b", "cause": "hedge" }),
        ];
        let turn = turn(&json!({ "hedged": true, "lead_in": true }), &attempts);
        tracing::subscriber::with_default(subscriber, || TurnEnded(&turn).emit());
        let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        assert!(text.contains(" att=2 hedge=1 cont=0 lead=1 err="), "{text}");
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
