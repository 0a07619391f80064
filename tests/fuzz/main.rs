//! What strangers send us, changed at random: the readers of a request's body, of a model's stream, of a
//! signed session id, of a spool's segment, and the speech filter. None may panic, hang, or break what its
//! target promises (`targets.rs`).
//!
//! Each target begins with the files of `fuzz/corpus/<target>`, all of them as they are, and goes on with
//! changed ones. An input that makes its target do something new (its *trait*, a number the target returns)
//! joins the others, so that the search goes where nobody has been. Without a wish a target tries a set
//! number of inputs with a set seed: a few seconds, the same in every run. `scripts/fuzz` runs it for minutes.
//!
//! To add a target: a function in `targets.rs`, a test here, a folder of a few small inputs. An input that
//! broke something is written to the build directory and named; once mended, it belongs into the corpus.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "these are tests, also where a function has no #[test] on it; what was tried is shown"
)]

mod change;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use self::change::Chance;

/// Minutes for each target; unset: a set number of inputs.
const MINUTES: &str = "CLM_FUZZ_MINUTES";
/// No input grows beyond.
const MAX_BYTES: usize = 16 << 10;
/// Inputs that are kept to be changed again.
const MAX_KEPT: usize = 2_000;
/// Slower than this, in a build without optimisation on a busy machine, is a hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// A target: does its work on the input, panics where a promise is broken, and tells a trait of what it did.
type Target = fn(&[u8]) -> u64;

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

fn tried(name: &str, target: Target, input: &[u8]) -> u64 {
    let began = Instant::now();
    let _watched = Watched { name, input };
    let new = target(input);
    assert!(began.elapsed() < PATIENCE, "{name} hangs");
    new
}

/// How long to go on.
enum Until {
    Tried(u64),
    Over(Instant),
}

fn wish(inputs: u64) -> (Until, u64) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long is wished by whoever runs it"
    )]
    let minutes = std::env::var(MINUTES);
    match minutes {
        Err(_) => (Until::Tried(inputs), 20_261_128),
        Ok(minutes) => {
            let minutes: f64 = minutes.parse().unwrap_or_else(|e| panic!("{MINUTES}: {e}"));
            let over = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
            (Until::Over(over), RandomState::new().hash_one(0))
        }
    }
}

/// Tries a target with its corpus, and with changes of it.
fn fuzz(name: &str, target: Target, inputs: u64) {
    let (until, seed) = wish(inputs);
    let mut chance = Chance::new(seed);
    let mut traits = BTreeSet::new();
    let mut kept = Vec::new();
    for (path, input) in corpus(name) {
        assert!(input.len() <= MAX_BYTES, "{} is too large", path.display());
        traits.insert(tried(name, target, &input));
        kept.push(input);
    }
    assert!(kept.len() >= 3, "{name}: {} inputs", kept.len());
    let mut count = 0_u64;
    loop {
        match until {
            Until::Tried(most) if count >= most => break,
            Until::Over(then) if count.is_multiple_of(16) && Instant::now() >= then => break,
            _ => count += 1,
        }
        let mut input = kept[chance.below(kept.len())].clone();
        for _ in 0..=chance.below(4) {
            let other = &kept[chance.below(kept.len())];
            change::change(&mut input, other, &mut chance);
        }
        input.truncate(MAX_BYTES);
        if traits.insert(tried(name, target, &input)) && kept.len() < MAX_KEPT {
            kept.push(input);
        }
    }
    println!(
        "{name}: {count} inputs, {} traits, {} kept, seed {seed}",
        traits.len(),
        kept.len()
    );
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
