//! The commands as a person runs them: against the real service, through pipes, with exit codes.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use quest_clm::lifecycle::Lifecycle;
use serde_json::Value;

use crate::service::{Service, Signals, until};

/// The key that opens the records.
const KEY: &str = "an-admin-key-of-some-length";

/// A service whose records need a key.
async fn service() -> Service {
    Service::start(&[("ADMIN_API_KEYS", KEY)]).await
}

/// `clm` with these words, asking this service.
fn clm(service: &Service, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clm"));
    command
        .env_clear()
        .env("ADMIN_API_KEYS", KEY)
        .args(words)
        .args(["--url", &format!("http://{}", service.addr)])
        .stdin(Stdio::null());
    command
}

fn code(output: &Output) -> i32 {
    output
        .status
        .code()
        .expect("an exit, not a death by signal")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_shown_once_it_was_spoken() {
    let service = service().await;
    service.say("s", "I was passed over for a promotion.").await;
    let turns = service.turns();
    let [id] = turns.as_slice() else {
        panic!("one turn, got {turns:?}")
    };
    let record = until("the turn's record", async || {
        let shown = clm(&service, &["turn", id, "--json"]).output().unwrap();
        (code(&shown) == 0).then(|| serde_json::from_slice::<Value>(&shown.stdout).unwrap())
    })
    .await;
    assert_eq!(record["coach"], "career");
    let trace = record["trace_id"].as_str().unwrap();
    let shown = clm(&service, &["turn", trace]).output().unwrap();
    let facts = text(&shown.stdout);
    println!("{facts}");
    assert_eq!((code(&shown), text(&shown.stderr).as_str()), (0, ""));
    assert!(
        facts.contains("career, because keyword:promotion"),
        "{facts}"
    );
    assert!(
        facts.contains(trace) && facts.contains("attempt 1"),
        "{facts}"
    );

    let unknown = clm(&service, &["turn", "nobody"]).output().unwrap();
    assert_eq!((code(&unknown), unknown.stdout.len()), (1, 0));
    let unlocked = clm(&service, &["turn", id, "--key", "wrong"])
        .output()
        .unwrap();
    assert_eq!(code(&unlocked), 1);
    assert!(text(&unlocked.stderr).contains("401"), "{unlocked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_shown_as_they_happen_until_ctrl_c() {
    let service = service().await;
    let mut tail = clm(&service, &["tail"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let (shown, line) = mpsc::sync_channel(1);
    let read = move || drop(lines.next().map(|line| shown.send(line.unwrap())));
    Lifecycle::new().spawn_thread("reader", read).unwrap();
    // Until it watches, turns go unseen; a session that says the same again has no new one.
    let said = Cell::new(0);
    let line = until("a line", async || {
        let session = format!("s-{}", said.replace(said.get() + 1));
        service.say(&session, "I want a promotion.").await;
        line.try_recv().ok()
    })
    .await;
    println!("{line}");
    for part in ["sess=s_", "coach=career ", "out=complete ", "att=1"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(service.turns().iter().any(|id| line.contains(id)), "{line}");
    Signals::new().send("INT", tail.id());
    let ended = tail.wait_with_output().unwrap();
    assert_eq!((code(&ended), text(&ended.stderr).as_str()), (0, ""));
}

#[test]
fn whoever_reads_no_further_is_no_fault_of_ours() {
    for words in [&["config"][..], &["completions", "bash"], &["man"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clm"));
        let mut child = command
            .env_clear()
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `| head -c 1`: one byte, and the pipe is closed.
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    }
    let script = Command::new(env!("CARGO_BIN_EXE_clm"))
        .args(["completions", "bash"])
        .output()
        .unwrap();
    for command in [
        "tail",
        "turn",
        "report",
        "export",
        "token",
        "migrate",
        "erase-user",
        "replay",
        "man",
    ] {
        assert!(text(&script.stdout).contains(command), "{command}");
    }
}

#[test]
fn a_demo_takes_any_free_port_where_its_own_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_clm"))
        .env_clear()
        .env("DATA_DIR", dir.path())
        .env("PORT", port.to_string())
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its output ends where it does.
    let told = BufReader::new(demo.stdout.take().unwrap()).lines();
    let told = told.map_while(Result::ok).find_map(|line| {
        Some(
            line.strip_prefix("Serving on http://127.0.0.1:")?
                .to_owned(),
        )
    });
    demo.kill().unwrap();
    demo.wait().unwrap();
    let told = told.expect("it serves all the same");
    let digits = told.split(' ').next().unwrap();
    assert_ne!(digits.parse::<u16>().unwrap(), port);
}

#[test]
fn g10_a_start_with_faulty_settings_names_them_all_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let faulty = [
        ("PORT", "http"),
        ("DEFAULT_TIER", "gold"),
        ("DAILY_BUDGET_USD", "much"),
    ];
    let ended = Command::new(env!("CARGO_BIN_EXE_clm"))
        .env_clear()
        .env("OPEN_ROUTER_API_KEY", "any")
        .env("DATA_DIR", &data)
        .envs(faulty)
        .arg("serve")
        .output()
        .unwrap();
    let told = text(&ended.stderr);
    assert_eq!((code(&ended), ended.stdout.len()), (2, 0), "{told}");
    for (name, value) in faulty {
        let lines: Vec<_> = told.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(lines.len(), 1, "{name}: {told}");
        assert!(!told.contains(value), "{told}");
    }
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn the_manual_is_typeset_without_a_warning() {
    for command in ["clm", "tail", "simulate", "check"] {
        let page = Command::new(env!("CARGO_BIN_EXE_clm"))
            .arg("man")
            .args(Some(command).filter(|command| *command != "clm"))
            .output()
            .unwrap();
        assert_eq!(code(&page), 0, "{page:?}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("page.1");
        std::fs::write(&file, &page.stdout).unwrap();
        // Not every machine has it; what a page says is held beside the command.
        let Ok(set) = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(&file)
            .env("MANPAGER", "cat")
            .output()
        else {
            return;
        };
        let shown = text(&set.stdout);
        assert_eq!(
            (code(&set), text(&set.stderr).as_str()),
            (0, ""),
            "{command}"
        );
        for part in ["clm manual", "EXAMPLES", "EXIT STATUS"] {
            assert!(shown.contains(part), "{command}: {part}\n{shown}");
        }
    }
}
