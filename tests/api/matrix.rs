//! The fault matrix, one line a row: A, what upstream does before the first word; B, after it. Each
//! line is a turn of a fresh service; what is heard, how it is recorded and what was asked for it is
//! written beside it.

use serde_json::Value;

use crate::app::{TestApp, is_fallback_line};
use crate::caller::Request;

/// What the caller hears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hears {
    /// The whole answer, word for word.
    Whole,
    /// So many words of it, and a quiet end.
    Partial(usize),
    /// The coach's own sentence.
    Line,
    /// The beginning of it, a phrase that mends, and new sentences.
    Repaired,
}
use Hears::{Line, Partial, Repaired, Whole};

struct Row {
    /// The row of the matrix, and what goes wrong.
    row: &'static str,
    /// The faults of the models asked, in order.
    faults: &'static [&'static str],
    hears: Hears,
    outcome: &'static str,
    /// The error of each attempt; empty where it went well.
    attempts: &'static [&'static str],
}

const fn row(
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

/// "There are three things to look at first. Take them one by one, and write down what each costs
/// you. Which one is it?"
const OTHER: &str = "text:VGhlcmUgYXJlIHRocmVlIHRoaW5ncyB0byBsb29rIGF0IGZpcnN0LiBUYWtlIHRoZW0gb25lIGJ5IG9uZSwgYW5kIHdyaXRlIGRvd24gd2hhdCBlYWNoIGNvc3RzIHlvdS4gV2hpY2ggb25lIGlzIGl0Pw";

const SETTINGS: &[(&str, &str)] = &[
    ("FIRST_TOKEN_DEADLINE_MS", "150"),
    ("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "150"),
    ("IDLE_DEADLINE_MS", "150"),
    ("SPOKEN_FALLBACK_MS", "1000"),
    ("HEDGING", "false"),
];

async fn hold(rows: &[Row]) {
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
        row("A5 402", &["402"], Line, "failed", &["status_402"]),
        row("A5 403", &["403-limit"], Line, "failed", &["status_403"]),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_after_the_first_word() {
    hold(&[
        row(
            "B1 RST",
            &["cut:5"],
            Whole,
            "partial_recovered",
            &["broken", ""],
        ),
        row(
            "B2 FIN without a terminal",
            &["fin:5"],
            Whole,
            "partial_recovered",
            &["cut", ""],
        ),
        row(
            "B3 stall",
            &["stall:5"],
            Whole,
            "partial_recovered",
            &["idle_timeout", ""],
        ),
        row(
            "B3 comments",
            &["stall-comments:5"],
            Whole,
            "partial_recovered",
            &["idle_timeout", ""],
        ),
        row(
            "B4 a short stall",
            &["slow-nth:5:100"],
            Whole,
            "complete",
            &[""],
        ),
        row(
            "B5 error a",
            &["err-a:5"],
            Whole,
            "partial_recovered",
            &["in_band_error", ""],
        ),
        row(
            "B5 error b",
            &["err-b:5"],
            Whole,
            "partial_recovered",
            &["in_band_error", ""],
        ),
        row(
            "B5 error d",
            &["err-d:5"],
            Whole,
            "partial_recovered",
            &["in_band_error", ""],
        ),
        row(
            "B5 error e",
            &["err-e:5"],
            Whole,
            "partial_recovered",
            &["in_band_error", ""],
        ),
        row(
            "B5 error f",
            &["err-f:5"],
            Whole,
            "partial_recovered",
            &["in_band_error", ""],
        ),
        row(
            "B6 one bad event",
            &["bad-json:3"],
            Whole,
            "complete",
            &[""],
        ),
        row(
            "B7 a huge line",
            &["huge-line:5:1100000"],
            Whole,
            "partial_recovered",
            &["too_large", ""],
        ),
        row(
            "B7 a long line",
            &["huge-line:3:900000"],
            Whole,
            "complete",
            &[""],
        ),
        row("B8 BOM", &["bom"], Whole, "complete", &[""]),
        row("B8 CR LF", &["crlf"], Whole, "complete", &[""]),
        row("B8 byte by byte", &["bytewise"], Whole, "complete", &[""]),
        row(
            "B11 a tool nobody asked for",
            &["tool"],
            Whole,
            "complete",
            &["empty", ""],
        ),
        row("B12 two ends", &["finish-twice"], Whole, "complete", &[""]),
        row("B12 no [DONE]", &["no-done:200"], Whole, "complete", &[""]),
        row(
            "B13 repeats",
            &["cut:7", "repeat-prefill"],
            Whole,
            "partial_recovered",
            &["broken", ""],
        ),
        row(
            "B13 restarts",
            &["cut:7", "restart"],
            Whole,
            "partial_recovered",
            &["broken", ""],
        ),
        row(
            "B13 says something else",
            &["cut:7", OTHER],
            Repaired,
            "partial_recovered",
            &["broken", ""],
        ),
        row(
            "B14 the second dies too",
            &["cut:9", "cut:4"],
            Partial(13),
            "partial_failed",
            &["broken", "broken"],
        ),
        row(
            "B14 nobody goes on",
            &["cut:9", "500", "html"],
            Partial(9),
            "partial_failed",
            &["broken", "status_500", "wrong_body"],
        ),
        row(
            "B14 nobody goes on",
            &["fin:9", "hang"],
            Partial(9),
            "partial_failed",
            &["cut", "first_token_timeout"],
        ),
        row("B17 no usage", &["no-usage"], Whole, "complete", &[""]),
        row(
            "B17 usage without choices",
            &["usage-nochoices"],
            Whole,
            "complete",
            &[""],
        ),
        row(
            "– thoughts first",
            &["reasoning-first:5"],
            Whole,
            "complete",
            &[""],
        ),
    ])
    .await;
}

/// B1, B13: a cut after every token, and each way a backup may behave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_a_cut_after_each_token_and_each_backup() {
    let app = TestApp::spawn(&[("ZEP_API_KEY", ""), ("HEDGING", "false")]).await;
    app.options(|o| o.gap = std::time::Duration::from_micros(200));
    let whole = app.say("s-whole", "Hello").await.text;
    let length = whole.split(' ').count();
    for backup in ["ok", "repeat-prefill", "reject-prefill", "restart"] {
        let turns = (1..=60).map(|cut| {
            let session = format!("s-{backup}-{cut}");
            let faults = format!("{backup}/cut:{cut},{backup}:{cut}");
            let request = Request::hume(&session, "Hello").header("x-clm-fault", &faults);
            let (app, whole) = (&app, &whole);
            async move {
                let name = format!("{backup}, cut after {cut}");
                let heard = app.hear(&request).await;
                let record = app.record(&heard.turn_id).await;
                assert_eq!(record["outcome"], "partial_recovered", "{name}: {record}");
                no_repeated_four(&heard.text, &name);
                assert!(repairs(&heard.text) <= 1, "{name}");
                let before: Vec<&str> = whole.split(' ').take(cut).collect();
                assert!(
                    heard.text.starts_with(&before.join(" ")),
                    "{name}: {}",
                    heard.text
                );
                // With one word there is nothing yet to tell the answer by.
                if backup != "restart" && cut > 1 && cut < length {
                    assert_eq!(heard.text, *whole, "{name}");
                }
            }
        });
        futures::future::join_all(turns).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_an_answer_that_meets_its_limit_ends_as_a_clause() {
    let app = TestApp::spawn(&[]).await;
    let end = |reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n\
             data: [DONE]\n\n"
        )
    };
    let word =
        |w: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{w}\"}}}}]}}\n\n");
    // The master coach may say 1,500 tokens; the last word is half a one.
    let mut long = String::new();
    for n in 0..1490 {
        long += &word(&format!(" w{n}"));
    }
    let roster = quest_clm::coach::Roster::built_in().unwrap();
    let coach = roster.master();
    let cut = long.clone() + &word(" promo") + &end("length");
    app.simulator().add_recording("length", cut, 1 << 20);
    let whole = long + &word(" done.") + &end("length");
    app.simulator().add_recording("whole", whole, 1 << 20);
    let filtered = word("Well, that") + &end("content_filter");
    app.simulator().add_recording("filter", filtered, 1 << 20);
    app.script(&["replay:length", "replay:filter"]);
    let heard = app.say("s-1", "Hello").await.text;
    let close = format!("w1489... {}", coach.unfinished());
    assert!(heard.ends_with(&close), "{}", &heard[heard.len() - 80..]);
    let heard = app.say("s-2", "Hello").await;
    assert_eq!(heard.text, format!("Well, that {}", coach.refusal()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_whoever_asked_to_be_told_is_told() {
    let app = TestApp::spawn(SETTINGS).await;
    for (session, faults, kind, words) in [
        ("s-1", "cut:5,cut:3", "upstream_broke_off", true),
        ("s-2", "401", "upstream_failed", false),
    ] {
        let request = Request::hume(session, "Hello")
            .header("x-clm-fault", faults)
            .header("x-clm-errors", "signal");
        let text = app.send(&request).await.text();
        let last = text.trim_end().rsplit("data: ").next().unwrap();
        let error: Value = serde_json::from_str(last).unwrap();
        assert_eq!(error["error"]["type"], kind, "{text}");
        assert!(error["error"]["hint"].is_string() && error["error"]["trace_id"].is_string());
        assert!(!text.contains("[DONE]") && !text.contains("finish_reason\":\"stop"));
        assert_eq!(text.contains(r#""delta":{"content":"#), words);
    }
    // One that asks for one body is answered by a status.
    let body = serde_json::json!({"messages": [{"role": "user", "content": "Hello"}]});
    let request = Request::post("/v1/chat/completions", &body)
        .header("x-clm-fault", "402")
        .header("x-clm-errors", "signal");
    let response = app.send(&request).await;
    assert_eq!(
        (response.status, &response.json()["error"]["type"]),
        (502, &"upstream_failed".into())
    );
    for header in [
        "x-clm-turn-id",
        "x-clm-coach",
        "x-clm-model",
        "server-timing",
    ] {
        assert!(response.headers.contains_key(header), "{header}");
    }
    app.stop().await;
}
