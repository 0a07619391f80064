//! The rules of the house that a compiler does not hold: which room may open onto which, how long a
//! file may grow, and that what documents list is what the code has. Reads files, starts nothing.
//!
//! To add a rule: a function that returns what breaks it, a test that expects nothing, and a case
//! that shows the function finding an offender.

#[cfg(test)]
mod tidy {
    mod deployed;
    mod doors;
    mod faults;
    mod figures;
    mod lines;
    mod oncall;
    mod profile;
    mod supplies;

    use self::doors::shipped;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use quest_clm::config::{self, SETTINGS};
    use quest_clm::telemetry::names::{self, Kind};

    /// Lines beyond which a file is two files.
    const CEILING: usize = 400;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn read(path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Every file under `dir` with this ending, by its path from the root. A directory that is not
    /// there has none.
    fn files(dir: &str, ending: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![root().join(dir)];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    let relative = path.strip_prefix(root()).unwrap();
                    found.push(relative.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    fn none(offences: &[String]) {
        assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
    }

    // Doors.

    #[test]
    fn no_file_is_longer_than_the_ceiling() {
        let beside = ["tests", "benches", "examples", "fuzz"].map(|dir| files(dir, ".rs"));
        let scripts = files("scripts", "");
        let offences: Vec<String> = files("src", "")
            .iter()
            .chain(beside.iter().flatten())
            .chain(scripts.iter().filter(|path| !path.ends_with(".pyc")))
            .map(|path| (path, read(path).lines().count()))
            .filter(|(_, lines)| *lines > CEILING)
            .map(|(path, lines)| format!("{path}: {lines} lines; at most {CEILING}"))
            .collect();
        none(&offences);
    }

    /// Lines that hold one of these texts, where they do.
    fn lines_with(path: &str, text: &str, wanted: &[&str]) -> Vec<String> {
        let hit = |line: &str| wanted.iter().find(|w| line.contains(**w)).copied();
        let lines = (1..).zip(text.lines());
        lines
            .filter_map(|(n, line)| Some(format!("{path}:{n}: holds {}", hit(line)?)))
            .collect()
    }

    #[test]
    fn nothing_is_put_off_ignored_or_allowed() {
        // In two parts, so that this file does not find itself.
        let wanted = [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("#[ig", "nore"),
            concat!("#[al", "low("),
            concat!("#![al", "low("),
        ];
        assert_eq!(
            lines_with("x", &format!("a\n// {}: b", wanted[0]), &wanted).len(),
            1
        );
        let offences: Vec<String> = ["src", "tests", "benches", "fuzz"]
            .iter()
            .flat_map(|dir| files(dir, ".rs"))
            .flat_map(|path| lines_with(&path, &read(&path), &wanted))
            .collect();
        none(&offences);
    }

    #[test]
    fn every_statement_says_what_it_is_for() {
        let all = files("sql", ".sql");
        assert!(!all.is_empty());
        let offences: Vec<String> = all
            .into_iter()
            .filter(|path| !read(path).starts_with("-- "))
            .map(|path| format!("{path}: does not begin with a comment"))
            .collect();
        none(&offences);
    }

    /// The files that git keeps, or, outside a checkout, every file but what a build leaves behind.
    fn tracked() -> Vec<String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(root())
            .output();
        if let Ok(listed) = listed
            && listed.status.success()
        {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let paths = listed.split('\0').filter(|p| !p.is_empty());
            return paths.map(str::to_owned).collect();
        }
        let built = ["target/", "data/", ".git/"];
        let all = files("", "").into_iter();
        all.filter(|p| !built.iter().any(|b| p.starts_with(b)))
            .collect()
    }

    /// Paths that exist on one machine only.
    fn machine_paths(path: &str, text: &str) -> Vec<String> {
        let homes = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
        let starts = |line: &str, home: &str| {
            line.match_indices(home).any(|(at, _)| {
                let before = line.get(..at).and_then(|l| l.chars().last());
                before.is_none_or(|c| !c.is_alphanumeric() && !"._-~}".contains(c))
            })
        };
        (1..)
            .zip(text.lines())
            .filter(|(_, line)| homes.iter().any(|home| starts(line, home)))
            .map(|(n, _)| format!("{path}:{n}: names a path of one machine"))
            .collect()
    }

    #[test]
    fn no_tracked_file_names_a_path_of_one_machine() {
        let bad = concat!("see /wo", "rk/shared");
        assert_eq!(machine_paths("x", bad).len(), 1);
        assert_eq!(
            machine_paths("x", concat!("https://x.y/wo", "rk/")).len(),
            0
        );
        let offences: Vec<String> = tracked()
            .iter()
            .map(|path| (path, root().join(path)))
            .filter_map(|(path, file): (_, PathBuf)| Some((path, fs::read_to_string(file).ok()?)))
            .flat_map(|(path, text)| machine_paths(path, &text))
            .collect();
        none(&offences);
    }

    // Telemetry.

    /// Whatever looks like a metric of ours in a text.
    fn metrics_named(text: &str) -> BTreeSet<&str> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("clm_"))
            .collect()
    }

    /// The rows of the metrics table: name, kind, help.
    fn metric_rows(doc: &str) -> BTreeSet<(String, String, String)> {
        let rows = doc.lines().filter(|l| l.starts_with("| `clm_"));
        rows.map(|row| {
            let cells: Vec<&str> = row
                .split(" | ")
                .map(|c| c.trim_matches(['|', ' ']))
                .collect();
            let cell = |n: usize| cells.get(n).copied().unwrap_or_default().to_owned();
            (cell(0).replace('`', ""), cell(1), cell(3))
        })
        .collect()
    }

    #[test]
    fn metrics_are_documented_and_documents_name_real_ones() {
        let kind = |kind: &Kind| match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let known: BTreeSet<(String, String, String)> = names::ALL
            .iter()
            .map(|(name, k, help)| ((*name).into(), kind(k).into(), (*help).into()))
            .collect();
        let described: BTreeSet<&str> = names::ALL.iter().map(|(name, ..)| *name).collect();
        let declared = read("src/telemetry/names.rs");
        assert_eq!(metrics_named(&declared), described, "names.rs and its list");
        assert_eq!(metric_rows(&read("docs/TELEMETRY.md")), known);
        let mut documents = files("docs", ".md");
        documents.push("README.md".to_owned());
        let is_known = |word: &str| {
            let parts = ["_bucket", "_sum", "_count"];
            let bare = parts.iter().find_map(|part| word.strip_suffix(part));
            described.contains(word) || bare.is_some_and(|bare| described.contains(bare))
        };
        assert!(is_known("clm_memory_seconds_bucket") && !is_known("clm_nothing_total"));
        let mut offences = Vec::new();
        for path in documents {
            let text = read(&path);
            let unknown = metrics_named(&text).into_iter().filter(|w| !is_known(w));
            offences.extend(unknown.map(|w| format!("{path}: no metric is called {w}")));
        }
        none(&offences);
    }

    #[test]
    fn metrics_are_moved_in_one_place() {
        let raw = ["counter!(", "gauge!(", "histogram!("];
        let home = "src/telemetry/metrics.rs";
        assert!(!lines_with(home, &read(home), &raw).is_empty());
        let offences: Vec<String> = files("src", ".rs")
            .iter()
            .filter(|path| *path != home)
            .flat_map(|path| lines_with(path, &shipped(&read(path)), &raw))
            .collect();
        none(&offences);
    }

    // Settings.

    #[test]
    fn the_readme_has_the_settings_as_the_code_has_them() {
        let readme = read("README.md");
        let begin = "<!-- settings: generated by clm config --markdown -->\n";
        let (_, after) = readme.split_once(begin).expect("the opening marker");
        let (table, _) = after
            .split_once("<!-- /settings -->")
            .expect("the closing marker");
        assert_eq!(table, config::markdown(), "run `clm config --markdown`");
    }

    /// The settings of an environment file, set or commented out: name and value.
    fn assignments(text: &str) -> Vec<(&str, &str)> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        };
        let bare = text.lines().map(|l| l.strip_prefix('#').unwrap_or(l));
        bare.filter_map(|l| l.split_once('='))
            .filter(|(name, _)| is_name(name))
            .collect()
    }

    #[test]
    fn the_example_environment_has_every_setting_with_its_default() {
        let example = read(".env.example");
        let expected: Vec<(&str, &str)> = SETTINGS.iter().map(|s| (s.name, s.default)).collect();
        assert_eq!(assignments(&example), expected);
        assert_eq!(
            assignments("# A\n#B=1\nC_D=\n# e=2\n"),
            [("B", "1"), ("C_D", "")]
        );
    }
}
