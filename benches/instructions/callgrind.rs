//! What valgrind's callgrind writes down, read: the cost of each place in the code, and who called
//! whom how often.

use std::collections::HashMap;
use std::path::Path;

/// One dump: what was executed between two marks.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    /// How often the allocator was asked for memory, fresh or more of it.
    pub(crate) allocations: u64,
    /// Instructions of the allocator, the moves of what outgrew its room among them.
    pub(crate) allocator: u64,
    /// Instructions of each place, callees not counted.
    pub(crate) places: HashMap<Place, u64>,
}

/// Where instructions lie: the binary or library, the source file if known, the function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) object: String,
    pub(crate) file: String,
    pub(crate) function: String,
}

const ALLOCATORS: [&str; 5] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
];

const FREE: &str = "free";

impl Profile {
    /// What was executed outside the allocator. What the allocator itself does for one and the same
    /// request depends on where in the heap things lie, and that on how long the binary's path is.
    pub(crate) fn outside_the_allocator(&self) -> u64 {
        self.instructions - self.allocator
    }

    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut profile = Self::default();
        let mut names = Names::default();
        let mut here = Place::default();
        let mut callee = String::new();
        let mut is_call = false;
        for line in text.lines() {
            if let Some((key, name)) = line.split_once('=') {
                match key {
                    "ob" => here.object = names.of("ob", name),
                    "fl" | "fi" | "fe" => here.file = names.of("fl", name),
                    "fn" => here.function = names.of("fn", name),
                    "cob" => drop(names.of("ob", name)),
                    "cfi" | "cfl" => drop(names.of("fl", name)),
                    "cfn" => callee = names.of("fn", name),
                    "calls" => {
                        is_call = true;
                        let count = name.split_whitespace().next().unwrap();
                        if ALLOCATORS.contains(&callee.as_str()) {
                            profile.allocations += count.parse::<u64>().unwrap();
                        }
                    }
                    _ => {}
                }
            } else if line.starts_with(|c: char| "+-*".contains(c) || c.is_ascii_digit()) {
                let Some(cost) = line.split_whitespace().nth(1) else {
                    continue;
                };
                let cost: u64 = cost.parse().unwrap();
                // The line behind a call is what the callee cost, with all that it called; it is counted there.
                if !std::mem::take(&mut is_call) {
                    profile.instructions += cost;
                    *profile.places.entry(here.clone()).or_default() += cost;
                } else if is_allocator(&callee) && !is_allocator(&here.function) {
                    profile.allocator += cost;
                }
            }
        }
        profile
    }
}

fn is_allocator(function: &str) -> bool {
    function == FREE || ALLOCATORS.contains(&function)
}

/// Names are written once and referred to by number from then on.
#[derive(Default)]
struct Names(HashMap<(&'static str, String), String>);

impl Names {
    fn of(&mut self, kind: &'static str, text: &str) -> String {
        let Some((number, name)) = text.split_once(')') else {
            return text.to_owned();
        };
        let key = (kind, number.to_owned());
        let name = name.trim();
        if name.is_empty() {
            return self.0.get(&key).cloned().unwrap_or_default();
        }
        self.0.insert(key, name.to_owned());
        name.to_owned()
    }
}
