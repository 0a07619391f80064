//! The log lines of `docs/TELEMETRY.md`: each that the code writes is there with its level and its keys,
//! and no other; and what keys may be called.

use std::collections::BTreeSet;

use super::doors::shipped;
use super::{files, none, read};

/// Keys longer than this make a line that nobody reads.
const LONGEST_KEY: usize = 12;
/// Keys of every line: a field of such a name would be there twice.
const TAKEN: &[&str] = &["timestamp", "level", "target", "message"];

/// A line as it is written: target, message, level, keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line(String, String, String, Vec<String>);

impl Line {
    /// As a row of the document.
    fn row(&self) -> String {
        let Self(target, message, level, keys) = self;
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        format!("| `{target}` | {message} | {level} | {} |", keys.join(", "))
    }
}

/// What stands between the parenthesis before `text` and its own, at the top level, comma by comma.
fn arguments(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The lines that a file writes. Its path stands for a target that is not named.
fn written(path: &str, source: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for level in ["trace", "debug", "info", "warn", "error"] {
        let call = format!("{level}!(");
        for (at, _) in source.match_indices(&call) {
            let before = source[..at].chars().last();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let module = path.trim_start_matches("src/").trim_end_matches(".rs");
            let module = module.trim_end_matches("/mod").replace('/', "::");
            let mut line = Line(
                format!("quest_clm::{module}"),
                String::new(),
                level.to_owned(),
                Vec::new(),
            );
            for part in arguments(&source[at + call.len()..]) {
                if let Some(target) = part.strip_prefix("target:") {
                    line.0 = target.trim().trim_matches('"').to_owned();
                } else if part.starts_with('"') {
                    line.1 = part.trim_matches('"').to_owned();
                } else {
                    let name = part.split('=').next().unwrap_or_default().trim();
                    line.3.push(name.trim_start_matches(['%', '?']).to_owned());
                }
            }
            lines.push(line);
        }
    }
    lines
}

/// What is in code marks, but for what stands in parentheses.
fn marked(cell: &str) -> Vec<String> {
    let mut depth = 0;
    let bare: String = cell
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(');
            let keep = depth == 0;
            depth -= i32::from(*c == ')');
            keep
        })
        .collect();
    bare.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The rows between two headings, each as its cells.
fn cells(doc: &str, from: &str, to: &str) -> Vec<Vec<String>> {
    let (_, rest) = doc.split_once(from).expect("the first heading");
    let (part, _) = rest.split_once(to).expect("the second heading");
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let inner = row.trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

/// The lines that the document lists; `below` stands for the keys of its table of the turn line.
fn listed(doc: &str) -> Vec<Line> {
    let turn = cells(doc, "### The turn line", "## What never appears");
    let turn: Vec<String> = turn.iter().flat_map(|row| marked(&row[0])).collect();
    let rows = cells(doc, "## Log lines", "### The turn line");
    rows.into_iter()
        .map(|row| {
            let cell = |n: usize| row.get(n).cloned().unwrap_or_default();
            let keys = match cell(3).as_str() {
                "below" => turn.clone(),
                keys => marked(keys),
            };
            Line(cell(0).replace('`', ""), cell(1), cell(2), keys)
        })
        .collect()
}

/// The same whatever the order of the keys.
fn sorted(lines: Vec<Line>) -> BTreeSet<Line> {
    let sorted = lines.into_iter().map(|mut line| {
        line.3.sort();
        line
    });
    sorted.collect()
}

fn misnamed(line: &Line) -> Vec<String> {
    let is_plain = |key: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        key.len() <= LONGEST_KEY && key.chars().all(plain) && !TAKEN.contains(&key)
    };
    let odd = line.3.iter().filter(|key| !is_plain(key));
    odd.map(|key| format!("{key} is no key for a line: {}", line.row()))
        .collect()
}

#[test]
fn log_lines_are_documented_with_their_keys_and_documents_list_real_ones() {
    let all = files("src", ".rs");
    let written: Vec<Line> = all
        .iter()
        .flat_map(|path| written(path, &shipped(&read(path))))
        .collect();
    assert!(written.len() > 40, "{}", written.len());
    none(&written.iter().flat_map(misnamed).collect::<Vec<_>>());
    let (written, listed) = (sorted(written), sorted(listed(&read("docs/TELEMETRY.md"))));
    let missing = written.difference(&listed).map(Line::row);
    let gone = listed
        .difference(&written)
        .map(|line| format!("nowhere written: {}", line.row()));
    none(&missing.chain(gone).collect::<Vec<_>>());
}

#[test]
fn lines_are_read_as_they_are_written() {
    let source = "
        warn!(target: \"clm::a\", kind = self.kind(1, 2), %why, \"it fails, (again): {x}\");
        tracing::info!(open, error.kind = f(\")\"), \"stopping\");
        my_info!(nothing);";
    let line = |target: &str, message: &str, level: &str, keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Line(
            target.to_owned(),
            message.to_owned(),
            level.to_owned(),
            keys,
        )
    };
    assert_eq!(
        written("src/b/mod.rs", source),
        [
            line("quest_clm::b", "stopping", "info", &["open", "error.kind"]),
            line("clm::a", "it fails, (again): {x}", "warn", &["kind", "why"]),
        ]
    );
    let doc = "## Log lines\n| target | m |\n| `clm::a` | it fails | warn | `kind` (`x`), `why` |\n\
               | `clm::turn` | turn ended | info | below |\n### The turn line\n| `turn` | id |\n\
               | `coach`, `why` | both |\n## What never appears\n";
    assert_eq!(
        listed(doc),
        [
            line("clm::a", "it fails", "warn", &["kind", "why"]),
            line("clm::turn", "turn ended", "info", &["turn", "coach", "why"]),
        ]
    );
    for key in ["message", "Kind", "much_too_long_a_key"] {
        assert_eq!(misnamed(&line("t", "m", "info", &[key])).len(), 1, "{key}");
    }
}
