//! `docs/FIRST_TEN_MINUTES.md`: every command in it is run, and what comes is compared with what stands
//! there. Figures, ids and bars are another's each time; words, names and their order are not.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::service::Signals;

const PAGE: &str = include_str!("../../docs/FIRST_TEN_MINUTES.md");
/// The address on the page.
const ADDRESS: &str = "127.0.0.1:8080";
/// How memory did: a machine under load may be late for it.
const MEMORY: [&str; 4] = ["hit", "miss", "late", "stale"];

/// A command and what it printed.
struct Step {
    command: String,
    output: Vec<String>,
    /// Whether it goes on until Ctrl-C.
    goes_on: bool,
}

fn steps(page: &str) -> Vec<Step> {
    let blocks = page.split("```console\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once("\n```"));
    let step = |block: &str| {
        let mut lines = block.lines();
        let command = lines.next().and_then(|line| line.strip_prefix("$ "));
        let mut output: Vec<String> = lines.map(str::to_owned).collect();
        let goes_on = output.last().is_some_and(|line| line == "^C");
        output.truncate(output.len() - usize::from(goes_on));
        Step {
            command: command.expect("a block begins with a command").to_owned(),
            output,
            goes_on,
        }
    };
    blocks.map(|(block, _)| step(block)).collect()
}

/// A line without what changes: of a word with a figure in it, what stands before that; no bars; single
/// spaces.
fn lasting(line: &str) -> String {
    let is_bar = |word: &&str| word.chars().all(|c| "░█".contains(c));
    let words = line.split([' ', ',']).filter(|word| !is_bar(word));
    let mut kept: Vec<String> = words
        .map(|word| match word.find(|c: char| c.is_ascii_digit()) {
            Some(figure) => {
                let before = word.get(..figure).unwrap_or_default();
                let end = before.rfind(['=', '/', ':', '$']).map_or(0, |at| at + 1);
                format!("{}#", before.get(..end).unwrap_or_default())
            }
            None if MEMORY.contains(&word) => "(memory)".to_owned(),
            None => word.to_owned(),
        })
        .collect();
    // A thousand has a comma in it, and a hundred none.
    kept.dedup_by(|a, b| a == "#" && b == "#");
    kept.join(" ")
}

fn all_lasting(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| lasting(line)).collect()
}

/// The turn ids in a text, in order.
fn ids(lines: &[String]) -> Vec<String> {
    let text = lines.join(" ");
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let words = words.map(|word| word.trim_start_matches('-'));
    let ids = words.filter(|word| uuid::Uuid::try_parse(word).is_ok());
    ids.map(str::to_owned).collect()
}

/// A machine that somebody sat down at.
struct Desk {
    home: tempfile::TempDir,
    path: String,
    /// Of the running server, once there is one.
    port: String,
}

impl Desk {
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell's own programs are found as the test's are"
    )]
    fn new() -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_clm")).parent().unwrap();
        let others = std::env::var("PATH").unwrap_or_default();
        Self {
            home: tempfile::tempdir().unwrap(),
            path: format!("{}:{others}", binary.display()),
            port: "0".to_owned(),
        }
    }

    /// What is typed, in a shell. A busy machine must not make
    /// another turn of it: nothing is said or asked for slowness' sake.
    fn types(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .env_clear()
            .current_dir(self.home.path())
            .args(["-c", line])
            .env("PATH", &self.path)
            .env("PORT", &self.port)
            .envs([("HEDGING", "false"), ("LEAD_INS", "false")])
            .env("FIRST_TOKEN_DEADLINE_MS", "4900")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn runs(&self, line: &str) -> Vec<String> {
        // Words and data on one screen.
        let output = self.types(&format!("exec 2>&1; {line}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim_end().lines().map(str::to_owned).collect()
    }

    /// Starts what goes on, and reads so many lines of its data.
    fn begins(&self, line: &str, count: usize) -> (Going, Vec<String>) {
        let mut command = self.types(&format!("exec {line}"));
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let read = lines.by_ref().take(count).map(Result::unwrap).collect();
        let going = Going {
            child,
            _lines: lines,
        };
        (going, read)
    }
}

/// What goes on, and finds somebody who reads as long as it does.
struct Going {
    child: Child,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Going {
    fn drop(&mut self) {
        // Whoever has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Going {
    fn ctrl_c(mut self) {
        Signals::new().send("INT", self.child.id());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn every_command_does_what_the_page_shows() {
    let mut desk = Desk::new();
    let mut demo = None;
    let mut known = HashMap::<String, String>::new();
    let steps = steps(PAGE);
    assert!(steps.len() > 12, "{}", steps.len());
    for step in steps {
        let mut line = step.command.replace("cargo run --release --", "clm");
        line = line.replace(ADDRESS, &format!("127.0.0.1:{}", desk.port));
        for (on_page, here) in &known {
            line = line.replace(on_page, here);
        }
        let expected = all_lasting(&step.output);
        let shown = if step.goes_on {
            let (going, shown) = desk.begins(&line, step.output.len());
            if demo.is_none() {
                let serving = shown
                    .iter()
                    .find_map(|l| l.strip_prefix("Serving on http://127.0.0.1:"));
                let port = serving.and_then(|rest| rest.split(' ').next());
                port.expect("an address").clone_into(&mut desk.port);
                demo = Some(going);
            } else {
                going.ctrl_c();
            }
            shown
        } else {
            let asks = ["clm report", "clm export", "clm turn"];
            let mut shown = desk.runs(&line);
            // A row is on its way to the store for a moment.
            for _ in 0..100 {
                if all_lasting(&shown) == expected || !asks.iter().any(|a| line.starts_with(a)) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
                shown = desk.runs(&line);
            }
            shown
        };
        let printed = shown.join("\n");
        assert_eq!(all_lasting(&shown), expected, "{line}\n{printed}");
        known.extend(ids(&step.output).into_iter().zip(ids(&shown)));
    }
    demo.expect("the page begins with the demo").ctrl_c();
}
