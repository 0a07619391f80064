//! What the model says, as tables: for a terminal, for `docs/CAPACITY.md`, for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::checked;
use crate::model::{Model, Need};

/// The columns of the document.
pub(crate) const SIZES: [f64; 6] = [10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// From here on the tail of the first word grows: a machine is to take no more.
const FULL: f64 = 0.8;

/// A heading, column names, rows.
pub(crate) struct Table {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub(crate) fn inputs(model: &Model) -> Table {
    let figures = model.measured.figures.iter();
    Table {
        title: "What goes in",
        columns: names(&["figure", "value", "unit", "kind", "from"]),
        rows: figures
            .map(|(name, f)| {
                vec![
                    format!("`{name}`"),
                    f.value.to_string(),
                    f.unit.clone(),
                    f.kind.name().to_owned(),
                    f.from.clone(),
                ]
            })
            .collect(),
    }
}

pub(crate) fn check(model: &Model) -> Table {
    Table {
        title: "The model against what was measured",
        columns: names(&[
            "point", "measured", "modelled", "error", "may be", "fitted", "from",
        ]),
        rows: checked(model)
            .into_iter()
            .map(|c| {
                vec![
                    c.what.clone(),
                    format!("{} {}", number(c.measured), c.unit),
                    number(c.modelled),
                    format!("{:+.1} %", 100.0 * c.error()),
                    format!("{:.0} %", 100.0 * c.tolerance),
                    if c.fitted { "yes" } else { "no" }.to_owned(),
                    c.from,
                ]
            })
            .collect(),
    }
}

type Row = (&'static str, fn(&Model, &Need) -> f64);

/// The rows of what is needed.
const NEEDS: &[Row] = &[
    ("turns a second", |_, n| n.turns),
    ("tokens a second", |_, n| n.tokens),
    ("streams open, on the average", |_, n| n.streams),
    ("streams open, at the busiest", |_, n| n.streams_peak),
    ("cores, as busy as they may be", |_, n| n.cores),
    ("machines, if the processor alone ended", |m, n| {
        (n.cores / m.machine.cores).ceil()
    }),
    ("machines that carry it, by their first end", |_, n| {
        n.machines
    }),
    ("and spare ones: a lost one, a deploy", |_, n| n.spare),
    ("of each: busy, %", |_, n| 100.0 * n.busy_each),
    ("of each: memory, MiB", |_, n| n.memory_mib_each),
    ("of each: open files", |_, n| n.files_each),
    ("connections to models, HTTP/1.1", |_, n| n.upstream_h1),
    ("connections to models, HTTP/2", |_, n| n.upstream_h2),
    ("HAProxy, cores", |_, n| n.proxy_cores),
    ("PostgreSQL, rows a second", |_, n| n.rows),
    ("PostgreSQL, transactions a second", |_, n| n.transactions),
    ("PostgreSQL, GB a day", |_, n| n.row_bytes_day / 1e9),
    ("PostgreSQL, GB kept in the end", |_, n| n.kept_bytes / 1e9),
    ("PostgreSQL, connections", |m, n| {
        (n.machines + n.spare) * m.get("connections_per_machine")
    }),
    ("Redis, scripts a second", |_, n| n.redis),
    ("Redis, cores", |_, n| n.redis_cores),
    ("Zep, requests a minute", |_, n| n.zep),
    ("times Zep's limit", |m, n| n.zep / m.get("zep_limit")),
    ("OpenRouter, requests a minute", |_, n| n.requests),
    ("OpenRouter, questions what calls cost, a minute", |_, n| {
        n.bills
    }),
    ("models, million tokens in, a minute", |_, n| {
        n.tokens_in / 1e6
    }),
    ("models, dollars an hour", |_, n| n.models_hour),
    ("machines, dollars an hour", |_, n| n.machines_hour),
    ("sent to callers and models, GB a day", |_, n| {
        n.traffic_day / 1e9
    }),
    ("sent, dollars an hour", |_, n| n.traffic_hour),
    (
        "spool of all machines after an hour without PostgreSQL, MiB",
        |_, n| n.spool_hour / 1024.0 / 1024.0,
    ),
    ("log, GB a day", |_, n| n.log_day / 1e9),
];

pub(crate) fn needs(model: &Model, sizes: &[f64]) -> Table {
    let needs: Vec<Need> = sizes.iter().map(|calls| model.need(*calls)).collect();
    let columns = sizes
        .iter()
        .map(|calls| format!("{} calls", number(*calls)));
    Table {
        title: "What they need",
        columns: std::iter::once("what".to_owned()).chain(columns).collect(),
        rows: NEEDS
            .iter()
            .map(|(what, of)| {
                let cells = needs.iter().map(|need| number(of(model, need)));
                std::iter::once((*what).to_owned()).chain(cells).collect()
            })
            .collect(),
    }
}

pub(crate) fn shape(model: &Model) -> Table {
    let per_minute = |turn| format!("${:.5}", model.dollars_per_minute(turn));
    let mut rows = vec![
        vec!["words of a turn".to_owned(), number(model.words())],
        vec![
            "tokens of a turn".to_owned(),
            number(model.tokens_per_turn()),
        ],
        vec![
            "a turn's stream is open, s".to_owned(),
            format!("{:.2}", model.stream_s()),
        ],
        vec![
            "streams open for each call".to_owned(),
            format!("{:.3}", model.streams(1.0)),
        ],
    ];
    for tier in ["free", "premium", "enterprise"] {
        let turn = model.dollars_of(tier);
        rows.push(vec![
            format!("a minute of a call, {tier}"),
            per_minute(turn),
        ]);
    }
    let turn = model.dollars_per_turn();
    rows.push(vec![
        "a minute of a call, mixed".to_owned(),
        per_minute(turn),
    ]);
    rows.push(vec!["a turn, mixed".to_owned(), format!("${turn:.5}")]);
    let curve = |c: crate::fit::Curve| {
        let (most, fades) = (c.practice.most, number(c.practice.fades));
        format!("min(1, {:.6} r^{:.3} + {most} e^(-r / {fades}))", c.a, c.b)
    };
    rows.push(vec![
        "busy of one core at r tokens a second".to_owned(),
        curve(model.curve),
    ]);
    for busy in [model.get("busy_at_most"), FULL] {
        rows.push(vec![
            format!("streams of a machine whose cores are {busy} busy"),
            number(model.streams_at(busy).floor()),
        ]);
    }
    Table {
        title: "What follows at once",
        columns: names(&["what", "value"]),
        rows,
    }
}

pub(crate) fn ends(model: &Model) -> Table {
    Table {
        title: "What ends first",
        columns: names(&[
            "calls",
            "what",
            "bound",
            "whose",
            "what is noticed",
            "what then",
        ]),
        rows: model
            .limits()
            .into_iter()
            .map(|l| {
                vec![
                    number(l.calls.floor()),
                    l.name.to_owned(),
                    l.bound,
                    if l.is_machine {
                        "a machine's"
                    } else {
                        "everybody's"
                    }
                    .to_owned(),
                    l.seen.to_owned(),
                    l.then.to_owned(),
                ]
            })
            .collect(),
    }
}

/// What is over its end at so many calls, first that which ended first.
pub(crate) fn verdict(model: &Model, calls: f64) -> String {
    let mut told = String::new();
    for limit in model.limits() {
        if limit.calls >= calls {
            continue;
        }
        let times = calls / limit.calls;
        let end = if limit.is_machine {
            format!("needs {} machines", number(times.ceil()))
        } else {
            format!("is asked for {} times what it has", number(times))
        };
        let _ = writeln!(
            told,
            "  {} ({}), from {} calls on: {end}. {}",
            limit.name,
            limit.bound,
            number(limit.calls.floor()),
            limit.then
        );
    }
    if told.is_empty() {
        let first = model.limits().into_iter().next();
        let first = first.map_or(String::new(), |l| {
            format!("{}, from {} calls on", l.name, number(l.calls.floor()))
        });
        return format!("One machine is enough. First to end: {first}.\n");
    }
    format!("Beyond its end, first that which ends first:\n{told}")
}

pub(crate) fn as_json(model: &Model, sizes: &[f64]) -> Value {
    let needs = sizes.iter().map(|calls| {
        let need = model.need(*calls);
        let rows = NEEDS.iter();
        let rows = rows.map(|(what, of)| ((*what).to_owned(), json!(of(model, &need))));
        json!({"calls": calls, "needs": rows.collect::<serde_json::Map<_, _>>()})
    });
    let check = checked(model).into_iter().map(|c| {
        json!({"point": c.what, "unit": c.unit, "measured": c.measured,
            "modelled": c.modelled, "error": c.error()})
    });
    let ends = model.limits().into_iter();
    let ends = ends.map(|l| json!({"calls": l.calls, "what": l.name, "bound": l.bound}));
    json!({"needs": needs.collect::<Vec<_>>(), "ends": ends.collect::<Vec<_>>(),
        "check": check.collect::<Vec<_>>()})
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// Three figures that count, with commas.
pub(crate) fn number(value: f64) -> String {
    if value >= 99.95 {
        let digits = format!("{value:.0}");
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        return out;
    }
    let places = if value >= 9.995 {
        1
    } else if value >= 0.995 {
        2
    } else {
        3
    };
    let text = format!("{value:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Table {
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.title);
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        out.push_str(&line(&self.columns));
        out.push_str(&format!("|{}\n", "---|".repeat(self.columns.len())));
        for row in &self.rows {
            out.push_str(&line(row));
        }
        out
    }

    pub(crate) fn text(&self) -> String {
        let all = || std::iter::once(&self.columns).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|n| {
                let cells = all().filter_map(|row| row.get(n));
                cells.map(|c| c.chars().count()).max().unwrap_or_default()
            })
            .collect();
        let mut out = format!("{}\n\n", self.title);
        for row in all() {
            let mut line = String::from(" ");
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, " {cell:width$} ");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }
}
