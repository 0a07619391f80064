use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A breaker, the eras it counts, and a shorthand for both.
struct Bench {
    breaker: Breaker,
    eras: Eras,
}

impl Bench {
    fn new() -> Self {
        let mut eras = Eras::default();
        let breaker = Breaker::new(&mut eras);
        Self { breaker, eras }
    }

    /// Opened at `at`, for the longest time.
    fn open(at: Instant) -> Self {
        let mut bench = Self::new();
        (0..3).for_each(|_| bench.fail(at));
        bench
    }

    fn admit(&mut self, now: Instant) -> Option<Leave> {
        self.breaker.admit(now, &mut self.eras)
    }

    /// Makes an attempt that fails at once, by the highest chance.
    fn fail(&mut self, now: Instant) {
        let leave = self.admit(now).unwrap();
        self.failed(leave, now);
    }

    fn failed(&mut self, leave: Leave, now: Instant) {
        self.breaker.failed(leave, now, u16::MAX, &mut self.eras);
    }

    fn succeeded(&mut self, leave: Leave) {
        self.breaker
            .succeeded(leave, Instant::now(), &mut self.eras);
    }

    fn state(&self, now: Instant) -> TargetState {
        self.breaker.state(now)
    }
}

#[test]
fn three_failures_within_ten_seconds_open_it() {
    // Milliseconds at which attempts fail, and whether the last of them opens it.
    let table: &[(&[u64], bool)] = &[
        (&[0, 0], false),
        (&[0, 0, 0], true),
        (&[0, 5_000, 10_000], true),
        (&[0, 5_000, 10_001], false),
        (&[0, 9_000, 18_000, 27_000, 36_000], false),
        (&[0, 9_000, 18_000, 19_000], true),
        (&[0, 1, 20_000, 20_001], false),
    ];
    for (failures, opens) in table {
        let start = Instant::now();
        let mut bench = Bench::new();
        let mut now = start;
        for at in *failures {
            assert_eq!(bench.state(now), TargetState::Closed, "{failures:?}");
            now = start + Duration::from_millis(*at);
            bench.fail(now);
        }
        let open = bench.state(now) == TargetState::Open;
        assert_eq!(open, *opens, "{failures:?}");
    }
}

#[test]
fn successes_between_failures_do_not_clear_them() {
    let now = Instant::now();
    let mut bench = Bench::new();
    for _ in 0..3 {
        let well = bench.admit(now).unwrap();
        bench.succeeded(well);
        bench.fail(now);
    }
    assert_eq!(bench.state(now), TargetState::Open);
}

#[test]
fn for_want_of_any_other_an_open_one_is_asked_once_a_second() {
    let now = Instant::now();
    let mut bench = Bench::open(now);
    let mut asked = 0;
    for tenth in 0..40 {
        let at = now + Duration::from_millis(100 * tenth);
        assert!(bench.admit(at).is_none(), "it is open for all others");
        if let Some(probe) = bench.breaker.admit_anyway(at, &mut bench.eras) {
            asked += 1;
            bench.failed(probe, at);
        }
    }
    assert_eq!(asked, 4);
    let later = now + seconds(5);
    let probe = bench.breaker.admit_anyway(later, &mut bench.eras).unwrap();
    bench.succeeded(probe);
    assert_eq!(bench.state(later), TargetState::Closed);
}

#[test]
fn a_small_part_of_much_traffic_does_not_open_it() {
    let now = Instant::now();
    for (well, failing, opens) in [
        (9, 3, true),
        (10, 3, false),
        (60, 19, false),
        (1000, 50, false),
    ] {
        let mut bench = Bench::new();
        for _ in 0..well {
            let leave = bench.admit(now).unwrap();
            bench.succeeded(leave);
        }
        for _ in 0..failing - 1 {
            bench.fail(now);
            assert_eq!(bench.state(now), TargetState::Closed, "{well}");
        }
        bench.fail(now);
        assert_eq!(
            bench.state(now) == TargetState::Open,
            opens,
            "{well}, {failing}"
        );
    }
}

#[test]
fn open_time_doubles_to_a_minute_and_chance_takes_up_to_half() {
    let table = [
        (0, 5),
        (1, 10),
        (2, 20),
        (3, 40),
        (4, 60),
        (5, 60),
        (31, 60),
        (32, 60),
        (u32::MAX, 60),
    ];
    for (failed_probes, longest) in table {
        let longest = seconds(longest);
        assert_eq!(open_time(failed_probes, u16::MAX), longest);
        assert_eq!(open_time(failed_probes, 0), longest / 2);
    }
}

#[test]
fn probes_that_fail_come_ever_more_rarely_and_one_that_succeeds_resets() {
    let mut now = Instant::now();
    let mut bench = Bench::open(now);
    for open in [5, 10, 20, 40, 60, 60].map(seconds) {
        assert!(bench.admit(now + open - Duration::from_nanos(1)).is_none());
        now += open;
        assert_eq!(bench.state(now), TargetState::HalfOpen);
        bench.fail(now);
        assert_eq!(bench.state(now), TargetState::Open);
    }
    now += seconds(60);
    let probe = bench.admit(now).unwrap();
    bench.succeeded(probe);
    assert_eq!(bench.state(now), TargetState::Closed);
    bench.fail(now);
    bench.fail(now);
    assert_eq!(bench.state(now), TargetState::Closed, "counts anew");
    bench.fail(now);
    assert!(bench.admit(now + seconds(5)).is_some(), "as the first time");
}

#[test]
fn one_probe_at_a_time() {
    let due = Instant::now() + seconds(5);
    let mut bench = Bench::open(due - seconds(5));
    let probe = bench.admit(due).unwrap();
    assert!(probe.is_probe);
    assert!(bench.admit(due).is_none());
    bench.breaker.release(probe);
    assert_eq!(bench.state(due), TargetState::HalfOpen);
    assert!(bench.admit(due).unwrap().is_probe);
    assert!(bench.admit(due).is_none());
}

#[test]
fn a_probe_that_never_reports_is_replaced_and_not_heard_after() {
    let due = Instant::now() + seconds(5);
    let mut bench = Bench::open(due - seconds(5));
    let lost = bench.admit(due).unwrap();
    let almost = due + PROBE - Duration::from_nanos(1);
    assert!(bench.admit(almost).is_none());
    let late = due + PROBE;
    let probe = bench.admit(late).unwrap();
    bench.breaker.release(lost);
    assert!(bench.admit(late).is_none(), "the place is another's");
    bench.succeeded(lost);
    assert_eq!(bench.state(late), TargetState::HalfOpen);
    bench.failed(lost, late);
    assert_eq!(bench.state(late), TargetState::HalfOpen);
    bench.succeeded(probe);
    assert_eq!(bench.state(late), TargetState::Closed);
}

#[test]
fn what_began_before_it_opened_changes_nothing() {
    let start = Instant::now();
    let mut bench = Bench::new();
    let mut late: Vec<_> = (0..10).map(|_| bench.admit(start).unwrap()).collect();
    for _ in 0..3 {
        bench.failed(late.pop().unwrap(), start);
    }
    let almost = start + seconds(4);
    bench.failed(late.pop().unwrap(), almost);
    bench.succeeded(late.pop().unwrap());
    bench.breaker.broke(almost, u16::MAX, &mut bench.eras);
    assert_eq!(bench.state(almost), TargetState::Open);
    let due = start + seconds(5);
    assert_eq!(bench.state(due), TargetState::HalfOpen, "not prolonged");

    let probe = bench.admit(due).unwrap();
    bench.failed(late.pop().unwrap(), due);
    bench.succeeded(late.pop().unwrap());
    bench.breaker.release(late.pop().unwrap());
    bench.breaker.broke(due, u16::MAX, &mut bench.eras);
    assert_eq!(bench.state(due), TargetState::HalfOpen);
    assert!(bench.admit(due).is_none());

    bench.succeeded(probe);
    late.drain(..).for_each(|leave| bench.failed(leave, due));
    bench.fail(due);
    bench.fail(due);
    assert_eq!(bench.state(due), TargetState::Closed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn open_time_is_within_bounds(failed_probes in any::<u32>(), small in 0_u32..8, chance in any::<u16>()) {
        for n in [failed_probes, small] {
            let longest = seconds(5_u64.saturating_mul(1 << n.min(10)).min(60));
            let open = open_time(n, chance);
            prop_assert!(longest / 2 <= open && open <= longest, "{n}: {open:?}");
        }
    }

    #[test]
    fn more_chance_is_never_shorter(failed_probes in 0_u32..8, a in any::<u16>(), b in any::<u16>()) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(open_time(failed_probes, low) <= open_time(failed_probes, high));
    }

    /// Against the rule as it is said: the third failure in ten seconds, and not before.
    #[test]
    fn it_opens_at_the_first_three_failures_that_are_close(gaps in vec(0_u64..8_000, 1..40)) {
        let start = Instant::now();
        let mut bench = Bench::new();
        let mut failures: Vec<u64> = Vec::new();
        for gap in gaps {
            let at = failures.last().copied().unwrap_or_default() + gap;
            failures.push(at);
            let now = start + Duration::from_millis(at);
            bench.fail(now);
            let third = failures.len().checked_sub(3).map(|i| failures[i]);
            let close = third.is_some_and(|third| at - third <= 10_000);
            prop_assert_eq!(bench.state(now) == TargetState::Open, close);
            if close {
                break;
            }
        }
    }
}
