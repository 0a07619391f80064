//! What operators and front ends ask beside the turns: reports, exports, money, switches, people, the
//! council, and what would be said of a text.

use serde_json::{Value, json};

use crate::council::MAX_SPECIALISTS;
use crate::http::error::Kind;
use crate::http::query::WINDOW;
use crate::http::{export, turns};
use crate::record::ReportKind;
use crate::routing::flags::Switch;

use super::operation::{EVENTS, Operation, Who};
use super::operator_schemas::{coach_heard, flag_value};
use super::parameters::{choice, path, session_id};
use super::schema::{about, either, maybe, object, of, text, time, truth, with, words};

const MONEY: &str = "Reports and money";
const SWITCHES: &str = "Switches";
const PEOPLE: &str = "People";
const COUNCIL: &str = "Council and speech";
const CSV: &str = "text/csv; charset=utf-8";

pub(super) fn operations() -> Vec<Operation> {
    [reports(), switches(), council()].concat()
}

fn reports() -> Vec<Operation> {
    let range: &[&str] = &["range"];
    let reports = ReportKind::ALL.map(|kind| of(super::operator_schemas::report_name(kind)));
    vec![
        Operation::new("GET", "/v1/analytics/{report}", "report", "What models and coaches cost, and how they did")
            .tag(MONEY)
            .about(
                "Over any range, 24 h where none is told. Made anew after five seconds at the earliest; an \
                 older one is given, and says so, where the store does not answer.",
            )
            .who(Who::Admin)
            .parameter(path(
                "report",
                "Which report.",
                words(ReportKind::ALL.map(ReportKind::as_str)),
                "models",
            ))
            .query(&[range])
            .parameter(choice("format", "JSON, or a table to be saved.", &["json", "csv"]))
            .example("range", json!("24h"))
            .answers(200, "The report.", json!({ "anyOf": reports }))
            .answers_in(200, "", CSV, json!({ "schema": text() }))
            .refuses(&[Kind::NotFound, Kind::Unavailable]),
        Operation::new("GET", "/v1/export/{what}", "export", "Everything of a time, as a file")
            .tag(MONEY)
            .about(
                "It is made as it is read. What cannot be finished is broken off in the middle, so that the \
                 reader's client reports it. Turns are filtered as in their list, sessions by `user`.",
            )
            .who(Who::Admin)
            .parameter(path("what", "Of what: turns, or sessions.", words(export::WHAT.iter().copied()), "turns"))
            .query(&[turns::FILTERS, crate::http::sessions::FILTERS, WINDOW])
            .parameter(choice("format", "A table, or an object a line.", &["csv", "jsonl"]))
            .example("range", json!("24h"))
            .answers_in(200, "The file.", CSV, json!({ "schema": text() }))
            .answers_in(
                200,
                "",
                "application/jsonl; charset=utf-8",
                json!({ "schema": text() }),
            )
            .refuses(&[Kind::NotFound, Kind::Unavailable]),
        Operation::new("GET", "/v1/budget", "budget", "The day's money")
            .tag(MONEY)
            .who(Who::Admin)
            .answers(200, "Spent, set aside, left.", of("Budget")),
    ]
}

fn switches() -> Vec<Operation> {
    let switch = Switch::ALL.map(Switch::as_str).join("|");
    let name = with(
        text(),
        json!({ "pattern": format!("^({switch}|model:[!-~]{{1,200}})$") }),
    );
    vec![
        Operation::new("GET", "/v1/flags", "listFlags", "What is switched without a deploy")
            .tag(SWITCHES)
            .about("Every switch with what holds, every model that is switched, and the latest changes.")
            .who(Who::Admin)
            .answers(200, "All of them.", of("Flags"))
            .refuses(&[Kind::Unavailable]),
        Operation::new("PUT", "/v1/flags/{name}", "setFlag", "Switch for all machines")
            .tag(SWITCHES)
            .about("`null` hands the switch back to its setting. A name may hold a slash: `model:openai/gpt-6-luna`.")
            .who(Who::Admin)
            .parameter(path("name", "A switch, or `model:` and a slug.", name, "hedging"))
            .takes(
                either(
                    vec![("value", flag_value())],
                    vec![(
                        "expires_at",
                        about(maybe(time()), "a time to come; then the setting holds again"),
                    )],
                ),
                json!({ "value": "25%" }),
            )
            .answers(200, "What holds now.", of("Flag"))
            .refuses(&[Kind::NotFound, Kind::Unavailable]),
        Operation::new("DELETE", "/v1/users/{user_id}", "eraseUser", "Forget a person")
            .tag(PEOPLE)
            .about(
                "In the records, in what is at hand of them here, and in memory. May be asked again at any \
                 time. The answer does not repeat who it was.",
            )
            .who(Who::Admin)
            .parameter(path(
                "user_id",
                "The user, by the id that callers send.",
                with(text(), json!({ "minLength": 1, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]+$" })),
                "ada",
            ))
            .answers(202, "Erased, or queued to be.", of("Erased"))
            .refuses(&[Kind::InvalidRequest, Kind::Unavailable]),
    ]
}

fn council() -> Vec<Operation> {
    let wanted = either(
        vec![("message", with(text(), json!({ "pattern": r"\S" })))],
        vec![
            ("session_id", maybe(session_id_or_empty())),
            (
                "user_id",
                about(maybe(text()), "believed, as only an admin may ask"),
            ),
            (
                "coaches",
                about(
                    json!({ "type": "array", "items": text(), "maxItems": MAX_SPECIALISTS }),
                    "the specialists to be heard; none for the master to choose",
                ),
            ),
            ("stream", truth()),
        ],
    );
    let spoken = object(vec![("spoken", text())]);
    let events = json!({
        "plan": object(vec![("plan", of("Plan"))]),
        "opening": object(vec![("text", text())]),
        "specialist": coach_heard("state"),
        "delta": object(vec![("text", text())]),
        "totals": of("CouncilTotals"),
        "error": of("Error"),
    });
    vec![
        Operation::new("POST", "/v1/council", "council", "Several coaches heard as one answer")
            .tag(COUNCIL)
            .about(
                "The master plans, the specialists it names answer side by side, the master makes one answer \
                 of them. As one body, or as events that show how it gets on: `plan`, `opening`, \
                 `specialist`, `delta`, `totals`, and `error` where it fails.",
            )
            .who(Who::Admin)
            .takes(
                wanted,
                json!({ "message": "Should I take the new role?", "coaches": ["career", "skills"] }),
            )
            .answers(200, "The answer, as one body or as events.", of("Council"))
            .answers_in(200, "", EVENTS, json!({ "x-events": events }))
            .headers(200, super::turn_headers())
            .refuses(&[
                Kind::InvalidSessionId,
                Kind::BudgetExhausted,
                Kind::Overloaded,
                Kind::UpstreamFailed,
                Kind::UpstreamBrokeOff,
            ]),
        Operation::new("POST", "/v1/speech/normalize", "normalize", "What would be said of a text")
            .tag(COUNCIL)
            .who(Who::Admin)
            .takes(
                either(
                    vec![("text", text())],
                    vec![(
                        "language",
                        about(maybe(text()), "a tag such as `en`; else as the text shows"),
                    )],
                ),
                json!({ "text": "a **20%** raise by 3/4" }),
            )
            .answers(200, "It, in words.", spoken),
    ]
}

/// An empty one counts as none.
fn session_id_or_empty() -> Value {
    with(session_id(), json!({ "minLength": 0 }))
}
