//! What a token costs the real binary: instructions by crate and by room, system calls by name. Two
//! turns, a short and a long one; the difference is tokens and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::callgrind::{Place, Profile};
use crate::counts::Count;
use crate::whole::House;

const SHORT: usize = 200;
const LONG: usize = 1_200;
/// What is less than this a token is told as a sum.
const LEAST: f64 = 5.0;

/// Two turns of one process: what was executed in each.
fn counted() -> [Profile; 2] {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let watched = [
        "valgrind",
        "--tool=callgrind",
        "-q",
        "--separate-threads=yes",
    ];
    let mut watched: Vec<String> = watched.map(str::to_owned).to_vec();
    watched.push(format!("--callgrind-out-file={}", out.display()));
    let mut house = House::start(&watched);
    // The first turns make connections, fill caches and find code untranslated.
    for _ in 0..3 {
        house.turn(SHORT / 10);
    }
    let pid = house.server.id();
    dump(pid);
    for count in [SHORT, LONG] {
        house.turn(count);
        dump(pid);
    }
    if house.late > 0 {
        println!(
            "{} tokens were held back longer than they should be",
            house.late
        );
    }
    drop(house);
    // The first dump is what led up to the turns. Of the threads the one that carries them is meant: what
    // the others do, records and memory, no token waits for.
    let [short, long] = [2, 3].map(|number| threads(dir.path(), number));
    let more = |id: &String| {
        let before = short.get(id).map_or(0, |profile| profile.instructions);
        long.get(id)
            .map_or(0, |p| p.instructions.saturating_sub(before))
    };
    let worker = long.keys().max_by_key(|id| more(id)).unwrap().clone();
    [short, long].map(|mut threads| threads.remove(&worker).unwrap())
}

/// What each thread executed up to one dump.
fn threads(dir: &Path, number: usize) -> BTreeMap<String, Profile> {
    let files = std::fs::read_dir(dir).unwrap().flatten();
    let of_dump = files.filter_map(|file| {
        let name = file.file_name().into_string().unwrap();
        let thread = name.strip_prefix(&format!("out.{number}-"))?.to_owned();
        Some((thread, Profile::read(&file.path())))
    });
    of_dump.collect()
}

fn dump(pid: u32) {
    let mut asked = Command::new("vgdb");
    let asked = asked.arg(format!("--pid={pid}")).arg("dump").output();
    assert!(
        asked.is_ok_and(|o| o.status.success()),
        "vgdb cannot ask for a dump"
    );
}

/// What a token costs by the difference.
fn a_token(short: u64, long: u64) -> f64 {
    (long as f64 - short as f64) / (LONG - SHORT) as f64
}

fn count(short: &Profile, long: &Profile) -> Count {
    Count {
        each: "token".to_owned(),
        instructions: a_token(short.instructions, long.instructions),
        allocations: a_token(short.allocations, long.allocations),
    }
}

pub(crate) fn a_tokens_count() -> Count {
    let [short, long] = counted();
    count(&short, &long)
}

pub(crate) fn whole() {
    let [short, long] = counted();
    let all = count(&short, &long);
    println!(
        "a token: {:.0} instructions, {:.2} allocations",
        all.instructions, all.allocations
    );
    for (title, name) in [
        ("by crate", crate_of as fn(&Place) -> String),
        ("by room of ours", room_of),
        ("by function", function_of),
    ] {
        println!("\n{title}");
        let mut sums: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for (at, profile) in [&short, &long].into_iter().enumerate() {
            for (place, cost) in &profile.places {
                let sum = sums.entry(name(place)).or_default();
                *sum.get_mut(at).unwrap() += cost;
            }
        }
        let mut sums: Vec<(f64, String)> = sums
            .into_iter()
            .map(|(name, [short, long])| (a_token(short, long), name))
            .collect();
        sums.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut rest = 0.0;
        for (cost, name) in sums {
            if cost.abs() < LEAST {
                rest += cost;
            } else {
                println!("{cost:9.1}  {name}");
            }
        }
        println!("{rest:9.1}  all others");
    }
}

/// The crate whose source the instruction comes from, inlined or not; where that is not known, the one whose
/// function it lies in; outside of the binary, the library and what it does.
fn crate_of(place: &Place) -> String {
    let (file, function) = (place.file.as_str(), place.function.as_str());
    if !place.object.ends_with("/clm") {
        let library = place.object.rsplit('/').next().unwrap_or_default();
        let memory = [
            "malloc",
            "free",
            "calloc",
            "realloc",
            "int_",
            "tcache",
            "unlink_chunk",
        ];
        return match function {
            f if f.contains("mem") && !f.contains("memalign") => {
                format!("{library}: memcpy and the like")
            }
            f if memory.iter().any(|m| f.contains(m)) => format!("{library}: malloc and free"),
            _ => format!("{library}: all else"),
        };
    }
    if let Some((_, path)) = file.split_once("/registry/src/") {
        let name = path.split('/').nth(1).unwrap_or_default();
        return name
            .rsplit_once('-')
            .map_or(name, |(name, _)| name)
            .to_owned();
    }
    if file.contains("/library/") || file.starts_with("/rustc/") {
        return "the standard library".to_owned();
    }
    if file.starts_with("src/") || file.contains("/src/") {
        return "quest_clm".to_owned();
    }
    let name = function.trim_start_matches(|c: char| !c.is_alphanumeric());
    let name = name.split("::").next().unwrap_or_default();
    match name {
        "core" | "alloc" | "std" => "the standard library".to_owned(),
        "" => "unknown".to_owned(),
        name => name.replace('_', "-"),
    }
}

fn room_of(place: &Place) -> String {
    if crate_of(place) != "quest_clm" {
        return "(not ours)".to_owned();
    }
    let (_, path) = place.file.split_once("src/").unwrap_or_default();
    path.split(['/', '.']).next().unwrap_or_default().to_owned()
}

fn function_of(place: &Place) -> String {
    let library = place.object.rsplit('/').next().unwrap_or_default();
    format!("{library}: {}", place.function)
}

/// System calls a token, by name.
pub(crate) fn calls() {
    let [short, long] = [SHORT, LONG].map(|count| {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("calls");
        let mut watched: Vec<String> = ["strace", "-f", "-qq", "-o"].map(str::to_owned).to_vec();
        watched.push(out.display().to_string());
        let mut house = House::start(&watched);
        house.turn(SHORT / 10);
        house.turn(count);
        house.stop();
        traced(&out)
    });
    for (name, long) in &long {
        let short = short.get(name).copied().unwrap_or(0);
        let each = a_token(short, *long);
        if each.abs() >= 0.005 {
            println!("{each:6.3}  {name}");
        }
    }
}

/// Each line is a thread and what it asked the system for.
fn traced(path: &Path) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let mut calls = BTreeMap::new();
    for line in text.lines().filter(|line| !line.contains("resumed>")) {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        if let Some((name, _)) = call.split_once('(') {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}
