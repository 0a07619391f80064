//! The fault matrix, row C: what callers do. Where one request decides, a row is a line of a table.
//!
//! Rows that others show whole: C1 to C3 `hangup.rs`; C4 and C21 `shedding.rs`; C5, and C7 as chunks,
//! `errors.rs`; C11 `quirks.rs`; C14 and C15 `repeats.rs`; C16 in the log, C19 and more of C18 in
//! `tests/process/`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::app::TestApp;
use crate::caller::{Call, Request, Seen};
use crate::errors::{MAX_BODY, raw, refused, sized};
use crate::heard::Heard;

pub(crate) const PATH: &str = "/chat/completions";
pub(crate) const HI: &str = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time that nine of ten keep to.
pub(crate) fn nine_of_ten(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 9 / 10 - 1]
}

/// So many milliseconds; or the other number in a build without optimisation, which reads JSON ten
/// times slower than one that ships. Work that grows with the square takes seconds in both.
pub(crate) fn at_most(optimised: u64, unoptimised: u64) -> Duration {
    Duration::from_millis(match cfg!(debug_assertions) {
        true => unoptimised,
        false => optimised,
    })
}

enum Gets {
    /// This status and type of error, and nobody is asked for it.
    Refused(u16, &'static str),
    /// A whole answer; the model is told these words last.
    Heard(&'static str),
}
use Gets::{Heard as Hears, Refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_one_request_decides() {
    let app = TestApp::spawn(&[]).await;
    let post = |body: &str| Request::bytes(PATH, body);
    let bytes = |body: &[u8]| Request::bytes(PATH, body);
    let session = |id: &str| Request::bytes(&format!("{PATH}?custom_session_id={id}"), HI);
    let header = |id: &str| Request::bytes("/v1/chat/completions", HI).header("x-clm-session", id);
    let nested =
        |open: &str, times: usize| format!(r#"{{"messages":[],"metadata":{}"#, open.repeat(times));
    let closed = |levels: usize| {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"metadata":{deep},"messages":[{{"role":"user","content":"Hi"}}]}}"#)
    };
    let says = |content: &str| format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
    let x = "x".repeat(256);
    let rows = [
        (
            "C7 too large",
            post(&sized(MAX_BODY + 1)),
            Refused(413, "payload_too_large"),
        ),
        (
            "C7 twice as large",
            post(&sized(2 * MAX_BODY)),
            Refused(413, "payload_too_large"),
        ),
        (
            "C8 lists",
            post(&format!(r#"{{"messages":{}}}"#, "[".repeat(100_000))),
            Refused(400, "invalid_request"),
        ),
        (
            "C8 objects",
            post(&nested(r#"{"a":"#, 100_000)),
            Refused(400, "invalid_request"),
        ),
        (
            "C8 in a field nobody reads",
            post(&closed(100)),
            Refused(400, "invalid_request"),
        ),
        ("C8 deep enough for anybody", post(&closed(50)), Hears("Hi")),
        (
            "C8 brackets in words",
            post(&says(&format!("\"{}\"", "[".repeat(200)))),
            Hears("[[[[[[[["),
        ),
        (
            "C9 bytes that are no text",
            bytes(b"{\"messages\":[\xff\xfe]}"),
            Refused(400, "invalid_request"),
        ),
        (
            "C9 broken text",
            bytes(b"{\"messages\":[{\"role\":\"user\",\"content\":\"a \xf0\x9f b\"}]}"),
            Refused(400, "invalid_request"),
        ),
        (
            "C9 UTF-16",
            bytes(b"\xff\xfe{\0}\0"),
            Refused(400, "invalid_request"),
        ),
        (
            "C9 half a surrogate pair",
            post(&says(r#""a\ud83d b""#)),
            Hears("a\u{fffd} b"),
        ),
        (
            "C9 the other half",
            post(&says(r#""\udc4b""#)),
            Hears("\u{fffd}"),
        ),
        (
            "C9 a whole pair",
            post(&says(r#""\ud83d\udc4b Hi""#)),
            Hears("👋 Hi"),
        ),
        (
            "C9 a raw NUL",
            bytes(b"{\"messages\":[{\"role\":\"user\",\"content\":\"a\0b\"}]}"),
            Refused(400, "invalid_request"),
        ),
        (
            "C16 a new header line",
            session("a%0d%0aX-Evil:%201"),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 NUL",
            session("a%00b"),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 an escape",
            session("%1b%5B31m"),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 a C1 control",
            session("%C2%9B31m"),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 a long one",
            session(&x),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 a long one in a header",
            header(&x),
            Refused(400, "invalid_session_id"),
        ),
        (
            "C16 a tab in a header",
            header("a\tb"),
            Refused(400, "invalid_session_id"),
        ),
        ("C16 quotes", session("%22%5C%22"), Hears("Hi")),
        ("C16 a path", session("..%2F..%2Fetc"), Hears("Hi")),
        ("C16 a statement", session("'%20or%201=1;--"), Hears("Hi")),
    ];
    // What is heard is remembered a little later, so what is refused comes first: it asks nobody.
    let (refusals, heard): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|(.., gets)| matches!(gets, Refused(..)));
    for (row, request, gets) in refusals.into_iter().chain(heard) {
        let response = app.send(&request).await;
        assert!(!response.headers.contains_key("x-evil"), "{row}");
        match gets {
            Refused(status, kind) => {
                assert_eq!(response.status, status, "{row}: {}", response.text());
                refused(&response, status, kind);
                let ledger = app.simulator().ledger();
                let asked = (ledger.chats().len(), ledger.zep().len());
                assert_eq!(asked, (0, 0), "{row}: somebody was asked");
            }
            Hears(words) => {
                Heard::strictly(response);
                let asked = app.asked();
                let last = asked["messages"].as_array().unwrap().last().unwrap();
                let told = last["content"].as_str().unwrap();
                assert!(told.starts_with(words), "{row}: {told:?}");
            }
        }
    }
    // Escaped, a NUL is a character like another: it reaches nobody as a byte.
    app.hear(&post(&says(r#""a\u0000b""#))).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c6_slow_bodies_are_cut_and_harm_nobody() {
    const SLOW: usize = 1_000;
    allow_files(8_192);
    let app = TestApp::spawn_alone(&[("ZEP_API_KEY", "")]).await;
    app.options(|o| o.gap = Duration::ZERO);
    let alone = first_words(&app, "alone", 40).await;
    let crowd = (0..SLOW).map(|_| one_byte_a_second(&app));
    let (cut, beside) = tokio::join!(futures::future::join_all(crowd), async {
        sleep(Duration::from_secs(1)).await;
        first_words(&app, "beside", 40).await
    });
    let (answered, closed) = cut.into_iter().unzip();
    let (answered, closed) = (nine_of_ten(answered), nine_of_ten(closed));
    println!(
        "{SLOW} slow bodies, answered after {:.0} ms, closed after {:.0} ms; \
         first words {:.1} ms alone, {:.1} ms beside them",
        milliseconds(answered),
        milliseconds(closed),
        milliseconds(alone),
        milliseconds(beside)
    );
    assert!(answered <= Duration::from_millis(7500), "{answered:?}");
    // So that the answer is not lost with the rest of the body, the socket stays a second longer.
    assert!(closed <= Duration::from_millis(8500), "{closed:?}");
    assert!(beside <= alone + Duration::from_millis(400), "{beside:?}");
    app.stop().await;
}

/// Lets this process have so many files open, as far as it may: each caller takes two here.
fn allow_files(count: u32) {
    let pid = std::process::id().to_string();
    let limit = format!("--nofile={count}:");
    let raised = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status();
    assert!(raised.unwrap().success(), "at most {count} open files");
}

/// Sends a body a byte a second until the door is shut; after how long it was
/// refused, and after how long it was shut.
async fn one_byte_a_second(app: &TestApp) -> (Duration, Duration) {
    let head = "POST /chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 60\r\n\r\n";
    let mut call = raw(app, head.as_bytes()).await;
    let began = Instant::now();
    for byte in b"{\"messages\":[]" {
        call.write(&[*byte]).await;
        tokio::select! {
            answered = call.try_head() => {
                assert_eq!(answered.map(|head| head.status), Some(408));
                call.whole().await;
                let answered = began.elapsed();
                assert!(call.is_closed().await);
                return (answered, began.elapsed());
            }
            () = sleep(Duration::from_secs(1)) => {}
        }
    }
    panic!("it was never closed");
}

/// Until the first words of so many turns: what nine of ten keep to.
pub(crate) async fn first_words(app: &TestApp, name: &str, count: usize) -> Duration {
    let mut times = Vec::new();
    for n in 0..count {
        times.push(
            app.say(&format!("{name}-{n}"), "Hello")
                .await
                .spoke
                .unwrap(),
        );
    }
    nine_of_ten(times)
}

/// The same for one body, each time in a session of its own.
pub(crate) async fn first_words_of(app: &TestApp, name: &str, body: &Value) -> Duration {
    let mut times = Vec::new();
    for n in 0..30 {
        let path = format!("{PATH}?custom_session_id={name}-{n}");
        let heard = app.hear(&Request::post(&path, body)).await;
        times.push(heard.spoke.unwrap());
    }
    nine_of_ten(times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_ten_thousand_messages_cost_milliseconds() {
    let app = TestApp::spawn_alone(&[("ZEP_API_KEY", "")]).await;
    app.options(|o| o.gap = Duration::ZERO);
    let mut talk = Vec::new();
    for n in 0..5_000 {
        talk.push(
            json!({"role": "user", "content": format!("This is what I said as number {n}.")}),
        );
        talk.push(json!({"role": "assistant", "content": format!("And that was answer {n}.")}));
    }
    talk.push(json!({"role": "user", "content": "And now?"}));
    let short = first_words_of(&app, "short", &json!({"messages": [talk.last()]})).await;
    let long = first_words_of(&app, "long", &json!({ "messages": talk })).await;
    println!(
        "first words: {:.1} ms after one message, {:.1} ms after 10,001",
        milliseconds(short),
        milliseconds(long)
    );
    assert!(long <= short + at_most(25, 600), "{long:?}");
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap();
    assert_eq!(messages[0]["role"], "system");
    assert_eq!(messages.last().unwrap()["content"], "And now?");
    let words = messages[1..]
        .iter()
        .map(|m| m["content"].as_str().unwrap().len());
    assert!(words.sum::<usize>() <= 50_000, "{}", messages.len());
    let kept = messages[messages.len() - 2]["content"].as_str().unwrap();
    assert_eq!(kept, "And that was answer 4999.", "the newest are kept");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c18_five_hundred_silent_streams_slow_nobody() {
    const STREAMS: usize = 500;
    let app = TestApp::spawn_alone(&[
        ("ZEP_API_KEY", ""),
        ("HEDGING", "false"),
        ("FIRST_TOKEN_DEADLINE_MS", "60000"),
        ("SPOKEN_FALLBACK_MS", "60000"),
    ])
    .await;
    app.options(|o| o.gap = Duration::ZERO);
    app.script(&["slow-first:50000"; STREAMS]);
    let mut held: Vec<Call> = Vec::new();
    for n in 0..STREAMS {
        let mut call = app.call(&Request::hume(&format!("s-{n}"), "Hello")).await;
        call.head().await;
        held.push(call);
    }
    crate::app::until("all are asked", async || {
        (app.chats().len() == STREAMS).then_some(())
    })
    .await;
    let spoke = first_words(&app, "new", 30).await;
    println!(
        "first words beside {STREAMS} streams: {:.1} ms",
        milliseconds(spoke)
    );
    assert!(spoke <= Duration::from_millis(500), "{spoke:?}");
    assert!(
        app.chats()[..STREAMS].iter().all(|c| c.end.is_none()),
        "all are held"
    );
    for call in held {
        call.reset();
    }
    assert_eq!(app.stop().await.len(), STREAMS + 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_three_hundred_callers_at_once_are_all_let_in() {
    const CALLERS: usize = 300;
    let app = TestApp::spawn(&[("ZEP_API_KEY", "")]).await;
    let connects = (0..CALLERS).map(|_| TcpStream::connect(app.addr));
    let connected = futures::future::join_all(connects).await;
    assert!(connected.iter().all(Result::is_ok), "{connected:?}");
    drop(connected);
    let calls = (0..CALLERS).map(|n| {
        let app = &app;
        async move {
            let mut call = Call::connect(app.addr, Seen::default()).await;
            call.write(&{
                let (head, body) = Request::hume(&format!("s-{n}"), "Hello").wire();
                [head, body].concat()
            })
            .await;
            Heard::strictly(call.response().await)
        }
    });
    for heard in futures::future::join_all(calls).await {
        assert!(heard.text.len() > 20, "{}", heard.text);
    }
    assert_eq!(app.stop().await.len(), CALLERS);
}
