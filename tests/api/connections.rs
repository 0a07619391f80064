//! Connections, on both sides: the caller's is used again, upstream's never sends a call twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quest_clm::lifecycle::Lifecycle;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{TestApp, is_fallback_line};
use crate::caller::Request;
use crate::heard::Heard;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_carries_turn_after_turn() {
    let app = TestApp::spawn(&[]).await;
    let mut call = app.call(&Request::hume("s", "Hello")).await;
    Heard::strictly(call.whole().await);
    call.again(&Request::bytes("/chat/completions", "{")).await;
    assert_eq!(call.whole().await.status, 400);
    for (session, faults) in [("s-1", "ok"), ("s-2", "cut:3"), ("s-3", "401")] {
        app.script(&[faults]);
        call.again(&Request::hume(session, "Hello")).await;
        Heard::strictly(call.whole().await);
    }
    call.again(&Request::get("/healthz")).await;
    assert_eq!(call.whole().await.status, 200);
    assert_eq!(app.stop().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_with_a_browser_gets_a_page() {
    let app = TestApp::spawn(&[]).await;
    let visit =
        Request::get("/chat/completions").header("accept", "text/html,application/xhtml+xml");
    let page = app.send(&visit).await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].starts_with("text/html") && page.text().contains("curl"));
    app.stop().await;
}

/// What an upstream does to a connection once a call has arrived on it.
#[derive(Clone, Copy, Debug)]
enum Upstream {
    /// Closes without an answer.
    Closes,
    /// Refuses the first call politely, and closes on the second of the same connection.
    ClosesWhenUsedAgain,
}

/// Serves one connection; counts the calls whose head arrived.
async fn serve(mut stream: TcpStream, upstream: Upstream, calls: Arc<AtomicUsize>) {
    let mut buffer = Vec::new();
    let mut on_this = 0;
    while stream
        .read_buf(&mut buffer)
        .await
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&buffer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        if body.len() < length.map_or(0, |l| l.parse().unwrap()) {
            continue;
        }
        buffer.clear();
        if head.starts_with("POST") {
            calls.fetch_add(1, Ordering::SeqCst);
            on_this += 1;
            if matches!(upstream, Upstream::Closes) || on_this > 1 {
                return;
            }
        }
        let answer = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(answer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_sent_is_never_sent_again_behind_our_back() {
    for upstream in [Upstream::Closes, Upstream::ClosesWhenUsedAgain] {
        let backstage = Lifecycle::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, lifecycle) = (Arc::clone(&calls), backstage.clone());
        backstage.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lifecycle.spawn(serve(stream, upstream, Arc::clone(&counted)));
            }
        });
        let app = TestApp::spawn(&[("OPENROUTER_BASE_URL", &url)]).await;
        for turn in 1..=3 {
            let heard = app.ask("Hello").await;
            assert!(is_fallback_line(&heard.text));
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["attempts"].as_array().unwrap().len(), 3, "{record}");
            assert_eq!(calls.load(Ordering::SeqCst), turn * 3, "{upstream:?}");
            assert_eq!(record["outcome"], json!("failed"));
        }
        app.stop().await;
    }
}
