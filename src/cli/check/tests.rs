//! The doctor against scripted servers on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::lifecycle::Lifecycle;

const KEY_OK: &str = r#"{"data":{"limit_remaining":12.5}}"#;
const MODELS_OK: &str = r#"{"data":[{"id":"a/b","canonical_slug":"a/b-1"}]}"#;

/// Answers each path with its status and body until the test ends; every other path with 404.
fn server(life: &Lifecycle, routes: &'static [(&str, u16, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 4096]);
            let n = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..n]).into_owned();
            let found = routes.iter().find(|r| {
                head.starts_with(&format!("GET {} ", r.0))
                    || head.starts_with(&format!("POST {} ", r.0))
            });
            let (_, status, body) = found.copied().unwrap_or(("", 404, "not found"));
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\ndate: Sun, 22 Nov 2026 09:15:02 GMT\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    };
    life.spawn_thread("scripted", serve).unwrap();
    url
}

/// The noon of the scripted servers, one second on.
const CLOCK: Clock = Clock::Fixed(1_795_338_903_000);

async fn check(pairs: &[(&str, &str)], clock: Clock) -> (Exit, serde_json::Value) {
    check_with(pairs, clock, false).await
}

async fn check_with(
    pairs: &[(&str, &str)],
    clock: Clock,
    sends_alert: bool,
) -> (Exit, serde_json::Value) {
    let dir = tempfile::tempdir().unwrap();
    let data = ("DATA_DIR", dir.path().to_str().unwrap());
    let sources = Sources::from_pairs(pairs.iter().copied().chain([data]));
    let slugs = [
        "a/b".to_owned(),
        "a/b:nitro".to_owned(),
        "x/gone".to_owned(),
    ];
    let checkup = Checkup {
        sources: &sources,
        slugs: &slugs,
        clock,
        format: Format::Json,
        sends_alert,
    };
    let mut out = Vec::new();
    let exit = run(&checkup, &mut out).await.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
    for row in report["checks"].as_array().unwrap() {
        // Whatever is not well has something that can be done about it.
        assert!(row["status"] == "ok" || row["hint"] != "", "{row}");
    }
    (exit, report)
}

fn row<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let rows = report["checks"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap()
}

#[tokio::test]
async fn what_works_and_what_is_gone() {
    let life = Lifecycle::new();
    let models = server(&life, &[("/key", 200, KEY_OK), ("/models", 200, MODELS_OK)]);
    let zep = server(&life, &[("/projects/info", 200, "{}")]);
    let (exit, report) = check(
        &[
            ("OPEN_ROUTER_API_KEY", "k"),
            ("OPENROUTER_BASE_URL", &models),
            ("ZEP_API_KEY", "z"),
            ("ZEP_BASE_URL", &zep),
            ("SESSION_SIGNING_KEYS", "0123456789abcdef"),
            ("ADMIN_API_KEYS", "an-admin-key-of-some-length"),
        ],
        CLOCK,
    )
    .await;
    for name in [
        "settings",
        "dns",
        "tls",
        "openrouter key",
        "openrouter credit",
        "zep",
        "clock",
        "data directory",
        "signed sessions",
    ] {
        assert_eq!(row(&report, name)["status"], "ok", "{report}");
    }
    let key = row(&report, "openrouter key");
    assert_eq!(
        (&key["status"], &key["detail"]),
        (&"ok".into(), &"valid, 12.50 dollars left".into())
    );
    assert_eq!(
        row(&report, "models")["detail"],
        "not in the catalogue: x/gone"
    );
    assert_eq!((exit, &report["status"]), (Exit::Problem, &"fail".into()));
}

#[tokio::test]
async fn refusals_in_plain_text_and_a_wrong_clock_are_told() {
    let life = Lifecycle::new();
    let models = server(&life, &[("/key", 401, "no"), ("/models", 200, "<html>")]);
    let zep = server(&life, &[("/projects/info", 401, "unauthorized")]);
    let (exit, report) = check(
        &[
            ("OPEN_ROUTER_API_KEY", "k-secret"),
            ("OPENROUTER_BASE_URL", &models),
            ("ZEP_API_KEY", "z-secret"),
            ("ZEP_BASE_URL", &zep),
        ],
        Clock::Fixed(1_795_338_902_000 + 61_000),
    )
    .await;
    for (name, status) in [
        ("openrouter key", "fail"),
        ("models", "warn"),
        ("zep", "fail"),
        ("clock", "warn"),
        ("signed sessions", "warn"),
    ] {
        assert_eq!(row(&report, name)["status"], status, "{report}");
    }
    assert_eq!(exit, Exit::Problem);
    assert!(!report.to_string().contains("-secret"), "{report}");
}

#[tokio::test]
async fn faulty_settings_come_first_and_exit_2() {
    let (exit, report) = check(&[("PORT", "x"), ("PROSODY", "y")], CLOCK).await;
    let rows = report["checks"].as_array().unwrap();
    // With the key that is not set.
    assert_eq!(rows.iter().filter(|r| r["name"] == "settings").count(), 3);
    assert_eq!(exit, Exit::Usage);
}

#[tokio::test]
async fn files_that_settings_name_are_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("experiments.toml");
    let one = |weight: u32, start: &str| {
        let variant =
            |name| format!("[[experiment.variant]]\nname = {name:?}\nweight = {weight}\n");
        let head = format!("[[experiment]]\nname = \"e\"\ncoach = \"career\"\n{start}\n");
        head + &variant("a") + &variant("b")
    };
    let told = async |text: String| {
        std::fs::write(&path, text).unwrap();
        let file = ("EXPERIMENTS_FILE", path.to_str().unwrap());
        let dead = ("OPENROUTER_BASE_URL", "http://127.0.0.1:1");
        let (exit, report) = check(&[("OPEN_ROUTER_API_KEY", "k"), dead, file], CLOCK).await;
        let rows = report["checks"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["name"] == "experiments");
        let rows: Vec<_> = rows
            .map(|row| row["status"].as_str().unwrap().to_owned())
            .collect();
        (exit, rows)
    };
    let fine = told(one(1, "start = 2026-12-01")).await;
    assert_eq!(
        fine,
        (Exit::Problem, vec!["ok".to_owned()]),
        "the server is dead"
    );
    assert_eq!(told(one(1, "")).await.1, ["warn"]);
    let faulty = told(one(0, "start = 2026-12-01")).await;
    assert_eq!(faulty, (Exit::Usage, vec!["fail".to_owned(); 2]));
    let (exit, report) = check(&[("COACHES_FILE", "/nonexistent")], CLOCK).await;
    assert_eq!(
        (exit, &row(&report, "coaches")["status"]),
        (Exit::Usage, &"fail".into())
    );
}

#[tokio::test]
async fn an_unreachable_server_is_a_failure_and_no_key_is_exit_2() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let (exit, report) = check(
        &[("OPENROUTER_BASE_URL", &url), ("FLY_APP_NAME", "f")],
        CLOCK,
    )
    .await;
    let key = row(&report, "openrouter key");
    assert!(
        key["detail"].as_str().unwrap().contains("unreachable"),
        "{report}"
    );
    assert_eq!(row(&report, "fly")["status"], "warn");
    assert_eq!(
        row(&report, "zep")["detail"],
        "memory is off: ZEP_API_KEY is not set"
    );
    assert_eq!(exit, Exit::Usage);
}

#[test]
fn few_descriptors_are_a_warning() {
    let judged = |limit, pairs: &[(&str, &str)]| {
        let sources = Sources::from_pairs(pairs.iter().copied());
        let settings = config::load(&sources).unwrap();
        local::judge_descriptors(limit, Some(&settings)).status
    };
    assert_eq!(judged(Some(4096), &[]), Status::Warn);
    assert_eq!(judged(Some(4096), &[("MAX_TURNS", "1000")]), Status::Ok);
    assert_eq!(judged(Some(65_536), &[]), Status::Ok);
    assert_eq!(judged(None, &[]), Status::Ok);
    let unread = |limit| local::judge_descriptors(limit, None).status;
    assert_eq!(unread(Some(4096)), Status::Warn);
    assert_eq!(unread(Some(8192)), Status::Ok);
}

#[test]
fn colour_only_when_asked_and_never_anothers_escapes() {
    let rows = [Row::warn("zep", "said \x1b[2J").hint("look")];
    let text = |format| {
        let mut out = Vec::new();
        print(format, Status::Warn, &rows, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        text(Format::Plain),
        "warn  zep  said  [2J\n           -> look\n"
    );
    assert!(text(Format::Coloured).starts_with("\x1b[33mwarn\x1b[0m"));
}

const SECRET: (&str, &str) = (
    "ALERT_WEBHOOK_SECRET",
    concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
);

#[tokio::test]
async fn a_test_alert_is_sent_where_that_is_asked_for() {
    let life = Lifecycle::new();
    let taker = server(&life, &[("/hook/hunter2", 204, "")]);
    let (right, wrong) = (format!("{taker}/hook/hunter2"), format!("{taker}/hunter2"));
    let private = ("ALLOW_PRIVATE_WEBHOOKS", "true");
    for (url, sends_alert, status, part) in [
        (&right, true, "ok", "a test alert was taken by 127.0.0.1:"),
        (&wrong, true, "fail", "answers 404"),
        (
            &wrong,
            false,
            "ok",
            "`clm check --send-test-alert` tries it",
        ),
    ] {
        let pairs = [("ALERT_WEBHOOK_URL", url.as_str()), SECRET, private];
        let (_, report) = check_with(&pairs, CLOCK, sends_alert).await;
        let alerts = row(&report, "alerts");
        assert_eq!(alerts["status"], status, "{report}");
        assert!(
            alerts["detail"].as_str().unwrap().contains(part),
            "{report}"
        );
        assert!(!report.to_string().contains("hunter2"), "{report}");
    }
}

#[tokio::test]
async fn a_test_alert_without_a_receiver_is_a_failure() {
    let (_, report) = check_with(&[], CLOCK, true).await;
    let alerts = row(&report, "alerts");
    assert_eq!(alerts["status"], "fail");
    assert!(
        alerts["detail"]
            .as_str()
            .unwrap()
            .contains("ALERT_WEBHOOK_URL is not set")
    );
    let (_, report) = check_with(&[], CLOCK, false).await;
    assert_eq!(row(&report, "alerts")["status"], "ok");
}
