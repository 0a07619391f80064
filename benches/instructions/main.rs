//! What a turn executes, station by station, in instructions rather than time: the same on a busy
//! machine, and to a hundredth. Counted by valgrind, compared with `counts.toml`; how to read the figures:
//! `docs/TOKEN.md`.
//!
//!     cargo bench --locked --profile counted --bench instructions              compares, as scripts/test does
//!     cargo bench --locked --profile counted --bench instructions -- --write   accepts what is counted
//!     cargo bench --locked --profile counted --bench instructions -- --spread 5    how far runs are apart
//!     cargo bench --locked --profile counted --bench instructions -- --whole   a token through the real binary
//!     cargo bench --locked --profile counted --bench instructions -- --calls   its system calls
//!
//! Each station is done once so that nothing is begun in what is counted, then for so many rounds and for twice as
//! many; the difference is its cost. To add one: a function in `stations.rs`, its line in `ALL`, and
//! `--write`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot be set up has nothing to count, and it says what it counts"
)]

#[path = "../common/answer.rs"]
mod answer;
mod callgrind;
mod counts;
#[path = "../common/recording.rs"]
mod recording;
#[path = "../common/request.rs"]
mod request;
mod split;
mod stations;
mod whole;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use callgrind::Profile;
use counts::{Count, Counts, Taken};

pub(crate) const ACCEPT: &str = "cargo bench --locked --profile counted --bench instructions -- --write, \
    and commit benches/instructions/counts.toml with the reason";
/// The function at which callgrind writes down what was executed since the last time.
const MARK: &str = "*instructions*count_to_here*";
/// The real binary, from upstream's socket to the caller's.
const WHOLE: &str = "the whole process, a token relayed";
/// Dumps of a station: what led up to it, its rounds, twice its rounds.
const DUMPS: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    if has("--rounds") {
        run();
    } else if has("--spread") {
        let runs = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(5);
        spread(runs);
    } else if has("--whole") {
        split::whole();
    } else if has("--calls") {
        split::calls();
    } else if has("--bench") {
        return compare(has("--write"));
    } else {
        // As a test: that each still runs.
        for making in stations::ALL {
            let mut station = making();
            (station.round)();
            println!("{}: ok", station.name);
        }
    }
    ExitCode::SUCCESS
}

/// Under valgrind.
fn run() {
    for making in stations::ALL {
        let mut station = making();
        (station.round)();
        count_to_here(0);
        for _ in 0..station.rounds {
            (station.round)();
        }
        count_to_here(station.rounds);
        for _ in 0..2 * station.rounds {
            (station.round)();
        }
        count_to_here(2 * station.rounds);
    }
}

#[inline(never)]
fn count_to_here(rounds: u32) {
    black_box(rounds);
}

fn compare(write: bool) -> ExitCode {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/counts.toml");
    let now = counted();
    let before = Counts::read(&file);
    for (name, count) in &now.counts {
        let before = before.as_ref().and_then(|all| all.counts.get(name));
        let before = before.map_or_else(String::new, |b| format!(", {:.1} before", b.instructions));
        println!(
            "{name}: {:.1} instructions and {:.2} allocations a {}{before}",
            count.instructions, count.allocations, count.each,
        );
    }
    if write {
        now.write(&file);
        return ExitCode::SUCCESS;
    }
    let offences = match before {
        Some(before) => before.offences(&now),
        None => vec![format!("nothing is written down yet: {ACCEPT}")],
    };
    for offence in &offences {
        eprintln!("instructions: {offence}");
    }
    ExitCode::from(u8::from(!offences.is_empty()))
}

/// How far apart runs of the same binary are, each with hash seeds of its own.
fn spread(runs: usize) {
    let mut seen: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..runs {
        for (name, count) in counted().counts {
            seen.entry(name).or_default().push(count.instructions);
        }
    }
    for (name, counts) in seen {
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        let most = counts.iter().copied().fold(0.0, f64::max);
        let apart = (most / least - 1.0) * 100.0;
        println!("{name}: {least:.1} to {most:.1}, {apart:.3} % apart in {runs} runs");
    }
}

fn counted() -> Counts {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let own = std::env::current_exe().unwrap();
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "-q"])
        .arg(format!("--dump-before={MARK}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(own)
        .arg("--rounds")
        .status();
    match ran {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("valgrind: {status}"),
        Err(e) => panic!("valgrind cannot be run: {e}"),
    }
    let mut counts = BTreeMap::new();
    for (at, making) in stations::ALL.iter().enumerate() {
        let station = making();
        let dump = |n: usize| Profile::read(&part(&out, DUMPS * at + n));
        let (once, twice) = (dump(2), dump(3));
        let units = f64::from(station.rounds * station.units);
        let each = |once: u64, twice: u64| (twice as f64 - once as f64) / units;
        let count = Count {
            each: station.each.to_owned(),
            instructions: each(once.outside_the_allocator(), twice.outside_the_allocator()),
            allocations: each(once.allocations, twice.allocations),
        };
        counts.insert(station.name.to_owned(), count);
    }
    counts.insert(WHOLE.to_owned(), split::a_tokens_count());
    Counts {
        taken: Taken::here(),
        counts,
    }
}

fn part(out: &Path, number: usize) -> PathBuf {
    PathBuf::from(format!("{}.{number}", out.display()))
}
