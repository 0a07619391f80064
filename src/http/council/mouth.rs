//! How a council is told: events as it gets on, or everything in one body at its end.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Map, Value, json};

use crate::council::{Named, State};
use crate::http::body::Outlet;
use crate::http::error::Refusal;
use crate::pipeline::{Bill, Mouth, Progress, Share};
use crate::sse;
use crate::turn::{Fault, FinishReason, Head, ToolCall, Usage};
use crate::upstream::millis;

/// In which form it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Events,
    Body,
}

/// Tells one council.
pub(super) struct CouncilMouth {
    form: Form,
    turn_id: String,
    trace_id: String,
    session: String,
    /// Absent where no model is asked.
    bill: Option<Bill>,
    out: BytesMut,
    opening: String,
    answer: String,
    plan: Value,
    /// The specialists that were named, in the plan's order, and what became of each.
    seats: Vec<(String, State)>,
    /// What it came to, once it has ended: the specialists, and all of it. Afterwards nobody knows.
    coaches: Value,
    totals: Option<Value>,
    fault: Option<Fault>,
    /// Nobody takes anything any more.
    left: bool,
}

impl CouncilMouth {
    pub(super) fn new(form: Form, head: &Head, session: &str, bill: Option<Bill>) -> Self {
        Self {
            form,
            turn_id: head.turn_id.to_string(),
            trace_id: head.trace.trace_id(),
            session: session.to_owned(),
            bill,
            out: BytesMut::new(),
            opening: String::new(),
            answer: String::new(),
            plan: json!([]),
            seats: Vec::new(),
            coaches: json!([]),
            totals: None,
            fault: None,
            left: false,
        }
    }

    /// Why there is no answer.
    pub(super) fn failure(&self) -> Option<Refusal> {
        self.fault.map(Refusal::from)
    }

    /// The whole council.
    pub(super) fn body(&self) -> Value {
        json!({
            "answer": self.answer,
            "opening": self.opening,
            "plan": self.plan,
            "coaches": self.coaches,
            "totals": self.totals,
            "turn_id": self.turn_id,
            "session_id": self.session,
        })
    }

    /// A specialist with what it cost so far.
    fn seat(&self, coach: &str, field: &str, state: State) -> Value {
        let bill = self.bill.as_ref();
        let share = bill.map(|bill| bill.share(Some(coach))).unwrap_or_default();
        json!({
            "coach": coach,
            (field): state.as_str(),
            "model": share.model,
            "cost_usd": dollars(&share),
            "tokens": share.tokens,
        })
    }

    fn coaches(&self) -> Value {
        let seats = self.seats.iter();
        seats
            .map(|(coach, state)| self.seat(coach, "outcome", *state))
            .collect()
    }

    fn totals(&self) -> Map<String, Value> {
        let bill = self.bill.as_ref();
        let share = bill.map(|bill| bill.share(None)).unwrap_or_default();
        let took = bill.map(Bill::duration).unwrap_or_default();
        let mut totals = Map::new();
        totals.insert("cost_usd".to_owned(), json!(dollars(&share)));
        totals.insert("tokens".to_owned(), json!(share.tokens));
        totals.insert("duration_ms".to_owned(), json!(millis(took)));
        totals
    }

    fn event(&mut self, name: &str, data: &Value) {
        if self.form == Form::Events && !self.left {
            sse::named(&mut self.out, name, |o| {
                o.put_slice(data.to_string().as_bytes());
            });
        }
    }
}

/// Nothing known is no nothing: then there is no figure.
fn dollars(share: &Share) -> Option<String> {
    share.cost.map(|cost| cost.to_string())
}

impl Outlet for CouncilMouth {
    fn take(&mut self) -> Bytes {
        self.out.split().freeze()
    }
}

impl Mouth for CouncilMouth {
    fn words(&mut self, words: &str) {
        if self.form == Form::Body {
            self.answer.push_str(words);
        }
        self.event("delta", &json!({ "text": words }));
    }

    fn opening(&mut self, words: &str) {
        words.trim_end().clone_into(&mut self.opening);
        self.event("opening", &json!({ "text": words }));
    }

    fn progress(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Plan(named) => {
                self.plan = named.iter().map(told).collect();
                let plan = json!({ "plan": self.plan });
                self.event("plan", &plan);
            }
            Progress::Specialist(coach, state) => {
                match self.seats.iter_mut().find(|(id, _)| id == coach) {
                    Some((_, old)) => *old = state,
                    None => self.seats.push((coach.to_owned(), state)),
                }
                let seat = self.seat(coach, "state", state);
                self.event("specialist", &seat);
            }
        }
    }

    /// Nobody offered any.
    fn tool(&mut self, _call: &ToolCall) {}

    fn end(&mut self, _reason: FinishReason, _usage: Option<&Usage>) {
        if self.has_ended() {
            return;
        }
        self.coaches = self.coaches();
        let totals = self.totals();
        let mut told = totals.clone();
        self.totals = Some(totals.into());
        told.insert("turn_id".to_owned(), json!(self.turn_id));
        told.insert("session_id".to_owned(), json!(self.session));
        self.event("totals", &told.into());
    }

    fn fault(&mut self, fault: Fault) {
        if self.has_ended() {
            return;
        }
        self.fault = Some(fault);
        let error = Refusal::from(fault).json(&self.trace_id);
        self.event("error", &error);
    }

    fn leave(&mut self) {
        self.left = true;
        self.out = BytesMut::new();
    }

    fn has_spoken(&self) -> bool {
        !self.opening.is_empty() || !self.answer.is_empty()
    }

    fn has_ended(&self) -> bool {
        self.totals.is_some() || self.fault.is_some()
    }

    /// The totals are told with the last word, so it waits for what they are made of.
    fn wants_usage(&self) -> bool {
        true
    }

    fn backlog(&self) -> usize {
        self.out.len()
    }
}

fn told(named: &Named) -> Value {
    json!({ "coach": named.coach, "why": named.why })
}
