//! `docs/FAULTS.md` and `docs/SECURITY.md`: every row of the matrix is there once, every claim names a
//! test, and every test they name exists.

use std::collections::BTreeMap;

use super::{none, read};

/// The rows of the matrix.
fn expected() -> Vec<String> {
    let rows = |letter: char, from: u32, to: u32| (from..=to).map(move |n| format!("{letter}{n}"));
    let all = rows('A', 1, 17).chain(rows('B', 1, 17));
    let all = all.chain(rows('C', 1, 21)).chain(rows('D', 1, 9));
    let all = all.chain(rows('E', 1, 9));
    all.chain(rows('F', 1, 4))
        .chain(rows('G', 1, 11))
        .chain(rows('H', 1, 7))
        .chain(rows('I', 1, 5))
        .collect()
}

/// Row and "shown by" of every line of the tables.
fn rows(doc: &str) -> Vec<(String, String)> {
    let cells = doc.lines().map(|line| line.split('|').map(str::trim));
    cells
        .filter_map(|mut cells| {
            let row = cells.nth(1)?;
            let (letter, number) = row.split_at_checked(1)?;
            let is_row = "ABCDEFGHI".contains(letter) && number.parse::<u32>().is_ok();
            is_row.then(|| (row.to_owned(), cells.nth(2).unwrap_or_default().to_owned()))
        })
        .collect()
}

/// `file::test` in code marks.
fn named(text: &str) -> Vec<(&str, &str)> {
    let code = text.split('`').skip(1).step_by(2);
    code.filter_map(|code| code.split_once("::")).collect()
}

/// What a document says that is not so.
fn offences(
    doc: &str,
    rows_wanted: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut offences = Vec::new();
    let rows = rows(doc);
    let ids: Vec<&String> = rows.iter().map(|(row, _)| row).collect();
    if ids != rows_wanted.iter().collect::<Vec<_>>() {
        offences.push(format!("rows are missing, or out of order: {ids:?}"));
    }
    for (row, shown) in &rows {
        if !shown.contains('`') {
            offences.push(format!("{row}: shown by nothing"));
        }
    }
    offences.extend(unknown(doc, read));
    offences
}

/// Tests that a document names and that are not there.
fn unknown(doc: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut offences = Vec::new();
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (file, test) in named(doc) {
        let text = texts
            .entry(file)
            .or_insert_with(|| read(file).unwrap_or_default());
        if !text.contains(&format!("fn {test}(")) {
            offences.push(format!("{file} has no test {test}"));
        }
    }
    offences
}

#[test]
fn every_fault_names_a_test_that_exists() {
    let doc = "| A1 | x | y | `a.rs::here`, `a.rs::gone` |\n| A2 | x | y | nothing |";
    let text = |_: &str| Some("    fn here() {}".to_owned());
    assert_eq!(
        offences(doc, &["A1".to_owned(), "A2".to_owned()], text),
        ["A2: shown by nothing", "a.rs has no test gone"]
    );
    assert_eq!(offences(doc, &["A1".to_owned()], text).len(), 3);
    let there = |path: &str| super::root().join(path).is_file().then(|| read(path));
    none(&offences(&read("docs/FAULTS.md"), &expected(), there));
}

/// Claims of a document's tables that name no test.
fn unshown(doc: &str) -> Vec<String> {
    let rows = doc.lines().filter(|line| line.starts_with("| "));
    rows.filter(|row| !row.starts_with("| claim |") && named(row).is_empty())
        .map(|row| format!("shown by nothing: {row}"))
        .collect()
}

#[test]
fn every_claim_of_security_names_a_test_that_exists() {
    let text = |_: &str| Some("    fn here() {}".to_owned());
    let doc =
        "| claim | shown by |\n|---|---|\n| x | `a.rs::here` |\n| y | `a.rs::gone` |\n| z | us |";
    assert_eq!(unknown(doc, text), ["a.rs has no test gone"]);
    assert_eq!(unshown(doc), ["shown by nothing: | z | us |"]);
    let there = |path: &str| super::root().join(path).is_file().then(|| read(path));
    let doc = read("docs/SECURITY.md");
    assert!(doc.lines().filter(|line| line.starts_with("| ")).count() > 40);
    none(&unknown(&doc, there));
    none(&unshown(&doc));
}
