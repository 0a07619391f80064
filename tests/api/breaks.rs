//! Row B of the fault matrix: what upstream does after the first word.

use serde_json::Value;

use crate::app::{AS_WRITTEN, TestApp};
use crate::caller::Request;
use crate::matrix::Hears::{Partial, Repaired, Whole};
use crate::matrix::{SETTINGS, hold, no_repeated_four, repairs, row};

/// "There are three things to look at first. Take them one by one, and write down what each costs
/// you. Which one is it?"
const OTHER: &str = "text:VGhlcmUgYXJlIHRocmVlIHRoaW5ncyB0byBsb29rIGF0IGZpcnN0LiBUYWtlIHRoZW0gb25lIGJ5IG9uZSwgYW5kIHdyaXRlIGRvd24gd2hhdCBlYWNoIGNvc3RzIHlvdS4gV2hpY2ggb25lIGlzIGl0Pw";

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
    let app = TestApp::spawn(&[AS_WRITTEN]).await;
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
    // A limit that is not ours comes whenever it comes.
    let early = word("I think you should") + &end("length");
    app.simulator().add_recording("early", early, 1 << 20);
    let filtered = word("Well, that") + &end("content_filter");
    app.simulator().add_recording("filter", filtered, 1 << 20);
    app.script(&[
        "replay:length",
        "replay:filter",
        "replay:early",
        "replay:whole",
    ]);
    let heard = app.say("s-1", "Hello").await.text;
    let close = format!("w1489... {}", coach.unfinished());
    assert!(heard.ends_with(&close), "{}", &heard[heard.len() - 80..]);
    let heard = app.say("s-2", "Hello").await;
    assert_eq!(heard.text, format!("Well, that {}", coach.refusal()));
    let heard = app.say("s-3", "Hello").await;
    let close = format!("I think you should... {}", coach.unfinished());
    assert_eq!(heard.text, close);
    assert!(app.say("s-4", "Hello").await.text.ends_with(" done."));
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
