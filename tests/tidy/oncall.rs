//! What the engineer on call is given: the dashboard and the alert rules under `deploy/` name what the
//! metrics are called, with labels and values that are documented, and each alert has its paragraph.
//! Where `promtool` is there, it checks the rules and plays their own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use quest_clm::telemetry::names::{self, Kind};
use serde_json::Value;

use super::{metrics_named, none, read, root};

const DASHBOARD: &str = "deploy/grafana/clm.json";
const RULES: &str = "deploy/prometheus/clm.rules.yaml";
const RULE_TESTS: &str = "deploy/prometheus/clm.test.yaml";

/// Labels that whoever scrapes adds.
const SCRAPED: &[&str] = &["instance", "job", "le"];

/// An expression, and where it stands.
struct Expression {
    at: String,
    text: String,
}

/// The alerts of the rules: name, expression, runbook.
fn alerts(rules: &str) -> Vec<(String, Expression, String)> {
    let mut alerts: Vec<(String, Expression, String)> = Vec::new();
    let mut in_expression = false;
    for line in rules.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("- alert: ") {
            let empty = Expression {
                at: format!("{RULES}: {name}"),
                text: String::new(),
            };
            alerts.push((name.to_owned(), empty, String::new()));
        }
        let Some((_, expression, runbook)) = alerts.last_mut() else {
            continue;
        };
        if let Some(url) = trimmed.strip_prefix("runbook_url: ") {
            url.clone_into(runbook);
        }
        let key = trimmed.split_once(':').map_or("", |(key, _)| key);
        if let Some(begin) = trimmed.strip_prefix("expr: ") {
            in_expression = true;
            expression.text.push_str(begin.trim_start_matches('|'));
        } else if matches!(key, "for" | "labels" | "annotations") {
            in_expression = false;
        } else if in_expression {
            expression.text.push(' ');
            expression.text.push_str(trimmed);
        }
    }
    alerts
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The panels that show something.
fn panels(dashboard: &Value) -> Vec<Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let panels = panels.filter(|panel| text(panel, "type") != "row");
    panels.cloned().collect()
}

/// Everything that Prometheus is asked.
fn expressions() -> Vec<Expression> {
    let dashboard = dashboard();
    let mut all: Vec<Expression> = alerts(&read(RULES))
        .into_iter()
        .map(|(_, e, _)| e)
        .collect();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            all.push(Expression {
                at: format!("{DASHBOARD}: {}", text(&panel, "title")),
                text: text(target, "expr").to_owned(),
            });
        }
    }
    let listed = |list: &str, field: &str| {
        let list = dashboard[list]["list"].as_array().unwrap();
        let texts = list.iter().map(|item| text(item, field).to_owned());
        texts.filter(|t| !t.is_empty()).collect::<Vec<_>>()
    };
    let beside = [
        listed("annotations", "expr"),
        listed("templating", "definition"),
    ]
    .concat();
    all.extend(beside.into_iter().map(|text| Expression {
        at: DASHBOARD.to_owned(),
        text,
    }));
    all
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// Of every metric, the labels that `docs/TELEMETRY.md` lists.
fn labels() -> BTreeMap<String, BTreeSet<String>> {
    let doc = read("docs/TELEMETRY.md");
    let rows = doc.lines().filter(|line| line.starts_with("| `clm_"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let named = cells.map(|c| (c[0].replace(['|', '`', ' '], ""), quoted(c[2])));
    named.collect()
}

/// The metric of a series: a histogram's has three names.
fn metric_of(word: &str) -> Option<&'static str> {
    let parts = ["_bucket", "_sum", "_count"];
    names::ALL.iter().find_map(|(name, kind, _)| {
        let rest = word.strip_prefix(name)?;
        let is_it = match kind {
            Kind::Histogram => parts.contains(&rest),
            Kind::Counter | Kind::Gauge => rest.is_empty(),
        };
        is_it.then_some(*name)
    })
}

/// What is wrong with an expression.
fn faults(expression: &Expression, labels: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let Expression { at, text } = expression;
    let mut faults = Vec::new();
    let mut allowed: BTreeSet<&str> = SCRAPED.iter().copied().collect();
    for word in metrics_named(text) {
        match metric_of(word) {
            None => faults.push(format!("{at}: no series is called {word}")),
            Some(name) => allowed.extend(labels[name].iter().map(String::as_str)),
        }
    }
    let documented = quoted(&read("docs/TELEMETRY.md"));
    for (name, values) in matched(text) {
        if !allowed.contains(name.as_str()) {
            faults.push(format!("{at}: no metric in it has a label {name}"));
        }
        // The roster's ids are data, and what is chosen on the dashboard is a variable.
        let own = SCRAPED.contains(&name.as_str()) || name == "coach" || values.contains('$');
        let mut strange = values
            .split('|')
            .filter(|v| !own && !documented.contains(*v));
        if let Some(value) = strange.next() {
            faults.push(format!("{at}: {name} is never {value}"));
        }
    }
    for name in grouped(text) {
        if !allowed.contains(name.as_str()) {
            faults.push(format!(
                "{at}: grouped by {name}, which no metric in it has"
            ));
        }
    }
    faults
}

/// The label matchers: label and value, as in `{a="b", c=~"d|e"}`.
fn matched(text: &str) -> Vec<(String, String)> {
    let inside = text.split('{').skip(1).filter_map(|t| t.split_once('}'));
    let pairs = inside.flat_map(|(inside, _)| inside.split(", "));
    let cut = pairs.filter_map(|pair| pair.split_once('='));
    cut.map(|(name, value)| {
        let value = value.trim_start_matches('~').trim_matches('"');
        (name.trim_end_matches('!').to_owned(), value.to_owned())
    })
    .collect()
}

/// The labels that sums and joins go by.
fn grouped(text: &str) -> Vec<String> {
    let after = ["by (", "ignoring (", "on ("].iter().flat_map(|word| {
        let found = text.split(word).skip(1).filter_map(|t| t.split_once(')'));
        found.flat_map(|(names, _)| names.split(", "))
    });
    after.map(str::to_owned).collect()
}

#[test]
fn what_prometheus_is_asked_is_what_the_metrics_are_called() {
    let labels = labels();
    let wrong = Expression {
        at: "x".to_owned(),
        text: "sum by (colour) (rate(clm_turns_total{outcome=\"fialed\", model=\"a\"}[5m])) / clm_nothing"
            .to_owned(),
    };
    assert_eq!(
        faults(&wrong, &labels).len(),
        5,
        "{:?}",
        faults(&wrong, &labels)
    );
    let all = expressions();
    assert!(all.len() > 80, "{}", all.len());
    let offences: Vec<String> = all.iter().flat_map(|e| faults(e, &labels)).collect();
    none(&offences);
    // Nor is anything that is measured missing from both.
    let asked: BTreeSet<&str> = all
        .iter()
        .flat_map(|e| metrics_named(&e.text))
        .filter_map(metric_of)
        .collect();
    let unseen: Vec<String> = names::ALL
        .iter()
        .filter(|(name, ..)| !asked.contains(name))
        .map(|(name, ..)| format!("{name} is on no panel and in no rule"))
        .collect();
    none(&unseen);
}

#[test]
fn every_latency_panel_says_what_it_leaves_out() {
    let is_time = |panel: &Value| text(&panel["fieldConfig"]["defaults"], "unit") == "s";
    let times: Vec<Value> = panels(&dashboard()).into_iter().filter(is_time).collect();
    assert!(times.len() >= 8, "{}", times.len());
    let silent = times
        .iter()
        .map(|panel| (text(panel, "title"), text(panel, "description")));
    let silent = silent.filter(|(_, said)| !said.to_lowercase().contains("leaves out"));
    let offences: Vec<String> = silent
        .map(|(title, _)| format!("{title} does not"))
        .collect();
    none(&offences);
    for panel in panels(&dashboard()) {
        assert!(
            !text(&panel, "description").is_empty(),
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn every_alert_has_its_paragraph_and_every_paragraph_its_alert() {
    let operations = read("docs/OPERATIONS.md");
    let headings = operations.lines().filter_map(|l| l.strip_prefix("### Clm"));
    let told: Vec<String> = headings.map(|rest| format!("Clm{rest}")).collect();
    let rules = alerts(&read(RULES));
    let raised: Vec<String> = rules.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(told, raised, "in the same order");
    let tests = read(RULE_TESTS);
    for (name, expression, runbook) in rules {
        let anchor = name.to_lowercase();
        assert_eq!(runbook, format!("docs/OPERATIONS.md#{anchor}"));
        assert!(!expression.text.is_empty(), "{name}");
        assert!(
            tests.contains(&format!("alertname=\"{name}\"")),
            "{name} has no test"
        );
    }
}

#[test]
fn every_alert_that_a_webhook_tells_has_its_row() {
    let (kinds, book) = (read("src/alert/kinds.rs"), read("docs/OPERATIONS.md"));
    let named = kinds.split("=> \"").skip(1);
    let named = named.filter_map(|rest| rest.split('"').next());
    let told: BTreeSet<&str> = named.filter(|name| name.contains('.')).collect();
    assert_eq!(told.len(), 10, "{told:?}");
    let rows = || book.lines().filter(|line| line.starts_with("| `"));
    let has_row = |name: &&str| rows().any(|row| row.contains(&format!("`{name}`")));
    let missing = told.iter().filter(|name| !has_row(name));
    none(&missing.map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn promtool_finds_the_rules_sound() {
    let runs = |words: &[&str]| {
        let mut command = Command::new("promtool");
        command.current_dir(root()).args(words).output()
    };
    if runs(&["--version"]).is_err() {
        // A machine without it is no fault; `scripts/test` brings it.
        return;
    }
    for words in [
        &["check", "rules", RULES][..],
        &[
            "check",
            "config",
            "--syntax-only",
            "deploy/prometheus/prometheus.yml",
        ],
        &["test", "rules", RULE_TESTS],
    ] {
        let output = runs(words).unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{words:?}:\n{said}");
    }
}
