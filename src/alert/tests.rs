//! From what is raised to what is told.

use std::sync::Mutex;

use metrics_exporter_prometheus::PrometheusBuilder;

use super::scripted::Receiver;
use super::*;
use crate::spool::{Left, look};
use crate::turn::MicroUsd;

fn breaker(target: &str) -> Alert {
    let target = target.to_owned();
    Alert::BreakerOpen { target }
}

fn setup(webhook: Option<Webhook>, dir: &tempfile::TempDir, once: Once) -> Setup {
    Setup {
        webhook,
        dir: dir.path().join("alerts"),
        once,
        clock: Clock::System,
    }
}

#[tokio::test]
async fn what_is_raised_again_and_again_arrives_once() {
    let (servers, life) = (Lifecycle::new(), Lifecycle::new());
    let dir = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(&servers, &[]).await;
    let webhook = Some(receiver.webhook.clone());
    let alerts = Alerts::start(setup(webhook, &dir, alone()), &life).unwrap();
    for _ in 0..20 {
        alerts.raise(breaker("a"));
        alerts.over(&breaker("a").key());
    }
    alerts.raise(Alert::BalanceLow {
        remaining: MicroUsd(1),
    });
    alerts.raise(Alert::Test);
    drop(alerts);
    life.drained().await;
    let mut kinds = Vec::new();
    while let Ok(heard) = receiver.heard.try_recv() {
        kinds.push(heard.kind());
    }
    assert_eq!(kinds, ["breaker.open", "upstream.balance_low", "test"]);
    assert_eq!(look(&dir.path().join("alerts")).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_told_is_not_told_and_silence_is_no_answer() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let (life, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let asked: Arc<Mutex<Vec<Claim>>> = Arc::default();
    let noted = Arc::clone(&asked);
    let once: Once = Box::new(move |claim| {
        let is_told = claim.key == "breaker:told";
        let hangs = claim.key == "spool";
        noted.lock().unwrap().push(claim);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            !is_told
        }
        .boxed()
    });
    let alerts = Alerts::start(setup(None, &dir, once), &life).unwrap();
    let day = Day::of(0);
    let (spent, cap) = (MicroUsd(2), MicroUsd(1));
    for alert in [
        breaker("told"),
        breaker("told"),
        breaker("mine"),
        Alert::SpoolAge {
            age: Duration::from_secs(60),
        },
        // Of this machine: nobody else can have told it.
        Alert::SpoolDegraded,
        Alert::BudgetCap { spent, cap, day },
        Alert::Test,
    ] {
        alerts.raise(alert);
    }
    drop(alerts);
    life.drained().await;
    let asked: Vec<(String, Duration)> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|claim| (claim.key.clone(), claim.quiet))
        .collect();
    let expected = [
        ("breaker:told", REARM),
        ("breaker:mine", REARM),
        ("spool", REARM),
        ("budget:1970-01-01:cap", FORGOTTEN),
    ];
    assert_eq!(asked, expected.map(|(key, quiet)| (key.to_owned(), quiet)));
    let text = recorder.handle().render();
    for line in [
        r#"clm_alerts_total{type="breaker.open"} 1"#,
        r#"clm_alerts_total{type="spool.age"} 1"#,
        r#"clm_alerts_total{type="spool.degraded"} 1"#,
        r#"clm_alerts_total{type="budget.cap"} 1"#,
        r#"clm_alerts_total{type="test"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_is_raised_at_the_very_end_waits_for_the_next_start() {
    let (servers, life) = (Lifecycle::new(), Lifecycle::new());
    let dir = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(&servers, &[]).await;
    let webhook = Some(receiver.webhook.clone());
    let never: Once = Box::new(|_| std::future::pending().boxed());
    let alerts = Alerts::start(setup(webhook.clone(), &dir, never), &life).unwrap();
    life.hard().cancel();
    alerts.raise(breaker("a"));
    alerts.raise(breaker("b"));
    // A handle that somebody forgot holds nothing up.
    life.drained().await;
    assert_eq!(look(&dir.path().join("alerts")).unwrap(), Left::Rows(2));
    assert!(receiver.heard.try_recv().is_err());
    let life = Lifecycle::new();
    let next = Alerts::start(setup(webhook, &dir, alone()), &life).unwrap();
    for target in ["a", "b"] {
        let heard = receiver.next().await;
        assert!(heard.body.contains(&breaker(target).message()), "{target}");
    }
    drop((alerts, next));
    life.drained().await;
    servers.hard().cancel();
}

#[test]
fn beyond_the_bound_an_alert_is_dropped_and_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (tell, _words) = mpsc::channel(RAISED);
    let alerts = Alerts(tell);
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..RAISED + 3 {
            alerts.raise(Alert::Test);
        }
        alerts.over("test");
    });
    let text = recorder.handle().render();
    let line = "clm_alerts_dropped_total 3";
    assert!(text.lines().any(|l| l == line), "{text}");
}
