//! `docs/BENCH.md`: a script writes every table, and every table that it writes has its place.

use super::{files, none, read};

/// What a marker says, if the line is one.
fn marked(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- ")?.strip_suffix(" -->")
}

/// Lines of tables between no markers, and markers of what `script` does not write.
fn by_hand(doc: &str, script: &str) -> Vec<String> {
    let mut offences = Vec::new();
    let mut is_written = false;
    for (number, line) in (1..).zip(doc.lines()) {
        let Some(marker) = marked(line) else {
            if line.starts_with('|') && !is_written {
                offences.push(format!("docs/BENCH.md:{number}: no script writes this"));
            }
            continue;
        };
        is_written = marker != "/held" && !marker.ends_with(" end");
        let name = marker.strip_prefix("bench ").filter(|_| is_written);
        if name.is_some_and(|name| !script.contains(&format!("\"{name}\": "))) {
            offences.push(format!("docs/BENCH.md:{number}: no part writes {marker}"));
        }
    }
    offences
}

/// Parts of `script` that have no place in the document.
fn homeless(doc: &str, script: &str) -> Vec<String> {
    let parts = script.split_once("\nPARTS = {\n").expect("parts").1;
    let parts = parts.split_once("\n}\n").expect("their end").0;
    let names = parts.lines().filter_map(|line| line.split('"').nth(1));
    names
        .filter(|name| !doc.contains(&format!("<!-- bench {name} -->\n")))
        .map(|name| format!("docs/BENCH.md has no place for {name}"))
        .collect()
}

#[test]
fn a_script_writes_every_table_of_the_benchmarks() {
    let (doc, script) = (read("docs/BENCH.md"), read("scripts/bench"));
    // Some parts fill several tables.
    let parts = files("scripts/lib/bench", ".py");
    let script = parts.iter().fold(script, |all, path| all + &read(path));
    none(&by_hand(&doc, &script));
    none(&homeless(&doc, &script));
    let script = "\nPARTS = {\n    \"one\": one,\n    \"two\": two,\n}\n";
    let doc = "<!-- bench one -->\n| 1 |\n<!-- bench one end -->\n| 2 |\n<!-- bench six -->\n";
    assert_eq!(by_hand(doc, script).len(), 2);
    assert_eq!(
        homeless(doc, script),
        ["docs/BENCH.md has no place for two"]
    );
}
