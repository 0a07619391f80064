//! Corrections in paused time with scripted books, and over a socket with the simulator's.

mod pace;
mod socket;

use std::collections::{HashMap, VecDeque};

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::sleep;

use super::generation::Bill;
use super::*;
use crate::turn::{AttemptRecord, Cause};

const NOW_MS: i64 = 1_795_338_902_000;

/// Books that answer each id with what is scripted for it, and then with not yet.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Scripted>>);

#[derive(Default)]
struct Scripted {
    answers: HashMap<String, VecDeque<Look>>,
    takes: Duration,
    /// Which id was asked for when, in milliseconds.
    asked: Vec<(String, u128)>,
    open: usize,
    most: usize,
    found: Vec<Correction>,
}

struct Rig {
    corrections: Corrections,
    books: Books,
    life: Lifecycle,
}

impl Rig {
    fn start() -> Self {
        let books = Books::default();
        let life = Lifecycle::new();
        let began = Instant::now();
        let (asked, found) = (books.clone(), books.clone());
        let look = move |id: String| -> BoxFuture<'static, Look> {
            let books = asked.clone();
            Box::pin(async move {
                let takes = {
                    let mut all = books.lock();
                    all.asked.push((id.clone(), began.elapsed().as_millis()));
                    all.open += 1;
                    all.most = all.most.max(all.open);
                    all.takes
                };
                sleep(takes).await;
                let mut all = books.lock();
                all.open -= 1;
                let next = all.answers.get_mut(&id).and_then(VecDeque::pop_front);
                next.unwrap_or(Look::NotYet)
            })
        };
        let corrections =
            Corrections::begin(Clock::Fixed(NOW_MS), look, &life, move |correction, _| {
                found.lock().found.push(correction);
            });
        Self {
            corrections,
            books,
            life,
        }
    }

    fn script(&self, id: &str, answers: impl IntoIterator<Item = Look>) {
        let answers = answers.into_iter().collect();
        self.books.lock().answers.insert(id.to_owned(), answers);
    }

    /// An attempt that has just ended.
    fn consider(&self, turn: &str, id: &str) {
        self.corrections.consider_attempt(turn, 0, id, NOW_MS);
    }

    /// When this id was asked for, in whole seconds.
    fn asked(&self, id: &str) -> Vec<u128> {
        let all = self.books.lock();
        let of_id = all.asked.iter().filter(|(asked, _)| asked == id);
        of_id.map(|(_, ms)| (ms + 500) / 1000).collect()
    }

    fn found(&self) -> Vec<Correction> {
        self.books.lock().found.clone()
    }
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, Scripted> {
        self.0.lock().unwrap()
    }
}

fn bill(micro: i64) -> Look {
    Look::Found(Bill {
        cost: MicroUsd(micro),
        provider: Some("OpenAI".to_owned()),
        prompt_tokens: Some(10),
        completion_tokens: Some(20),
    })
}

pub(super) fn attempt(id: Option<&str>, source: CostSource, cost: Option<i64>) -> AttemptRecord {
    AttemptRecord {
        cause: Cause::First,
        coach: None,
        model: "openai/gpt-6-luna".to_owned(),
        provider: None,
        generation_id: id.map(str::to_owned),
        status: Some(200),
        error_kind: None,
        started_ms: 0.0,
        headers_ms: None,
        first_token_ms: None,
        ended_ms: 0.0,
        prompt_tokens: None,
        cached_tokens: None,
        completion_tokens: None,
        cost_microusd: cost.map(MicroUsd),
        cost_source: source,
        cancelled: true,
    }
}

pub(super) fn turn(id: &str, created_at: i64, attempts: Vec<AttemptRecord>) -> TurnRecord {
    let attempts = serde_json::to_value(attempts).unwrap();
    serde_json::from_value(serde_json::json!({
        "turn_id": id, "session_id": "s", "profile": "hume", "identity": "none",
        "coach": "master", "coach_reason": "default", "tier": "free", "planned_model": "m",
        "outcome": "interrupted", "total_ms": 1.0, "memory_outcome": "off",
        "cost_source": "estimated", "hedged": false, "continued": false, "lead_in": false,
        "trace_id": "t", "created_at": created_at, "attempts": attempts,
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_books_is_looked_for_again_and_corrected_once() {
    let rig = Rig::start();
    rig.script(
        "gen-a",
        [Look::NotYet, Look::NotYet, Look::NotYet, bill(160)],
    );
    rig.consider("t", "gen-a");
    assert_eq!(rig.corrections.waiting(), 1);
    sleep(Duration::from_secs(1000)).await;
    let expected = Correction {
        turn_id: "t".to_owned(),
        position: 0,
        cost_microusd: MicroUsd(160),
        provider: Some("OpenAI".to_owned()),
        prompt_tokens: Some(10),
        completion_tokens: Some(20),
    };
    assert_eq!(rig.found(), [expected]);
    assert_eq!(rig.corrections.waiting(), 0);
    let asked = rig.asked("gen-a");
    assert_eq!((asked.len(), asked[0], asked[1]), (4, 1, 3));
    assert!(
        (7..=9).contains(&asked[2]) && (20..=26).contains(&asked[3]),
        "{asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_quarter_of_an_hour_the_estimate_stays() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start();
    rig.consider("t", "gen-never");
    sleep(Duration::from_secs(890)).await;
    assert_eq!(rig.corrections.waiting(), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((rig.corrections.waiting(), rig.found().len()), (0, 0));
    let asked = rig.asked("gen-never");
    assert_eq!(asked.last(), Some(&900));
    assert!((8..=9).contains(&asked.len()), "{asked:?}");
    // Trouble is borne as long, and no longer.
    rig.script("gen-ill", vec![Look::Trouble(Duration::from_secs(1)); 100]);
    rig.consider("u", "gen-ill");
    sleep(Duration::from_secs(950)).await;
    assert_eq!(rig.corrections.waiting(), 0);
    // After a restart, what ended long ago is asked about once.
    let long_ago = NOW_MS - 3_600_000;
    rig.corrections
        .consider_attempt("v", 3, "gen-old", long_ago);
    rig.script("gen-there", [bill(7)]);
    rig.corrections
        .consider_attempt("w", 3, "gen-there", long_ago);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (rig.corrections.waiting(), rig.asked("gen-old").len()),
        (0, 1)
    );
    assert_eq!(rig.found()[0].position, 3);
    let text = recorder.handle().render();
    for line in [
        r#"clm_cost_corrections_total{result="gave_up"} 3"#,
        r#"clm_cost_corrections_total{result="corrected"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_upstream_did_not_bill_and_can_be_asked_about_is_considered() {
    use CostSource::{Corrected, Estimated, Reported, Unknown};
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start();
    rig.script("gen-guess", [bill(9)]);
    rig.script("gen-right", [bill(5)]);
    let attempts = vec![
        attempt(Some("gen-billed"), Reported, Some(5)),
        attempt(Some("gen-right"), Estimated, Some(5)),
        attempt(Some("gen-guess"), Unknown, None),
        attempt(Some("gen-done"), Corrected, Some(5)),
        attempt(None, Unknown, None),
        attempt(Some("chatcmpl-7"), Estimated, Some(5)),
    ];
    rig.corrections.consider(&turn("t", NOW_MS, attempts));
    assert_eq!(rig.corrections.waiting(), 2);
    sleep(Duration::from_secs(2)).await;
    let mut found: Vec<_> = rig
        .found()
        .iter()
        .map(|c| (c.position, c.cost_microusd.0))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(1, 5), (2, 9)]);
    let text = recorder.handle().render();
    for line in [
        r#"clm_cost_corrections_total{result="unchanged"} 1"#,
        r#"clm_cost_corrections_total{result="corrected"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_believed_when_it_is_said_twice() {
    let rig = Rig::start();
    rig.script("gen-slow", [bill(0), bill(12)]);
    rig.script("gen-free", [bill(0), bill(0)]);
    rig.consider("slow", "gen-slow");
    rig.consider("free", "gen-free");
    sleep(Duration::from_secs(10)).await;
    let mut costs: Vec<_> = rig.found().iter().map(|c| c.cost_microusd.0).collect();
    costs.sort_unstable();
    assert_eq!(costs, [0, 12]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_soft_token_and_lets_the_books_go() {
    let rig = Rig::start();
    rig.books.lock().takes = Duration::from_secs(3600);
    rig.consider("t", "gen-a");
    rig.consider("u", "gen-b");
    sleep(Duration::from_secs(2)).await;
    let held = Arc::strong_count(&rig.books.0);
    rig.life.soft().cancel();
    rig.life.drained().await;
    assert!(held > 1 && Arc::strong_count(&rig.books.0) == 1);
    // A turn that settles while stopping is taken in by nobody and harms nobody.
    rig.consider("v", "gen-c");
    assert_eq!(rig.corrections.waiting(), 3);
}
