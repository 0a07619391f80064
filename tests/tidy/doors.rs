//! The doors rule: a module uses only modules declared above it.

use std::collections::BTreeSet;

use super::{files, none, read};

/// The rooms in the order in which `lib.rs` declares them.
fn rooms(lib: &str) -> Vec<&str> {
    let declared = lib.lines().filter_map(|l| l.strip_prefix("pub mod "));
    declared.filter_map(|l| l.strip_suffix(';')).collect()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

/// The code without comments and without its test modules.
pub(super) fn shipped(code: &str) -> String {
    let mut out = String::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let tests = line == "#[cfg(test)]"
            && lines
                .clone()
                .find(|l| !l.starts_with("#["))
                .is_some_and(|l| l.starts_with("mod "));
        if tests {
            // A module in a file of its own ends with its line, one in braces with a brace.
            for line in lines.by_ref() {
                if line == "}" || line.starts_with("mod ") && line.ends_with(';') {
                    break;
                }
            }
            continue;
        }
        // Not the two slashes within an address.
        if !line.trim_start().starts_with("//") {
            out.push_str(line.split(" // ").next().unwrap_or_default());
        }
        out.push('\n');
    }
    out
}

/// How many modules lie between a file and the crate: 1 for `a.rs` and `a/mod.rs`.
fn depth(path: &str) -> usize {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').count()
}

/// The first segments of every path that starts at the crate's root, spelled `crate::` or as
/// enough `super::`, groups in braces taken apart.
fn opened(code: &str, depth: usize) -> BTreeSet<String> {
    let up = "super::".repeat(depth);
    let mut found = BTreeSet::new();
    for from_root in ["crate::", &up] {
        let mut rest = code;
        let mut before = ' ';
        while let Some(at) = rest.find(from_root) {
            before = rest.get(..at).unwrap().chars().last().unwrap_or(before);
            let is_start = !before.is_alphanumeric() && !"_$:".contains(before);
            rest = rest.get(at + from_root.len()..).unwrap();
            before = ':';
            if is_start {
                found.extend(segments(rest));
            }
        }
    }
    found.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    found.remove("super");
    found
}

/// The first segment of a path, or of each member of a group in braces.
fn segments(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        text.get(..end.unwrap_or(text.len())).unwrap().to_owned()
    };
    let Some(group) = path.trim_start().strip_prefix('{') else {
        return vec![word(path)];
    };
    let mut members = vec![word(group)];
    let mut open = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => members.push(word(group.get(at + 1..).unwrap())),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    members.retain(|m| !m.is_empty());
    members
}

/// The doors that a file opens upwards.
fn upward(path: &str, code: &str, rooms: &[&str]) -> Vec<String> {
    let own = path.trim_start_matches("src/").split(['/', '.']).next();
    let place = |name: &str| rooms.iter().position(|room| *room == name);
    let Some(here) = own.and_then(place) else {
        return vec![format!("{path}: belongs to no room that lib.rs declares")];
    };
    let judge = |name: String| match place(&name) {
        Some(there) if there <= here => None,
        Some(_) => Some(format!("{path}: uses {name}, which is declared below it")),
        None => Some(format!("{path}: uses {name}, which is no room")),
    };
    opened(&shipped(code), depth(path))
        .into_iter()
        .filter_map(judge)
        .collect()
}

#[test]
fn doors_open_one_way() {
    let lib = read("src/lib.rs");
    let rooms = rooms(&lib);
    assert!(rooms.len() > 10, "{rooms:?}");
    let offences: Vec<String> = files("src", ".rs")
        .iter()
        .filter(|p| !["src/lib.rs", "src/main.rs"].contains(&p.as_str()) && !is_test_file(p))
        .flat_map(|path| upward(path, &read(path), &rooms))
        .collect();
    none(&offences);
}

#[test]
fn a_door_that_opens_upwards_is_found() {
    let rooms = ["turn", "memory", "http"];
    let said = |path: &str, code: &str| upward(path, code, &rooms).join("; ");
    for (path, code, expected) in [
        ("src/memory/zep.rs", "use crate::turn::Tier;\n", ""),
        ("src/memory/zep.rs", "use super::wire;\n", ""),
        ("src/memory/zep.rs", "use crate::http::Door;\n", "http"),
        (
            "src/memory/zep.rs",
            "let d = crate::http::door();\n",
            "http",
        ),
        ("src/memory.rs", "use super::http;\n", "http"),
        ("src/memory/mod.rs", "use super::http::x;\n", "http"),
        (
            "src/memory/a/b.rs",
            "use super::super::super::http;\n",
            "http",
        ),
        ("src/memory/a/b.rs", "use super::super::gate;\n", ""),
        (
            "src/memory/zep.rs",
            "use crate::{\n    turn::{Tier, Role},\n    http::{self, Door},\n};\n",
            "http",
        ),
        ("src/memory/zep.rs", "// as crate::http does\n", ""),
        (
            "src/memory/zep.rs",
            "macro_rules! m { () => { $crate::http } }\n",
            "",
        ),
        (
            "src/turn/id.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::http;\n}\n",
            "",
        ),
        (
            "src/turn/id.rs",
            "#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\nuse crate::http;\n",
            "http",
        ),
        ("src/turn/id.rs", "use crate::utils::x;\n", "no room"),
        ("src/utils.rs", "", "belongs to no room"),
    ] {
        let got = said(path, code);
        assert_eq!(got.is_empty(), expected.is_empty(), "{path} {code}: {got}");
        assert!(got.contains(expected), "{path} {code}: {got}");
    }
}

// Size and words.
