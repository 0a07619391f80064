//! Whether 1,000 slow callers cost the others anything: the first words of ordinary turns without them
//! and beside them, in windows that alternate, and in the same moments of the same call on the direct
//! path to the simulated model. What moves both is this machine; what moves the first alone is the server.
//!
//! `CLM_BENCH_ROUNDS=6 cargo bench --bench crowd` takes about nine minutes and prints a table: the server
//! with one worker on one processor, the simulator and all callers on the other. Without the variable, and
//! under `cargo test --benches`, a few turns beside a few slow callers show that it still runs. Figures:
//! `docs/BENCH.md`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark: it measures and prints, and what fails may end it"
)]

mod callers;
mod house;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use self::callers::{Crowd, Slow};
use self::house::House;

/// How long and how large the comparison is.
struct Size {
    rounds: usize,
    slow: usize,
    window: Duration,
    /// Between a crowd's coming or going and the next window.
    settle: Duration,
    /// From one ordinary turn to the next.
    every: Duration,
}

impl Size {
    fn asked() -> Self {
        match std::env::var("CLM_BENCH_ROUNDS") {
            Ok(rounds) => Self {
                rounds: rounds.parse().expect("CLM_BENCH_ROUNDS is a number"),
                slow: 1_000,
                window: Duration::from_secs(15),
                settle: Duration::from_secs(5),
                every: Duration::from_micros(16_667),
            },
            Err(_) => Self {
                rounds: 1,
                slow: 20,
                window: Duration::from_millis(500),
                settle: Duration::from_millis(200),
                every: Duration::from_millis(50),
            },
        }
    }
}

/// What was measured beside one kind of crowd, or beside none.
#[derive(Default)]
struct Beside {
    served: Vec<Duration>,
    direct: Vec<Duration>,
    /// The 99th percentile of each window, through the server and directly.
    windows: Vec<(Duration, Duration)>,
    /// How many slow callers were there, and turns open, at the windows' ends.
    held: Vec<(usize, usize)>,
    /// Processor time of the server, and how long the windows were.
    busy: Duration,
    measured: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let size = Size::asked();
    let house = House::start(size.slow).await;
    // The first turns of all find cold caches and no connections to upstream.
    window(&house, &size, None, &mut Beside::default()).await;
    let mut alone = Beside::default();
    let mut kinds = [Slow::Reads, Slow::Sends].map(|slow| (slow, Beside::default()));
    for _ in 0..size.rounds {
        for (slow, beside) in &mut kinds {
            window(&house, &size, None, &mut alone).await;
            let crowd = Crowd::gather(*slow, size.slow, house.served).await;
            sleep(size.settle).await;
            window(&house, &size, Some(&crowd), beside).await;
            drop(crowd);
            sleep(size.settle).await;
        }
    }
    println!(
        "| beside | turns | direct, p50 / p90 / p99 ms | through the server | more than alone | windows' p99, middle (least to most) | server's processor |"
    );
    println!("|---|---|---|---|---|---|---|");
    row("nobody", &mut alone, None);
    let still = percentiles(&mut alone.served);
    for (slow, beside) in &mut kinds {
        row(slow.name(), beside, Some(still));
    }
    for (slow, beside) in &kinds {
        println!("{}, held and turns open: {:?}", slow.name(), beside.held);
    }
}

/// Takes turns through the server and directly, one of each in every interval, for one window.
async fn window(house: &House, size: &Size, crowd: Option<&Crowd>, beside: &mut Beside) {
    let began = Instant::now();
    let busy = house.busy();
    let mut served = JoinSet::new();
    let mut direct = JoinSet::new();
    let mut due = began;
    let mut number = 0;
    while due < began + size.window {
        sleep_until(due).await;
        served.spawn(callers::first_words(house.served, callers::turn(number)));
        sleep_until(due + size.every / 2).await;
        direct.spawn(callers::first_words(house.direct, callers::model_call()));
        due += size.every;
        number += 1;
    }
    beside.measured += began.elapsed();
    beside.busy += house.busy() - busy;
    if let Some(crowd) = crowd {
        beside.held.push((crowd.held(), house.turns_open().await));
    }
    let (mut served, mut direct) = (served.join_all().await, direct.join_all().await);
    let p99 = |times: &mut Vec<Duration>| percentiles(times)[2];
    beside.windows.push((p99(&mut served), p99(&mut direct)));
    beside.served.append(&mut served);
    beside.direct.append(&mut direct);
}

/// The 50th, the 90th and the 99th.
fn percentiles(times: &mut [Duration]) -> [Duration; 3] {
    times.sort();
    [50, 90, 99].map(|p| times[(times.len() * p / 100).min(times.len() - 1)])
}

fn row(name: &str, beside: &mut Beside, still: Option<[Duration; 3]>) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let three = |t: [Duration; 3]| format!("{:.2} / {:.2} / {:.2}", ms(t[0]), ms(t[1]), ms(t[2]));
    let served = percentiles(&mut beside.served);
    let more = still.map_or("–".to_owned(), |still| {
        let more = [0, 1, 2].map(|n| ms(served[n]) - ms(still[n]));
        format!("{:+.2} / {:+.2} / {:+.2}", more[0], more[1], more[2])
    });
    let mut windows: Vec<f64> = beside.windows.iter().map(|(s, _)| ms(*s)).collect();
    windows.sort_by(f64::total_cmp);
    println!(
        "| {name} | {} | {} | {} | {more} | {:.2} ({:.2} to {:.2}) | {:.0} % |",
        beside.served.len(),
        three(percentiles(&mut beside.direct)),
        three(served),
        windows[windows.len() / 2],
        windows[0],
        windows[windows.len() - 1],
        100.0 * beside.busy.as_secs_f64() / beside.measured.as_secs_f64(),
    );
}
