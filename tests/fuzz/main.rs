//! What strangers send us: the readers of a request's body, of a model's stream, of a signed session id, of a
//! spool's segment, and the speech filter. None may panic, hang, or break what its target promises
//! (`targets/`).
//!
//! Each target is tried with the files of `fuzz/corpus/<target>` as they are, and with a set number of random
//! changes of them, from a set seed: a few seconds, the same in every run. The corpus is libFuzzer's, which
//! `scripts/fuzz` runs for minutes on the same targets, following what code an input reaches.
//!
//! To add a target: a file in `targets/`, a test here, a line in `fuzz/src/lib.rs` and its file in
//! `fuzz/fuzz_targets/`, a folder of a few small inputs. An input that broke something is written to the build
//! directory and named; once mended, it belongs into the corpus.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "these are tests, also where a function has no #[test] on it; what was tried is shown"
)]

mod change;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use self::change::Chance;

const SEED: u64 = 20_261_128;
/// No input grows beyond.
const MAX_BYTES: usize = 16 << 10;
/// Slower than this, in a build without optimisation on a busy machine, is a hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does its work on the input, and panics where a promise is broken.
type Target = fn(&[u8]);

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let files = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Writes the input down if its target panics.
struct Watched<'a> {
    name: &'a str,
    input: &'a [u8],
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", self.name));
            fs::write(&path, self.input).unwrap();
            println!("{}: broken by {}", self.name, path.display());
        }
    }
}

fn attempt(name: &str, target: Target, input: &[u8]) {
    let began = Instant::now();
    let _watched = Watched { name, input };
    target(input);
    assert!(began.elapsed() < PATIENCE, "{name} hangs");
}

/// Tries a target with its corpus, and with so many changes of it.
fn fuzz(name: &str, target: Target, changes: u32) {
    let mut chance = Chance::new(SEED);
    let mut inputs = Vec::new();
    for (path, input) in corpus(name) {
        assert!(input.len() <= MAX_BYTES, "{} is too large", path.display());
        attempt(name, target, &input);
        inputs.push(input);
    }
    assert!(inputs.len() >= 3, "{name}: {} inputs", inputs.len());
    for _ in 0..changes {
        let mut input = inputs[chance.below(inputs.len())].clone();
        for _ in 0..=chance.below(4) {
            let other = &inputs[chance.below(inputs.len())];
            change::change(&mut input, other, &mut chance);
        }
        input.truncate(MAX_BYTES);
        attempt(name, target, &input);
    }
}

#[test]
fn body() {
    fuzz("body", targets::body, 3_000);
}

#[test]
fn sse() {
    fuzz("sse", targets::sse, 6_000);
}

#[test]
fn token() {
    fuzz("token", targets::token, 10_000);
}

#[test]
fn spool() {
    fuzz("spool", targets::spool, 150);
}

#[test]
fn speech() {
    fuzz("speech", targets::speech, 3_000);
}
