//! What holds whatever happens, in whatever order.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What may happen to a few targets. Attempts are picked by number, from those under way.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Admit(usize),
    Broke(usize),
    End(usize, End),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Spoke,
    Failed,
    TimedOut,
    CoolDown,
    Neutral,
    Dropped,
}

const NAMES: [&str; 2] = ["a", "b"];

fn event() -> impl Strategy<Value = Event> {
    // Failures and waits as long as a breaker is open are common, or few cases would see a probe.
    let end = prop_oneof![
        6 => Just(End::Failed),
        2 => Just(End::TimedOut),
        2 => Just(End::Spoke),
        2 => Just(End::Dropped),
        1 => Just(End::Neutral),
        1 => Just(End::CoolDown),
    ];
    prop_oneof![
        2 => (0_u64..100).prop_map(Event::Wait),
        1 => (0_u64..12_000).prop_map(Event::Wait),
        6 => (0..NAMES.len()).prop_map(Event::Admit),
        1 => (0..NAMES.len()).prop_map(Event::Broke),
        4 => (any::<usize>(), end).prop_map(|(n, end)| Event::End(n, end)),
    ]
}

/// An attempt under way.
struct Attempt {
    target: usize,
    began: Instant,
    /// Whether its target was anything but well when it began.
    probes: bool,
    pass: Pass,
}

fn end(pass: Pass, end: End, now: Instant) {
    match end {
        End::Spoke => pass.spoke(millis(300), now),
        End::Failed => pass.failed(now),
        End::TimedOut => pass.timed_out(millis(2_500), now),
        End::CoolDown => pass.cool_down(seconds(3), now),
        End::Neutral => pass.neutral(),
        End::Dropped => drop(pass),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn never_two_probes_at_once(events in vec(event(), 1..200)) {
        let health = Arc::new(Health::default());
        let mut now = Instant::now();
        let mut under_way: Vec<Attempt> = Vec::new();
        for event in events {
            match event {
                Event::Wait(ms) => now += millis(ms),
                Event::Broke(target) => health.broke(NAMES[target], now),
                Event::Admit(target) => {
                    let well = health.is_well(NAMES[target], now);
                    let probing = under_way.iter().any(|a| {
                        a.target == target && a.probes && now < a.began + seconds(10)
                    });
                    let Some(pass) = health.admit(NAMES[target], now) else {
                        prop_assert!(!well, "one that is well is always asked");
                        continue;
                    };
                    prop_assert!(well || !probing, "two probes");
                    prop_assert_eq!(pass.leave.is_probe, !well);
                    under_way.push(Attempt { target, began: now, probes: !well, pass });
                }
                Event::End(n, how) if !under_way.is_empty() => {
                    let attempt = under_way.swap_remove(n % under_way.len());
                    end(attempt.pass, how, now);
                }
                Event::End(..) => {}
            }
        }
        // Whatever happened, nothing is shut for good.
        drop(under_way);
        for target in NAMES {
            prop_assert!(health.admit(target, now + seconds(60)).is_some());
        }
    }

    #[test]
    fn a_total_outage_sees_one_attempt_an_open_time(
        steps in vec((1_u64..150, 0_u64..3_000, any::<bool>()), 200..600),
    ) {
        let health = Arc::new(Health::default());
        let mut now = Instant::now();
        let mut under_way: Vec<(Instant, Pass)> = Vec::new();
        let mut last_probe = None;
        for (gap, takes, times_out) in steps {
            now += millis(gap);
            let (over, rest) = under_way.into_iter().partition(|(ends, _)| *ends <= now);
            under_way = rest;
            let mut over: Vec<(Instant, Pass)> = over;
            over.sort_by_key(|(ends, _)| *ends);
            for (ends, pass) in over {
                if times_out {
                    pass.timed_out(millis(takes), ends);
                } else {
                    pass.failed(ends);
                }
            }
            let well = health.is_well(MODEL, now);
            let Some(pass) = health.admit(MODEL, now) else { continue };
            under_way.push((now + millis(takes), pass));
            if !well {
                let apart = last_probe.map(|last| now - last);
                prop_assert!(apart.is_none_or(|apart| apart >= millis(2_500)), "{apart:?}");
                last_probe = Some(now);
            } else {
                prop_assert_eq!(last_probe, None, "once open, it never closes");
            }
        }
    }

    #[test]
    fn nothing_is_admitted_while_it_cools(
        hints in vec((0_u64..2_000, 0_u64..90_000), 1..6),
        looks in vec(0_u64..5_000, 1..40),
    ) {
        let health = Arc::new(Health::default());
        let mut now = Instant::now();
        let passes: Vec<Pass> = hints.iter().map(|_| pass(&health, now)).collect();
        let mut over = now;
        for ((gap, hint), pass) in hints.into_iter().zip(passes) {
            now += millis(gap);
            pass.cool_down(millis(hint), now);
            over = over.max(now + millis(hint.clamp(1_000, 60_000)));
        }
        for gap in looks {
            let admitted = health.admit(MODEL, now).is_some();
            prop_assert_eq!(admitted, now >= over);
            prop_assert_eq!(health.is_well(MODEL, now), now >= over);
            prop_assert_eq!(state(&health, now) == TargetState::Cooling, now < over);
            now += millis(gap);
        }
        prop_assert!(health.admit(MODEL, over).is_some());
    }

    /// Against the same said slowly: the newest 128, those of five minutes, sorted, the ninth tenth.
    #[test]
    fn old_samples_do_not_count(
        samples in vec((0_u64..8_000, 0_u64..5_000), 0..300),
        wait in 0_u64..320_000,
    ) {
        let health = Arc::new(Health::default());
        let mut now = Instant::now();
        let mut taken = Vec::new();
        for (gap, sample) in samples {
            now += millis(gap);
            pass(&health, now).spoke(millis(sample), now);
            taken.push((now, sample));
        }
        for now in [now, now + millis(wait)] {
            let newest = taken.iter().rev().take(128);
            let fresh = newest.filter(|(at, _)| now - *at <= seconds(300));
            let mut fresh: Vec<u64> = fresh.map(|(_, sample)| *sample).collect();
            fresh.sort_unstable();
            // The least that at least nine tenths are no more than.
            let usual = (1..).zip(&fresh).find(|(n, _)| n * 10 >= fresh.len() * 9);
            let usual = usual.filter(|_| fresh.len() >= 5).map(|(_, sample)| millis(*sample));
            prop_assert_eq!(health.usual_first_token(MODEL, now), usual);
        }
        if let Some((last, _)) = taken.last() {
            let old = *last + seconds(300) + Duration::from_nanos(1);
            prop_assert_eq!(health.usual_first_token(MODEL, old), None);
        }
    }
}
