//! What a caller chose, where somebody else opens it: a page in a browser, a table in a spreadsheet.

use crate::app::{TestApp, until};
use crate::caller::Request;
use crate::errors::raw;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_a_host_and_runs_nothing_of_it() {
    let app = TestApp::spawn(&[]).await;
    let mut pages = 0;
    for host in [
        "<img/src=x/onerror=alert(1)>",
        "a\"><script>alert(1)</script>",
        "a&lt;b'",
    ] {
        let request =
            format!("GET /chat/completions HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\n\r\n");
        let page = raw(&app, request.as_bytes()).await.response().await;
        let text = page.text();
        assert!(
            !text.contains("<img") && !text.contains("<script"),
            "{text}"
        );
        if page.status == 200 {
            pages += 1;
            assert!(
                text.contains("&lt;") || text.contains("&amp;lt;b"),
                "{text}"
            );
            let policy = &page.headers["content-security-policy"];
            for rule in ["default-src 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(rule), "{policy}");
            }
            assert_eq!(page.headers["x-content-type-options"], "nosniff");
        }
    }
    assert!(pages > 0, "none of them came through");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_id_is_no_formula_in_what_is_exported() {
    let app = TestApp::spawn(&[]).await;
    for (sent, cell) in [
        ("%3Dcmd%7C'%20/C%20calc'!A1", "'=cmd|' /C calc'!A1"),
        ("%2B1%2B1", "'+1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("a%22,%3D1%2B1", "\"a\"\",=1+1\""),
    ] {
        let heard = app.say(sent, "Hello").await;
        let row = until("the turn in what is exported", async || {
            let table = app.send(&Request::get("/v1/export/turns?format=csv")).await;
            assert_eq!(table.status, 200, "{}", table.text());
            let text = table.text();
            let row = text.lines().find(|line| line.contains(&heard.turn_id));
            row.map(str::to_owned)
        })
        .await;
        assert!(row.contains(&format!(",{cell},")), "{cell}: {row}");
    }
    app.stop().await;
}
