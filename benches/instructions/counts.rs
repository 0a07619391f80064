//! The committed figures, and what is said of those that are others now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::ACCEPT;

/// Beyond this a figure has changed. Five runs of one binary, each with hash seeds of its own, were up to
/// 0.8 % apart (`docs/TOKEN.md`); the rest is for what a change elsewhere does to the layout.
const TOLERANCE: f64 = 0.03;
/// The same for figures of another compiler, C library or processor.
const TOLERANCE_ELSEWHERE: f64 = 0.2;
/// An allocation in thirty units is a buffer that grew.
const ALLOCATIONS: f64 = 0.03;

const HEAD: &str = "\
# What each station executes, counted by valgrind: instructions in user space, the allocator's left out,
# and requests to the allocator, for one unit of what the station is about. The whole process has the
# allocator's in it. `scripts/test` compares. A figure that is more than 3 % higher or lower fails: a
# saving that is not written down would hide the next loss.
#
# To accept what is counted now: `cargo bench --locked --profile counted --bench instructions -- --write`,
# committed with what changed it. What the stations are: `stations.rs`; how to read it: `docs/TOKEN.md`.
";

/// What one unit of a station costs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Count {
    pub(crate) each: String,
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

/// Where figures were taken: they are compared closely only with those of the same place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Taken {
    compiler: String,
    libc: String,
    processor: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) taken: Taken,
    pub(crate) counts: BTreeMap<String, Count>,
}

impl Taken {
    pub(crate) fn here() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let vectors = match cpu.contains(" avx2 ") {
            true => " with AVX2",
            false => "",
        };
        Self {
            compiler: told("rustc", &["--version"]),
            libc: told("getconf", &["GNU_LIBC_VERSION"]),
            processor: format!("{}{vectors}", std::env::consts::ARCH),
        }
    }
}

fn told(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

impl Counts {
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        Some(toml::from_str(&text).unwrap())
    }

    pub(crate) fn write(&self, path: &Path) {
        let Taken {
            compiler,
            libc,
            processor,
        } = &self.taken;
        let mut text = format!(
            "{HEAD}\n[taken]\ncompiler = \"{compiler}\"\nlibc = \"{libc}\"\nprocessor = \"{processor}\"\n\n[counts]\n"
        );
        for (name, count) in &self.counts {
            writeln!(
                text,
                r#""{name}" = {{ each = "{}", instructions = {:.1}, allocations = {:.2} }}"#,
                count.each, count.instructions, count.allocations,
            )
            .unwrap();
        }
        std::fs::write(path, text).unwrap();
    }

    /// What of `now` is not as it is written down here, a line each.
    pub(crate) fn offences(&self, now: &Self) -> Vec<String> {
        let is_elsewhere = self.taken != now.taken;
        let tolerance = match is_elsewhere {
            true => TOLERANCE_ELSEWHERE,
            false => TOLERANCE,
        };
        let mut offences = Vec::new();
        for (name, count) in &now.counts {
            let Some(before) = self.counts.get(name) else {
                offences.push(format!("{name}: is not written down"));
                continue;
            };
            let change = count.instructions / before.instructions - 1.0;
            if change.abs() > tolerance {
                offences.push(format!(
                    "{name}: {:.1} instructions a {} before, {:.1} now, {:+.1} % (up to {:.0} % is let pass)",
                    before.instructions, count.each, count.instructions, change * 100.0, tolerance * 100.0,
                ));
            }
            if (count.allocations - before.allocations).abs() > ALLOCATIONS {
                offences.push(format!(
                    "{name}: {:.2} allocations a {} before, {:.2} now",
                    before.allocations, count.each, count.allocations,
                ));
            }
        }
        let gone = self
            .counts
            .keys()
            .filter(|name| !now.counts.contains_key(*name));
        offences.extend(gone.map(|name| format!("{name}: is written down and not counted")));
        if is_elsewhere && !offences.is_empty() {
            offences.push(format!(
                "(written down: {:?}; here: {:?})",
                self.taken, now.taken
            ));
        }
        if !offences.is_empty() {
            offences.push(format!("If that is meant: {ACCEPT}"));
        }
        offences
    }
}
