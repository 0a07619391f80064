//! Fields of the server's JSON, and how figures are written for people. What is absent is `-`: a
//! server may be older or newer than the command that asks it.

use serde_json::Value;

/// What stands where there is nothing to tell.
pub(super) const NONE: &str = "-";

pub(super) fn text_of<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}

pub(super) fn number_of(value: &Value, field: &str) -> Option<f64> {
    value.get(field).and_then(Value::as_f64)
}

pub(super) fn count_of(value: &Value, field: &str) -> Option<u64> {
    value.get(field).and_then(Value::as_u64)
}

pub(super) fn is(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool) == Some(true)
}

pub(super) fn list_of<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    let list = value.get(field).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A time in milliseconds, as the turn lines of the log write it.
pub(super) fn time(ms: Option<f64>) -> String {
    match ms {
        None => NONE.to_owned(),
        Some(t) if t >= 1000.0 => format!("{:.2}s", t / 1000.0),
        Some(t) if t >= 10.0 => format!("{t:.0}ms"),
        Some(t) => format!("{t:.2}ms"),
    }
}

/// What a turn or an attempt cost; how that is known, where it was not the provider's own word.
pub(super) fn cost(value: &Value) -> String {
    match (text_of(value, "cost_usd"), text_of(value, "cost_source")) {
        (None, _) => "unknown".to_owned(),
        (Some(cost), None | Some("reported")) => format!("${cost}"),
        (Some(cost), Some(source)) => format!("${cost} ({source})"),
    }
}

/// The kinds of the attempts that failed, in order.
pub(super) fn errors(turn: &Value) -> Vec<&str> {
    let attempts = list_of(turn, "attempts").iter();
    attempts
        .filter_map(|attempt| text_of(attempt, "error_kind"))
        .collect()
}
