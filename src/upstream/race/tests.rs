use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::*;

/// How one model behaves.
#[derive(Clone, Copy, Debug)]
enum Model {
    Speaks(u64),
    Fails(u64),
    /// A failure of the key.
    Closes(u64),
    /// Not to be asked now.
    Cooling,
    /// To be asked only when nobody else is left, and then it speaks.
    Resting(u64),
}
use Model::{Closes, Cooling, Fails, Resting, Speaks};

/// A stable of scripted models.
struct Scripted {
    models: Vec<Model>,
    hedge_after: Option<u64>,
    began: Instant,
    /// Which model was started why and when, in milliseconds.
    started: RefCell<Vec<(usize, Cause, u64)>>,
    running: Rc<Cell<usize>>,
    most: Cell<usize>,
}

struct Alive(Rc<Cell<usize>>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Scripted {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    fn run<'a>(&self, index: usize, cause: Cause) -> LocalBoxFuture<'a, Result<usize, Next>> {
        self.started.borrow_mut().push((index, cause, self.now()));
        self.running.set(self.running.get() + 1);
        self.most.set(self.most.get().max(self.running.get()));
        let alive = Alive(Rc::clone(&self.running));
        let behaviour = self.models[index];
        let run = async move {
            let _alive = alive;
            let (after, end) = match behaviour {
                Speaks(after) | Resting(after) => (after, Ok(index)),
                Fails(after) => (after, Err(Next::Model)),
                Closes(after) => (after, Err(Next::GiveUp)),
                Cooling => unreachable!(),
            };
            sleep(Duration::from_millis(after)).await;
            end
        };
        run.boxed_local()
    }
}

impl<'a> Stable<'a> for Scripted {
    type Speaking = usize;
    type Run = LocalBoxFuture<'a, Result<usize, Next>>;

    fn start(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run> {
        let index: usize = model.parse().unwrap();
        (!matches!(self.models[index], Cooling | Resting(_))).then(|| self.run(index, cause))
    }

    fn start_anyway(&'a self, model: &'a str, cause: Cause) -> Option<Self::Run> {
        let index: usize = model.parse().unwrap();
        (!matches!(self.models[index], Cooling)).then(|| self.run(index, cause))
    }

    fn hedge_at(&self, _: &str) -> Option<Instant> {
        self.hedge_after
            .map(|after| Instant::now() + Duration::from_millis(after))
    }

    fn hedge(&self, untried: &[&'a str]) -> Option<&'a str> {
        untried.first().copied()
    }
}

struct Run {
    end: Result<usize, Exhausted>,
    at: u64,
    started: Vec<(usize, Cause, u64)>,
    most: usize,
}

const DUE: u64 = 5000;

fn run(models: &[Model], hedge_after: Option<u64>, fallback: bool) -> Run {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        let stable = Scripted {
            models: models.to_vec(),
            hedge_after,
            began,
            started: RefCell::default(),
            running: Rc::default(),
            most: Cell::default(),
        };
        let candidates: Vec<String> = (0..models.len()).map(|i| i.to_string()).collect();
        let course = Course {
            candidates: &candidates,
            fallback,
            cause: Cause::First,
            due: began + Duration::from_millis(DUE),
        };
        let end = race(course, &stable).await;
        assert_eq!(stable.running.get(), 0, "nobody runs on");
        Run {
            end,
            at: stable.now(),
            started: stable.started.take(),
            most: stable.most.get(),
        }
    })
}

#[test]
fn who_is_asked_when_and_who_speaks() {
    use Cause::{Fallback, First, Hedge};
    type Row<'a> = (
        &'a [Model],
        Option<u64>,
        Result<usize, Exhausted>,
        u64,
        &'a [(usize, Cause, u64)],
    );
    let table: &[Row<'_>] = &[
        (
            &[Speaks(300), Speaks(1)],
            Some(350),
            Ok(0),
            300,
            &[(0, First, 0)],
        ),
        // A failure moves on at once.
        (
            &[Fails(20), Fails(30), Speaks(40)],
            Some(350),
            Ok(2),
            90,
            &[(0, First, 0), (1, Fallback, 20), (2, Fallback, 50)],
        ),
        // A slow one is raced, and the earlier word wins.
        (
            &[Speaks(2000), Speaks(100)],
            Some(350),
            Ok(1),
            450,
            &[(0, First, 0), (1, Hedge, 350)],
        ),
        (
            &[Speaks(400), Speaks(100)],
            Some(350),
            Ok(0),
            400,
            &[(0, First, 0), (1, Hedge, 350)],
        ),
        // Both in the same millisecond: one of them.
        (
            &[Speaks(450), Speaks(100)],
            Some(350),
            Ok(0),
            450,
            &[(0, First, 0), (1, Hedge, 350)],
        ),
        // The hedge is the fallback already when the first fails.
        (
            &[Fails(500), Speaks(400), Speaks(1)],
            Some(350),
            Ok(1),
            750,
            &[(0, First, 0), (1, Hedge, 350)],
        ),
        (
            &[Fails(500), Fails(300), Speaks(1)],
            Some(350),
            Ok(2),
            651,
            &[(0, First, 0), (1, Hedge, 350), (2, Fallback, 650)],
        ),
        // One that cools down is passed over, also as the first.
        (
            &[Cooling, Cooling, Speaks(5)],
            None,
            Ok(2),
            5,
            &[(2, First, 0)],
        ),
        (&[Cooling, Cooling], None, Err(Exhausted), 0, &[]),
        // One that failed lately is asked when nobody else is left, and not before.
        (&[Resting(5), Speaks(9)], None, Ok(1), 9, &[(1, First, 0)]),
        (
            &[Resting(5), Fails(9), Cooling],
            None,
            Ok(0),
            14,
            &[(1, First, 0), (0, Fallback, 9)],
        ),
        (
            &[Closes(10), Speaks(1)],
            Some(350),
            Err(Exhausted),
            10,
            &[(0, First, 0)],
        ),
        (
            &[Fails(1), Fails(1)],
            None,
            Err(Exhausted),
            2,
            &[(0, First, 0), (1, Fallback, 1)],
        ),
        (
            &[Speaks(9000), Speaks(9000)],
            Some(900),
            Err(Exhausted),
            DUE,
            &[(0, First, 0), (1, Hedge, 900)],
        ),
    ];
    for (models, hedge, end, at, started) in table {
        let run = run(models, *hedge, true);
        assert_eq!((run.end, run.at), (*end, *at), "{models:?}");
        assert_eq!(run.started, *started, "{models:?}");
    }
}

#[test]
fn without_fallback_there_is_one_attempt() {
    for (models, end) in [
        (&[Fails(5), Speaks(1)][..], Err(Exhausted)),
        (&[Speaks(2000), Speaks(1)], Ok(0)),
        (&[Cooling, Speaks(1)], Err(Exhausted)),
    ] {
        let run = run(models, Some(350), false);
        assert_eq!(run.end, end, "{models:?}");
        assert!(run.started.len() <= 1, "{:?}", run.started);
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn model() -> impl Strategy<Value = Model> {
        // Few different times, so that many fall together.
        let time = prop_oneof![Just(0_u64), Just(350), Just(700), 0_u64..6000];
        (0_u8..9, time).prop_map(|(kind, time)| match kind {
            0 => Cooling,
            8 => Resting(time),
            1 => Closes(time),
            2 | 3 => Fails(time),
            _ => Speaks(time),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn one_speaks_nobody_runs_on_and_no_time_is_lost(
            models in proptest::collection::vec(model(), 1..5),
            hedge in proptest::option::of(prop_oneof![Just(350_u64), 350_u64..900]),
            fallback: bool,
        ) {
            let run = run(&models, hedge, fallback);
            prop_assert!(run.at <= DUE);
            prop_assert!(run.most <= 2);
            let hedges = run.started.iter().filter(|(_, cause, _)| *cause == Cause::Hedge);
            prop_assert!(hedges.count() <= 1);
            let mut asked: Vec<usize> = run.started.iter().map(|(model, ..)| *model).collect();
            asked.sort_unstable();
            asked.dedup();
            prop_assert_eq!(asked.len(), run.started.len(), "each is asked once");
            prop_assert!(fallback || run.started.len() <= 1);
            // When each attempt's end would come, and what it is.
            let ends: Vec<(u64, usize, bool)> = run.started.iter().map(|(model, _, at)| {
                match models[*model] {
                    Speaks(after) | Resting(after) => (at + after, *model, true),
                    Fails(after) | Closes(after) => (at + after, *model, false),
                    Cooling => unreachable!(),
                }
            }).collect();
            match run.end {
                Ok(winner) => {
                    let first = ends.iter().filter(|(_, _, speaks)| *speaks).map(|(at, ..)| *at).min();
                    prop_assert_eq!(first, Some(run.at), "the earliest word wins");
                    prop_assert!(ends.contains(&(run.at, winner, true)));
                }
                Err(Exhausted) => {
                    let spoke_in_time = ends.iter().any(|(at, _, speaks)| *speaks && *at < run.at);
                    prop_assert!(!spoke_in_time);
                }
            }
        }
    }
}
