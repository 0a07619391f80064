//! Reports, money, switches and the council, as the routes answer them.

use serde_json::{Value, json};

use crate::council::State;
use crate::record::ReportKind;

use super::schema::{
    Fields, about, dollars, either, list, maybe, number, object, of, positive, text, time, truth,
    whole, words,
};

pub(super) fn schemas() -> Fields {
    let mut all = vec![
        ("Budget", budget()),
        ("Flag", flag()),
        ("Flags", flags()),
        ("Erased", erased()),
        ("Plan", plan()),
        ("Council", council()),
        ("CouncilTotals", object([sums(), ids()].concat())),
    ];
    all.extend(ReportKind::ALL.map(|kind| (report_name(kind), report(kind))));
    all
}

pub(super) const fn report_name(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Models => "ModelsReport",
        ReportKind::Coaches => "CoachesReport",
        ReportKind::Savings => "SavingsReport",
        ReportKind::Spend => "SpendReport",
        ReportKind::Experiments => "ExperimentsReport",
    }
}

/// What an item is about; the sums of all have none of it.
fn is_key(column: &str) -> bool {
    let keys = ["model", "coach", "tier", "start", "hours"];
    keys.contains(&column)
}

fn report(kind: ReportKind) -> Value {
    let columns = || kind.columns().iter().map(|name| (*name, column(name)));
    let totals = match kind {
        ReportKind::Experiments => vec![("count", whole())],
        ReportKind::Savings => columns()
            .filter(|(name, _)| !is_key(name))
            .chain([
                ("baseline_model", text()),
                ("baseline_usd_per_million_input", dollars()),
                ("baseline_usd_per_million_output", dollars()),
                ("left_out", about(text(), "what these figures leave out")),
            ])
            .collect(),
        _ => columns().filter(|(name, _)| !is_key(name)).collect(),
    };
    let range = object(vec![
        ("range", about(text(), "as it was asked for")),
        ("since", time()),
        ("until", time()),
    ]);
    either(
        vec![
            ("range", range),
            ("items", list(object(columns().collect()))),
            ("totals", object(totals)),
        ],
        vec![(
            "stale",
            about(
                truth(),
                "there only where the store does not answer: what it said before",
            ),
        )],
    )
}

/// A column by its name, which tells its unit.
fn column(name: &str) -> Value {
    match name {
        "model" | "coach" | "tier" | "experiment" | "variant" | "verdict" => text(),
        "compared_with" => maybe(text()),
        "start" => time(),
        "mean_cost_usd" => maybe(number()),
        "error_rate" | "mean_satisfaction" => maybe(positive()),
        "saved_percent" => maybe(number()),
        name if name.ends_with("_95") => json!({
            "type": ["array", "null"],
            "items": number(),
            "minItems": 2,
            "maxItems": 2,
            "description": "from and to, with 95 %",
        }),
        name if name.ends_with("_usd") => dollars(),
        name if name.ends_with("_ms") => maybe(positive()),
        _ => whole(),
    }
}

fn budget() -> Value {
    object(vec![
        ("day", time()),
        ("resets_at", time()),
        ("budget_usd", dollars()),
        ("hard_cap_usd", dollars()),
        ("user_daily_cap_usd", maybe(dollars())),
        ("session_cap_usd", maybe(dollars())),
        ("spent_usd", dollars()),
        (
            "reserved_usd",
            about(dollars(), "set aside for turns that run"),
        ),
        ("left_usd", dollars()),
        (
            "percent",
            about(json!({ "type": "integer" }), "spent, of the budget"),
        ),
        ("is_low", about(truth(), "the cheapest models for all")),
        ("sharing", words(["alone", "leased", "strict"])),
        (
            "at_hand_usd",
            about(dollars(), "what this machine may spend unasked"),
        ),
        ("store_is_away", truth()),
    ])
}

/// For how many sessions something is on.
fn share() -> Value {
    json!({ "anyOf": [
        { "type": "boolean" },
        { "type": "string", "pattern": r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$" },
    ]})
}

pub(super) fn flag_value() -> Value {
    about(
        json!({ "anyOf": [share(), { "type": "null" }] }),
        "on, off, or for a share of the sessions, such as `\"25%\"`",
    )
}

fn flag() -> Value {
    either(
        vec![
            ("name", text()),
            ("value", share()),
            ("default", about(truth(), "as configured")),
            ("is_set", truth()),
        ],
        vec![
            ("expires_at", maybe(time())),
            ("changed_at", maybe(time())),
            (
                "changed_by",
                about(maybe(text()), "a fingerprint of the admin key"),
            ),
        ],
    )
}

fn flags() -> Value {
    let change = object(vec![
        ("name", text()),
        (
            "value",
            about(flag_value(), "null where it was handed back"),
        ),
        ("expires_at", maybe(time())),
        ("changed_at", time()),
        ("changed_by", text()),
    ]);
    object(vec![
        ("items", list(of("Flag"))),
        ("changes", about(list(change), "the latest first")),
        ("next_cursor", json!({ "type": "null" })),
    ])
}

fn erased() -> Value {
    let memory = either(
        vec![(
            "store",
            words(["under_way", "off", "deleted", "not_there", "failed"]),
        )],
        vec![
            ("why", text()),
            (
                "dropped",
                about(
                    whole(),
                    "exchanges that waited to be remembered and never will be",
                ),
            ),
        ],
    );
    let erased = object(vec![
        ("records", words(["queued"])),
        ("memory", memory),
        ("recent", about(whole(), "turns at hand here")),
    ]);
    object(vec![("erased", erased)])
}

fn plan() -> Value {
    list(object(vec![("coach", text()), ("why", text())]))
}

/// A specialist; `state` while it is asked, `outcome` in the end.
pub(super) fn coach_heard(state: &'static str) -> Value {
    object(vec![
        ("coach", text()),
        (state, words(State::ALL.map(State::as_str))),
        ("model", maybe(text())),
        ("cost_usd", maybe(dollars())),
        ("tokens", whole()),
    ])
}

fn sums() -> Fields {
    vec![
        ("cost_usd", maybe(dollars())),
        ("tokens", whole()),
        ("duration_ms", positive()),
    ]
}

fn ids() -> Fields {
    vec![("turn_id", text()), ("session_id", text())]
}

fn council() -> Value {
    let mut fields = vec![
        ("answer", text()),
        (
            "opening",
            about(text(), "what was said while the specialists thought"),
        ),
        ("plan", of("Plan")),
        ("coaches", list(coach_heard("outcome"))),
        ("totals", maybe(object(sums()))),
    ];
    fields.extend(ids());
    object(fields)
}
