//! The fault matrix, one line a row: A, what upstream does before the first word; B, what it does
//! after it, is in `breaks.rs`. Each line is a turn of a fresh service; what is heard, how it is recorded and what was asked for it is
//! written beside it.

use crate::app::{TestApp, is_fallback_line};
use crate::budget::is_budget_line;

/// What the caller hears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hears {
    /// The whole answer, word for word.
    Whole,
    /// So many words of it, and a quiet end.
    Partial(usize),
    /// The coach's own sentence.
    Line,
    /// The same, for when there is no money.
    Unpaid,
    /// The beginning of it, a phrase that mends, and new sentences.
    Repaired,
}
use Hears::{Line, Partial, Repaired, Unpaid, Whole};

pub(crate) struct Row {
    /// The row of the matrix, and what goes wrong.
    row: &'static str,
    /// The faults of the models asked, in order.
    faults: &'static [&'static str],
    hears: Hears,
    outcome: &'static str,
    /// The error of each attempt; empty where it went well.
    attempts: &'static [&'static str],
}

pub(crate) const fn row(
    row: &'static str,
    faults: &'static [&'static str],
    hears: Hears,
    outcome: &'static str,
    attempts: &'static [&'static str],
) -> Row {
    Row {
        row,
        faults,
        hears,
        outcome,
        attempts,
    }
}

pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("FIRST_TOKEN_DEADLINE_MS", "150"),
    ("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "150"),
    // Longer than a busy machine is away between two tokens.
    ("IDLE_DEADLINE_MS", "500"),
    ("SPOKEN_FALLBACK_MS", "1000"),
    ("HEDGING", "false"),
];

pub(crate) async fn hold(rows: &[Row]) {
    for row in rows {
        let app = TestApp::spawn(SETTINGS).await;
        judge(&app, row).await;
        app.stop().await;
    }
}

async fn judge(app: &TestApp, row: &Row) {
    let name = format!("{}: {:?}", row.row, row.faults);
    app.script(&["ok"]);
    let whole = app.say("s-whole", "Hello").await.text;
    let before = app.chats().len();
    app.script(row.faults);
    let heard = app.say("s", "Hello").await;
    let record = app.record(&heard.turn_id).await;
    let chats = app.chats().split_off(before);
    let words = |text: &str| text.split_whitespace().count();
    match row.hears {
        Whole => assert_eq!(heard.text, whole, "{name}"),
        Line => assert!(is_fallback_line(&heard.text), "{name}: {}", heard.text),
        Unpaid => assert!(is_budget_line(&heard.text), "{name}: {}", heard.text),
        Partial(count) => {
            assert!(whole.starts_with(&heard.text), "{name}: {}", heard.text);
            assert_eq!(words(&heard.text), count, "{name}");
        }
        Repaired => {
            assert!(words(&heard.text) > 12, "{name}: {}", heard.text);
            assert_eq!(repairs(&heard.text), 1, "{name}: {}", heard.text);
        }
    }
    assert!(heard.finish_reason == "stop", "{name}");
    assert_eq!(record["outcome"], row.outcome, "{name}: {record}");
    let attempts = record["attempts"].as_array().unwrap();
    let kinds: Vec<&str> = attempts
        .iter()
        .map(|a| a["error_kind"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(kinds, row.attempts, "{name}");
    assert_eq!(chats.len(), attempts.len(), "{name}: one row for each call");
    for (attempt, chat) in attempts.iter().zip(&chats) {
        assert_eq!(attempt["model"], chat.model.as_str(), "{name}");
    }
    let spoke = attempts.iter().rfind(|a| a["first_token_ms"].is_number());
    let served = spoke.filter(|_| row.hears != Line);
    assert_eq!(
        record["served_model"].as_str(),
        served.map(|a| a["model"].as_str().unwrap()),
        "{name}"
    );
    let source = record["cost_source"].as_str().unwrap();
    let billed = attempts.iter().filter(|a| a["status"] == 200);
    for attempt in billed {
        assert_ne!(attempt["cost_source"], "unknown", "{name}: {attempt}");
        assert!(attempt["cost_usd"].is_string(), "{name}: {attempt}");
    }
    assert_ne!(source, "unknown", "{name}");
    no_repeated_four(&heard.text, &name);
}

/// How many phrases that mend are in a text.
pub(crate) fn repairs(text: &str) -> usize {
    let roster = quest_clm::coach::Roster::built_in().unwrap();
    roster
        .iter()
        .flat_map(|coach| &coach.repairs)
        .map(|repair| text.matches(repair.as_str()).count())
        .sum()
}

/// No four words in a row come twice, and no space is lost or doubled.
pub(crate) fn no_repeated_four(text: &str, name: &str) {
    assert!(!text.contains("  "), "{name}: a doubled space: {text}");
    let plain = |w: &str| {
        w.trim_matches(|c: char| !c.is_alphanumeric())
            .to_lowercase()
    };
    let words: Vec<String> = text.split_whitespace().map(plain).collect();
    let mut seen = std::collections::BTreeSet::new();
    for four in words.windows(4) {
        assert!(seen.insert(four), "{name}: {four:?} twice in {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_before_the_first_word() {
    hold(&[
        row(
            "A3 429 with Retry-After",
            &["429:7"],
            Whole,
            "complete",
            &["status_429", ""],
        ),
        row("A4 429", &["429"], Whole, "complete", &["status_429", ""]),
        row("A4 500", &["500"], Whole, "complete", &["status_500", ""]),
        row("A4 502", &["502"], Whole, "complete", &["status_502", ""]),
        row("A4 503", &["503:1"], Whole, "complete", &["status_503", ""]),
        row("A4 504", &["504"], Whole, "complete", &["status_504", ""]),
        row("A4 529", &["529"], Whole, "complete", &["status_529", ""]),
        row(
            "A4 408",
            &["status:408"],
            Whole,
            "complete",
            &["status_408", ""],
        ),
        row("A5 401", &["401"], Line, "failed", &["status_401"]),
        row("A5 402", &["402"], Unpaid, "failed", &["status_402"]),
        row("A5 403", &["403-limit"], Unpaid, "failed", &["key_limit"]),
        row(
            "A5 later",
            &["500", "status:403"],
            Line,
            "failed",
            &["status_500", "status_403"],
        ),
        row(
            "A6 context",
            &["400-context", "ok"],
            Whole,
            "complete",
            &["status_400", ""],
        ),
        row(
            "A7 parameter",
            &["400-param:temperature", "ok"],
            Whole,
            "complete",
            &["status_400", ""],
        ),
        row(
            "A7 another 400",
            &["status:400"],
            Whole,
            "complete",
            &["status_400", ""],
        ),
        row(
            "A8 model gone",
            &["404"],
            Whole,
            "complete",
            &["status_404", ""],
        ),
        row(
            "A9 a page",
            &["html"],
            Whole,
            "complete",
            &["wrong_body", ""],
        ),
        row(
            "A9 a JSON error",
            &["json-error"],
            Whole,
            "complete",
            &["wrong_body", ""],
        ),
        row(
            "A10 comments",
            &["comments-only"],
            Whole,
            "complete",
            &["first_token_timeout", ""],
        ),
        row(
            "A10 comments",
            &["stall-comments:0"],
            Whole,
            "complete",
            &["first_token_timeout", ""],
        ),
        row(
            "A10 no head",
            &["hang"],
            Whole,
            "complete",
            &["first_token_timeout", ""],
        ),
        row(
            "A10 a late head",
            &["slow-headers:5000"],
            Whole,
            "complete",
            &["first_token_timeout", ""],
        ),
        row(
            "A10 nothing",
            &["stall:0"],
            Whole,
            "complete",
            &["first_token_timeout", ""],
        ),
        row(
            "A11 a role",
            &["role-only"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row(
            "A11 thoughts",
            &["reasoning-only"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row(
            "A11 a refusal",
            &["refusal"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row("A12 an end", &["empty"], Whole, "complete", &["empty", ""]),
        row("A12 FIN", &["fin:0"], Whole, "complete", &["cut", ""]),
        row("A12 RST", &["cut:0"], Whole, "complete", &["broken", ""]),
        row(
            "A12 in-band error a",
            &["err-a:0"],
            Whole,
            "complete",
            &["in_band_error", ""],
        ),
        row(
            "A12 in-band error b",
            &["err-b:0"],
            Whole,
            "complete",
            &["in_band_error", ""],
        ),
        row(
            "A12 in-band error c",
            &["err-c:0"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row(
            "A12 in-band error d",
            &["err-d:0"],
            Whole,
            "complete",
            &["in_band_error", ""],
        ),
        row(
            "A12 in-band error e",
            &["err-e:0"],
            Whole,
            "complete",
            &["in_band_error", ""],
        ),
        row(
            "A12 in-band error f",
            &["err-f:0"],
            Whole,
            "complete",
            &["in_band_error", ""],
        ),
        row(
            "A12 in-band error g",
            &["err-g:0"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row(
            "A13 redirect",
            &["redirect"],
            Whole,
            "complete",
            &["status_3xx", ""],
        ),
        row(
            "A16 two fail",
            &["500", "html"],
            Whole,
            "complete",
            &["status_500", "wrong_body", ""],
        ),
        row(
            "A16 all fail",
            &["500", "502", "503"],
            Line,
            "failed",
            &["status_500", "status_502", "status_503"],
        ),
        row(
            "A16 all fail",
            &["empty", "html", "fin:0"],
            Line,
            "failed",
            &["empty", "wrong_body", "cut"],
        ),
        row(
            "A16 all fail",
            &["err-f:0", "cut:0", "429"],
            Line,
            "failed",
            &["in_band_error", "broken", "status_429"],
        ),
        row(
            "B7 a huge line at once",
            &["huge-line:0:1100000"],
            Whole,
            "complete",
            &["too_large", ""],
        ),
    ])
    .await;
}
